"""A scene: what it says of itself, and its pixels by windows, for any number of threads."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.data.chips import resize_chip
from competition.gdal.imports import gdal, import_map
from competition.gdal.sources import ALPHA, Source, reading
from competition.scenes.grid import Window
from competition.scenes.ground import Affine
from competition.scenes.said import check_colours, date_in, day_of, doubt_about, found, names_of, placed

LONGEST_SIDE = 1 << 26  # pixels
LARGE = 1024  # pixels along each side of a window that are read of a finer scene, or up to twice as many
MOST_AT_ONCE = 1 << 22  # pixels of several windows that are read together
NEVER = 1e30  # a value so large is what many write for no data, such as the least of float32, though no tag says so
SAMPLES, SAMPLE = 32, 128  # windows that the digest of a scene is of, and their pixels along each side


@dataclass(frozen=True)
class Scene:
    """An image with a place on the ground.

    Attributes:
        source: what is opened.
        name: for people and files.
        width: in pixels.
        height: in pixels.
        bands: names of the bands that are read, in the order that was asked for.
        indexes: their numbers in the file, from 1.
        dtype: data type of their values.
        wkt: the coordinate system; "" where only --metres-per-pixel says what a pixel is.
        transform: from (column, row) to its coordinates.
        metres: width and height of a pixel on the ground, at the scene's centre.
        nodata: value of pixels without data; None if there is none.
        scales: factor of each band's values that the file gives; 1 where it gives none.
        offsets: what it adds to them after that.
        date: when it was taken, as "2026-11-28"; "" where nothing says so.
        masked: whether a mask or a band of opacity says which pixels have data.
        doubt: why the names of its bands may be wrong, one line; "" if nothing speaks for it.
    """

    source: Source
    name: str
    width: int
    height: int
    bands: tuple[str, ...]
    indexes: tuple[int, ...]
    dtype: str
    wkt: str
    transform: Affine
    metres: tuple[float, float]
    nodata: float | None
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    date: str
    masked: bool
    doubt: str
    _handles: _Handles = field(repr=False, compare=False)

    @classmethod
    def open(
        cls,
        where: str | Path,
        bands: Sequence[str] = (),
        *,
        named: Sequence[str] = (),
        metres_per_pixel: float | None = None,
        taken: str | None = None,
    ) -> Scene:
        """Open a GeoTIFF, a folder of tiles, a virtual raster, or an address of a GeoTIFF.

        Args:
            where: it lies.
            bands: that are read, by name; default: all but opacity.
            named: names of all its bands in their order, where the file names none, or wrong ones.
            metres_per_pixel: overrules what the file says; without a coordinate system it is needed.
            taken: when it was taken, as "2026-11-28"; overrules what the file says.

        Raises:
            UserError: if it cannot be read, lacks a band, or nothing says how large its pixels are.
        """
        source = Source.of(where, alpha_is_data=bool(named))
        with source.open() as dataset:
            names = names_of(dataset, named, source.shown)
            indexes = found(bands or [name for name in names if name.lower() != ALPHA], names, source.shown)
            check_colours(dataset, indexes, source.shown)
            dtypes = {dataset.dtypes[index - 1] for index in indexes}
            if len(dtypes) > 1:
                raise UserError(f"The bands of {source.shown} have several data types: {', '.join(sorted(dtypes))}.")
            if max(dataset.width, dataset.height) > LONGEST_SIDE:
                raise UserError(f"{source.shown} is too large: {dataset.width:,} x {dataset.height:,} pixels.")
            wkt, transform, metres = placed(dataset, metres_per_pixel, source.shown)
            flags = {flag.name for index in indexes for flag in dataset.mask_flag_enums[index - 1]}
            is_opacity = ALPHA in flags and ALPHA in [name.lower() for name in names]
            return cls(
                source=source,
                name=source.name,
                width=dataset.width,
                height=dataset.height,
                bands=tuple(bands) or tuple(names[index - 1] for index in indexes),
                indexes=indexes,
                dtype=dtypes.pop(),
                wkt=wkt,
                transform=transform,
                metres=metres,
                nodata=dataset.nodatavals[indexes[0] - 1],
                scales=tuple(dataset.scales[index - 1] for index in indexes),
                offsets=tuple(dataset.offsets[index - 1] for index in indexes),
                date=day_of(taken, "--date") if taken else date_in(dataset),
                masked=is_opacity or ("per_dataset" in flags and ALPHA not in flags),
                doubt=doubt_about(dataset, named, source.shown),
                _handles=_Handles(source),
            )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    def read(self, window: Window, size: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return a window's pixels, brought to a square as chips are when they are decoded.

        Each thread has a handle of its own, as GDAL asks for. Of a scene that is much finer, overviews are read where
        it has them, and means of its pixels where it has not; the rest is done as `resize_chip` does.

        Args:
            window: within the scene.
            size: pixels along each side of what is returned.

        Returns:
            Array (size, size, num_bands) of the scene's values, pixels without data as the least of their band in the
            window; and bool array (size, size), where there are data in every band.

        Raises:
            UserError: if the file is damaged or gone.
        """
        shrink = _shrink(window, size)
        pixels, valid = self._pixels(window, shrink)
        return _as_chip(pixels, valid, size)

    def read_batch(self, windows: Sequence[Window], size: int) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
        """Yield what `read` returns of several windows: those that lie close together are read at once.

        Neighbouring windows overlap, and threads share no blocks that GDAL has decoded, so that they do better to take
        several neighbours each than one in turn. All that lies between the windows is held meanwhile.

        Args:
            windows: within the scene, of one size; at least one.
            size: pixels along each side of what is returned of each.

        Raises:
            UserError: as `read`.
        """
        shrink, (width, height) = _shrink(windows[0], size), windows[0][2:]
        left, right = min(each.x for each in windows), max(each.x for each in windows) + width
        top, bottom = min(each.y for each in windows), max(each.y for each in windows) + height
        whole = Window(left, top, right - left, bottom - top)
        steps = {width, height, *(each.x - left for each in windows), *(each.y - top for each in windows)}
        if any(step % shrink for step in steps) or whole.width * whole.height // shrink**2 > MOST_AT_ONCE:
            yield from (self.read(window, size) for window in windows)
            return
        pixels, valid = self._pixels(whole, shrink)
        if pixels.dtype == np.uint8:  # brought into the order in which Pillow takes them, once for all windows
            pixels = np.ascontiguousarray(pixels)
        for x, y, *_ in windows:
            row, column = (y - top) // shrink, (x - left) // shrink
            place = slice(row, row + height // shrink), slice(column, column + width // shrink)
            yield _as_chip(pixels[place], valid[place], size)

    def sample(self, window: tuple[int, int], count: int, seed: int = 0) -> list[Window]:
        """Return windows of a size that lie anywhere in the scene, the same for a seed."""
        rng = np.random.default_rng(seed)
        sides = [min(each, side) for each, side in zip(window, self.size, strict=True)]
        corners = rng.integers(0, [self.width - sides[0] + 1, self.height - sides[1] + 1], (count, 2))
        return [Window(int(x), int(y), *sides) for x, y in corners]

    def digest(self) -> str:
        """Return a digest of what the scene says of itself and of some of its pixels, wherever it lies.

        Of a scene as large as a country, reading it all would take as long as scoring it.
        """
        content = hashlib.sha256()
        for window in self.sample((SAMPLE, SAMPLE), SAMPLES):
            for array in self.read(window, SAMPLE):
                content.update(np.ascontiguousarray(array).tobytes())
        said = [self.size, self.bands, self.dtype, self.wkt, self.transform, self.nodata, self.scales, self.offsets]
        return digest_json([*map(str, said), content.hexdigest()])

    def _pixels(self, window: Window, shrink: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the pixels (height, width, num_bands) of a window, by means of `shrink` along each side, and masks."""
        shape = -(-window.height // shrink), -(-window.width // shrink)
        rows, columns = (window.y, window.y + window.height), (window.x, window.x + window.width)
        enums = import_map("rasterio.enums")
        how = {"window": (rows, columns), "out_shape": shape, "resampling": enums.Resampling.average}
        dataset = self._handles.of_this_thread()
        with reading(self.source.shown), gdal(remote=self.source.is_remote):
            pixels = dataset.read(list(self.indexes), **how | {"out_shape": (len(self.indexes), *shape)})
            valid = dataset.dataset_mask(**how) > 0 if self.masked else np.ones(shape, dtype=bool)
        if self.nodata is not None and not math.isnan(self.nodata):
            valid &= (pixels != self.nodata).all(axis=0)
        if pixels.dtype == np.float64:
            with np.errstate(over="ignore"):  # what is infinite then is no data
                pixels = pixels.astype(np.float32)
        if pixels.dtype.kind == "f":
            valid &= (np.abs(pixels) < NEVER).all(axis=0)  # nor is NaN
        return np.moveaxis(pixels, 0, -1), valid


class _Handles:
    """A data set for each thread, closed as the thread or the scene ends."""

    def __init__(self, source: Source) -> None:
        self._source, self._local = source, threading.local()

    def of_this_thread(self) -> Any:
        dataset = getattr(self._local, "dataset", None)
        if dataset is None:
            dataset = self._local.dataset = self._source.handle()
        return dataset


def _shrink(window: Window, size: int) -> int:
    """Return by which power of two a window is shrunk as it is read.

    What is left is several times what is wanted, as most chips are, so that all but the last step has no say in how a
    window looks; and a window as small as a chip is read as it is, and looks as the chip does.
    """
    kept = max(size, min(4 * size, LARGE), LARGE // 2)
    return 1 << max(0, int(math.log2(max(1, min(window.width, window.height) / kept))))


def _as_chip(pixels: NDArray[Any], valid: NDArray[np.bool_], size: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    if not valid.any():
        return np.zeros((size, size, pixels.shape[2]), pixels.dtype), np.zeros((size, size), dtype=bool)
    if not valid.all():
        pixels = _filled(pixels, valid)
    return resize_chip(pixels, size), _nearest(valid, size)


def _filled(pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
    """Return pixels (height, width, num_bands) with the least valid value of a band where there are none."""
    filled = pixels.copy()
    filled[~valid] = pixels[valid].min(axis=0)
    return filled


def _nearest(valid: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    if valid.shape == (size, size):
        return valid
    rows, columns = (np.arange(size) * side // size for side in valid.shape)
    return valid[rows[:, None], columns]
