"""Scoring within a time limit: model by model, view by view, so that there are scores to go by at any moment.

How fast each model is here, its first chips tell. Where there surely is time for everything, each chip is decoded once
and seen under all views: decoding a small chip takes as long as a view of it. Where there may not be, every model sees
all chips under its first view before any sees them under another: a second model is worth more than a second view.
Chips are decoded as they are needed, and never held as a whole; what is kept of each is the sum of its scores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import counted, first
from competition.index.chip_index import ChipFile
from models.notebook.packed import BYTES_AT_ONCE, FoldScorer, Packed
from models.predict.chip_files import ChipFiles

AT_ONCE = 512  # chips: what heads score at once
SURELY = 2  # times as long as what is left would take is surely enough for it
AFTER = 30.0  # seconds of scoring after which what there is is told, before a pass is over
SHARE = 100  # times as long as telling takes, at least, before it is told again


@dataclass
class Scored:
    """What a model has said of the chips so far.

    Attributes:
        packed: the model.
        sums: by fold, float64 array (num_chips, num_scored) of sums of scores.
        counts: int array (num_chips,): of how many scores each sum is.
        seen: int array (num_chips,): under how many of the views, from the first on, each chip was seen.
        broken: bool array (num_chips,): which chips cannot be read.
        seconds: that all of this took.
    """

    packed: Packed
    sums: dict[int, NDArray[np.float64]]
    counts: NDArray[np.int64]
    seen: NDArray[np.int64]
    broken: NDArray[np.bool_]
    seconds: float = 0.0

    @classmethod
    def of(cls, packed: Packed, num_chips: int) -> Scored:
        """Return nothing said of so many chips."""
        shape = num_chips, len(packed.task.labels)
        sums = {fold: np.zeros(shape) for fold in packed.folds}
        counts, seen = np.zeros((2, num_chips), dtype=np.int64)
        return cls(packed, sums, counts, seen, np.zeros(num_chips, dtype=bool))

    def add(self, rows: NDArray[np.intp], by_fold: Mapping[int, Sequence[NDArray[np.float32]]], num_views: int) -> None:
        """Add scores (len(rows), num_scored) of some chips under so many views, by each network of each fold."""
        for fold, scores in by_fold.items():
            for each in scores:
                self.sums[fold][rows] += each
        self.counts[rows] += len(next(iter(by_fold.values())))
        self.seen[rows] += num_views

    def left(self, num_views: int) -> int:
        """Return how often chips that can be read are to be seen yet, until all are under so many views."""
        return int((num_views - self.seen[~self.broken]).clip(0).sum())

    @property
    def seconds_left(self) -> float:
        """How long the rest takes under all views, as fast as it went until now; 0 before it began."""
        return self.seconds * self.left(len(self.packed.views)) / max(1, int(self.seen.sum()))

    def fits(self, seconds: float, num_views: int) -> int:
        """Return how many chips can be seen under so many views in so many seconds, at least one; all before it began.

        As fast as it went until now. What is to end in time must not begin a batch that does not.
        """
        each = num_views * self.seconds / max(1, int(self.seen.sum()))
        return max(1, int(seconds / each)) if each else len(self.seen)

    def by_fold(self) -> dict[int, NDArray[np.float32]]:
        """Return by fold the mean scores (num_chips, num_labels); NaN where there are none."""
        counts = np.where(self.counts, self.counts, np.nan)[:, None]
        task = self.packed.task
        return {fold: task.spread((total / counts).clip(0, 1).astype(np.float32)) for fold, total in self.sums.items()}


# Is told what every model has said so far, by its name.
Told = Callable[[Mapping[str, Scored]], None]


@dataclass(frozen=True)
class Chips:
    """The chips to predict.

    Attributes:
        names: their ids, in the order of the rows of all scores.
        files: returns their files by id, of a rendering by its name.
    """

    names: tuple[str, ...]
    files: Callable[[str], Mapping[str, ChipFile]]

    def batches(self, scored: Scored, seen: int) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
        """Yield rows and chips as a model takes them, of those that it has seen under so many views; notes broken ones.

        Raises:
            UserError: if there is not one file of its rendering, which is no fault of single chips.
        """
        packed = scored.packed
        images = packed.task.competition.image_set(packed.recipe.images)
        files = self.files(packed.recipe.images)
        if not files:
            raise UserError(f"No file of the {packed.recipe.images} chips to predict was found.")
        scored.broken |= [name not in files for name in self.names]
        rows = {self.names[row]: row for row in np.flatnonzero((scored.seen == seen) & ~scored.broken)}
        paths = {name: _paths_of(files[name]) for name in rows}
        reading = ChipFiles(Path("/"), paths, images, packed.recipe, packed.inputs, np.dtype(packed.dtype), True)
        chip_bytes = packed.inputs.size**2 * len(packed.inputs.bands) * (1 if packed.dtype == "uint8" else 4)
        asked, at_once = [*rows.values()], max(1, min(AT_ONCE, BYTES_AT_ONCE // chip_bytes))
        for number, batch in enumerate(reading.batches(at_once)):
            read = [rows[name] for name in batch.names]
            scored.broken[asked[number * at_once :][:at_once]] = True
            scored.broken[read] = False
            if batch.chips:
                yield np.array(read), np.stack(batch.chips)


def _paths_of(file: ChipFile) -> tuple[str, ...]:
    return (str(file),) if isinstance(file, Path) else tuple(map(str, file))


def score_all(models: Sequence[Packed], chips: Chips, told: Told, until: float) -> None:
    """Score chips by every model under every view, as long as there is time, and tell what is known again and again.

    A model that cannot be run is left out, with a line: a notebook that ends by an error has no submission.

    Args:
        models: the most useful first.
        chips: to be scored.
        told: is told what every model has said so far.
        until: when to end, by `time.monotonic`.
    """
    scored = {packed.model: Scored.of(packed, len(chips.names)) for packed in models}
    scorers: dict[str, FoldScorer] = {}
    left, clock = [*scored.values()], _Clock(until)
    while left:
        if clock.is_over:
            print("The time is up: what is not scored yet stays as it is.", flush=True)
            break
        now, num_views = _next(left, clock.left)
        packed, is_begun, began = now.packed, now.seen.any(), time.monotonic()
        try:
            if packed.model not in scorers:
                scorers[packed.model] = packed.scorer()
            go_on = partial(_goes_on, now, num_views, left, clock, partial(clock.tell, told, scored))
            # Of a model that is not begun the first chips tell how fast it is.
            one_pass(scorers[packed.model], now, num_views, chips, go_on if is_begun else lambda: False, clock)
        except Exception as error:  # decoders and runtimes raise whatever they like
            print(f"{packed.model} does not run: {error!r}", flush=True)
            left.remove(now)
        else:
            done, rest = int(now.seen.sum()), now.left(len(packed.views))
            took = time.monotonic() - began
            print(f"{packed.model}: {done:,} of {done + rest:,} chips and views scored, {took:,.1f} s.", flush=True)
            left = [each for each in left if each is not now or rest]
        clock.tell(told, scored, at_once=True)
    for model, each in scored.items():
        if each.broken.any():
            lacking = [chips.names[row] for row in np.flatnonzero(each.broken)]
            print(
                f"{model} could not read {counted(len(lacking), 'chip')}, answered as if nothing were known of them: "
                f"{first(lacking)}.",
                flush=True,
            )


def _next(left: Sequence[Scored], seconds: float) -> tuple[Scored, int]:
    """Return which of the models that are not through is to score chips next, and under how many views.

    Args:
        left: the models, the most useful first.
        seconds: that there are.
    """
    for each in left:
        if not each.seen.any():
            return each, 1
    if SURELY * sum(each.seconds_left for each in left) > seconds:
        for each in left:
            if each.left(1):
                return each, 1
    return left[0], len(left[0].packed.views)


def _goes_on(now: Scored, num_views: int, left: Sequence[Scored], clock: _Clock, tell: Callable[[], bool]) -> bool:
    """Tell what is known, and return whether to go on as was decided: not view by view where there is time after all.

    First chips that were slow, as those of a network that warms up or of a disk that does, decide nothing for good.
    """
    return tell() and (num_views == len(now.packed.views) or _next(left, clock.left)[1] == num_views)


def one_pass(
    scorer: FoldScorer,
    scored: Scored,
    num_views: int,
    chips: Chips,
    go_on: Callable[[], bool] = lambda: True,
    clock: _Clock | None = None,
) -> None:
    """Score chips until all are seen under the first so many views.

    Args:
        scorer: scores them.
        scored: what the model has said of them, and is to say.
        num_views: under how many views.
        chips: to be scored.
        go_on: is asked after each batch.
        clock: says how long there is; None: as long as it takes.
    """
    for seen in range(num_views):
        began = time.monotonic()
        for rows, batch in chips.batches(scored, seen):
            many = len(rows) if clock is None else scored.fits(clock.left, num_views - seen)
            by_fold = scorer(batch[:many], scored.packed.views[seen:num_views])
            scored.add(rows[:many], by_fold, num_views - seen)
            scored.seconds += time.monotonic() - began
            if not go_on():
                return
            began = time.monotonic()


class _Clock:
    """When to tell what is known, and when to end; telling must not take the time of scoring."""

    def __init__(self, until: float) -> None:
        self._until, self._cost, self._last = until, 0.0, time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until the end, but for what telling takes."""
        return self._until - time.monotonic() - 2 * self._cost

    @property
    def is_over(self) -> bool:
        return self.left <= 0

    def tell(self, told: Told, scored: Mapping[str, Scored], *, at_once: bool = False) -> bool:
        """Tell what is known, if it is time to; return whether to go on."""
        now = time.monotonic()
        if at_once or now - self._last > max(AFTER, SHARE * self._cost):
            try:
                told(scored)
            except Exception as error:  # combiners and disks raise whatever they like; what was told stays
                print(f"What is known by now could not be written: {error!r}", flush=True)
            self._last = time.monotonic()
            self._cost = self._last - now
        return not self.is_over
