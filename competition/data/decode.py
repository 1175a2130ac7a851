"""One image file as an array. What the content is decides how it is read, and not the suffix of its name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError

from competition.common.text import counted

TIFF = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}  # how a TIFF begins
GREY = {"1", "L", "LA", "La"}  # Pillow's modes
WITH_ALPHA = {"LA", "RGBA", "PA"}
COLOURS = {"R", "G", "B"}
ORIENTATION = 274  # tag of EXIF and of TIFF

# From how a picture lies in the file to how it is meant, by the value of the tag (as Pillow's exif_transpose).
TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda chip: chip[:, ::-1],
    3: lambda chip: chip[::-1, ::-1],
    4: lambda chip: chip[::-1],
    5: lambda chip: chip.swapaxes(0, 1),
    6: lambda chip: chip.swapaxes(0, 1)[:, ::-1],
    7: lambda chip: chip.swapaxes(0, 1)[::-1, ::-1],
    8: lambda chip: chip.swapaxes(0, 1)[::-1],
}

# Editors keep their whole history in a text chunk of a PNG. Pillow's limit on all of them together stays.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
# What it says of damaged files, in many lines, is said in one where they are refused.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def decode(path: Path, bands: tuple[str, ...], *, grey_as_colours: bool = True) -> NDArray[Any]:
    """Decode an image file: TIFF by tifffile, all else that Pillow knows by that.

    Pictures of 8 bits are converted where one or three bands are expected: CMYK, palettes, grey, colours, opacity left
    out. Deeper ones, and TIFFs, only become three bands of one grey where R, G and B are expected, and lose a band
    that the file calls opacity where one band fewer is expected.

    Args:
        path: the file.
        bands: expected.
        grey_as_colours: convert between grey and colours.

    Returns:
        Array (height, width, num_bands) of any data type in the machine's byte order; of other bands if it has them.

    Raises:
        Exception: whatever the decoders raise on a damaged file.
    """
    with path.open("rb") as file:
        is_tiff = file.read(4) in TIFF
        file.seek(0)
        chip = (_read_tiff if is_tiff else _read_picture)(file, bands, grey_as_colours)
    return chip.astype(chip.dtype.newbyteorder("="), copy=False)


def _read_picture(file: IO[bytes], bands: tuple[str, ...], grey_as_colours: bool) -> NDArray[Any]:
    try:
        picture = Image.open(file)
    except UnidentifiedImageError:
        raise ValueError("it is no image of a known format") from None
    with picture:
        # Not by turning Pillow's warning into an error: warnings.catch_warnings() is not safe in threads.
        if Image.MAX_IMAGE_PIXELS and picture.width * picture.height > Image.MAX_IMAGE_PIXELS:
            raise ValueError(f"{picture.width} x {picture.height} pixels are too many")
        deep = _deep(picture, file)
        if deep is None:
            chip = _colours(picture, len(bands), grey_as_colours)
        else:
            chip = _fitting(deep, bands, grey_as_colours, has_alpha=picture.mode in WITH_ALPHA)
        return _upright(chip, _orientation(picture))


def _deep(picture: ImageFile.ImageFile, file: IO[bytes]) -> NDArray[Any] | None:
    """Return the pixels of a picture of more than 8 bits; None if it has no more.

    Of a PNG of 16 bits Pillow would keep the upper 8, of a JPEG 2000 of any depth too.
    """
    if picture.mode.startswith(("I", "F")):
        return np.asarray(picture)  # convert() would cut its values off at 255
    is_jpeg_2000 = picture.format == "JPEG2000"
    if not is_jpeg_2000 and not any(";16" in str(tile) for tile in picture.tile):
        return None
    import imagecodecs

    file.seek(0)
    data = file.read()
    chip: NDArray[Any] = imagecodecs.jpeg2k_decode(data) if is_jpeg_2000 else imagecodecs.png_decode(data)
    file.seek(0)
    return None if chip.dtype == np.uint8 else chip


def _colours(picture: Image.Image, num_bands: int, grey_as_colours: bool) -> NDArray[Any]:
    """Return the pixels of a picture of 8 bits or fewer."""
    if not grey_as_colours and num_bands in (1, 3) and (picture.mode in GREY) != (num_bands == 1):
        received = "a grey picture" if picture.mode in GREY else "a picture in colours"
        raise ValueError(f"expected {counted(num_bands, 'band')}, received {received}")
    if picture.mode == "P":
        picture.load()  # which may bring the transparency
        picture.info.pop("transparency", None)  # convert() drops it, and warns of that
    if num_bands == 3:
        # convert() undoes the Adobe inversion of Planet's CMYK files; other decoders return zeros.
        return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    if num_bands == 1:
        return np.asarray(picture.convert("L"))[:, :, None]
    return np.asarray(picture)


def _orientation(picture: Image.Image) -> int:
    """Return the orientation of a picture that was decoded; 1 where EXIF says none, or is damaged."""
    if any("exif" in str(key).lower() or "xmp" in str(key).lower() for key in picture.info):
        with suppress(Exception):
            return int(picture.getexif().get(ORIENTATION, 1))
    return 1


def _upright(chip: NDArray[Any], orientation: int) -> NDArray[Any]:
    return np.ascontiguousarray(TURNS[orientation](chip)) if orientation in TURNS else chip


def _fitting(chip: NDArray[Any], bands: tuple[str, ...], grey_as_colours: bool, *, has_alpha: bool) -> NDArray[Any]:
    """Return a chip without the opacity that is no band, and one of grey as R, G and B where these are expected."""
    if chip.ndim == 2:
        chip = chip[:, :, None]
    of_colours = set(bands) == COLOURS
    if has_alpha and chip.ndim == 3 and chip.shape[2] - 1 in {len(bands), 1 if of_colours else len(bands)}:
        chip = chip[:, :, :-1]
    if of_colours and chip.ndim == 3 and chip.shape[2] == 1:
        if not grey_as_colours:
            raise ValueError("expected 3 bands, received a grey picture")
        chip = chip.repeat(3, axis=2)
    return chip


def _read_tiff(file: IO[bytes], bands: tuple[str, ...], grey_as_colours: bool) -> NDArray[Any]:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        series, page = tiff.series[0], tiff.series[0].keyframe
        if not _needs_pillow(page, len(bands)):
            _check_whole(tiff.series, tiff.filehandle.size)
            pages = [each for each in tiff.series if (each.shape, each.dtype) == (series.shape, series.dtype)]
            if len(series.shape) == 2 and 1 < len(pages) == len(bands):  # written one by one
                return _upright(np.stack([each.asarray() for each in pages], axis=-1), _tag(page))
            chip = series.asarray()
            if chip.ndim == 3:
                # Bands stored one plane after another come first; their axis is S (samples), or whatever is not Y or X.
                planes = [axis for axis, name in enumerate(series.axes) if name not in "YX"]
                chip = np.moveaxis(chip, planes[0], -1) if planes else chip
            alpha = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)
            has_alpha = bool(page.extrasamples) and page.extrasamples[-1] in alpha and _is_opacity(chip[..., -1])
            chip = _fitting(chip, bands, grey_as_colours, has_alpha=has_alpha)
            return _upright(chip, _tag(page))
    file.seek(0)
    return _read_picture(file, bands, grey_as_colours)


def _needs_pillow(page: Any, num_bands: int) -> bool:
    """Whether the samples of a TIFF are no values of bands: single bits, places in a palette, ink, luma and chroma."""
    import tifffile

    kind, photometric = tifffile.PHOTOMETRIC, page.photometric
    if page.bitspersample == 1:
        return True
    if photometric == kind.YCBCR:  # which tifffile converts within a JPEG only
        return page.compression not in (tifffile.COMPRESSION.JPEG, tifffile.COMPRESSION.OJPEG)
    return num_bands == 3 and photometric in (kind.PALETTE, kind.SEPARATED, kind.MINISWHITE)


def _is_opacity(band: NDArray[Any]) -> bool:
    """Whether a band holds nothing but the least and the largest of its type.

    Many programs call whatever follows three bands opacity, such as the near infrared of Planet's GeoTIFFs: to drop
    that would leave blue, green and red for red, green and blue.
    """
    most = np.iinfo(band.dtype).max if band.dtype.kind in "iu" else 1
    return bool(np.isin(band, (0, most)).all())


def _tag(page: Any) -> int:
    """Return the orientation of a page."""
    tag = page.tags.get(ORIENTATION)
    return tag.value if tag else 1


def _check_whole(series: Iterable[Any], size: int) -> None:
    """Refuse a TIFF that ends before its pixels do: the decoder of JPEGs in it makes up what is missing."""
    for page in chain.from_iterable(each.pages for each in series):
        if page is not None:
            ends = (start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False))
            if max(ends, default=0) > size:
                raise ValueError("the file ends before its pixels do")
