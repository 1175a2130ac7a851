"""Chips to score, in a folder or anywhere else, decoded as they are needed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from competition.cluster.threads import threads_here
from competition.common.errors import UserError
from competition.common.files import scratch_folder
from competition.common.folders import check_readable
from competition.common.progress import reporter
from competition.common.text import counted, first
from competition.data.chips import BrokenChipError, read_chip, resize_chip
from competition.data.decode import LARGEST_FILE
from competition.index.chip_index import Ids, Naming
from competition.index.listing import listed
from competition.remote.places import Place
from competition.remote.reaching import is_url
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

Where = Path | Place
Paths = tuple[str, ...]  # of a chip's file, or of those of its bands, within the folder or place


class AllBrokenError(UserError):
    """No chip of some can be read.

    Args:
        number: of chips.
        reason: the line of the first.
    """

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"No chip of {number:,} can be read. {reason}")
        self.reason = reason


def where_of(images: str | Path) -> Where:
    """Return the folder or the place that a user names.

    Raises:
        UserError: if it is the URL of a store that is not known.
    """
    return Place.of(str(images)) if is_url(str(images)) else Path(images).absolute()


def chips_in(where: Where, images: ImageSet, ids: Ids = "stem") -> Iterator[tuple[str, Paths]]:
    """Yield the chips of a folder or a place by id, sorted; named as those of a competition, and of any suffix.

    Where chips lie in folders within a folder, a line says in which, as they may be more than were meant.

    Args:
        where: the folder or place; folders within it are searched as in the competition.
        images: the rendering they belong to.
        ids: what an id is, as in the competition's tables.

    Yields:
        An id, and the paths within `where` of its file, or of those of its bands in their order.

    Raises:
        UserError: if there is no such folder, two files are of one id, a name is no text, or, at the end, no chip was
            in it, or one lacks bands.
    """
    naming = Naming(images, ids, SUFFIXES, with_odd=True)
    num_chips, num_lacking, lacks, within = 0, 0, "", Counter[str]()
    for name, files in listed(_paths_in(where, naming), naming, _shown(where)):
        paths = tuple(path for path in files if path is not None)
        if any(map(_is_no_text, paths)):  # and could not be written beside its scores
            raise UserError(f"A chip in {_shown(where)} has a name that is no text: {paths[0]!a}. Rename it.")
        if len(paths) == len(files):
            yield name, paths
            num_chips += 1
            within[paths[0].rpartition("/")[0] or "."] += 1
        else:
            missing = (band for band, path in zip(images.bands, files, strict=True) if path is None)
            lacks = lacks or f"{name} lacks {first(missing, NAMED)}"
            num_lacking += 1
    pattern = "" if images.file == FILE else f", called {images.file}"
    if num_lacking:
        raise UserError(
            f"{counted(num_lacking, 'chip')} in {_shown(where)} lack files of bands{pattern}: {lacks}. Add them, or "
            "take the others away."
        )
    if not num_chips:
        suffixes = ", ".join(sorted({*SUFFIXES, *images.suffix}))
        raise UserError(f"No chips in {_shown(where)}: expected files{pattern} ending in {suffixes}.")
    # Where the pattern has folders, each is of one chip.
    if within.keys() != {"."} and "/" not in images.file:
        found = f"{counted(num_chips, 'chip')} in {counted(len(within), 'folder')} within {_shown(where)}"
        reporter.say(f"Found {found}: {first((f'{name} ({number:,})' for name, number in sorted(within.items())))}.")


def _is_no_text(name: str) -> bool:
    """Whether the bytes of a name on a disk are none of UTF-8."""
    return any("\ud800" <= mark <= "\udfff" for mark in name)


def _paths_in(where: Where, naming: Naming) -> Iterable[str]:
    if isinstance(where, Place):
        return naming.among(where.walk())
    if not where.is_dir():
        raise UserError(f"No folder {where}.")
    check_readable(where)
    return (path for path, _ in naming.files_in(where))


def _shown(where: Where, path: str = "") -> str:
    if isinstance(where, Place):
        return f"{where.url}/{path}" if path else where.url
    return str(where / path)


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
        where: the folder they are in, or the place, from which they are fetched one by one.
        files: of each chip, by its id, the paths within.
        images: the rendering they belong to.
        recipe: the recipe of the networks they are for.
        inputs: what the networks are given.
        dtype: data type of the chips they were trained on; others would reach them on another scale.
        skip_broken: leave broken chips out, instead of stopping.
        resized: of chips read that are of another size than the networks take, "width x height".
        odd: of chips read that hardly are chips, what each is.
        grey: files of chips read that show no colours, though these are expected.
    """

    where: Where
    files: Mapping[str, Paths]
    images: ImageSet
    recipe: Recipe
    inputs: Inputs
    dtype: np.dtype[Any]
    skip_broken: bool = False
    resized: set[str] = field(default_factory=set)
    odd: dict[str, set[str]] = field(default_factory=dict)
    grey: set[str] = field(default_factory=set)

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the chips in slices of `size`; while one is used, the next one is read.

        Raises:
            BrokenChipError: if a chip is broken and `skip_broken` is false.
            UserError: if a chip is of another data type.
        """
        chips = list(self.files.items())
        is_far = isinstance(self.where, Place)
        pool = ThreadPoolExecutor(FETCHED_AT_ONCE if is_far else threads_here())
        with ExitStack() as ending:
            scratch = ending.enter_context(scratch_folder()) if is_far else None
            # Of what was to be read, where somebody else stops before the end.
            ending.callback(pool.shutdown, cancel_futures=True)
            reading: deque[list[tuple[str, Future[NDArray[Any] | BrokenChipError]]]] = deque()
            for start in range(0, len(chips), size):
                some = chips[start : start + size]
                reading.append([(name, pool.submit(self._load, paths, scratch)) for name, paths in some])
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

    def resizing(self) -> str:
        """Return the line that says that chips were of another size than the networks take; "" if none was."""
        if not self.resized:
            return ""
        sizes, size = first(sorted(self.resized)), self.inputs.size
        return f"Chips of {sizes} pixels are resized to {size} x {size}, what the model was trained on."

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
            AllBrokenError: if every chip is broken.
            UserError: if one is of another data type.
        """
        broken: list[str] = []
        for batch in self.batches(SAMPLED):
            if batch.chips:
                return np.stack(batch.chips)
            broken += batch.broken
        raise AllBrokenError(len(self.files), broken[0])

    def _load(self, paths: Paths, scratch: Path | None) -> NDArray[Any] | BrokenChipError:
        try:
            chip = self._read(paths, scratch)
        except BrokenChipError as error:
            if not self.skip_broken:
                raise BrokenChipError(f"{str(error).rstrip('.')}. Mend it, or add --skip-broken.") from error
            return error
        if chip.dtype != self.dtype:
            raise UserError(
                f"{_shown(self.where, paths[0])} has {chip.dtype} values; the model takes {self.dtype}. Give a folder "
                "of such chips."
            )
        size, (height, width, _) = self.inputs.size, chip.shape
        if (height, width) != (size, size):
            self.resized.add(f"{width} x {height}")
        if set(self.images.bands) == COLOURS and (chip == chip[:, :, :1]).all():
            self.grey.add(paths[0])
        self._remark(paths[0].rpartition("/")[2], width, height)
        return as_network_input(resize_chip(chip, size), columns_of(self.recipe, self.images))

    def _read(self, paths: Paths, scratch: Path | None) -> NDArray[Any]:
        """Decode a chip, which is fetched before where it is elsewhere."""
        if isinstance(self.where, Place):
            return self._fetched(paths, self.where, scratch or Path())
        files = tuple(self.where / path for path in paths)
        return read_chip(files if self.images.is_split else files[0], self.images)

    def _fetched(self, paths: Paths, place: Place, scratch: Path) -> NDArray[Any]:
        near = tuple(scratch / f"{uuid4().hex}{Path(path).suffix}" for path in paths)
        try:
            for path, copy in zip(paths, near, strict=True):
                if reason := place.fetch(path, copy, LARGEST_FILE):
                    raise BrokenChipError(f"Broken chip {_shown(place, path)}: {reason}.", reason)
            return read_chip(near if self.images.is_split else near[0], self.images)
        except BrokenChipError as error:
            text = str(error)
            for path, copy in zip(paths, near, strict=True):
                text = text.replace(str(copy), _shown(place, path))
            raise BrokenChipError(text, error.reason) from error
        finally:
            for copy in near:
                copy.unlink(missing_ok=True)

    def _remark(self, name: str, width: int, height: int) -> None:
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
        self.odd.setdefault(what, set()).add(f"{name} ({width} x {height})")
