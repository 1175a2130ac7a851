"""Tables with one row per chip and label, the label in a column of its own or in the id of the row."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from competition.spec.tables import TableForm
from competition.tables.cells import CellValues, score_of
from competition.tables.csv_files import CsvBody
from competition.tables.problems import Lines

Pair = tuple[str, str]  # the id of a chip, and a label; the latter is "" in a row that says that there is none
NO_LABEL = "\n"  # the label of a row whose id names none: no label holds a line break


def pair_of_row_id(form: TableForm, labels: Sequence[str]) -> Callable[[str], Pair | None]:
    """Return the function that splits the id of a row into a chip's id and a label; None where it names no label.

    Labels may begin or end with one another: the longest that fits is taken. Both may contain what stands between them.
    """
    before, between, after = re.split(r"\{id\}|\{label\}", str(form.row_id))
    is_id_first = str(form.row_id).index("{id}") < str(form.row_id).index("{label}")
    known, lengths = frozenset(labels), sorted({len(label) for label in labels}, reverse=True)

    def part(name: str) -> Pair | None:
        if not (name.startswith(before) and name.endswith(after)):
            return None
        inner = name[len(before) : len(name) - len(after)]
        for length in lengths:
            if is_id_first:
                head, label = inner[: len(inner) - length], inner[len(inner) - length :]
                chip = head.removesuffix(between)
            else:
                label, head = inner[:length], inner[length:]
                chip = head.removeprefix(between)
            if label in known and chip and len(inner) == length + len(between) + len(chip):
                return chip, label
        return None

    return part


class PairRows:
    """The rows of a table with one per chip and label, read.

    Args:
        body: the rows.
        form: how chip and label are named.
        labels: that there are.
        scores: whether the cells hold scores, and not decisions.

    Attributes:
        wrong: cells that cannot be read, with their lines.
        unknown: the rows that name no known label.
    """

    def __init__(self, body: CsvBody, form: TableForm, labels: Sequence[str], *, scores: bool) -> None:
        self.wrong: list[str] = []
        self.unknown: list[int] = []
        self._text, self._labels, self._gap = body.file.text, tuple(labels), 0.0
        self._pairs: list[Pair] = []
        self._lines, self._values = array("q"), array("d")
        self._texts: Counter[str] = Counter()
        self._cells = CellValues(form, exact=body.file.exact)
        self._read(body, form, scores)
        if form.value_column is not None:
            said = {text.strip(): value for text, value in form.cells.items()}
            self._gap = np.nan if scores or "" not in said else float(said[""])
        self._number, self._at = self._places()

    def _read(self, body: CsvBody, form: TableForm, scores: bool) -> None:
        pair_of, known = pair_reader(body, form, self._labels), {*self._labels, ""}
        place = None if form.value_column is None else body.place(form.value_column)
        for line, row in body:
            pair = body.share(pair_of(row))
            if pair[1] not in known:
                self.unknown.append(len(self._pairs))
            value: float | None = 1.0
            if place is not None:
                value = score_of(row[place]) if scores else self._decision(row[place])
            if value is None:
                self.wrong.append(f"line {line}: {row[place or 0]!r}")
            self._pairs.append(pair)
            self._lines.append(line)
            self._values.append(np.nan if value is None else value)

    def _decision(self, cell: str) -> float | None:
        self._texts[cell] += 1
        try:
            return float(self._cells[cell])
        except KeyError:
            return None

    def _places(self) -> tuple[dict[str, int], NDArray[np.int64]]:
        """Return the number of each chip, and the cell of each row in the table of chips and labels; -1 for none."""
        number: dict[str, int] = {}
        column = {label: place for place, label in enumerate(self._labels)}
        width, at = len(column), np.full(len(self._pairs), -1, dtype=np.int64)
        strange = set(self.unknown)
        for row, (chip, label) in enumerate(self._pairs):
            if row not in strange:
                start = number.setdefault(chip, len(number)) * width
                if label:
                    at[row] = start + column[label]
        return number, at

    def rows(self) -> Lines:
        """Return the rows, as pairs of an id and a label."""
        return Lines(tuple(self._pairs), self._lines, self._text)

    def chips(self) -> Lines:
        """Return the chips, each once, at the line on which it first stands."""
        line_of: dict[str, int] = {}
        for (chip, _), line in zip(self._pairs, self._lines, strict=True):
            line_of.setdefault(chip, line)
        return Lines(tuple(self._number), tuple(line_of[chip] for chip in self._number), self._text)

    def values(self) -> NDArray[np.float32]:
        """Return what is said of each chip and label, float32 array (num_chips, num_labels).

        A chip and label without a row get NaN; where the table lists only the labels that chips carry, 0; and where
        the form says what a blank cell means, that.
        """
        values, said = np.full(len(self._number) * len(self._labels), self._gap, dtype=np.float32), self._at >= 0
        values[self._at[said]] = np.array(self._values, dtype=np.float32)[said]  # of several rows the last one
        return values.reshape(len(self._number), len(self._labels))

    def contradicting(self) -> list[int]:
        """Return the rows that contradict an earlier row of the same chip and label."""
        _, first, places = np.unique(self._at, return_index=True, return_inverse=True)
        values = np.array(self._values)
        differs = (values != values[first[places]]) & ~np.isnan(values) if len(values) else np.zeros(0, dtype=bool)
        return np.flatnonzero(differs & (self._at >= 0)).tolist()

    def counts(self) -> dict[str, int]:
        """Return how many cells have each text whose meaning the form says."""
        return self._cells.counts(self._texts)


def pair_reader(body: CsvBody, form: TableForm, labels: Sequence[str]) -> Callable[[list[str]], Pair]:
    """Return the function that reads chip and label of a row."""
    exact, id_place = body.file.exact, body.place(form.id_column)
    if form.row_id is not None:
        part = pair_of_row_id(form, labels)

        def by_id(row: list[str]) -> Pair:
            name = row[id_place] if exact else row[id_place].strip()
            return part(name) or (name, NO_LABEL)

        return by_id
    label_place = body.place(str(form.label_column))
    if exact:
        return lambda row: (row[id_place], row[label_place])

    def by_column(row: list[str]) -> Pair:
        label = row[label_place].strip()
        return row[id_place].strip(), "" if label == form.none else label

    return by_column
