"""How a table says which chip carries which label: tags in a column, a column per label, or rows of one label."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import counted, first
from competition.spec.tables import TableForm, split_words
from competition.survey.grids import Grid, find_separator, natural
from competition.survey.ids import row_form
from competition.tables.cells import CellValues
from competition.tables.pairs import Pair, pair_of_row_id

WORDS = {"yes": 1, "y": 1, "t": 1, "positive": 1, "no": 0, "n": 0, "f": 0, "negative": 0, "1,0": 1, "0,0": 0}
UNSURE = {"": 0, "-1": 0, "nan": 0, "na": 0, "n/a": 0, "null": 0, "none": 0}  # by default nothing is claimed
OF_LABELS = re.compile(
    r"label|tag|class|target|finding|categor|attribute|disease|diagnos|species|annotation|predict", re.I
)
OF_NONE = re.compile(r"no[ _-]?(findings?|labels?|tags?|class(es)?)|none|nothing|nan|n/a|null|empty", re.I)
DECIMAL = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?", re.I)
NOBODY: Pair = ("", "")  # of a row whose id names no label
LIST = re.compile(r"\[.*\]|\{.*\}|\(.*\)", re.S)


@dataclass(frozen=True)
class Wishes:
    """What the flags say; None where nothing is said.

    Attributes:
        train_table, sample_submission: names or paths of tables, as they are listed.
        id_column, tags_column, group: names of columns of the training table; of one row per chip and label,
            `tags_column` is that of the label.
        separator: between two tags.
        metric: as `metric_of` takes it.
        name, title, slug: of the competition.
        output: name of the file to write, without its suffix.

    Of `sample_submission` and `group`, "" says that there is none.
    """

    train_table: str | None = None
    sample_submission: str | None = None
    id_column: str | None = None
    tags_column: str | None = None
    group: str | None = None
    separator: str | None = None
    metric: str | None = None
    name: str | None = None
    title: str | None = None
    slug: str | None = None
    output: str | None = None


@dataclass
class Form:
    """How a table says which chip carries which label, and what it says.

    Attributes:
        entries: of the section [tables], beside id_column.
        labels: in the order that they are to have.
        ids: of the chips.
        truth: bool array (num_chips, num_labels).
        remarks: comments on entries, by their name.
        questions: what the data leave open, and the default that was taken.
    """

    entries: dict[str, Any]
    labels: list[str]
    ids: list[str]
    truth: NDArray[np.bool_]
    remarks: dict[str, str] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """As `TableForm.form`."""
        return TableForm.model_validate(self.entries).form


def label_columns(grid: Grid, id_column: str, sample: Grid | None) -> list[str]:
    """Return the columns of a table that are labels: those that the sample submission has too, or all of 0/1."""
    binary = [name for name in grid.others(id_column) if name and is_binary(grid.values(name))]
    shared = [name for name in sample.header if name in binary] if sample else []
    return shared if len(shared) >= 2 else binary


def is_binary(values: Iterable[str]) -> bool:
    """Return whether cells say 0 or 1, or nothing, whatever the words."""
    known, plain = {**WORDS, **UNSURE}, CellValues(TableForm())
    texts = [text for text in values if _known(text, known) is None]
    if any(_plain(text, plain) is None for text in texts):
        return False
    said = {_plain(text, plain) for text in texts} | {known[text.lower()] for text in values if text.lower() in WORDS}
    return bool(said)


def _known(text: str, known: dict[str, int]) -> int | None:
    lower = text.lower()
    return known.get("-1" if lower in ("-1.0", "-1.") else lower)


def _plain(text: str, values: CellValues) -> int | None:
    try:
        return values[text]
    except KeyError:
        return None


def of_columns(grid: Grid, id_column: str, columns: list[str]) -> Form:
    """Read a table with a column per label."""
    values, known = CellValues(TableForm()), {**WORDS, **UNSURE}
    counts: Counter[str] = Counter()
    cells: dict[str, int] = {}
    truth = np.zeros((len(grid.rows), len(columns)), dtype=bool)
    for place, name in enumerate(columns):
        means = {}
        for text, times in grid.values(name).items():
            plain = _plain(text, values)
            if plain is None:
                key = "-1" if text.startswith("-1") else text.lower()
                plain = cells[key] = known[key]
                counts[key] += times
            means[text] = bool(plain)
        truth[:, place] = [means[text] for text in grid.column(name)]
    form = Form({"cells": cells} if cells else {}, columns, grid.column(id_column), truth)
    if cells:
        form.remarks["cells"] = ", ".join(f"{_named(text)} in {counts[text]:,} cells" for text in cells)
    if unsure := [text for text in cells if text in UNSURE]:
        named = " and ".join(map(_named, unsure))
        form.questions.append(f'What do cells mean that are {named}? Taken as 0; entry "cells" says otherwise.')
    return form


def _named(text: str) -> str:
    return repr(text) if text else "blank"


def of_rows(grid: Grid, id_column: str, label_column: str, value_column: str | None) -> Form:
    """Read a table with one row per chip and label, in a column each."""
    pairs = zip(grid.column(id_column), grid.column(label_column), strict=True)
    entries: dict[str, Any] = {"label_column": label_column}
    return _of_pairs(grid, list(pairs), value_column, entries)


def of_row_ids(grid: Grid, id_column: str, chips: set[str], value_column: str) -> Form | None:
    """Read a table with one row per chip and label, both in the id; None if it is no such table."""
    row_id, labels = row_form(grid.values(id_column), chips)
    if len(labels) < 2 or len(labels) > max(2, len(grid.rows) / 2):
        return None
    entries = {"row_id": row_id, "value_column": value_column}
    pair_of = pair_of_row_id(TableForm.model_validate(entries), labels)
    pairs = [pair_of(value) or NOBODY for value in grid.column(id_column)]
    return _of_pairs(grid, pairs, value_column, entries, labels)


def _of_pairs(
    grid: Grid,
    pairs: list[Pair],
    value_column: str | None,
    entries: dict[str, Any],
    labels: list[str] | None = None,
) -> Form:
    cells = of_columns(grid, grid.header[0], [value_column]) if value_column else None
    said = cells.truth[:, 0] if cells else np.ones(len(pairs), dtype=bool)
    labels = labels or sorted({label for _, label in pairs if label}, key=natural)
    ids = list(dict.fromkeys(own for own, _ in pairs if own))
    row, column = ({name: place for place, name in enumerate(names)} for names in (ids, labels))
    truth = np.zeros((len(ids), len(labels)), dtype=bool)
    for (own, label), carries in zip(pairs, said, strict=True):
        if carries and label in column:
            truth[row[own], column[label]] = True
    if cells:
        entries = {**entries, "value_column": value_column, **cells.entries}
    return Form(entries, labels, ids, truth, *((cells.remarks, cells.questions) if cells else ()))


def of_tags(grid: Grid, id_column: str, column: str, sample: Grid | None, wishes: Wishes) -> Form:
    """Read a table with all tags of a chip in one column.

    Raises:
        UserError: if its cells are lists, as a program writes them.
    """
    counts = grid.values(column)
    lists = [cell for cell in counts if LIST.fullmatch(cell)]
    if lists and len(lists) > len(counts) / 2:
        raise UserError(
            f"{grid.path}, column {column!r}: expected words between separators, received lists such as "
            f"{first(map(repr, lists), 1)}. Write a table with one row per chip and label, or the words alone."
        )
    shown = set().union(*(sample.values(name) for name in sample.header)) if sample else set()
    separator, why = (wishes.separator, "--separator") if wishes.separator else find_separator(counts, shown)
    tags = {cell: split_words(cell, separator) for cell in counts}
    none = _word_for_none(tags, counts, shown)
    words = {tag for own in tags.values() for tag in own if tag != none}
    labels = sorted(words, key=natural)
    place = {label: number for number, label in enumerate(labels)}
    truth = np.zeros((len(grid.rows), len(labels)), dtype=bool)
    for row, cell in enumerate(grid.column(column)):
        truth[row, [place[tag] for tag in tags[cell] if tag != none]] = True
    entries: dict[str, Any] = {"tags_column": column, "separator": separator}
    entries |= {"none": none} if none else {}
    form = Form(entries, labels, grid.column(id_column), truth, {"separator": why})
    if none:
        form.remarks["none"] = f"stands alone in {counts[none]:,} rows"
        form.questions.append(
            f'{none!r} was taken as the word for "no label". To make it a label, delete the line none = ... and add '
            f"{none!r} to labels."
        )
    if wishes.separator and not any((separator.strip() or separator) in cell for cell in counts):
        form.questions.append(_absent(separator, column, counts, shown))
    if "?" in why:
        form.questions.append(f"Is {separator!r} between two tags of {column!r}? {why}; --separator says otherwise.")
    return form


def _absent(separator: str, column: str, counts: dict[str, int], shown: set[str]) -> str:
    """Return the question of a separator that no cell holds."""
    likely, _ = find_separator(counts, shown)
    rows = sum(times for cell, times in counts.items() if likely in cell)
    instead = f"; {likely!r} in {counted(rows, 'row')}" if rows else ""
    return f"Is the separator right? {separator!r} occurs in no cell of {column!r}{instead}."


def _word_for_none(tags: dict[str, list[str]], counts: dict[str, int], shown: set[str]) -> str | None:
    """Return the word for "no label": one that sounds so, and never stands beside another."""
    alone = [cell for cell, own in tags.items() if len(own) == 1 and own[0] == cell and OF_NONE.fullmatch(cell)]
    beside = {tag for own in tags.values() if len(own) > 1 for tag in own}
    found = [cell for cell in alone if cell not in beside]
    return max(found, key=lambda cell: counts[cell]) if found else None


def tags_columns(grid: Grid, id_column: str, sample: Grid | None, skip: Sequence[str] = ()) -> list[str]:
    """Return the columns that may hold the tags; only the likeliest, if one is."""
    in_sample = set(sample.others(id_column)) if sample else set()
    ranked: dict[str, tuple[bool, bool, bool]] = {}
    for name in grid.others(id_column, *skip):
        if name in in_sample or _recurs(grid.values(name), len(grid.rows)):
            separator, _ = find_separator(grid.values(name), set())
            several = any(len(split_words(cell, separator)) > 1 for cell in grid.values(name))
            ranked[name] = (name in in_sample, bool(OF_LABELS.search(name)), several)
    best = max(ranked.values(), default=None)
    found = [name for name, rank in ranked.items() if rank == best]
    words = [name for name in found if not all(_is_number(cell) for cell in grid.values(name))]
    if len(found) == 2 and len(words) == 1 and _say_the_same(grid, *found):
        return words  # a class as a number and as a word
    return found


def _say_the_same(grid: Grid, one: str, other: str) -> bool:
    pairs = set(zip(grid.column(one), grid.column(other), strict=True))
    return len(pairs) == len(grid.values(one)) == len(grid.values(other))


def _recurs(counts: dict[str, int], rows: int) -> bool:
    """Return whether the words of a column recur, as labels do, and are no measurements."""
    cells = [cell for cell in counts if cell]
    if any(DECIMAL.fullmatch(cell) for cell in cells):
        return False
    separator, _ = find_separator(counts, set())
    words: Counter[str] = Counter()
    for cell, times in counts.items():
        words.update(dict.fromkeys(split_words(cell, separator), times))
    return len(words) >= 2 and len(words) <= max(2, sum(words.values()) / 1.2)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?\d+(\.\d+)?", text)) or not text
