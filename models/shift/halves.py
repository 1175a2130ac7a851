"""What neighbours tell where nothing has shifted: labelled chips of half the groups against those of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.progress import reporter
from models.shift.apart import told_apart
from models.shift.area import SURE, area
from models.shift.both import Both

MANY = 10  # divisions into halves
FEWEST_KNOWN = 5  # of them that must have an area


@dataclass(frozen=True)
class Halves:
    """How well labelled chips of half the groups are told from those of the other half.

    Chips of one group are alike. Which chips to predict are of one group is not known, so that some of a group are
    learnt from and others of it are told by them; labelled ones are held out with their whole group. The same is done
    here with labelled chips alone, half of whose groups stand for what is to be predicted: where nothing has shifted,
    and chips to predict come in groups as labelled ones do, the area of these is no larger than those of halves, which
    have fewer groups to learn from. Of 100 made-up pairs of sides without a shift, of 40 to 500 blocks a side, 47 lay
    more than `SURE` errors over chips from a half, and none beyond halves (`tests/benchmarks/bench_groups.py`).

    Attributes:
        groups: how many groups the labelled chips come in.
        areas: of the halves, one for each division.
    """

    groups: int
    areas: tuple[float, ...]

    @classmethod
    def of(cls, components: NDArray[np.float16], both: Both, seed: int = 0) -> Halves:
        """Return the areas of random halves.

        Args:
            components: float16 array (num_chips, num_components), of which those of the labelled chips are taken.
            both: the chips; the labelled ones come in groups.
            seed: of the halves.
        """
        assert both.groups is not None
        labelled, random = np.flatnonzero(~both.is_test), np.random.default_rng([seed, 21])
        folds, kinds = both.folds[labelled], np.unique(both.groups)
        numbers, areas = np.unique(folds), []
        with reporter.bar(MANY, "halves of the groups", "division") as bar:
            for _ in range(MANY):
                chosen = np.isin(both.groups, random.permutation(kinds)[: len(kinds) // 2])
                dealt = random.permutation(numbers[np.arange(len(labelled)) % len(numbers)])
                of_half = np.where(chosen, dealt, folds)  # as chips to predict are dealt: singly
                with reporter.silent():
                    log_odds = told_apart(components[labelled], chosen, of_half)
                areas.append(area(log_odds, chosen, of_half, learnt=True).value)
                bar.update(1)
        return cls(len(kinds), tuple(value for value in areas if not np.isnan(value)))

    @property
    def mean(self) -> float:
        """The mean area; NaN where too few halves have one."""
        return float(np.mean(self.areas)) if len(self.areas) >= FEWEST_KNOWN else float("nan")

    @property
    def spread(self) -> float:
        """The standard deviation of the areas; NaN where too few halves have one."""
        return float(np.std(self.areas, ddof=1)) if len(self.areas) >= FEWEST_KNOWN else float("nan")

    @property
    def bound(self) -> float:
        """The area beyond which chips to predict differ by more than groups do."""
        return self.mean + SURE * self.spread

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"count": self.groups, "areas_of_halves": self.areas, "mean": self.mean, "bound": self.bound}
