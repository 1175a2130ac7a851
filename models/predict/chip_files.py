"""A folder of chips to score, decoded as they are needed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import scratch_folder
from competition.common.progress import reporter
from competition.common.text import counted, first
from competition.data.chips import BrokenChipError, read_chip, resize_chip
from competition.index.chip_index import ChipFile, ChipIndex, Ids, Naming, index_chips, index_paths, shown_file
from competition.remote.places import Place
from competition.spec.images import FILE, ImageSet
from models.networks.input_spec import Inputs, as_network_input, columns_of
from models.recipes.recipe import Recipe

SAMPLED = 4
NAMED = 3  # images in a line
FETCHED_AT_ONCE = 16  # files from elsewhere: a store answers each after a while
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".jp2", ".bmp")
SCENE = 4  # times the side of what the model takes, from which an image is no chip but what chips are cut from
SLIVER = 4  # times as long as it is wide
COLOURS = {"R", "G", "B"}


def chip_files(folder: Path, images: ImageSet, ids: Ids = "stem") -> dict[str, ChipFile]:
    """Return the chips of a folder by id, sorted; named as those of a competition, and of any suffix.

    Where chips lie in folders within it, a line says in which, as they may be more than were meant.

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
    _check_whole(index, str(folder), images)
    # Where the pattern has folders, each is of one chip.
    within = Counter(shown_file(file).parent.relative_to(folder).as_posix() for file in index.chips.values())
    if within.keys() != {"."} and "/" not in images.file:
        found = f"{counted(len(index.chips), 'chip')} in {counted(len(within), 'folder')} within {folder}"
        reporter.say(f"Found {found}: {first((f'{name} ({number:,})' for name, number in sorted(within.items())))}.")
    return index.chips


def chips_at(place: Place, images: ImageSet, ids: Ids = "stem") -> dict[str, ChipFile]:
    """Return the chips in a place as `chip_files` does those of a folder; their files by their paths in it.

    Raises:
        UserError: as `chip_files`, or if the place cannot be reached.
    """
    index = index_paths(place.walk(), Naming(images, ids, SUFFIXES))
    _check_whole(index, place.url, images)
    return index.chips


def _check_whole(index: ChipIndex, where: str, images: ImageSet) -> None:
    pattern = "" if images.file == FILE else f", called {images.file}"
    if index.lacking:
        name, bands = next(iter(index.lacking.items()))
        raise UserError(
            f"{counted(len(index.lacking), 'chip')} in {where} lack files of bands{pattern}: "
            f"{name} lacks {first(bands, NAMED)}. Add them, or take the others away."
        )
    if not index.chips:
        suffixes = ", ".join(sorted({*SUFFIXES, *images.suffix}))
        raise UserError(f"No chips in {where}: expected files{pattern} ending in {suffixes}.")


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
        grey: files of chips read that show no colours, though these are expected.
        place: that the files are in, from which they are fetched one by one; None on this machine.
    """

    files: Mapping[str, ChipFile]
    images: ImageSet
    recipe: Recipe
    inputs: Inputs
    dtype: np.dtype[Any]
    skip_broken: bool = False
    resized: set[str] = field(default_factory=set)
    odd: dict[str, set[str]] = field(default_factory=dict)
    grey: set[Path] = field(default_factory=set)
    place: Place | None = None

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the chips in slices of `size`; while one is used, the next one is read.

        Raises:
            BrokenChipError: if a chip is broken and `skip_broken` is false.
            UserError: if a chip is of another data type.
        """
        chips = list(self.files.items())
        pool = ThreadPoolExecutor(FETCHED_AT_ONCE if self.place else cpu_count())
        with ExitStack() as ending:
            scratch = ending.enter_context(scratch_folder()) if self.place else None
            # Of what was to be read, where somebody else stops before the end.
            ending.callback(pool.shutdown, cancel_futures=True)
            reading: deque[list[tuple[str, Future[NDArray[Any] | BrokenChipError]]]] = deque()
            for start in range(0, len(chips), size):
                some = chips[start : start + size]
                reading.append([(name, pool.submit(self._load, file, scratch)) for name, file in some])
                if len(reading) > 1:
                    yield self._batch(reading.popleft())
            if reading:
                yield self._batch(reading.popleft())

    def _batch(self, loading: Sequence[tuple[str, Future[NDArray[Any] | BrokenChipError]]]) -> Batch:
        batch = Batch()
        for name, future in loading:
            chip = future.result()
            if isinstance(chip, BrokenChipError):
                batch.broken.append(str(chip))
            else:
                batch.names.append(name)
                batch.chips.append(chip)
        return batch

    def remarks(self) -> list[str]:
        """Return a line for each way in which images that were read may not be the chips that were meant."""
        lines = [f"{first(sorted(shown), NAMED)}: {what}" for what, shown in sorted(self.odd.items())]
        if self.grey:
            which = f"{len(self.grey):,} of {counted(len(self.files), 'chip')}"
            lines.append(f"Grey pictures, which are read as colours, as in training: {which}.")
        return lines

    def sample(self) -> NDArray[Any]:
        """Return a few of the chips, the first that can be read.

        Raises:
            BrokenChipError: if a chip before them is broken and `skip_broken` is false.
            UserError: if every chip is broken, or one is of another data type.
        """
        broken: list[str] = []
        for batch in self.batches(SAMPLED):
            if batch.chips:
                return np.stack(batch.chips)
            broken += batch.broken
        raise UserError(f"No chip of {len(self.files):,} can be read. {broken[0]}")

    def _load(self, file: ChipFile, scratch: Path | None) -> NDArray[Any] | BrokenChipError:
        path = shown_file(file)
        try:
            chip = self._read(file, scratch)
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
        if set(self.images.bands) == COLOURS and (chip == chip[:, :, :1]).all():
            self.grey.add(path)
        self._remark(path, width, height)
        return as_network_input(resize_chip(chip, size), columns_of(self.recipe, self.images))

    def _read(self, file: ChipFile, scratch: Path | None) -> NDArray[Any]:
        """Decode a chip, fetched before where it is elsewhere."""
        if self.place is None or scratch is None:
            return read_chip(file, self.images)
        names = [path.as_posix() for path in ([file] if isinstance(file, Path) else file)]
        near = tuple(scratch / f"{uuid4().hex}{Path(name).suffix}" for name in names)
        try:
            for name, path in zip(names, near, strict=True):
                with path.open("wb") as copy:
                    copy.writelines(self.place.chunks(name))
            return read_chip(near[0] if isinstance(file, Path) else near, self.images)
        except BrokenChipError as error:
            text = str(error)
            for name, path in zip(names, near, strict=True):
                text = text.replace(str(path), f"{self.place.url}/{name}")
            raise BrokenChipError(text, error.reason) from error
        finally:
            for path in near:
                path.unlink(missing_ok=True)

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
        self.odd.setdefault(what, set()).add(f"{path.name} ({width} x {height})")
