"""The one reader of tables of labels, for training, for the check of the data and for submissions."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from competition.common.text import cut, first
from competition.spec.tables import TableForm
from competition.tables.cells import DecisionRows, ScoreRows
from competition.tables.csv_files import DELIMITERS, CsvBody, CsvFile
from competition.tables.pairs import PairRows
from competition.tables.problems import WIDTH, Lines, Problem, problems_of

EMPTY = Lines()
SEPARATORS = ("|", ",", ";", " ", "/", "+", "&", "\t")


@dataclass(frozen=True, eq=False)
class LabelRows:
    """A table of labels as it stands in the file, and what is wrong with it.

    Attributes:
        chips: the chips: id of each row that can be read, or of a table with one row per chip and label each id once.
        tags: of each of these, its tags in the order of the file, repeated ones too; of 0/1 cells, the labels with a 1.
        scores: of each of these, float32 array (num_chips, num_labels), NaN where there is none; None of decisions.
        rows: of a table with one row per chip and label, its rows as pairs of id and label; otherwise as `chips`.
        faulty: chips of which a cell cannot be read or has no row, by their place among `chips`.
        cells: how many cells have each text whose meaning the table's form says, such as "-1".
        problems: what must be mended whatever the table is for.
        oddities: what only Kaggle minds: a byte order mark, blank lines, further columns.
        is_table: whether there is a header with the columns needed; without, there are no rows.
    """

    chips: Lines = EMPTY
    tags: tuple[tuple[str, ...], ...] = ()
    scores: NDArray[np.float32] | None = None
    rows: Lines = EMPTY
    faulty: frozenset[int] = frozenset()
    cells: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    oddities: tuple[Problem, ...] = ()
    is_table: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of the chips."""
        return self.chips.keys


def parse_rows(
    content: bytes, form: TableForm, labels: Sequence[str], *, scores: bool = False, exact: bool = False
) -> LabelRows:
    """Return the rows of a table of labels.

    Args:
        content: of the CSV file.
        form: how the table says which chip carries which label.
        labels: the labels it may hold; of a column per label, those whose columns must be there.
        scores: whether cells hold scores from 0 to 1, and not 0 or 1.
        exact: accept only what Kaggle accepts: no blanks around cells, and decisions as 0 and 1.
    """
    oddities: list[Problem] = []
    try:
        file = CsvFile.parse(content, form, exact=exact)
        needed = columns_of(form, labels)
        marked = "a byte order mark before the first column's name" if file.mark == "utf-8" else f"text in {file.mark}"
        oddities += problems_of(marked, ["line 1"] if file.mark else [])
        if problems := check_header(file, needed):
            extra = [] if len(file.header) == 1 else _extra_columns(file, needed)
            return LabelRows(problems=tuple(problems), oddities=(*oddities, *extra), is_table=False)
        oddities += _extra_columns(file, needed)
        body = CsvBody(file)
        if form.form == "rows":
            table = _read_pairs(body, form, labels, scores=scores)
        elif form.form == "tags":
            table = _read_tags(body, form, labels)
        else:
            table = _read_columns(body, form, labels, scores=scores)
        problems = [*body.problems(), *table.problems]
        return replace(table, problems=tuple(problems), oddities=(*oddities, *body.oddities()))
    except csv.Error as error:
        problems = problems_of("not a CSV file", [error])
        return LabelRows(problems=tuple(problems), oddities=tuple(oddities), is_table=False)


def columns_of(form: TableForm, labels: Sequence[str]) -> list[str]:
    """Return the columns that a table needs: of the ids, then of what says which labels a chip carries."""
    match form.form:
        case "tags":
            return [form.id_column, str(form.tags_column)]
        case "columns":
            return [form.id_column, *labels]
        case _:
            return [form.id_column, *(name for name in (form.label_column, form.value_column) if name is not None)]


def check_header(file: CsvFile, needed: Sequence[str]) -> list[Problem]:
    """Return what is wrong with the header of a table that needs some columns."""
    there = set(file.header)
    missing = [repr(name) for name in needed if name not in there]
    if missing and (mark := file.other_delimiter(needed)):
        expected, received = DELIMITERS.get(file.delimiter, repr(file.delimiter)), DELIMITERS[mark]
        remedy = f"say delimiter = {received} in the competition file" if not file.exact else "write it so"
        advice = f"expected {expected} between cells, received {received}: {remedy}"
        return problems_of("wrong delimiter", [f"line 1: {cut(','.join(file.header), WIDTH)!r}"], advice)
    received = f"received the columns {first(map(repr, map(cut, file.header)))}"
    times = Counter(file.header)
    repeated = [repr(name) for name in needed if times[name] > 1]
    return [*problems_of("missing columns", missing, received), *problems_of("repeated columns", repeated)]


def _extra_columns(file: CsvFile, needed: Sequence[str]) -> list[Problem]:
    known = set(needed)
    return problems_of("extra columns", [repr(cut(name, WIDTH)) for name in file.header if name not in known])


def _read_tags(body: CsvBody, form: TableForm, labels: Sequence[str]) -> LabelRows:
    names, texts, lines = list[str](), list[str](), array("q")
    id_place, tags_place = body.place(form.id_column), body.place(str(form.tags_column))
    for line, row in body:
        names.append(body.share(row[id_place]))
        texts.append(body.share(row[tags_place]))
        lines.append(line)
    known = frozenset(labels)
    tags_of = {text: tuple(form.split(text)) for text in set(texts)}  # of tens of thousands, often a few hundred
    strange = {text for text, tags in tags_of.items() if not known.issuperset(tags)}
    tags = tuple(map(tags_of.__getitem__, texts))
    chips = Lines(body.cleaned(names), lines, body.file.text)
    rows = [row for row, text in enumerate(texts) if text in strange]
    counts = Counter(tag for row in rows for tag in {*tags[row]} - known)
    problems = chips.problems_of("rows with unknown tags", rows, _advice(counts, labels, form, strange), kind="tags")
    torn = {text for text in tags_of if form.contradicts_itself(text)}
    rows = [row for row, text in enumerate(texts) if text in torn]
    problems += chips.problems_of(f"rows with tags and {form.none!r}, the word for none", rows)
    return LabelRows(chips, tags, rows=chips, problems=(*_about_ids(chips, body), *problems))


def _read_columns(body: CsvBody, form: TableForm, labels: Sequence[str], *, scores: bool) -> LabelRows:
    names, lines, wrong, faulty = list[str](), array("q"), list[str](), set[int]()
    id_place, places = body.place(form.id_column), [body.place(label) for label in labels]
    cells_of: Callable[[list[str]], tuple[str, ...]] = (
        itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)
    )
    rows = ScoreRows(labels) if scores else DecisionRows(form, labels, exact=body.file.exact)
    for line, row in body:
        if faults := rows.add(cells_of(row)):
            faulty.add(len(names))
            wrong += [f"line {line}: {fault}" for fault in faults]
        names.append(body.share(row[id_place]))
        lines.append(line)
    chips = Lines(body.cleaned(names), lines, body.file.text)
    problems = (*_about_ids(chips, body), *_about_cells(wrong, scores=scores))
    if isinstance(rows, ScoreRows):
        return LabelRows(chips, (), rows.values(), chips, frozenset(faulty), problems=problems)
    tags = tuple(rows.tags)
    return LabelRows(chips, tags, None, chips, frozenset(faulty), rows.counts(), problems)


def _read_pairs(body: CsvBody, form: TableForm, labels: Sequence[str], *, scores: bool) -> LabelRows:
    pairs = PairRows(body, form, labels, scores=scores)
    rows, chips, values = pairs.rows(), pairs.chips(), pairs.values()
    problems = _about_cells(pairs.wrong, scores=scores)
    gaps = np.flatnonzero(np.isnan(values).any(axis=1)).tolist()
    if body.file.exact:  # the caller knows the rows, and reports those that are unknown or missing
        problems += rows.problems_of("repeated rows", rows.repeated())
    else:
        problems += [*_about_ids(chips, body, repeated=False), *_about_pairs(pairs, rows, form, labels)]
        if not problems:
            advice = 'expected a row for each label; if no row means 0, say cells = {"" = 0} under [tables]'
            problems += chips.problems_of("chips without a row for a label", gaps, advice)
    tags = () if scores else tuple(tuple(compress(labels, row)) for row in (values == 1).tolist())
    shown = values if scores else None
    return LabelRows(chips, tags, shown, rows, frozenset(gaps), pairs.counts(), tuple(problems))


def _about_pairs(pairs: PairRows, rows: Lines, form: TableForm, labels: Sequence[str]) -> list[Problem]:
    if form.row_id is None:
        counts = Counter(rows.keys[row][1] for row in pairs.unknown)
        expected = _advice(counts, labels, form, set())
        problems = rows.problems_of("rows with unknown tags", pairs.unknown, expected, kind="tags")
    else:
        expected = f"expected {form.row_id} with a label such as {labels[0]!r}"
        problems = rows.problems_of("rows whose id names no label", pairs.unknown, expected)
    return [*problems, *rows.problems_of("rows that contradict an earlier one", pairs.contradicting())]


def _about_ids(chips: Lines, body: CsvBody, *, repeated: bool = True) -> list[Problem]:
    again = chips.problems_of("repeated ids", chips.repeated() if repeated else ())
    if body.file.exact:  # the caller knows the ids, and reports empty ones as unknown
        return again
    nameless = [row for row, name in enumerate(chips.keys) if not name]
    odd = [row for row, name in enumerate(chips.keys) if not name.isprintable()]
    again += chips.problems_of("ids with control characters", odd)
    return [*again, *chips.problems_of("rows without an id", nameless, kind="lost")]


def _about_cells(wrong: Sequence[str], *, scores: bool) -> list[Problem]:
    what = "cells that are no score from 0 to 1" if scores else "cells that are not 0 or 1"
    return problems_of(what, wrong, kind="cells")


def _advice(counts: Counter[str], labels: Sequence[str], form: TableForm, texts: set[str]) -> str:
    """Return which unknown tags were received and what was expected, or the separator that makes all known.

    Args:
        counts: in how many rows each unknown tag stands.
        labels: that are known.
        form: of the table.
        texts: cells with unknown tags.
    """
    known = frozenset(labels)
    for separator in (mark for mark in SEPARATORS if texts and mark != form.separator):
        other = form.model_copy(update={"separator": separator})
        if all(known.issuperset(other.split(text)) for text in texts):
            return f"expected {form.separator!r} between tags, received {separator!r}: say separator = {separator!r}"
    often = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    received = first(f"{cut(tag, WIDTH)} ({count:,}x)" for tag, count in often)
    return f"received {received}, expected {first(map(cut, labels))}"
