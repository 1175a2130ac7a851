"""Where a scene lies, and how it is opened: a file, a folder of tiles, a virtual raster, or an address.

GDAL reads two hundred formats, some of which are texts that name other files and addresses. Of these doors one is left
open: the file that was named. Only GeoTIFF and JPEG 2000 are read, whatever a file is called, and `vrt` looks through
mosaics of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.files import open_ordinary
from competition.common.text import REASON, cut, readable, without_secrets
from competition.data.decode import TIFF
from competition.gdal.imports import gdal, import_map, unwarned
from competition.gdal.vrt import TYPES, Tile, mosaic, read_vrt
from competition.remote.reaching import is_url

JP2 = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")
SUFFIXES = (".tif", ".tiff", ".jp2")  # of the tiles in a folder
SIDECARS = (
    ".ovr",
    ".OVR",
    ".msk",
    ".MSK",
)  # beside a file: its overviews and its mask, which GDAL would read as anything
OLD = b"EHFA_HEADER_TAG"  # how a file begins of which GDAL takes overviews, and which names others
PROTOCOLS = ("http", "https", "s3", "gs", "az")
LARGEST_BLOCK = 1 << 28  # bytes that GDAL must decode at once
LARGEST_FILE = 1 << 62
MOST_BANDS = 2000
ALPHA = "alpha"


@dataclass(frozen=True)
class Source:
    """What GDAL opens as a scene.

    Attributes:
        shown: where it lies, for people; without secrets.
        name: for people and files.
        target: a file, an address, or the text of a VRT.
        is_remote: whether it is an address.
    """

    shown: str
    name: str
    target: Path | str
    is_remote: bool = False

    @classmethod
    def of(cls, where: str | Path, *, alpha_is_data: bool = False) -> Source:
        """Return the source of a file, a folder of tiles, a VRT, or an address.

        Args:
            where: it lies.
            alpha_is_data: whether a band that files call opacity holds data, as those of Planet do.

        Raises:
            UserError: if there is none, or it is not what is read.
        """
        if is_url(str(where)):
            shown = without_secrets(str(where))
            if (protocol := shown.partition("://")[0].lower()) not in PROTOCOLS:
                raise UserError(f"{shown}: scenes are read from {', '.join(PROTOCOLS)}, received {protocol}.")
            return cls(shown, _stem(shown), str(where), is_remote=True)
        path = Path(where).expanduser().absolute()
        if path.is_dir():
            return cls(str(path), path.name, _mosaic_of(path, alpha_is_data=alpha_is_data))
        if _begins(path).lstrip().startswith((b"<VRTDataset", b"<?xml", b"<!--")):
            text, files = read_vrt(path)
            for file in files:
                with opened(file, str(file)):
                    pass
            return cls(str(path), path.stem, text)
        return cls(str(path), path.stem, path)

    @contextmanager
    def open(self) -> Iterator[Any]:
        """Open it for this thread and the block: rasterio's data set.

        Raises:
            UserError: if it cannot be read, or could fill the memory.
        """
        with opened(self.target, self.shown, is_remote=self.is_remote) as dataset:
            yield dataset

    def handle(self) -> Any:
        """Return it opened, for this thread alone, which closes it; see `open`."""
        return _open(self.target, self.shown, is_remote=self.is_remote)


@contextmanager
def opened(target: Path | str, shown: str, *, is_remote: bool = False) -> Iterator[Any]:
    """Open a file, an address or the text of a VRT for the block, once it is looked through.

    Raises:
        UserError: if it is nothing that is read.
    """
    with reading(shown), gdal(remote=is_remote), _open(target, shown, is_remote=is_remote) as dataset:
        yield dataset


@contextmanager
def reading(shown: str) -> Iterator[None]:
    """Turn whatever GDAL raises in the block, of a file that is damaged or gone, into one line.

    Args:
        shown: the file or address, for people.

    Raises:
        UserError: with that line.
    """
    raised: tuple[type[Exception], ...] = (OSError, ValueError, *_raised_by_gdal())
    try:
        yield
    except UserError:
        raise
    except raised as error:
        said = cut(without_secrets(" ".join(str(error).split())), REASON)
        raise UserError(f"Cannot read the scene {shown}: {said.rstrip('.')}.") from error


def _raised_by_gdal() -> tuple[type[Exception], ...]:
    return import_map("rasterio.errors").RasterioError, import_map("rasterio._err").CPLE_BaseError


def _open(target: Path | str, shown: str, *, is_remote: bool) -> Any:
    if isinstance(target, Path):
        _check_beside(target)
    driver = "GTiff" if is_remote else _driver_of(target, shown)
    with reading(shown), gdal(remote=is_remote) as rasterio, unwarned():
        dataset = rasterio.open(target, driver=driver, sharing=False)
        try:
            _check(dataset, shown)
        except BaseException:
            dataset.close()
            raise
        return dataset


def _check_beside(path: Path) -> None:
    """Refuse a file beside which lies something that GDAL reads with it, and that is no image of its own."""
    for beside in (path.with_name(path.name + suffix) for suffix in SIDECARS):
        if os.path.lexists(beside):
            with opened(beside, str(beside)):  # it may have such files, too
                pass
    for beside in (path.with_suffix(".aux"), path.with_name(f"{path.name}.aux")):
        if os.path.isfile(beside) and _begins(beside).startswith(OLD):
            raise UserError(f"{beside} lies beside the scene and could name other files. Move it away.")


def _check(dataset: Any, shown: str) -> None:
    """Refuse what would make GDAL read another file, or fill the memory."""
    if not 0 < dataset.count <= MOST_BANDS:
        raise UserError(f"{shown} has {dataset.count:,} bands: expected 1 to {MOST_BANDS:,}.")
    for band in (0, *dataset.indexes):
        if "OVERVIEW_FILE" in dataset.tags(band, ns="OVERVIEWS"):
            raise UserError(f"{shown} names another file as its overviews. Write them into the file (gdaladdo).")
    for dtype in dataset.dtypes:
        if dtype not in TYPES:
            raise UserError(f"{shown} holds {dtype} values: expected one of {', '.join(TYPES)}.")
    height, width = max(dataset.block_shapes)
    size = height * width * max(map(_bytes_of, dataset.dtypes)) * dataset.count
    if size > LARGEST_BLOCK:
        raise UserError(
            f"{shown} lies in blocks of {width:,} x {height:,} pixels, {readable(size)} each, and at most "
            f"{readable(LARGEST_BLOCK)} are read at once. Write it anew (gdal_translate -of COG OLD.tif NEW.tif)."
        )


def _bytes_of(dtype: str) -> int:
    import numpy as np

    return np.dtype(dtype).itemsize


def _driver_of(target: Path | str, shown: str) -> str:
    """Return GDAL's name of the one format that a file, or the text of a VRT, may be read as."""
    if isinstance(target, str):
        return "VRT"
    begins = _begins(target)
    if begins.startswith(JP2):
        return "JP2OpenJPEG"
    if begins.startswith(TIFF):
        return "GTiff"
    raise UserError(f"{shown} is no scene: expected a GeoTIFF, JPEG 2000, or a VRT of such.")


def _begins(path: Path) -> bytes:
    """Return the first bytes of an ordinary file."""
    try:
        with open_ordinary(path, LARGEST_FILE) as file:
            return file.read(64)
    except OSError as error:
        raise UserError(f"Cannot read the scene {path}: {error.strerror}.") from error


def _stem(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2].partition("?")[0].rpartition(".")[0] or "scene"


def images_in(folder: Path) -> list[Path]:
    """Return the images in a folder, sorted by name.

    Raises:
        UserError: if there are none.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if name.lower().endswith(SUFFIXES))
    except OSError as error:
        raise UserError(f"Cannot read the folder {folder}: {error.strerror}.") from error
    if not names:
        raise UserError(f"{folder} holds no images: expected files with {', '.join(SUFFIXES)}.")
    return [folder / name for name in names]


def _mosaic_of(folder: Path, *, alpha_is_data: bool) -> str:
    """Return the VRT of the tiles in a folder."""
    return mosaic(folder, [_tile(path, alpha_is_data=alpha_is_data) for path in images_in(folder)])


def _tile(path: Path, *, alpha_is_data: bool) -> Tile:
    with opened(path, str(path)) as dataset:
        flags = {flag.name for flags in dataset.mask_flag_enums for flag in flags}
        by_alpha = ALPHA in flags and "per_dataset" in flags
        colours = [colour.name for colour in dataset.colorinterp]
        bands = zip((text or "" for text in dataset.descriptions), colours, strict=True)
        return Tile(
            path,
            tuple(dataset.transform)[:6],
            (dataset.width, dataset.height),
            tuple(bands),
            dataset.dtypes[0],
            "" if dataset.crs is None else dataset.crs.to_wkt(),
            masked="all_valid" not in flags and not (by_alpha and alpha_is_data),
        )
