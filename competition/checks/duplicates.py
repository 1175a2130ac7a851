"""Equal and nearly equal pictures as findings: with different labels, in train and test, or in two folds perhaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.checks.report import Finding, about
from competition.common.text import cut, first
from competition.copies.pairs import MOST_PAIRS, Pairs, alike, confirmed, equal_pairs

NONE: frozenset[str] = frozenset()
SHOWN = 3  # pairs in a line, and labels of a chip


@dataclass(frozen=True)
class Pictures:
    """The chips of a rendering, train and test, among which equal ones are looked for.

    Attributes:
        name: of the rendering.
        chips: split and id of each.
        prints: of each, array (num_chips,) of type `PRINT`.
        levels: mean of each band (num_chips, num_bands).
        full: the range of the values, against which contrast is judged.
        read: decodes a chip, by its number.
        tags: labels of the labelled chips, by id.
    """

    name: str
    chips: Sequence[tuple[str, str]]
    prints: NDArray[Any]
    levels: NDArray[np.float32]
    full: float
    read: Callable[[int], NDArray[Any]]
    tags: Mapping[str, frozenset[str]]

    def check(self) -> Iterator[Finding]:
        """Find equal and nearly equal pictures: with different labels, in train and test, or in two folds perhaps."""
        yield from self._about("equal", equal_pairs(self.prints["digest"]))
        candidates = alike(self.prints, self.levels, self.full)
        near = confirmed(candidates[:MOST_PAIRS], self.read)
        some = f", of the {MOST_PAIRS:,} most alike" if len(candidates) > MOST_PAIRS else ""
        yield from self._about("nearly equal", near, some)

    def _about(self, how: str, pairs: Pairs, some: str = "") -> Iterator[Finding]:
        across, torn, same = list[str](), list[str](), list[str]()
        for (split, one), (other_split, other) in ((self.chips[a], self.chips[b]) for a, b in pairs):
            if split != other_split:
                across.append(f"{one} and {other}")
            elif split == "train":
                labels, others = self.tags.get(one, NONE), self.tags.get(other, NONE)
                if labels != others:
                    torn.append(f"{one} ({_listed(labels - others)}) and {other} ({_listed(others - labels)})")
                else:
                    same.append(f"{one} and {other}")
        pairs_of = f"pairs of {how} pictures"
        yield from about("warning", f"{self.name} train: {pairs_of} with different labels{some}", torn, SHOWN)
        yield from about("warning", f"{self.name}: {pairs_of} in train and test{some}", across, SHOWN)
        yield from about("note", f"{self.name} train: {pairs_of}, which folds may separate{some}", same, SHOWN)


def _listed(labels: frozenset[str]) -> str:
    return first(map(cut, sorted(labels)), SHOWN) or "-"
