"""Chips from files to arrays, and what is said of a broken one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from competition.common.errors import UserError
from competition.common.text import counted
from competition.spec.images import ImageSet

TIFF_SUFFIXES = {".tif", ".tiff"}
GREY = {"1", "L", "LA", "La"}  # Pillow's modes


class BrokenChipError(UserError):
    """A chip file that cannot be used; its text names the file and the reason in one line."""


def read_chip(path: Path, images: ImageSet, *, grey_as_colours: bool = True) -> NDArray[Any]:
    """Decode one chip.

    JPEG (CMYK is converted), PNG, and TIFF with any compression, 8 or 16 bits per band.

    Args:
        path: the file.
        images: the rendering it belongs to; its `bands` are what the file must hold.
        grey_as_colours: convert grey pictures of 8 bits where three bands are expected, and colours where one is.

    Returns:
        uint8 or uint16 array (height, width, num_bands), bands in the order of `images.bands`.

    Raises:
        BrokenChipError: if the file cannot be decoded, has other bands or another data type, or is black all over,
            which is how a failed decoding shows itself.
    """
    try:
        is_tiff, count = path.suffix.lower() in TIFF_SUFFIXES, len(images.bands)
        chip = _read_tiff(path) if is_tiff else _read_picture(path, count, grey_as_colours)
    except BrokenChipError:
        raise
    except Exception as error:  # decoders raise whatever they like on a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BrokenChipError(f"Broken chip {path}: {reason}") from error
    if chip.ndim != 3 or chip.shape[2] != len(images.bands):
        raise BrokenChipError(f"Broken chip {path}: expected {len(images.bands)} bands, received shape {chip.shape}.")
    if chip.dtype not in (np.uint8, np.uint16):
        raise BrokenChipError(f"Broken chip {path}: expected 8 or 16 bits per band, received {chip.dtype}.")
    if not chip.any():
        raise BrokenChipError(f"Broken chip {path}: every pixel is 0.")
    return chip


def resize_chip(chip: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the chip at `size` x `size` pixels, antialiased when it shrinks (bicubic).

    Args:
        chip: uint8 or uint16 array (height, width, num_bands).
        size: pixels along each side.

    Returns:
        Array (size, size, num_bands) of the same data type.
    """
    if chip.shape[:2] == (size, size):
        return chip
    if chip.dtype == np.uint8 and chip.shape[2] in (3, 4):
        # A fourth band is data, not opacity: mode CMYK keeps Pillow from weighting by it as RGBA would.
        picture = Image.fromarray(np.ascontiguousarray(chip)) if chip.shape[2] == 3 else _four_bands(chip)
        return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))
    bands = [
        np.asarray(Image.fromarray(chip[:, :, band].astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC))
        for band in range(chip.shape[2])
    ]
    limits = np.iinfo(chip.dtype)
    return np.stack(bands, axis=-1).round().clip(limits.min, limits.max).astype(chip.dtype)


def _four_bands(chip: NDArray[Any]) -> Image.Image:
    height, width, _ = chip.shape
    return Image.frombytes("CMYK", (width, height), np.ascontiguousarray(chip).tobytes())


def _read_picture(path: Path, num_bands: int, grey_as_colours: bool) -> NDArray[Any]:
    with Image.open(path) as picture:
        # Not by turning Pillow's warning into an error: warnings.catch_warnings() is not safe in threads.
        if Image.MAX_IMAGE_PIXELS and picture.width * picture.height > Image.MAX_IMAGE_PIXELS:
            raise BrokenChipError(f"Broken chip {path}: {picture.width} x {picture.height} pixels are too many.")
        if picture.mode.startswith(("I", "F")):
            return np.asarray(picture)[:, :, None]  # one deep band; convert() would cut its values off at 255
        if any(";16" in str(tile) for tile in picture.tile):  # a PNG of which Pillow would keep the upper 8 bits
            return _read_deep_png(path)
        if not grey_as_colours and num_bands in (1, 3) and (picture.mode in GREY) != (num_bands == 1):
            received = "a grey picture" if picture.mode in GREY else "a picture in colours"
            raise BrokenChipError(f"Broken chip {path}: expected {counted(num_bands, 'band')}, received {received}.")
        if num_bands == 3:
            # convert() undoes the Adobe inversion of the competition's CMYK files; other decoders return zeros.
            return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
        if num_bands == 1:
            return np.asarray(picture.convert("L"))[:, :, None]
        return np.asarray(picture)


def _read_deep_png(path: Path) -> NDArray[Any]:
    import imagecodecs

    chip: NDArray[Any] = imagecodecs.png_decode(path.read_bytes())
    return chip


def _read_tiff(path: Path) -> NDArray[Any]:
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        chip = series.asarray()
        if chip.ndim == 2:
            return chip[:, :, None]
        # Bands stored one plane after another come first; their axis is S (samples), or whatever is not Y or X.
        bands = [axis for axis, name in enumerate(series.axes) if name not in "YX"]
        return np.moveaxis(chip, bands[0], -1) if chip.ndim == 3 and bands else chip
