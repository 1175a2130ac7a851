"""Scoring within a time limit: model by model, view by view, so that there are scores to go by at any moment.

Every model sees all chips under its first view before any sees them under another: a second model is worth more than a
second view. Chips are decoded as they are needed, and never held as a whole; what is kept of each is the sum of its
scores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import counted
from competition.index.chip_index import ChipFile
from models.inputs.views import apply_view
from models.notebook.packed import FoldScorer, Packed
from models.predict.chip_files import ChipFiles

AT_ONCE = 512  # chips: what heads score at once
BYTES_AT_ONCE = 2**26  # of chips
AFTER = 30.0  # seconds of scoring after which what there is is told, before a pass is over
SHARE = 20  # times as long as telling takes, at least, before it is told again


@dataclass
class Scored:
    """What a model has said of the chips so far.

    Attributes:
        packed: the model.
        sums: by fold, float64 array (num_chips, num_scored) of sums of scores.
        counts: int array (num_chips,): of how many scores each sum is.
        broken: ids of chips that cannot be read.
    """

    packed: Packed
    sums: dict[int, NDArray[np.float64]]
    counts: NDArray[np.int64]
    broken: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, packed: Packed, num_chips: int) -> Scored:
        """Return nothing said of so many chips."""
        shape = num_chips, len(packed.task.labels)
        return cls(packed, {fold: np.zeros(shape) for fold in packed.folds}, np.zeros(num_chips, dtype=np.int64))

    def add(self, rows: NDArray[np.intp], by_fold: Mapping[int, Sequence[NDArray[np.float32]]]) -> None:
        """Add scores (len(rows), num_scored) of some chips under one view, by each network of each fold."""
        for fold, scores in by_fold.items():
            for each in scores:
                self.sums[fold][rows] += each
        self.counts[rows] += len(next(iter(by_fold.values())))

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

    def batches(self, packed: Packed, broken: set[str]) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
        """Yield rows and chips as a model takes them; ids of those that cannot be read are added to `broken`.

        Raises:
            UserError: if there is not one file of its rendering, which is no fault of single chips.
        """
        images = packed.task.competition.image_set(packed.recipe.images)
        files = self.files(packed.recipe.images)
        if not files:
            raise UserError(f"No file of the {packed.recipe.images} chips to predict was found.")
        broken.update(name for name in self.names if name not in files)
        row = {name: number for number, name in enumerate(self.names)}
        paths = {
            name: (str(file),) if isinstance(file, Path) else tuple(map(str, file)) for name, file in files.items()
        }
        reading = ChipFiles(Path("/"), paths, images, packed.recipe, packed.inputs, np.dtype(packed.dtype), True)
        chip_bytes = packed.inputs.size**2 * len(packed.inputs.bands) * (1 if packed.dtype == "uint8" else 4)
        asked = list(paths)
        at_once = max(1, min(AT_ONCE, BYTES_AT_ONCE // chip_bytes))
        for number, batch in enumerate(reading.batches(at_once)):
            here = asked[number * at_once : (number + 1) * at_once]
            broken.update({*here} - {*batch.names})
            if batch.chips:
                yield np.array([row[name] for name in batch.names]), np.stack(batch.chips)


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
    first = [(packed, packed.views[:1]) for packed in models]
    others = [(packed, packed.views[1:]) for packed in models if packed.views[1:]]
    scorers: dict[str, FoldScorer] = {}
    clock = _Clock(until)
    for packed, views in (*first, *others):
        if clock.is_over:
            print("The time is up: what is not scored yet stays as it is.", flush=True)
            return
        began = time.monotonic()
        try:
            scorer = scorers.get(packed.model) or packed.scorer()
            scorers[packed.model] = scorer
            one_pass(scorer, scored[packed.model], views, chips, lambda: clock.tell(told, scored))
        except Exception as error:  # decoders and runtimes raise whatever they like
            print(f"{packed.model} does not run under {counted(len(views), 'view')}: {error!r}", flush=True)
        clock.tell(told, scored, at_once=True)
        print(f"{packed.model}, {counted(len(views), 'view')}: {time.monotonic() - began:,.0f} s.", flush=True)


def one_pass(scorer: FoldScorer, scored: Scored, views: Sequence[str], chips: Chips, go_on: Callable[[], bool]) -> None:
    """Score all chips under some views; `go_on` is asked after each batch."""
    for rows, batch in chips.batches(scored.packed, scored.broken):
        for view in views:
            scored.add(rows, scorer(apply_view(batch, view)))
        if not go_on():
            return


class _Clock:
    """When to tell what is known, and when to end; telling must not take the time of scoring."""

    def __init__(self, until: float) -> None:
        self._until, self._cost, self._last = until, 0.0, time.monotonic()

    @property
    def is_over(self) -> bool:
        return time.monotonic() + 2 * self._cost >= self._until

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
