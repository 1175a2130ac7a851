"""A folder of chips to score, decoded as they are needed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.data.chips import BrokenChipError, read_chip, resize_chip
from competition.spec.images import ImageSet
from models.inputs.batches import as_network_input
from models.networks.input_spec import Inputs, columns_of
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
class Batch:
    """Some chips that were read.

    Attributes:
        names: their ids.
        chips: of each, as the networks take it.
        broken: a line for each file that could not be read.
    """

    names: list[str] = field(default_factory=list)
    chips: list[NDArray[Any]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


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

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the chips in slices of `size`.

        Raises:
            BrokenChipError: if a chip is broken and `skip_broken` is false.
            UserError: if a chip is of another data type.
        """
        with ThreadPoolExecutor(cpu_count()) as pool:
            for start in range(0, len(self.paths), size):
                batch, paths = Batch(), self.paths[start : start + size]
                for path, chip in zip(paths, pool.map(self._load, paths), strict=True):
                    if isinstance(chip, BrokenChipError):
                        batch.broken.append(str(chip))
                    else:
                        batch.names.append(path.stem)
                        batch.chips.append(chip)
                yield batch

    def sample(self) -> NDArray[Any]:
        """Return a few of the chips, or one of zeros where the first are broken."""
        if chips := next(self.batches(SAMPLED)).chips:
            return np.stack(chips)
        size, columns = self.inputs.size, len(self.inputs.bands)
        return as_network_input(np.zeros((1, size, size, columns), dtype=self.dtype), tuple(range(columns)))

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
