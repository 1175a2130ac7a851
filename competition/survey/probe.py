"""What the files of chips hold, by a few of them: bands, data type, the values they span."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from competition.common.errors import UserError
from competition.common.text import first
from competition.survey.images import Found
from competition.survey.listing import evenly

PROBED = 24  # chips that are decoded
LOW, HIGH = 1.0, 99.0  # percentiles of the range
CLOSE = 0.7  # correlation from which on a band is a colour of the picture of the same chip
GDAL_NODATA, GDAL_METADATA = 42113, 42112


@dataclass
class Content:
    """What the files of a rendering hold.

    Attributes:
        bands: names of the bands; a word such as "RGB" where each has a letter.
        dtype: name of the data type; "" if nothing could be decoded.
        sizes: height and width of the chips that were decoded.
        range: what each band spans, empty for 8 bits.
        nodata: the value of pixels without data, or "nan".
        remarks: what is to be said of an entry, by its name.
        questions: what the files leave open, and the default that was taken.
    """

    bands: str | list[str] = "RGB"
    dtype: str = ""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    range: dict[str, tuple[float, float]] = field(default_factory=dict)
    nodata: float | str | None = None
    remarks: dict[str, str] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Picture:
    """One decoded file: array (height, width, bands), what kind of picture it is, and what a TIFF says of itself."""

    array: NDArray[Any]
    mode: str
    names: tuple[str, ...] = ()
    nodata: float | str | None = None


def probe(images: Found, twin: Found | None = None) -> Content:
    """Decode a few chips of a rendering.

    Args:
        images: the rendering.
        twin: another rendering, of pictures in colours, by which the bands of this one may be told.

    Raises:
        UserError: if a chip has several files, and these are pictures of several bands.
    """
    content = Content()
    if images.bands:
        decoded = {band: _decoded(images, f"{images.file.replace('{band}', band)}") for band in images.bands}
        letters = all(len(band) == 1 for band in images.bands)
        content.bands = "".join(images.bands) if letters else images.bands
        pictures = [picture for several in decoded.values() for _, picture in several]
        if any((picture.array != picture.array[:, :, :1]).any() for picture in pictures):
            raise UserError(
                f"A chip has {len(images.bands)} files, {images.file} with {first(images.bands, 3)}, and each holds "
                "several bands. Expected one picture per chip, or one file per band: give --id-column, or take the "
                "pictures that are no chips out of the folder."
            )
        by_band = {band: [picture.array for _, picture in several] for band, several in decoded.items()}
    else:
        several = _decoded(images, None)
        pictures = [picture for _, picture in several]
        if not pictures:
            content.questions.append(f"No {images.family} file could be decoded: are the bands RGB, of 8 bits?")
            return content
        _name_bands(content, several, twin)
        by_band = {
            band: [p.array[:, :, place] for p in pictures if p.array.shape[2] == len(content.bands)]
            for place, band in enumerate(content.bands)
        }
    if pictures:
        _measure(content, pictures, by_band)
    return content


def _measure(content: Content, pictures: list[_Picture], by_band: dict[str, list[NDArray[Any]]]) -> None:
    types = Counter(picture.array.dtype for picture in pictures)
    content.dtype = str(types.most_common(1)[0][0])
    content.sizes = Counter((picture.array.shape[0], picture.array.shape[1]) for picture in pictures)
    if len(types) > 1:
        content.questions.append(f"The chips are of several data types: {first(types)}.")
    said = Counter(picture.nodata for picture in pictures if picture.nodata is not None)
    if said:
        content.nodata = said.most_common(1)[0][0]
        content.remarks["nodata"] = "as the files say"
    elif any(np.isnan(array).any() for arrays in by_band.values() for array in arrays if array.dtype.kind == "f"):
        content.nodata = "nan"
        content.remarks["nodata"] = "some pixels are NaN"
    if content.dtype == "uint8":
        return
    for band, arrays in by_band.items():
        if span := _span(arrays, content.nodata):
            content.range[band] = span
    number = len(next(iter(by_band.values())))
    content.remarks["range"] = f"1st and 99th percentile of {number} chips, {content.dtype}"


def _span(arrays: list[NDArray[Any]], nodata: float | str | None) -> tuple[float, float] | None:
    """Return the percentiles of some arrays, rounded to three digits; None if they are all one value."""
    if not arrays:
        return None
    values = np.concatenate([np.asarray(array, dtype=np.float64).ravel() for array in arrays])
    values = values[np.isfinite(values)]
    if isinstance(nodata, float):
        values = values[values != nodata]
    if not len(values):
        return None
    low, high = (float(f"{value:.3g}") for value in np.percentile(values, (LOW, HIGH)))
    return (low, high) if low < high else None


def _name_bands(content: Content, several: list[tuple[str, _Picture]], twin: Found | None) -> None:
    """Find how many bands there are, and what they are called."""
    pictures = [picture for _, picture in several]
    modes = Counter(picture.mode for picture in pictures)
    counts = Counter(picture.array.shape[2] for picture in pictures)
    number = counts.most_common(1)[0][0]
    names = next((picture.names for picture in pictures if len(picture.names) == number), ())
    if names and len(set(names)) == number and all(re.fullmatch(r"\w[\w.-]*", name) for name in names):
        content.bands = list(names)
        content.remarks["bands"] = "as the files name them"
    elif pictures[0].mode != "TIFF" or (number in (1, 3, 4) and pictures[0].array.dtype == np.uint8):
        _name_colours(content, pictures, modes, number)
    elif colours := _by_twin(several, twin, number):
        content.bands = colours
        content.remarks["bands"] = f"by their correlation with {twin.family if twin else ''} of the same chips"
    elif number == 1:
        content.bands = ["B1"]
    elif number == 3:
        content.bands = "RGB"
        content.questions.append('Are the bands red, green and blue, in that order? Taken as "RGB"; entry "bands".')
    else:
        content.bands = [f"B{place + 1}" for place in range(number)]
        content.questions.append(f'What are the {number} bands? Called B1 to B{number}; entry "bands" names them.')


def _name_colours(content: Content, pictures: list[_Picture], modes: Counter[str], number: int) -> None:
    content.bands = "RGB"
    if number == 1 and pictures[0].array.dtype != np.uint8:
        content.bands = ["grey"]
    elif number == 1:
        content.remarks["bands"] = "grey pictures, which are read as colours, for pretrained networks"
    elif number == 4 and all((p.array[..., 3] == p.array.flat[3]).all() for p in pictures if p.array.shape[2] == 4):
        content.remarks["bands"] = "a fourth band is the same everywhere: opacity, which is no data"
    elif number == 4:
        content.bands = ["R", "G", "B", "N"]
        content.questions.append('Is the fourth band data? Taken as such; bands = "RGB" leaves it out as opacity.')
    elif len(modes) > 1:
        content.remarks["bands"] = f"pictures are of modes {first(sorted(modes))}; all are read as colours"


def _by_twin(several: list[tuple[str, _Picture]], twin: Found | None, number: int) -> str:
    """Return letters for bands: those of the colours that they follow in the picture of the same chip, one rest N."""
    if twin is None or not 3 <= number <= 4:
        return ""
    theirs = {place.id: piece for piece, place in twin.pieces if piece.open is not None}
    totals: list[Any] = []
    for own, picture in several:
        other = _decode(theirs[own].read(), theirs[own].suffix) if own in theirs else None
        if other is None or other.array.shape[:2] != picture.array.shape[:2] or other.array.shape[2] != 3:
            continue
        both = np.concatenate([picture.array, other.array], axis=2).reshape(-1, number + 3).T.astype(np.float64)
        if both.std(axis=1).min() > 0:
            totals.append(np.asarray(np.corrcoef(both))[:number, number:])
    if not totals:
        return ""
    middle: NDArray[Any] = np.asarray(np.median(np.stack(totals), axis=0))
    colours = ["N"] * number
    for colour, letter in enumerate("RGB"):
        band = int(middle[:, colour].argmax())
        if middle[band, colour] < CLOSE:
            return ""
        colours[band] = letter
    return "".join(colours) if len(set(colours)) == number else ""


def _decoded(images: Found, file: str | None) -> list[tuple[str, _Picture]]:
    """Return some chips, decoded, each with its id; of one band, if `file` says which."""
    pieces = [(piece, place) for piece, place in images.pieces if piece.open is not None and file in (None, place.file)]
    decoded = ((place.id, _decode(piece.read(), piece.suffix)) for piece, place in evenly(pieces, PROBED))
    return [(own, picture) for own, picture in decoded if picture is not None]


def _decode(content: bytes, suffix: str) -> _Picture | None:
    """Decode a file; None if it is broken, which `data check` reports."""
    try:
        if content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _decode_tiff(content)
        return _decode_picture(content)
    except Exception:  # decoders raise whatever they like on a damaged file
        return None


def _decode_picture(content: bytes) -> _Picture:
    with Image.open(io.BytesIO(content)) as picture:
        mode = picture.mode
        if any(";16" in str(tile) for tile in picture.tile):
            import imagecodecs

            array = np.asarray(imagecodecs.png_decode(content))
        elif mode in ("P", "CMYK", "YCbCr", "1", "LA", "PA"):
            array = np.asarray(picture.convert("L" if mode in ("1", "LA") else "RGB"))
        else:
            array = np.asarray(picture)
    return _Picture(array if array.ndim == 3 else array[:, :, None], mode)


def _decode_tiff(content: bytes) -> _Picture:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as file:
        series, tags = file.series[0], cast("tifffile.TiffPage", file.pages[0]).tags
        array = series.asarray()
        if array.ndim == 2:
            array = array[:, :, None]
        elif others := [axis for axis, name in enumerate(series.axes) if name not in "YX"]:
            array = np.moveaxis(array, others[0], -1)
        names = (
            re.findall(r'role="description"[^>]*>([^<]+)<', str(tags[GDAL_METADATA].value))
            if (GDAL_METADATA in tags)
            else []
        )
        nodata = str(tags[GDAL_NODATA].value).strip("\0 ") if GDAL_NODATA in tags else None
    if array.ndim != 3:
        raise ValueError("not a picture")
    value = None if nodata is None else "nan" if nodata.lower() == "nan" else float(nodata)
    return _Picture(array, "TIFF", tuple(names), value)
