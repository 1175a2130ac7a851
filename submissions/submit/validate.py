"""Is a submission file what Kaggle expects? Every fault is counted, and shown by its first rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.spec import Competition

SHOWN = 3
WIDTH = 60  # of a row in a message
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Problem:
    """One kind of fault.

    Attributes:
        what: the fault, such as "ids are missing".
        count: how often it was found.
        examples: the first of them.
    """

    what: str
    count: int
    examples: tuple[str, ...]

    def text(self) -> str:
        """Return the problem as one line."""
        more = f" and {self.count - len(self.examples)} more" if self.count > len(self.examples) else ""
        return f"{self.what}: {self.count} ({'; '.join(self.examples)}{more})"


@dataclass(frozen=True, eq=False)
class SubmissionReport:
    """What was found in a submission file.

    Attributes:
        path: the file.
        problems: the faults; none if the file may be submitted.
        num_rows: rows below the header.
        labels: the competition's labels.
        shares: float array (num_labels,): share of the rows that carry each label.
        mean_tags: mean number of labels a row.
    """

    path: Path
    problems: tuple[Problem, ...]
    num_rows: int
    labels: tuple[str, ...]
    shares: NDArray[np.float64]
    mean_tags: float

    @property
    def is_valid(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def error(self) -> UserError:
        """Return the error that names every problem in one line."""
        return UserError(f"{self.path.name} is not a valid submission. {'. '.join(p.text() for p in self.problems)}.")

    def text(self) -> str:
        """Return the report for a terminal."""
        if self.problems:
            return "\n".join([f"{self.path} is not valid:", *(f"  {problem.text()}" for problem in self.problems)])
        order = np.argsort(-self.shares, kind="stable")
        shares = ", ".join(f"{self.labels[i]} {self.shares[i]:.2%}" for i in order)
        return f"{self.path} is valid: {self.num_rows} rows, {self.mean_tags:.2f} labels a row.\n  {shares}"


@dataclass(frozen=True)
class Row:
    """A row of a submission file.

    Attributes:
        line: its line in the file, from 1.
        name: id of the chip.
        tags: the tags given, in the order of the file; repeated ones stay.
        text: the row for a message.
    """

    line: int
    name: str
    tags: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= WIDTH else self.text[:WIDTH] + "..."
        return f"line {self.line}: {shown!r}"


def validate_submission(
    path: Path, competition: Competition, sample_names: Sequence[str], *, exclusive: bool = True
) -> SubmissionReport:
    """Check a submission file against what the competition expects.

    Args:
        path: the CSV file.
        competition: gives labels, columns and exclusive groups.
        sample_names: the ids, in the sample submission's order.
        exclusive: count it a fault if a row has none or several of an exclusive group.

    Raises:
        UserError: if there is no such file.
    """
    rows, problems = read_rows(path, competition)
    if rows is None:
        return SubmissionReport(path, tuple(problems), 0, competition.labels, np.zeros(len(competition.labels)), 0.0)
    problems += _check_ids(rows, sample_names)
    problems += _check_tags(rows, competition, exclusive)
    tag_sets = [set(row.tags) for row in rows]
    shares = np.array([sum(label in tags for tags in tag_sets) for label in competition.labels]) / max(len(rows), 1)
    return SubmissionReport(path, tuple(problems), len(rows), competition.labels, shares, float(shares.sum()))


def read_rows(path: Path, competition: Competition) -> tuple[list[Row] | None, list[Problem]]:
    """Read the rows of a submission file.

    Returns:
        The rows, and the problems met in reading them; no rows if the file is not such a table at all.

    Raises:
        UserError: if there is no such file.
    """
    problems: list[Problem] = []
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read the submission {path}: {error.strerror}.") from error
    if content.startswith(BOM):
        problems.append(Problem("a byte order mark before the first column's name", 1, ("line 1",)))
        content = content.removeprefix(BOM)
    try:
        text = content.decode("utf-8")
        if "\0" in text:
            raise csv.Error("it holds a zero byte")
        reader = csv.reader(text.splitlines(keepends=True), strict=True)
        lines = [(reader.line_num, cells) for cells in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        return None, [*problems, Problem("not a CSV file", 1, (str(error),))]
    if not lines:
        return None, [*problems, Problem("not a CSV file", 1, ("it is empty",))]
    header = lines[0][1]
    if wrong := _check_header(header, competition):
        return None, problems + wrong
    whole = [line for line in lines[1:] if len(line[1]) == len(header)]
    torn = [f"line {number}: {len(cells)} cells" for number, cells in lines[1:] if len(cells) != len(header)]
    problems += _problem(f"rows without {len(header)} cells", torn)
    rows, wrong = _parse(whole, header, competition)
    return rows, problems + wrong


def _check_header(header: list[str], competition: Competition) -> list[Problem]:
    tables = competition.tables
    expected = [tables.id_column, *([tables.tags_column] if tables.tags_column else competition.labels)]
    return [
        *_problem("missing columns", [repr(name) for name in expected if name not in header]),
        *_problem("extra columns", [repr(name) for name in header if name not in expected]),
        *_problem("repeated columns", sorted({repr(name) for name in header if header.count(name) > 1})),
    ]


def _parse(
    lines: list[tuple[int, list[str]]], header: list[str], competition: Competition
) -> tuple[list[Row], list[Problem]]:
    tables = competition.tables
    id_column = header.index(tables.id_column)
    if tables.tags_column:
        tags_column = header.index(tables.tags_column)
        return [
            Row(number, cells[id_column], tuple(cells[tags_column].split()), ",".join(cells)) for number, cells in lines
        ], []
    columns = [(label, header.index(label)) for label in competition.labels]
    rows = [
        Row(number, cells[id_column], tuple(label for label, i in columns if cells[i] == "1"), ",".join(cells))
        for number, cells in lines
    ]
    wrong = [
        f"line {number}: {label} {cells[i]!r}"
        for number, cells in lines
        for label, i in columns
        if cells[i] not in ("0", "1")
    ]
    return rows, _problem("cells that are not 0 or 1", wrong)


def _check_ids(rows: list[Row], sample_names: Sequence[str]) -> list[Problem]:
    place = {name: i for i, name in enumerate(sample_names)}
    first_row: dict[str, Row] = {}
    repeated, disordered, furthest = [], [], -1
    for row in rows:
        if row.name in first_row:
            repeated.append(row)
            continue
        first_row[row.name] = row
        at = place.get(row.name)
        if at is not None and at < furthest:
            disordered.append(row)
        furthest = max(furthest, -1 if at is None else at)
    return [
        *_problem("missing ids", [name for name in sample_names if name not in first_row]),
        *_problem("ids that are not in the sample submission", [r for n, r in first_row.items() if n not in place]),
        *_problem("repeated ids", repeated),
        *_problem("ids out of the sample submission's order", disordered),
    ]


def _check_tags(rows: list[Row], competition: Competition, exclusive: bool) -> list[Problem]:
    known = set(competition.labels)
    problems = [
        *_problem("rows without a label", [row for row in rows if not row.tags and not competition.unlabelled]),
        *_problem("rows with unknown tags", [row for row in rows if not known.issuperset(row.tags)]),
        *_problem("rows that repeat a tag", [row for row in rows if len(set(row.tags)) < len(row.tags)]),
    ]
    for group in map(frozenset, competition.exclusive if exclusive else ()):
        names = ", ".join(label for label in competition.labels if label in group)
        several = [row for row in rows if len(group.intersection(row.tags)) > 1]
        problems += _problem(f"rows with none of {names}", [row for row in rows if not group.intersection(row.tags)])
        problems += _problem(f"rows with more than one of {names}", several)
    return problems


def _problem(what: str, found: Iterable[object]) -> list[Problem]:
    """Return the problem in a list, or an empty list if nothing was found."""
    found = list(found)
    return [Problem(what, len(found), tuple(str(each) for each in found[:SHOWN]))] if found else []
