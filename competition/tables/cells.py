"""What the cells of a table of labels say: words, 0 or 1, or scores."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import compress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from competition.spec.tables import TableForm

PLAIN = {"0": 0, "1": 1, "false": 0, "true": 1}
WHOLE = re.compile(r"([+-]?[0-9]+)\.0*")  # "1.0", as pandas writes 1 beside a gap
MEMORY = 4096  # different rows that are remembered: of tens of thousands, often a few hundred are different
REMEMBERED = 4096  # cells or rows that are kept once, however often they occur
T = TypeVar("T")


class Sharing(dict[Any, Any]):
    """Returns a cell or row as the same object as before where it occurred: of millions of rows, many hold the same."""

    def __call__(self, value: T) -> T:
        """Return it, or its equal that came before."""
        same: T = self.setdefault(value, value) if len(self) < REMEMBERED else self.get(value, value)
        return same


class CellValues(dict[str, int]):
    """What cells mean, 0 or 1, by their text; a text that means neither raises KeyError.

    Args:
        form: says what texts mean beside 0, 1, true and false.
        exact: take 0 and 1 only, as they stand.
    """

    def __init__(self, form: TableForm, *, exact: bool = False) -> None:
        super().__init__(((text, PLAIN[text]) for text in "01") if exact else ())
        self._exact = exact
        self._said = {_plain(text): value for text, value in form.cells.items()}

    def __missing__(self, text: str) -> int:
        if self._exact:
            raise KeyError(text)
        plain = _plain(text)
        self[text] = value = self._said[plain] if plain in self._said else PLAIN[plain]
        return value

    def counts(self, texts: Counter[str]) -> dict[str, int]:
        """Return how many cells have each text whose meaning the form says."""
        found: Counter[str] = Counter()
        for text, times in texts.items():
            if (plain := _plain(text)) in self._said:
                found[plain] += times
        return dict(found)


def _plain(text: str) -> str:
    """Return the text of a cell without what carries no meaning: blanks around it, case, and zeros after the point."""
    text = text.strip().lower()
    whole = WHOLE.fullmatch(text)
    return whole[1] if whole else text


class DecisionRows:
    """Takes in rows of cells, one for each label, that say 0 or 1.

    Args:
        form: says what texts mean beside 0 and 1.
        labels: that of each cell.
        exact: take 0 and 1 only.

    Attributes:
        tags: of each row, the labels with a 1.
    """

    def __init__(self, form: TableForm, labels: Sequence[str], *, exact: bool) -> None:
        self.tags: list[tuple[str, ...]] = []
        self._labels = tuple(labels)
        self._values = CellValues(form, exact=exact)
        self._counts_texts = bool(form.cells)
        self._texts: Counter[str] = Counter()
        self._tags_of: dict[tuple[str, ...], tuple[str, ...]] = {}

    def add(self, cells: tuple[str, ...]) -> list[str]:
        """Take in a row, and return its faults."""
        faults: list[str] = []
        if (tags := self._tags_of.get(cells)) is None:
            try:
                tags = tuple(compress(self._labels, map(self._values.__getitem__, cells)))
            except KeyError:
                tags, faults = (
                    (),
                    [
                        f"{label} {cell!r}"
                        for label, cell in zip(self._labels, cells, strict=True)
                        if not self._knows(cell)
                    ],
                )
            if not faults and len(self._tags_of) < MEMORY:
                self._tags_of[cells] = tags
        self.tags.append(tags)
        if self._counts_texts:
            self._texts.update(cells)
        return faults

    def counts(self) -> dict[str, int]:
        """Return how many cells have each text whose meaning the form says."""
        return self._values.counts(self._texts)

    def _knows(self, cell: str) -> bool:
        try:
            return self._values[cell] in (0, 1)
        except KeyError:
            return False


class ScoreRows:
    """Takes in rows of scores, one for each label.

    Args:
        labels: that of each cell.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self._rows: list[NDArray[np.float32]] = []

    def add(self, cells: tuple[str, ...]) -> list[str]:
        """Take in a row, and return its faults."""
        try:
            row = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
            fits = bool(((row >= 0) & (row <= 1)).all()) and _is_plain("".join(cells))
        except ValueError:
            fits = False
        if fits:
            self._rows.append(row.astype(np.float32))
            return []
        self._rows.append(np.full(len(cells), np.nan, dtype=np.float32))
        wrong = ((label, cell) for label, cell in zip(self._labels, cells, strict=True) if score_of(cell) is None)
        return [f"{label} {cell!r}" for label, cell in wrong]

    def values(self) -> NDArray[np.float32]:
        """Return the scores, float32 array (num_rows, num_labels), NaN in rows with a fault."""
        return np.array(self._rows, dtype=np.float32).reshape(len(self._rows), len(self._labels))


def score_of(cell: str) -> float | None:
    """Return the score that a cell holds; None if it holds no number from 0 to 1."""
    try:
        score = float(cell)
    except ValueError:
        return None
    return score if 0 <= score <= 1 and _is_plain(cell) else None


def _is_plain(number: str) -> bool:
    """Return whether other programs read a number too: Python alone accepts "1_0", and digits of any script."""
    return "_" not in number and number.isascii()
