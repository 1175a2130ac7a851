"""A folder of chips to score, decoded as they are needed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.progress import progress_bar
from competition.common.text import first
from competition.data.chips import BrokenChipError, read_chip, resize_chip
from competition.spec import ImageSet
from folds.scores import Scores
from models.backend.devices import batch_size_for
from models.inputs.batches import as_network_input
from models.inputs.views import apply_view
from models.networks.input_spec import Inputs, columns_of
from models.predict.scorer import Scorer
from models.recipes.recipe import Recipe

SAMPLED = 4
SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}


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
