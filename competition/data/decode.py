"""One image file as an array. What the content is decides how it is read, and not the suffix of its name."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError

from competition.common.files import open_ordinary

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how a TIFF begins; the last two are BigTIFFs
GREY = {"1", "L", "LA", "La"}  # Pillow's modes
WITH_ALPHA = {"LA", "RGBA", "PA"}
COLOURS = {"R", "G", "B"}
ORIENTATION = 274  # tag of EXIF and of TIFF
PIXEL_SCALE, GEO_KEYS, GDAL_METADATA, GDAL_NODATA = GEO_TAGS = 33550, 34735, 42112, 42113  # of GeoTIFFs
EXIF = re.compile(rb"[eE][xX][iI]f|com.adobe.xmp")  # how chunks of a PNG that hold it are called

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

LARGEST = 1 << 28  # bytes of the pixels of a picture, which is what Pillow's limit is for 8 bits of R, G and B
LARGEST_FILE = 1 << 30
MOST_PAGES = 1000  # of a TIFF

# Editors keep their whole history in a text chunk of a PNG. Pillow's limit on all of them together stays.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
# What it says of damaged files, in many lines, is said in one where they are refused.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class Raw:
    """What an image file holds, upright, before it becomes what a competition expects.

    Attributes:
        array: (height, width, num_bands), of any data type in the machine's byte order.
        mode: of the file, as Pillow calls it; "TIFF" of what tifffile has decoded.
        has_alpha: whether the last band is what the file calls opacity.
        tags: of a GeoTIFF, what it says of itself as text, by the number of the tag.
    """

    array: NDArray[Any]
    mode: str
    has_alpha: bool = False
    tags: Mapping[int, str] = field(default_factory=dict)


def decode(path: Path, bands: tuple[str, ...]) -> NDArray[Any]:
    """Decode an image file for a competition that expects certain bands.

    Pictures of 8 bits are converted where one or three bands are expected: CMYK, palettes, grey, colours, opacity left
    out. Deeper ones, and TIFFs, only become three bands of one grey where R, G and B are expected, and lose a band
    that the file calls opacity where one band fewer is expected.

    Args:
        path: the file.
        bands: expected.

    Returns:
        Array (height, width, num_bands) of any data type in the machine's byte order; of other bands if it has them.

    Raises:
        Exception: whatever the decoders raise on a damaged file.
    """
    with opened(path) as file:
        raw = read_raw(file, len(bands))
    return _fitting(raw, bands)


def opened(path: Path) -> IO[bytes]:
    """Open an image file; one that has no end is refused, and one that is too large for any picture.

    Raises:
        OSError: if it is, or cannot be opened.
    """
    return open_ordinary(path, LARGEST_FILE)


def read_raw(file: IO[bytes], num_bands: int | None = None) -> Raw:
    """Decode an open image file: TIFF by tifffile, all else that Pillow knows by that.

    Args:
        file: at its beginning.
        num_bands: expected; one or three are what pictures of 8 bits are converted to. None: as many as there are,
            palettes and ink as the colours they show.

    Raises:
        Exception: whatever the decoders raise on a damaged file.
    """
    is_tiff = file.read(4).startswith(TIFF)
    file.seek(0)
    raw = (_read_tiff if is_tiff else _read_picture)(file, num_bands)
    return replace(raw, array=raw.array.astype(raw.array.dtype.newbyteorder("="), copy=False))


def _read_picture(file: IO[bytes], num_bands: int | None) -> Raw:
    try:
        picture = Image.open(file)
    except UnidentifiedImageError:
        raise ValueError("it is no image of a known format") from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"its pixels are too many: {str(error).partition(',')[0]}") from None
    with picture:
        # Not by turning Pillow's warning into an error: warnings.catch_warnings() is not safe in threads.
        if Image.MAX_IMAGE_PIXELS and picture.width * picture.height > Image.MAX_IMAGE_PIXELS:
            raise ValueError(f"{picture.width} x {picture.height} pixels are too many")
        mode, deep = picture.mode, _deep(picture, file)
        chip = _colours(picture, num_bands) if deep is None else deep
        has_alpha = deep is not None and mode in WITH_ALPHA
        return Raw(_upright(_with_bands(chip), _orientation(picture)), mode, has_alpha)


def is_turned(path: Path) -> bool:
    """Whether a file asks for being turned or mirrored, as `decode` does; False of one that cannot be read.

    Pixels are only decoded where what asks for it may come after them, as in some PNGs.
    """
    with suppress(Exception), opened(path) as file:
        is_tiff = file.read(4).startswith(TIFF)
        file.seek(0)
        if is_tiff:
            import tifffile

            with tifffile.TiffFile(file) as tiff:
                return _tag(_series(tiff)[0].keyframe) in TURNS
        with Image.open(file) as picture:
            if picture.format == "PNG":
                with opened(path) as whole:
                    if EXIF.search(whole.read()):
                        picture.load()
            return _orientation(picture) in TURNS
    return False


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


def _colours(picture: Image.Image, num_bands: int | None) -> NDArray[Any]:
    """Return the pixels of a picture of 8 bits or fewer."""
    if picture.mode == "P":
        picture.load()  # which may bring the transparency
        picture.info.pop("transparency", None)  # convert() drops it, and warns of that
    if num_bands == 1 or (num_bands is None and picture.mode in GREY):
        return np.asarray(picture.convert("L"))
    if num_bands == 3 or (num_bands is None and picture.mode != "RGBA"):
        # convert() undoes the Adobe inversion of Planet's CMYK files; other decoders return zeros.
        return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    return np.asarray(picture)


def _with_bands(chip: NDArray[Any]) -> NDArray[Any]:
    """Return a chip with an axis of bands, be it one."""
    return chip[:, :, None] if chip.ndim == 2 else chip


def _orientation(picture: Image.Image) -> int:
    """Return the orientation of a picture that was decoded; 1 where EXIF says none, or is damaged."""
    if any("exif" in str(key).lower() or "xmp" in str(key).lower() for key in picture.info):
        with suppress(Exception):
            return int(picture.getexif().get(ORIENTATION, 1))
    return 1


def _upright(chip: NDArray[Any], orientation: int) -> NDArray[Any]:
    return np.ascontiguousarray(TURNS[orientation](chip)) if orientation in TURNS else chip


def _fitting(raw: Raw, bands: tuple[str, ...]) -> NDArray[Any]:
    """Return a chip without the opacity that is no band, and one of grey as R, G and B where these are expected."""
    chip, of_colours = raw.array, set(bands) == COLOURS
    if chip.ndim != 3:
        return chip
    if raw.has_alpha and chip.shape[2] - 1 in {len(bands), 1 if of_colours else len(bands)}:
        chip = chip[:, :, :-1]
    if of_colours and chip.shape[2] == 1:
        chip = chip.repeat(3, axis=2)
    return chip


def _read_tiff(file: IO[bytes], num_bands: int | None) -> Raw:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        every = _series(tiff)
        series, page = every[0], every[0].keyframe
        if not _needs_pillow(page, num_bands):
            _check_size(every)
            _check_whole(every, tiff.filehandle.size)
            tags = {code: str(page.tags[code].value) for code in GEO_TAGS if code in page.tags}
            pages = [each for each in every if (each.shape, each.dtype) == (series.shape, series.dtype)]
            if len(series.shape) == 2 and len(pages) > 1 and num_bands in (None, len(pages)):  # written one by one
                chip = np.stack([each.asarray() for each in pages], axis=-1)
                return Raw(_upright(chip, _tag(page)), "TIFF", tags=tags)
            chip = series.asarray()
            if chip.ndim == 3:
                # Bands stored one plane after another come first; their axis is S (samples), or whatever is not Y or X.
                planes = [axis for axis, name in enumerate(series.axes) if name not in "YX"]
                chip = np.moveaxis(chip, planes[0], -1) if planes else chip
            alpha = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)
            has_alpha = bool(page.extrasamples) and page.extrasamples[-1] in alpha and _is_opacity(chip[..., -1])
            return Raw(_upright(_with_bands(chip), _tag(page)), "TIFF", has_alpha, tags)
    file.seek(0)
    return _read_picture(file, num_bands)


def _series(tiff: Any) -> Sequence[Any]:
    """Return what a TIFF holds. Of directories that lead in a circle, tifffile would read on for ever."""
    too_many = ValueError(f"it holds more than {MOST_PAGES:,} pages")
    with suppress(IndexError):
        _ = tiff.pages[MOST_PAGES]
        raise too_many
    if len(tiff.pages.first.subifds or ()) > MOST_PAGES:
        raise too_many
    every: Sequence[Any] = tiff.series
    return every


def _needs_pillow(page: Any, num_bands: int | None) -> bool:
    """Whether the samples of a TIFF are no values of bands: single bits, places in a palette, ink, luma and chroma."""
    import tifffile

    kind, photometric = tifffile.PHOTOMETRIC, page.photometric
    if page.bitspersample == 1:
        return True
    if photometric == kind.YCBCR:  # which tifffile converts within a JPEG only
        return page.compression not in (tifffile.COMPRESSION.JPEG, tifffile.COMPRESSION.OJPEG)
    is_of_colours = num_bands == 3 or (num_bands is None and page.bitspersample <= 8)
    return is_of_colours and photometric in (kind.PALETTE, kind.SEPARATED, kind.MINISWHITE)


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


def _check_size(series: Iterable[Any]) -> None:
    """Refuse a TIFF whose pixels would fill the memory: it may be a few bytes of one colour, packed."""
    for each in series:
        if not each.dtype or not each.size:
            raise ValueError("it holds no pixels")
        if each.size * each.dtype.itemsize > LARGEST:
            raise ValueError(f"{' x '.join(map(str, each.shape))} values of {each.dtype} are too many")


def _check_whole(series: Iterable[Any], size: int) -> None:
    """Refuse a TIFF that ends before its pixels do: the decoder of JPEGs in it makes up what is missing."""
    for page in chain.from_iterable(each.pages for each in series):
        if page is not None:
            ends = (start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False))
            if max(ends, default=0) > size:
                raise ValueError("the file ends before its pixels do")
