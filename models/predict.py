"""Scores of chips: averaged over views, and over the networks of several folds."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.chips import BrokenChipError, read_chip, resize_chip
from competition.errors import UserError
from competition.files import replace_atomically
from competition.labels import first
from competition.spec import ImageSet
from folds.scores import Scores
from models.accelerate import Runner
from models.backbones import Inputs, columns_of
from models.batches import Source, as_network_input, batch_size_for, slices
from models.interrupts import check
from models.recipes import Recipe
from models.views import apply_view

BATCHES_A_PART = 8
SAMPLED = 4
SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}


@dataclass(frozen=True)
class Scorer:
    """Networks of one model, such as those of its folds, whose scores are averaged.

    Attributes:
        networks: from chips, or from what the extractor makes of them, to scores (num_chips, num_labels).
        extractor: the part that all of them share; None if they share none.
    """

    networks: Sequence[Runner]
    extractor: Runner | None = None

    def __call__(self, under_views: Iterable[NDArray[Any]]) -> NDArray[np.float32]:
        """Return scores averaged over networks and views.

        Args:
            under_views: the same chips under one view after another, in the values of the files.

        Returns:
            Float32 array (num_chips, num_labels) in [0, 1].
        """
        made = []
        for chips in under_views:
            check()
            given = self.extractor(chips) if self.extractor else chips
            made += [network(given) for network in self.networks]
        # The mean of numbers in [0, 1] may leave it by rounding.
        return np.mean(made, axis=0, dtype=np.float64).clip(0, 1).astype(np.float32)


def predict_in_parts(
    scorer: Scorer, source: Source, positions: NDArray[np.int64], views: Sequence[str], folder: Path, title: str
) -> NDArray[np.float32]:
    """Return scores averaged over views, keeping each finished part on disk, so that an interruption costs one part.

    Args:
        scorer: the networks.
        source: the chips.
        positions: positions of the chips in the source; at least one.
        views: test-time views.
        folder: receives the parts; its name must change with anything that the scores depend on.
        title: what the progress bar calls it.

    Returns:
        Float32 array (num_positions, num_labels) in [0, 1].
    """
    parts = []
    folder.mkdir(parents=True, exist_ok=True)
    with progress_bar(len(positions), title) as bar:
        for start, part in slices(positions, BATCHES_A_PART * source.batch_size):
            path = folder / f"{start}.npy"
            if path.is_file():
                bar.update(len(part))
            else:
                scores = []
                for _, batch in slices(part, source.batch_size):
                    scores.append(scorer(source.views(batch, views)))
                    bar.update(len(batch))
                with replace_atomically(path) as temporary:
                    np.save(temporary, np.concatenate(scores), allow_pickle=False)
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


@dataclass(frozen=True)
class ChipFiles:
    """Files of chips to be scored, decoded as they are needed.

    Attributes:
        paths: the files.
        images: the rendering they belong to.
        recipe: the recipe of the networks they are for.
        inputs: what the networks are given.
        dtype: data type of the chips they were trained on; others would reach them on another scale.
        skip_broken: leave broken chips out, instead of stopping.
        resized: of chips read that are of another size than the networks take, "width x height".
    """

    paths: Sequence[Path]
    images: ImageSet
    recipe: Recipe
    inputs: Inputs
    dtype: np.dtype[Any]
    skip_broken: bool = False
    resized: set[str] = field(default_factory=set)

    def batches(self, size: int) -> Iterator[list[NDArray[Any] | BrokenChipError]]:
        """Yield the chips in slices of `size`, a broken one as the error it gave.

        Raises:
            BrokenChipError: if a chip is broken and `skip_broken` is false.
            UserError: if a chip is of another data type.
        """
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for start in range(0, len(self.paths), size):
                yield list(pool.map(self._load, self.paths[start : start + size]))

    def sample(self) -> NDArray[Any]:
        """Return a few of the chips, or one of zeros where the first are broken."""
        size, columns = self.inputs.size, len(self.inputs.bands)
        chips = [chip for chip in next(self.batches(SAMPLED)) if not isinstance(chip, BrokenChipError)]
        nothing = as_network_input(np.zeros((1, size, size, columns), dtype=self.dtype), tuple(range(columns)))
        return np.stack(chips) if chips else nothing

    def _load(self, path: Path) -> NDArray[Any] | BrokenChipError:
        try:
            chip = read_chip(path, self.images, grey_as_colours=False)
        except BrokenChipError as error:
            if not self.skip_broken:
                raise BrokenChipError(f"{str(error).rstrip('.')}. Mend it, or add --skip-broken.") from error
            return error
        if chip.dtype != self.dtype:
            raise UserError(
                f"{path} has {chip.dtype} values; the model takes {self.dtype}. Give a folder of such chips."
            )
        size, (height, width, _) = self.inputs.size, chip.shape
        if (height, width) != (size, size):
            self.resized.add(f"{width} x {height}")
        return as_network_input(resize_chip(chip, size), columns_of(self.recipe, self.images))


def predict_files(scorer: Scorer, files: ChipFiles, views: Sequence[str]) -> tuple[Scores, list[str]]:
    """Return the scores of chip files.

    Args:
        scorer: the networks of one model.
        files: the chips.
        views: test-time views.

    Returns:
        The scores, and a line for each chip left out.

    Raises:
        BrokenChipError: if a chip is broken and is not to be left out.
        UserError: if every chip is broken.
    """
    names, scores, broken, paths, told = [], [], [], iter(files.paths), False
    with progress_bar(len(files.paths), "predicting") as bar:
        for batch in files.batches(batch_size_for(files.recipe.input_size)):
            whole = []
            for chip, path in zip(batch, paths, strict=False):
                if isinstance(chip, BrokenChipError):
                    broken.append(str(chip))
                else:
                    whole.append(chip)
                    names.append(path.stem)
            if files.resized and not told:
                told, size = True, files.inputs.size
                others = first(sorted(files.resized))
                bar.write(f"Chips of {others} pixels are resized to {size} x {size}, what the model was trained on.")
            if whole:
                chips = np.stack(whole)
                scores.append(scorer(apply_view(chips, view) for view in views))
            bar.update(len(batch))
    if not names:
        raise UserError(f"All {len(files.paths)} chips are broken. {broken[0]}")
    return Scores(tuple(names), np.concatenate(scores)), broken
