"""Who learns and who is judged: the inner folds on which a fold's penalties are chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Training = tuple[int, ...]  # the numbers of the parts that are learnt from, in rising order


@dataclass(frozen=True)
class Plan:
    """The chips in parts, each a fold, or half of one where there are only two.

    Attributes:
        parts: int arrays, the positions of each part's chips; none is empty.
        folds: the fold of each part, in rising order.
    """

    parts: tuple[NDArray[np.int64], ...]
    folds: tuple[int, ...]

    @classmethod
    def of(cls, fold_of: NDArray[np.int64], seed: int) -> Plan:
        """Return the plan of some folds.

        Args:
            fold_of: int array (num_chips,), the fold that holds each chip out.
            seed: decides which chips are in which half.
        """
        folds = np.unique(fold_of).tolist()
        half = np.zeros(len(fold_of), dtype=np.int64)
        if len(folds) == 2:  # besides the fold that is held out and an inner one none would be left to learn from
            order = np.random.default_rng([seed, 2]).permutation(len(fold_of))
            for fold in folds:
                chips = order[fold_of[order] == fold]
                half[chips[len(chips) // 2 :]] = 1
        found = [(fold, np.flatnonzero((fold_of == fold) & (half == number))) for fold in folds for number in (0, 1)]
        kept = [(fold, positions) for fold, positions in found if len(positions)]
        return cls(tuple(positions for _, positions in kept), tuple(fold for fold, _ in kept))

    def positions(self, parts: Iterable[int]) -> NDArray[np.int64]:
        """Return the positions of the chips of some parts."""
        return np.concatenate([self.parts[part] for part in parts])

    def training(self, fold: int) -> Training:
        """Return the parts that a fold learns from.

        Raises:
            ValueError: if there are none.
        """
        training = tuple(part for part, own in enumerate(self.folds) if own != fold)
        if not training:
            raise ValueError(f"fold {fold} leaves no chips to learn from")
        return training

    def inner(self, fold: int, reach: int) -> dict[int, Training]:
        """Return the parts on which a fold's penalties are judged, each with those that are learnt from for that.

        A head that learns without folds k and j serves both: k, judged on j, and j, judged on k.

        Args:
            fold: number of the fold.
            reach: how many parts after and before the fold, in a ring, are judged on. With that, the heads to be fitted
                are as many as folds, times the reach, not as pairs of folds.
        """
        others = self.training(fold)
        ring = [part for part in others if self.folds[part] > fold] + [p for p in others if self.folds[p] < fold]
        judged = ring if len(ring) <= 2 * reach else ring[:reach] + ring[-reach:]
        pairs = {part: tuple(other for other in others if other != part) for part in sorted(judged)}
        return {part: training for part, training in pairs.items() if training}
