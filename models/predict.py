"""Scores of chips: averaged over views, and over the networks of several folds."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from competition.chips import BrokenChipError, read_chip, resize_chip
from competition.errors import UserError
from competition.files import replace_atomically
from competition.spec import ImageSet
from folds.scores import Scores
from models.batches import ChipReader, as_network_input
from models.interrupts import check
from models.views import apply_view

PIXELS_AT_ONCE = 2**21
BATCHES_A_PART = 8
SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}


def predict(
    networks: Sequence[keras.Model], batches: Iterable[NDArray[Any]], views: Sequence[str], bar: Any
) -> NDArray[np.float32]:
    """Return scores averaged over networks and views.

    Args:
        networks: networks of one model, such as those of its folds.
        batches: arrays (num_chips_in_batch, size, size, num_bands), in the values of the files.
        views: test-time views.
        bar: progress bar over chips.

    Returns:
        Float32 array (num_chips, num_labels) in [0, 1].
    """
    scores = []
    for batch in batches:
        check()
        under_views = [np.ascontiguousarray(apply_view(batch, view)) for view in views]
        made = [network.predict_on_batch(view) for network in networks for view in under_views]
        scores.append(np.mean(made, axis=0, dtype=np.float64))
        bar.update(len(batch))
    if not scores:
        return np.zeros((0, networks[0].output_shape[-1]), dtype=np.float32)
    # The mean of numbers in [0, 1] may leave it by rounding.
    return np.concatenate(scores).clip(0, 1).astype(np.float32)


def batch_size_for(size: int) -> int:
    """Return how many chips of `size` pixels to predict at once: enough to keep every core busy, within 1 GB or so."""
    return max(8, min(1024, PIXELS_AT_ONCE // size**2))


def cached_batches(read: ChipReader, positions: NDArray[np.int64], batch_size: int) -> Iterator[NDArray[Any]]:
    """Yield the chips at `positions` of a cache, in that order."""
    for start in range(0, len(positions), batch_size):
        yield read(positions[start : start + batch_size])


def predict_in_parts(
    network: keras.Model,
    read: ChipReader,
    positions: NDArray[np.int64],
    views: Sequence[str],
    folder: Path,
    title: str,
) -> NDArray[np.float32]:
    """Return scores averaged over views, keeping each finished part on disk, so that an interruption costs one part.

    Args:
        network: the network.
        read: the chips.
        positions: positions of the chips in the cache.
        views: test-time views.
        folder: receives the parts; its name must change with anything that the scores depend on.
        title: what the progress bar calls it.

    Returns:
        Float32 array (num_positions, num_labels) in [0, 1].
    """
    batch_size = batch_size_for(read.cache.chip_shape[0])
    step = BATCHES_A_PART * batch_size
    parts = [np.zeros((0, network.output_shape[-1]), dtype=np.float32)]
    folder.mkdir(parents=True, exist_ok=True)
    with progress_bar(len(positions), title) as bar:
        for start in range(0, len(positions), step):
            path, chosen = folder / f"{start}.npy", positions[start : start + step]
            if path.is_file():
                bar.update(len(chosen))
            else:
                scores = predict([network], cached_batches(read, chosen, batch_size), views, bar)
                with replace_atomically(path) as temporary:
                    np.save(temporary, scores, allow_pickle=False)
            parts.append(np.load(path, allow_pickle=False))
    return np.concatenate(parts)


def progress_bar(total: int, title: str) -> Any:
    """Return a progress bar over chips, shown on a terminal only."""
    from tqdm import tqdm

    return tqdm(total=total, desc=title, unit="chip", disable=None, leave=False)


def chip_files(folder: Path) -> list[Path]:
    """Return the chip files of a folder, sorted by id.

    Raises:
        UserError: if there is no such folder, no chip in it, or two files of one id.
    """
    if not folder.is_dir():
        raise UserError(f"No folder {folder}.")
    # macOS leaves a "._train_0.jpg" beside each file it copies to another kind of disk.
    shown = (path for path in folder.iterdir() if not path.name.startswith("."))
    files = sorted((path for path in shown if path.suffix.lower() in SUFFIXES), key=lambda path: path.stem)
    if not files:
        raise UserError(f"No chips in {folder}: expected files ending in {', '.join(sorted(SUFFIXES))}.")
    for one, other in itertools.pairwise(files):
        if one.stem == other.stem:
            raise UserError(f"Two files carry the id {one.stem}: {one.name} and {other.name}.")
    return files


def predict_files(
    networks: Sequence[keras.Model],
    files: Sequence[Path],
    images: ImageSet,
    columns: tuple[int, ...],
    dtype: np.dtype[Any],
    size: int,
    views: Sequence[str],
    *,
    skip_broken: bool = False,
) -> tuple[Scores, list[str]]:
    """Return the scores of chip files, decoded as they are needed.

    Args:
        networks: networks of one model.
        files: the chips.
        images: the rendering they belong to.
        columns: the bands the networks take.
        dtype: data type of the chips they were trained on; others would reach them on another scale.
        size: pixels along each side of the networks' input.
        views: test-time views.
        skip_broken: leave broken chips out, instead of stopping.

    Returns:
        The scores, and a line for each chip left out.

    Raises:
        BrokenChipError: if a chip is broken and `skip_broken` is false.
        UserError: if every chip is broken.
    """
    names: list[str] = []
    broken: list[str] = []
    batch_size = batch_size_for(size)

    def load(path: Path) -> tuple[str, NDArray[Any] | str]:
        try:
            chip = read_chip(path, images)
            if chip.dtype != dtype:
                raise UserError(
                    f"{path} has {chip.dtype} values; the model takes {dtype}. Give a folder of such chips."
                )
            return path.stem, as_network_input(resize_chip(chip, size), columns)
        except BrokenChipError as error:
            if not skip_broken:
                raise BrokenChipError(f"{str(error).rstrip('.')}. Mend it, or add --skip-broken.") from error
            return path.stem, str(error)

    def batches() -> Iterator[NDArray[Any]]:
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for start in range(0, len(files), batch_size):
                chips = []
                for name, chip in pool.map(load, files[start : start + batch_size]):
                    if isinstance(chip, str):
                        broken.append(chip)
                    else:
                        names.append(name)
                        chips.append(chip)
                if chips:
                    yield np.stack(chips)

    with progress_bar(len(files), "predicting") as bar:
        values = predict(networks, batches(), views, bar)
    if not names:
        raise UserError(f"All {len(files)} chips are broken. {broken[0]}")
    return Scores(tuple(names), values), broken
