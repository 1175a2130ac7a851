"""What the files of chips hold, by a few of them: bands, data type, the values they span."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from competition.data.decode import GDAL_METADATA, GDAL_NODATA, GEO_KEYS, PIXEL_SCALE, Raw, read_raw
from competition.survey.images import Found
from competition.survey.listing import evenly

PROBED = 24  # chips that are decoded
LOW, HIGH = 1.0, 99.0  # percentiles of the range
PROJECTED, METRE = (1024, 1), (3076, 9001)  # keys of a GeoTIFF with their values: projected, and in metres
CLOSE = 0.7  # correlation from which a band is taken for a colour of the other rendering


@dataclass
class Content:
    """What the files of a rendering hold.

    Attributes:
        bands: names of the bands; a word such as "RGB" where each has a letter.
        dtype: name of the data type; "" if nothing could be decoded.
        sizes: height and width of the chips that were decoded.
        range: what each band spans, empty for 8 bits.
        nodata: the value of pixels without data, or "nan".
        metres: how much ground a pixel shows; None where the files do not say.
        remarks: comments on entries, by their name.
        questions: what the files leave open, and the default that was taken.
    """

    bands: str | list[str] = "RGB"
    dtype: str = ""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    range: dict[str, tuple[float, float]] = field(default_factory=dict)
    nodata: float | str | None = None
    metres: float | None = None
    remarks: dict[str, str] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)


def content_of(images: Found, twin: Found | None = None) -> Content:
    """Return what the files of a rendering hold, by a few chips that are decoded.

    Args:
        images: the rendering.
        twin: another rendering, in colours, that may show which bands those of this one are.

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


def _measure(content: Content, pictures: list[Raw], by_band: dict[str, list[NDArray[Any]]]) -> None:
    types = Counter(picture.array.dtype for picture in pictures)
    content.dtype = str(types.most_common(1)[0][0])
    content.sizes = Counter((picture.array.shape[0], picture.array.shape[1]) for picture in pictures)
    if len(types) > 1:
        content.questions.append(f"The chips are of several data types: {first(types)}.")
    scales = {_metres_in(picture) for picture in pictures}
    if len(scales) == 1 and (metres := scales.pop()):
        content.metres = metres
        content.remarks["metres"] = "as the files say"
    said = Counter(value for picture in pictures if (value := _nodata_in(picture)) is not None)
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
    if isinstance(nodata, float):
        arrays = [_with_data(array, nodata) for array in arrays]
    values = np.concatenate([np.asarray(array, dtype=np.float64).ravel() for array in arrays])
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = (float(f"{value:.3g}") for value in np.percentile(values, (LOW, HIGH)))
    return (low, high) if low < high else None


def _with_data(array: NDArray[Any], nodata: float) -> NDArray[Any]:
    """Return the values of an array that are not the one of pixels without data, as `read_chip` compares them."""
    with np.errstate(over="ignore"):  # a file of float32 holds what it has of a float64
        value = array.dtype.type(nodata) if array.dtype.kind == "f" else nodata
    return array[array != value]


def _name_bands(content: Content, several: list[tuple[str, Raw]], twin: Found | None) -> None:
    """Find how many bands there are, and what they are called."""
    pictures = [picture for _, picture in several]
    modes = Counter(picture.mode for picture in pictures)
    counts = Counter(picture.array.shape[2] for picture in pictures)
    number = counts.most_common(1)[0][0]
    names = next((names for names in map(_names_in, pictures) if len(names) == number), [])
    if names and len(set(names)) == number and all(re.fullmatch(r"\w[\w.-]*", name) for name in names):
        content.bands = names
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


def _name_colours(content: Content, pictures: list[Raw], modes: Counter[str], number: int) -> None:
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


def _by_twin(several: list[tuple[str, Raw]], twin: Found | None, number: int) -> str:
    """Return a letter per band: that of the colour with which it correlates in the other rendering; N for one more."""
    if twin is None or not 3 <= number <= 4:
        return ""
    theirs = {place.id: piece for piece, place in twin.pieces if piece.open is not None}
    totals: list[Any] = []
    for own, picture in several:
        other = _decode(theirs[own].read()) if own in theirs else None
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


def _decoded(images: Found, file: str | None) -> list[tuple[str, Raw]]:
    """Return some chips, decoded, each with its id; of one band, if `file` says which."""
    pieces = [(piece, place) for piece, place in images.pieces if piece.open is not None and file in (None, place.file)]
    decoded = ((place.id, _decode(piece.read())) for piece, place in evenly(pieces, PROBED))
    return [(own, picture) for own, picture in decoded if picture is not None]


def _decode(content: bytes) -> Raw | None:
    """Decode a file; None if it is broken, which `data check` reports."""
    try:
        raw = read_raw(io.BytesIO(content))
    except Exception:  # decoders raise whatever they like on a damaged file
        return None
    return raw if raw.array.ndim == 3 else None


def _names_in(raw: Raw) -> list[str]:
    """Return the names of the bands that a GeoTIFF gives."""
    return re.findall(r'role="description"[^>]*>([^<]+)<', raw.tags.get(GDAL_METADATA, ""))


def _nodata_in(raw: Raw) -> float | str | None:
    """Return what a GeoTIFF says is the value of pixels without data."""
    try:
        value = float(raw.tags.get(GDAL_NODATA, "").strip("\0 "))
    except ValueError:
        return None
    return "nan" if np.isnan(value) else value


def _metres_in(raw: Raw) -> float | None:
    """Return how many metres of ground a pixel shows, if a GeoTIFF says so, and square pixels of a projection."""
    keys, scale = (
        [float(number) for number in re.findall(r"\d[\d.]*(?:e[-+]\d+)?", raw.tags.get(tag, ""))]
        for tag in (GEO_KEYS, PIXEL_SCALE)
    )
    said = {(keys[place], keys[place + 3]) for place in range(4, len(keys) - 3, 4)}
    if not {PROJECTED, METRE} <= said or len(scale) < 2 or not 0 < scale[0] == scale[1] < np.inf:
        return None
    return float(f"{scale[0]:.6g}")
