"""Several tables read as one: below each other, or side by side where each has some of the columns."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from competition.common.errors import UserError
from competition.common.text import first
from competition.spec.tables import TableForm
from competition.tables.csv_files import CsvBody, CsvFile, content_of
from competition.tables.label_table import LabelRows, columns_of, parse_rows
from competition.tables.pairs import pair_of_row_id
from competition.tables.problems import Lines, Problem, problems_of


def read_label_rows(paths: Sequence[Path], form: TableForm, labels: Sequence[str]) -> LabelRows:
    """Read the labels of chips from one table or several.

    Tables with the same columns of labels stand below each other; with different ones, they are joined on the id. A
    table without any, such as one of patients, is skipped.

    Args:
        paths: of the tables, plain or zipped.
        form: how each says which chip carries which label.
        labels: the labels.

    Returns:
        The chips of all tables; of several, problems name the file, and the lines of the chips are not known.

    Raises:
        UserError: if a file is missing or cannot be read.
    """
    contents = {path: content_of(path) for path in paths}
    if len(contents) == 1:
        return parse_rows(contents[paths[0]], form, labels)
    parts: dict[tuple[str, ...], list[Path]] = {}  # the tables, by the labels of which they have columns
    for path, content in contents.items():
        parts.setdefault(_held(content, form, labels), []).append(path)
    others = parts.pop((), [])
    held = Counter(label for own in parts for label in own)
    if not parts or max(held.values()) > 1:  # one lacks a column: reading it says which
        suspects = parts[min(parts, key=len)] if parts else others
        return _stacked({path: parse_rows(contents[path], form, labels) for path in suspects})
    lacking = [label for label in labels if label not in held]
    tables = []
    for own, members in parts.items():
        wanted = [label for label in labels if label in own or label in lacking]
        tables.append(_stacked({path: parse_rows(contents[path], form, wanted) for path in members}))
    return _side_by_side([", ".join(path.name for path in members) for members in parts.values()], tables)


def _held(content: bytes, form: TableForm, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels of which a table holds something, in the order of `labels`; all if it cannot be read."""
    try:
        header = set(CsvFile.parse(content, form).header)
    except csv.Error:
        return tuple(labels)  # reading it says what is wrong
    if form.form == "columns":
        own = tuple(label for label in labels if label in header)
        return own if form.id_column in header else tuple(labels)
    needed = columns_of(form, labels)
    return () if form.id_column in header and not header.issuperset(needed) else tuple(labels)


def _stacked(tables: dict[Path, LabelRows]) -> LabelRows:
    """Return tables that stand below each other as one."""
    problems = _named({path.name: table for path, table in tables.items()})
    files_of: dict[str, list[str]] = {}
    for path, table in tables.items():
        for name in dict.fromkeys(table.names):
            files_of.setdefault(name, []).append(path.name)
    several = [f"{name} in {' and '.join(files)}" for name, files in files_of.items() if len(files) > 1]
    return LabelRows(
        Lines(tuple(name for table in tables.values() for name in table.names)),
        tuple(tags for table in tables.values() for tags in table.tags),
        cells=_added(table.cells for table in tables.values()),
        problems=(*problems, *problems_of("ids in several tables", several)),
        is_table=all(table.is_table for table in tables.values()),
    )


def _named(tables: dict[str, LabelRows]) -> list[Problem]:
    return [
        replace(problem, what=f"{name}: {problem.what}") for name, table in tables.items() for problem in table.problems
    ]


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _side_by_side(titles: Sequence[str], tables: Sequence[LabelRows]) -> LabelRows:
    """Return tables that each have some of the labels of the same chips as one, in the order of the first."""
    names = tables[0].names
    problems = [problem for table in tables for problem in table.problems]
    is_table = all(table.is_table for table in tables)
    known = [dict(zip(table.names, table.tags, strict=True)) for table in tables]
    for title, tags_of in zip(titles[1:], known[1:], strict=True) if is_table else ():
        problems += problems_of(
            f"ids of {titles[0]} that {title} lacks", [name for name in names if name not in tags_of]
        )
        problems += problems_of(
            f"ids of {title} that {titles[0]} lacks", [name for name in tags_of if name not in known[0]]
        )
    return LabelRows(
        Lines(names),
        tuple(tuple(tag for tags_of in known for tag in tags_of.get(name, ())) for name in names),
        cells=_added(table.cells for table in tables),
        problems=tuple(problems),
        is_table=is_table,
    )


def read_column(paths: Sequence[Path], form: TableForm, labels: Sequence[str], column: str) -> dict[str, str]:
    """Read a column of one table or several that says something of each chip, such as its patient or its fold.

    Args:
        paths: of the tables; those without the column are skipped.
        form: names the column of the ids; of one row per chip and label, how its id names the chip.
        labels: of the competition, for such.
        column: the column.

    Returns:
        The cell of each chip, by its id.

    Raises:
        UserError: if a table cannot be read, none has the column, or a chip has two different cells.
    """
    found: dict[str, str] = {}
    headers: list[str] = []
    for path in paths:
        try:
            file = CsvFile.parse(content_of(path), form)
            headers += [name for name in file.header if name not in headers]
            if not {column, form.id_column} <= set(file.header):
                continue
            cells = _cells(file, form, labels, column, path)
        except csv.Error as error:
            raise UserError(f"Cannot read {path} as CSV: {error}.") from error
        if unlike := [name for name, cell in cells.items() if found.setdefault(name, cell) != cell]:
            raise UserError(f"{path}: other {column} than in the tables before, of {first(unlike, shown=3)}.")
    if not found:
        titles = first((path.name for path in paths), shown=3)
        raise UserError(
            f"{titles}: no columns {form.id_column!r} and {column!r}; received {first(map(repr, headers))}."
        )
    return found


def _cells(file: CsvFile, form: TableForm, labels: Sequence[str], column: str, path: Path) -> dict[str, str]:
    body, cells = CsvBody(file), dict[str, str]()
    part = pair_of_row_id(form, labels) if form.row_id is not None else None
    id_place, place = body.place(form.id_column), body.place(column)
    unlike: list[str] = []
    for line, row in body:
        name, cell = row[id_place].strip(), row[place].strip()
        if part is not None:
            name = (part(name) or (name, ""))[0]
        if cells.setdefault(name, cell) != cell:
            unlike.append(f"line {line}: {name!r} with {cell!r}, before with {cells[name]!r}")
    if problems := [*body.problems(), *problems_of(f"chips with several values of {column}", unlike)]:
        raise UserError(f"{path} cannot be used: {'; '.join(problem.text() for problem in problems)}.")
    return cells
