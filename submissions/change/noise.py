"""How much of a change noise alone makes.

It is not estimated from the two dates, of which nobody knows what has changed: around the cut most cells that moved may
have changed truly, and far from it noise is another. It is what the same comparison finds on ground that has not
changed: between the earlier scores and others of the same days, or of the same scene made by other views. So it knows
of neighbours, margins and smallest areas, and counts regions as well as areas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from submissions.change.compare import APPEARED, GONE, KINDS, LESS, MORE, SAME, LabelChange

# Times what noise makes that a change must be to be told from it. One repetition is one draw: between two skies over
# simulated ground that was the same, up to 2.6 times as much was found as between two others.
TOLD = 3.0


class Made(NamedTuple):
    """What noise makes, NaN where nobody knows: the number of regions to expect, and their area."""

    num: float
    km2: float


@dataclass(frozen=True, eq=False)
class Found:
    """What has changed of one label, beside what noise makes of it.

    Attributes:
        change: from the earlier date to the later one.
        again: what the same comparison finds on ground that has not changed; None where nobody knows.
    """

    change: LabelChange
    again: LabelChange | None = None

    def by_noise(self, *kinds: str) -> Made:
        """Return how many regions of some kinds, and how much area, noise alone makes of as many cells."""
        if self.again is None or not self.again.known:
            return Made(math.nan, math.nan)
        times = self.change.known / self.again.known
        return Made(self.again.num(*kinds) * times, self.again.km2(*kinds) * times)

    @property
    def untold(self) -> list[str]:
        """What is not told from noise, of "appeared" and "gone": its area is less than `TOLD` times that of noise."""
        kinds = {APPEARED: MORE, GONE: LESS}
        return [name for name, of in kinds.items() if 0 < self.change.km2(*of) < TOLD * self.by_noise(*of).km2]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, for JSON."""
        change = self.change
        values = {"label": change.label, "cut": change.cut, "known_cells": change.known}
        areas = {"before_km2": change.before_km2, "after_km2": change.after_km2, "net_km2": self.net_km2}
        areas["doubtful_km2"] = change.doubtful_km2
        kinds: dict[str, Any] = {}
        for kind in KINDS:
            kinds[kind] = {"regions": change.num(kind), "km2": change.km2(kind)}
            if kind != SAME:
                num, km2 = self.by_noise(kind)
                kinds[kind]["by_noise"] = None if math.isnan(num) else {"regions": num, "km2": km2}
        return {**values, **areas, **kinds, "left_out": change.small, "not_told_from_noise": self.untold}

    @property
    def net_km2(self) -> float:
        """What has come less what has gone."""
        return self.change.km2(*MORE) - self.change.km2(*LESS)
