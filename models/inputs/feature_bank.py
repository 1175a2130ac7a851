"""The feature bank: what a frozen backbone makes of every chip under every view, computed once.

Frozen features depend neither on the fold nor on the epoch, the head or the seed: computed once per (chip, view), all
of these share them. Layout of a bank's folder:

    bank.json       what its features are made with
    <view>.npy      float16 (num_chips, num_features), rows in the order of the chip cache
    done.json       by view, how many rows of it are made
    sums.json       by view, the checksum of its features, once all are made
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.arrays import fill, reserve
from competition.checksums import checksum
from competition.common.files import digest_json
from competition.common.folders import check_room
from competition.common.interrupts import check
from competition.common.locks import lock_of, locked
from competition.common.progress import reporter
from competition.common.records import write_record
from competition.common.text import counted, readable, short
from models.backend.runners import Runner
from models.graphs.extractor import Extractor
from models.inputs.bank_files import FORMAT, rows_in, sums_in
from models.inputs.batches import HEADS_AT_ONCE, Chips, slices
from models.inputs.extractors import extractor_key
from models.networks.input_spec import Inputs
from models.recipes.recipe import Recipe

MIXED = "mixed"
_seen: set[tuple[Path, int]] = set()  # files whose checksum this process has found right, and when they were written
LARGEST = float(np.finfo(np.float16).max)

Asked = tuple[NDArray[np.int64], list[str]]  # positions of some chips, and the views of them that are asked for
# Yields the features of what is asked for, in order: float16 (num_positions, num_features) of each view.
Maker = Callable[[Sequence[Asked]], Generator[NDArray[np.float16]]]


@dataclass(frozen=True)
class FeatureBank:
    """Features of the chips of one cache, memory-mapped. It is a `Source` of batches.

    Attributes:
        num_features: length of a feature vector.
        maps: by view, float16 arrays (num_chips, number of columns) whose columns stand side by side: one of each
            backbone.
        more: features of further chips, behind these; None if there are none.
    """

    num_features: int
    maps: Mapping[str, tuple[NDArray[np.float16], ...]]
    more: FeatureBank | None = None

    def followed_by(self, more: FeatureBank) -> FeatureBank:
        """Return these chips and behind them others, whose positions go on where these end."""
        return replace(self, more=more)

    @classmethod
    def beside(cls, banks: Sequence[FeatureBank]) -> FeatureBank:
        """Return the banks of the same chips under the same views as one, their features side by side."""
        views = banks[0].maps
        maps = {view: tuple(array for bank in banks for array in bank.maps[view]) for view in views}
        return cls(sum(bank.num_features for bank in banks), maps)

    @property
    def batch_size(self) -> int:
        """How many chips to predict at once."""
        return HEADS_AT_ONCE

    def read(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the features (num_positions, num_features) of the chips at `positions` as they are."""
        return self.under("identity", positions)

    def views(self, positions: NDArray[np.int64], views: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        """Yield the features of the chips at `positions` under one view after another."""
        for view in views:
            yield self.under(view, positions)

    def augmented(
        self, positions: NDArray[np.int64], recipe: Recipe, random: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return the features of the chips at `positions`, each under a random view: augmentation at no cost."""
        views = recipe.drawn_views
        drawn = random.integers(len(views), size=len(positions))
        features = np.empty((len(positions), self.num_features), dtype=np.float32)
        for number, view in enumerate(views):
            chosen = drawn == number
            features[chosen] = self.under(view, positions[chosen])
        return features

    def read_into(self, view: str, positions: NDArray[np.int64], out: NDArray[np.float32]) -> None:
        """Write the features of the chips at `positions` under one view into `out` (num_positions, num_features)."""
        start, end = 0, len(self.maps[view][0])
        if self.more is not None and (behind := positions >= end).any():
            out[behind] = self.more.under(view, positions[behind] - end)
            out[~behind] = replace(self, more=None).under(view, positions[~behind])
            return
        for array in self.maps[view]:
            widen(np.take(np.asarray(array), positions, axis=0), out[:, start : start + array.shape[1]])
            start += array.shape[1]

    def under(self, view: str, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the features of the chips at `positions` under one view."""
        features = np.empty((len(positions), self.num_features), dtype=np.float32)
        self.read_into(view, positions, features)
        return features


def widen(halves: NDArray[np.float16], out: NDArray[np.float32]) -> None:
    """Write float16 numbers as float32: what NumPy's conversion gives, bit by bit, in a quarter of its time.

    Sign, exponent and fraction are put in their places; the product makes up for the exponents' other zero.

    Args:
        halves: array (num_chips, num_columns).
        out: receives them, of the same shape; its rows may lie apart.
    """
    bits = out.view(np.int32)
    bits[...] = halves.view(np.int16)
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, ~(0b111 << 28), out=bits)  # the sign, which filled the places above the exponent
    out *= np.float32(2.0**112)
    if max(out.max(initial=0), -out.min(initial=0)) > LARGEST:  # what is infinite or no number
        out[...] = halves


def bank_key(recipe: Recipe, inputs: Inputs, chips: Chips) -> dict[str, Any]:
    """Return everything that the features of some chips depend on, by a recipe that is not joint."""
    of_chips = {"columns": chips.columns, "chips": chips.cache.digest}
    mixed = {"precision": MIXED} if recipe.precision == MIXED else {}
    return {**extractor_key(recipe, inputs), **of_chips, "format": FORMAT, **mixed}


def open_bank(
    root: Path,
    extractor: Callable[[], Extractor],
    key: dict[str, Any],
    chips: Chips,
    views: Sequence[str],
    elsewhere: Maker | None = None,
) -> FeatureBank:
    """Open the bank of some chips, computing the features that are not in it yet.

    Interrupted, the next call goes on at the last recorded block. Two processes may call it at once: the second waits
    for the first.

    Args:
        root: folder of all banks.
        extractor: returns what makes features of chips; called if there is something to compute.
        key: see `bank_key`.
        chips: the chips.
        views: the views asked for.
        elsewhere: makes the features; None: this process does.

    Raises:
        UserError: if the disk is too small.
    """
    folder = _folder_of(root, key)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(lock_of(folder)):
        write_record(folder / "bank.json", key, version=FORMAT)
        mixed = key.get("precision") == MIXED
        return _Builder(folder, extractor, chips, elsewhere, mixed=mixed).open(sorted(set(views)))


def bank_runner(extractor: Extractor, chips: Chips, *, mixed: bool) -> Runner:
    """Return what makes features of chips, held against what makes them plainly on some of them."""
    return extractor.runner(chips.read(np.arange(min(8, len(chips.cache)))), mixed=mixed)


def made_by(runner: Runner, chips: Chips, asked: Sequence[Asked]) -> Generator[NDArray[np.float16]]:
    """Yield the features of what is asked for, see `Maker`."""
    for positions, views in asked:
        for under_view in chips.views(positions, views):
            yield runner(under_view).clip(-LARGEST, LARGEST).astype(np.float16)


def rows_made(root: Path, key: dict[str, Any], num_chips: int) -> dict[str, int]:
    """Return by view how many rows are made of the bank that `open_bank` would open."""
    return rows_in(_folder_of(root, key), num_chips)


def array_of(root: Path, key: dict[str, Any], view: str) -> Path:
    """Return where the features under a view lie in the bank that `open_bank` would open."""
    return _folder_of(root, key) / f"{view}.npy"


def _folder_of(root: Path, key: dict[str, Any]) -> Path:
    return root / f"{key['backbone'].lower().replace('/', '-')}-{key['input_size']}px-{short(digest_json(key))}"


class _Builder:
    """Fills one bank's folder."""

    def __init__(
        self,
        folder: Path,
        extractor: Callable[[], Extractor],
        chips: Chips,
        elsewhere: Maker | None,
        *,
        mixed: bool,
    ) -> None:
        self.folder, self.build, self.chips, self.mixed = folder, extractor, chips, mixed
        self.elsewhere = elsewhere

    def open(self, views: Sequence[str]) -> FeatureBank:
        done = rows_in(self.folder, len(self.chips.cache), reporter.say)
        for view in self._changed(views, done):
            reporter.say(f"{self._path(view)} is damaged: its features are made again.")
            del done[view]
        kept = ", ".join(f"{view} {done.get(view, 0):,}" for view in views)
        reporter.detail(f"Features of {counted(len(self.chips.cache), 'chip')} in {self.folder}: {kept}.")
        if missing := [view for view in views if done.get(view, 0) < len(self.chips.cache)]:
            self._compute(missing, done)
        maps = {view: (np.load(self._path(view), mmap_mode="r", allow_pickle=False),) for view in views}
        return FeatureBank(maps[views[0]][0].shape[1], maps)

    def _changed(self, views: Sequence[str], done: Mapping[str, int]) -> list[str]:
        """Return the complete views whose features are not those that were made; each file is looked at once."""
        changed, sums = [], sums_in(self.folder)
        for view in views:
            if view not in sums or done.get(view, 0) < len(self.chips.cache):
                continue
            state = self._path(view), self._path(view).stat().st_mtime_ns
            if state not in _seen and checksum(np.load(state[0], mmap_mode="r", allow_pickle=False)) != sums[view]:
                changed.append(view)
            else:
                _seen.add(state)
        return changed

    def _path(self, view: str) -> Path:
        return self.folder / f"{view}.npy"

    def _compute(self, views: list[str], done: dict[str, int]) -> None:
        cache, extractor, block = self.chips.cache, self.build(), self.chips.batch_size
        maps = self._open_maps(views, done, extractor.num_features)
        positions = np.arange(min(done.get(view, 0) for view in views), len(cache))
        asked = [(rows, [v for v in views if done.get(v, 0) <= rows[-1]]) for _, rows in slices(positions, block)]
        behind = iter([views for _, views in asked])
        if self.elsewhere:
            made = self.elsewhere(asked)
        else:
            made = made_by(bank_runner(extractor, self.chips, mixed=self.mixed), self.chips, asked)

        def compute(rows: NDArray[np.int64]) -> Iterator[int]:
            for view in next(behind):
                check()
                maps[view][rows] = next(made)
                yield len(rows)

        def record(rows: NDArray[np.int64]) -> None:
            done.update({view: max(done.get(view, 0), int(rows[-1]) + 1) for view in views})
            if rows[-1] + 1 == len(cache):  # first: what is complete has its checksum
                sums = {view: checksum(maps[view]) for view in views}
                write_record(self.folder / "sums.json", sums_in(self.folder) | sums, version=FORMAT)
            write_record(self.folder / "done.json", done, version=FORMAT)

        total, started = sum(len(cache) - done.get(view, 0) for view in views), time.monotonic()
        with closing(made):
            arrays = list(maps.values())
            fill(positions, block, arrays, compute, record, total=total, title="features", unit="feature vector")
        seconds = time.monotonic() - started
        rate = f"{total / max(seconds, 1e-9):,.0f} a second"  # a chip has one under each view
        reporter.say(f"Made {counted(total, 'feature vector')} in {seconds:,.0f} s, {rate}.")

    def _open_maps(self, views: list[str], done: dict[str, int], size: int) -> dict[str, np.memmap]:
        new, shape = [view for view in views if view not in done], (len(self.chips.cache), size)
        needed = len(new) * int(np.prod(shape)) * 2
        reporter.say(
            f"Features of {counted(shape[0], 'chip')} under {counted(len(views), 'view')}, {size:,} each: "
            f"{readable(needed)} more in {self.folder}."
        )
        check_room(needed, self.folder, "The feature bank")
        for view in new:
            reserve(self._path(view), shape, np.dtype(np.float16), "The feature bank")
        return {view: np.load(self._path(view), mmap_mode="r+", allow_pickle=False) for view in views}
