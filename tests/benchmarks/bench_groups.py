"""False alarms of adversarial validation of chips in groups. `python -m tests.benchmarks.bench_groups`.

Made-up features of labelled chips and of chips to predict, both in blocks: each block has a place of its own
(deviation 1 in each of 32 features), around which its chips lie (deviation 1). Labelled chips are held out by block,
those to predict are dealt singly, as nobody knows their blocks. Both sides are of one population, or one feature of the
chips to predict lies farther by so much ("shift"). Shown: the mean area; by how many errors over chips it is beyond a
half; the mean area of halves of the labelled blocks, and how many are said to differ: by errors over chips, and by the
halves.

Measured:

    blocks   shift   area  errors  of halves  by errors  by halves
    40 x 25      0  0.623    +7.2      0.656   34 of 40    0 of 40
    200 x 5      0  0.530    +1.7      0.553   10 of 40    0 of 40
    500 x 4      0  0.522    +1.7      0.535    3 of 20    0 of 20
    40 x 25      2  0.858   +33.3      0.654   10 of 10    5 of 10
    200 x 5      1  0.672   +10.3      0.550   10 of 10    6 of 10
    500 x 4    0.7  0.630   +10.5      0.534   10 of 10   10 of 10

So of 100 pairs without a shift 47 differ by errors over chips, and none by halves: these are on the safe side, as fewer
groups are told better, and what they miss is a shift of a few blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from competition.common.progress import reporter
from competition.terminal.tables import table
from models.shift.apart import reduced, told_apart
from models.shift.area import area
from models.shift.both import Both
from models.shift.halves import Halves
from tests.models.shift.samples import both_in_blocks

CASES = (
    (40, 25, 0.0, 40),
    (200, 5, 0.0, 40),
    (500, 4, 0.0, 20),
    (40, 25, 2.0, 10),
    (200, 5, 1.0, 10),
    (500, 4, 0.7, 10),
)


class Found(NamedTuple):
    """What is said of one pair of sides."""

    area: float
    sigmas: float
    of_halves: float
    by_chips: bool
    by_halves: bool


def found_of(both: Both) -> Found:
    """Return what is said of it."""
    components = reduced(both)
    found = area(told_apart(components, both.is_test, both.folds), both.is_test, both.folds, learnt=True)
    halves = Halves.of(components, both)
    return Found(found.value, found.sigmas, halves.mean, found.differs, found.value > halves.bound)


def main() -> None:
    """Print a table of cases."""
    rows = []
    for blocks, size, shift, runs in CASES:
        with reporter.silent():
            found = np.array([found_of(both_in_blocks(blocks, size, shift, seed)) for seed in range(runs)], dtype=float)
        value, sigmas, of_halves, *_ = found.mean(axis=0)
        alarms = [f"{int(count)} of {runs}" for count in found[:, 3:].sum(axis=0)]
        rows.append([f"{blocks} x {size}", f"{shift:g}", f"{value:.3f}", f"{sigmas:+.1f}", f"{of_halves:.3f}", *alarms])
        print(rows[-1], flush=True)
    print(table(["blocks", "shift", "area", "errors", "of halves", "by errors", "by halves"], rows))


if __name__ == "__main__":
    main()
