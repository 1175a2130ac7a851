"""A folder of chips to score, decoded as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from competition.chip_index import ChipFile, Ids, Naming, index_chips, shown_file
from competition.common.errors import UserError
from competition.common.text import counted, first
from competition.data.chips import BrokenChipError, read_chip, resize_chip
from competition.spec.images import FILE, ImageSet
from models.inputs.batches import as_network_input
from models.networks.input_spec import Inputs, columns_of
from models.recipes.recipe import Recipe

SAMPLED = 4
NAMED = 3  # images in a line
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".jp2", ".bmp")
SCENE = 4  # times the side of what the model takes, from which an image is no chip but what chips are cut from
SLIVER = 4  # times as long as it is wide


def chip_files(folder: Path, images: ImageSet, ids: Ids = "stem") -> dict[str, ChipFile]:
    """Return the chips of a folder by id, sorted; named as those of a competition, and of any suffix.

    Args:
        folder: the folder; folders within it are searched as in the competition.
        images: the rendering they belong to.
        ids: what an id is, as in the competition's tables.

    Raises:
        UserError: if there is no such folder, no chip in it, one that lacks bands, or two files of one id.
    """
    if not folder.is_dir():
        raise UserError(f"No folder {folder}.")
    index = index_chips([folder], Naming(images, ids, SUFFIXES))
    pattern = "" if images.file == FILE else f", called {images.file}"
    if index.lacking:
        name, bands = next(iter(index.lacking.items()))
        raise UserError(
            f"{counted(len(index.lacking), 'chip')} in {folder} lack files of bands{pattern}: "
            f"{name} lacks {first(bands, NAMED)}. Add them, or take the others away."
        )
    if not index.chips:
        suffixes = ", ".join(sorted({*SUFFIXES, *images.suffix}))
        raise UserError(f"No chips in {folder}: expected files{pattern} ending in {suffixes}.")
    return index.chips


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
        files: of each chip, by its id.
        images: the rendering they belong to.
        recipe: the recipe of the networks they are for.
        inputs: what the networks are given.
        dtype: data type of the chips they were trained on; others would reach them on another scale.
        skip_broken: leave broken chips out, instead of stopping.
        resized: of chips read that are of another size than the networks take, "width x height".
        odd: of chips read that hardly are chips, what each is.
    """

    files: Mapping[str, ChipFile]
    images: ImageSet
    recipe: Recipe
    inputs: Inputs
    dtype: np.dtype[Any]
    skip_broken: bool = False
    resized: set[str] = field(default_factory=set)
    odd: dict[str, list[str]] = field(default_factory=dict)

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the chips in slices of `size`.

        Raises:
            BrokenChipError: if a chip is broken and `skip_broken` is false.
            UserError: if a chip is of another data type.
        """
        chips = list(self.files.items())
        with ThreadPoolExecutor(cpu_count()) as pool:
            for start in range(0, len(chips), size):
                batch, few = Batch(), chips[start : start + size]
                loaded = pool.map(self._load, (file for _, file in few))
                for (name, _), chip in zip(few, loaded, strict=True):
                    if isinstance(chip, BrokenChipError):
                        batch.broken.append(str(chip))
                    else:
                        batch.names.append(name)
                        batch.chips.append(chip)
                yield batch

    def remarks(self) -> list[str]:
        """Return a line for each way in which images that were read hardly are chips."""
        return [f"{first(sorted(shown), NAMED)}: {what}" for what, shown in sorted(self.odd.items())]

    def sample(self) -> NDArray[Any]:
        """Return a few of the chips, or one of zeros where the first are broken."""
        if chips := next(self.batches(SAMPLED)).chips:
            return np.stack(chips)
        size, columns = self.inputs.size, len(self.inputs.bands)
        return as_network_input(np.zeros((1, size, size, columns), dtype=self.dtype), tuple(range(columns)))

    def _load(self, file: ChipFile) -> NDArray[Any] | BrokenChipError:
        path = shown_file(file)
        try:
            chip = read_chip(file, self.images, grey_as_colours=False)
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
        self._remark(path, width, height)
        return as_network_input(resize_chip(chip, size), columns_of(self.recipe, self.images))

    def _remark(self, path: Path, width: int, height: int) -> None:
        """Note an image that is resized to what the model takes and yet shows something else than a chip."""
        size, (short, long) = self.inputs.size, sorted((width, height))
        if long > SLIVER * short:
            what = f"more than {SLIVER} times as long as wide, and squeezed into a square."
        elif short > SCENE * size:
            what = (
                f"more than {SCENE} times the {size} x {size} pixels that the model takes. If its chips were not as "
                "large, this is a scene: cut it into chips."
            )
        else:
            return
        self.odd.setdefault(what, []).append(f"{path.name} ({width} x {height})")
