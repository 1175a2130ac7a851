"""Chips from files to arrays, and what is said of a broken one."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from competition.common.errors import UserError
from competition.common.text import counted
from competition.data.decode import decode, is_turned, opened
from competition.index.chip_index import ChipFile, shown_file
from competition.index.contents import Unpacked
from competition.spec.images import ImageSet

CHUNK = 1 << 20  # bytes that are read at once
PROBED = 5  # chips that decide on the data type of all
DTYPES = ("uint8", "uint16", "int16", "float32")


class BrokenChipError(UserError):
    """A chip file that cannot be used; its text names the file and the reason in one line.

    Args:
        text: the line.
        reason: what is wrong, without the file; equal reasons are equal.
        advice: what mends it, see `UserError`.
    """

    def __init__(self, text: str, reason: str = "", **advice: Any) -> None:
        super().__init__(text, **advice)
        self.reason = reason or text

    @classmethod
    def of(cls, path: Path, reason: str, **advice: Any) -> BrokenChipError:
        """Return the error of a file."""
        return cls(f"Broken chip {path}: {reason.rstrip('.')}.", reason.rstrip("."), **advice)

    @classmethod
    def unread(cls, error: OSError) -> BrokenChipError:
        """Return the error of a file that the system does not read."""
        return cls(f"Broken chip {error.filename}: {error.strerror}.")


def read_chip(file: ChipFile, images: ImageSet) -> NDArray[Any]:
    """Decode one chip.

    JPEG, PNG, TIFF, WebP, JPEG 2000 and whatever else Pillow knows; see `decode` for what is converted. Pixels without
    data become the least value of their band's range, or without a range the least of the band in this chip.

    Args:
        file: the file, or where each band has its own, these in the order of `images.bands`: all are brought to the
            largest size among them (bicubic).
        images: the rendering it belongs to; its `bands` are what the file must hold.

    Returns:
        uint8, uint16, int16 or float32 array (height, width, num_bands), bands in the order of `images.bands`.

    Raises:
        BrokenChipError: if the file cannot be decoded, has other bands or another data type, holds no data, values that
            are no numbers, or is black all over, which is how a failed decoding shows itself.
    """
    chip, missing = read_with_gaps(file, images)
    check_not_black(file, chip, missing, images)
    return chip


def check_not_black(file: ChipFile, chip: NDArray[Any], missing: NDArray[np.bool_] | None, images: ImageSet) -> None:
    """Refuse a chip that is black all over, or without data, unless the rendering says that such are valid.

    Args:
        file: of the chip.
        chip: as `read_with_gaps` returns it.
        missing: as `read_with_gaps` returns it.
        images: the rendering.

    Raises:
        BrokenChipError: if it is.
    """
    if images.black == "broken":
        if missing is not None and missing.all():
            raise BrokenChipError.of(shown_file(file), "no pixel has data")
        if not chip.any():
            raise BrokenChipError.of(shown_file(file), "every pixel is 0")


def read_with_gaps(file: ChipFile, images: ImageSet) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return what `read_chip` does, of black chips too, and which of its values stand for "no data"; None if none can.

    Args:
        file: as of `read_chip`.
        images: as of `read_chip`.
    """
    if isinstance(file, Path):
        return _decoded(file, images, images.bands)
    read = [_decoded(path, images, (band,)) for path, band in zip(file, images.bands, strict=True)]
    bands = [band for band, _ in read]
    if len(dtypes := {str(band.dtype) for band in bands}) > 1:
        raise BrokenChipError.of(file[0], f"its bands have several data types: {', '.join(sorted(dtypes))}")
    height, width = (max(band.shape[axis] for band in bands) for axis in (0, 1))
    chip = np.concatenate([_resized(band, height, width) for band in bands], axis=2)
    gaps = [_nearest(gone, height, width) for _, gone in read if gone is not None]
    return chip, np.concatenate(gaps, axis=2) if gaps else None


def check_unpacked(file: ChipFile, unpacked: Unpacked) -> None:
    """Refuse a chip whose file, or that of one of its bands, holds something else than when it was unpacked.

    It may well be decoded, to other pixels.

    Raises:
        BrokenChipError: if it does.
        OSError: if it cannot be read.
    """
    for path in [file] if isinstance(file, Path) else file:
        if unpacked.is_changed(path):
            raise BrokenChipError.of(path, "it is not what was unpacked", command="data prepare --from DIR --reread")


def holds_turned(file: ChipFile) -> bool:
    """Whether a chip's file, or that of one of its bands, asks for being turned or mirrored."""
    return any(map(is_turned, [file] if isinstance(file, Path) else file))


def digest_chip(file: ChipFile) -> bytes:
    """Return the digest of what a chip's file, or those of its bands, hold: 32 bytes of ASCII.

    That of a turned file is not of its content alone, as it was before such were brought upright: so what was made of
    it then is made again, and of all others nothing is.
    """
    # Hex, as NumPy strips zero bytes from the end of byte strings.
    if isinstance(file, Path):
        content = hashlib.blake2b(b"upright" if is_turned(file) else b"", digest_size=16)
        with opened(file) as stream:
            while part := stream.read(CHUNK):
                content.update(part)
    else:
        content = hashlib.blake2b(b"".join(map(digest_chip, file)), digest_size=16)
    return content.hexdigest().encode()


def resize_chip(chip: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the chip at `size` x `size` pixels, antialiased when it shrinks (bicubic).

    Args:
        chip: array (height, width, num_bands) of a data type that `read_chip` returns.
        size: pixels along each side.

    Returns:
        Array (size, size, num_bands) of the same data type.
    """
    return _resized(chip, size, size)


def _decoded(path: Path, images: ImageSet, bands: tuple[str, ...]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return the pixels of one file, and which of its values stand for "no data"; None if none can."""
    try:
        chip = decode(path, bands)
    except Exception as error:  # decoders raise whatever they like on a damaged file
        said = str(getattr(error, "strerror", None) or error)
        raise BrokenChipError.of(path, said.splitlines()[0] if said else type(error).__name__) from error
    if chip.ndim != 3 or chip.shape[2] != len(bands):
        raise BrokenChipError.of(path, f"expected {counted(len(bands), 'band')}, received shape {chip.shape}")
    missing = _missing(chip, images)
    if chip.dtype in (np.float64, np.float16):
        with np.errstate(over="ignore"):  # infinite values are refused below
            chip = chip.astype(np.float32)
    if chip.dtype not in DTYPES:
        raise BrokenChipError.of(path, f"expected values of {', '.join(DTYPES)}, received {chip.dtype}")
    if missing is not None and missing.any():
        chip = _filled(chip, missing, images, bands)
    if chip.dtype == np.float32 and not np.isfinite(chip).all():
        if np.isinf(chip).any():
            raise BrokenChipError.of(path, "it holds infinite values")
        raise BrokenChipError.of(
            path, 'it holds NaN; if these are pixels without data, say nodata = "nan" in the competition file'
        )
    return chip, missing


def _missing(chip: NDArray[Any], images: ImageSet) -> NDArray[np.bool_] | None:
    if images.nodata is None:
        return None
    missing = np.isnan(chip) if chip.dtype.kind == "f" else np.zeros(chip.shape, dtype=bool)
    if images.nodata != "nan":
        with np.errstate(over="ignore"):  # a file of float32 holds what it has of a float64
            value = chip.dtype.type(images.nodata) if chip.dtype.kind == "f" else images.nodata
        missing |= chip == value
    return missing


def _filled(chip: NDArray[Any], missing: NDArray[np.bool_], images: ImageSet, bands: tuple[str, ...]) -> NDArray[Any]:
    """Return a chip whose pixels without data have the least value of their band."""
    chip = chip.copy()
    for column, band in enumerate(bands):
        values, gone = chip[:, :, column], missing[:, :, column]
        # A range is that of the files' values: 8-bit chips of the same rendering were already brought to 0..255.
        if band in images.range and chip.dtype != np.uint8:
            least = images.range[band][0]
            if chip.dtype != np.float32:
                least = np.clip(round(least), np.iinfo(chip.dtype).min, np.iinfo(chip.dtype).max)
        else:
            least = values[~gone].min() if not gone.all() else 0
        values[gone] = least
    return chip


def _nearest(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    rows, columns = (np.arange(new) * old // new for new, old in zip((height, width), mask.shape[:2], strict=True))
    return mask[rows[:, None], columns]


def _resized(chip: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    if chip.shape[:2] == (height, width):
        return chip
    if chip.dtype == np.uint8 and chip.shape[2] in (3, 4):
        # A fourth band is data, not opacity: mode CMYK keeps Pillow from weighting by it as RGBA would.
        picture = Image.fromarray(np.ascontiguousarray(chip)) if chip.shape[2] == 3 else _four_bands(chip)
        return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    bands = [
        np.asarray(
            Image.fromarray(chip[:, :, band].astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
        )
        for band in range(chip.shape[2])
    ]
    resized = np.stack(bands, axis=-1)
    if chip.dtype == np.float32:
        return resized
    limits = np.iinfo(chip.dtype)
    return resized.round().clip(limits.min, limits.max).astype(chip.dtype)


def _four_bands(chip: NDArray[Any]) -> Image.Image:
    height, width, _ = chip.shape
    return Image.frombytes("CMYK", (width, height), np.ascontiguousarray(chip).tobytes())


def state_of(file: ChipFile) -> tuple[int, int] | None:
    """Return the size of a chip's file and when it was written; of several, numbers that change with any of theirs.

    Returns:
        None if a file is not there.
    """
    try:
        if isinstance(file, Path):
            status = file.stat()
            return status.st_size, status.st_mtime_ns
        states = [(status.st_size, status.st_mtime_ns) for status in map(Path.stat, file)]
    except OSError:
        return None
    times = hashlib.blake2b(repr(states).encode(), digest_size=8).digest()
    return sum(size for size, _ in states), int.from_bytes(times, signed=True)


@dataclass(frozen=True)
class Kind:
    """What most chips of a rendering are.

    Attributes:
        dtype: uint8, uint16, int16 or float32.
        size: pixels along the longer side.
    """

    dtype: np.dtype[Any]
    size: int


def probe(files: Sequence[ChipFile], images: ImageSet) -> Kind:
    """Return what most of the first chips that can be read are: one of another kind is the odd one out.

    Raises:
        UserError: if every chip is broken.
    """
    kinds: Counter[Kind] = Counter()
    for file in files:
        with suppress(BrokenChipError):
            chip = read_chip(file, images)
            kinds[Kind(chip.dtype, max(chip.shape[:2]))] += 1
        if kinds.total() == PROBED:
            break
    if not kinds:
        raise UserError(f"All {len(files)} chips are broken; the first is {shown_file(files[0])}.")
    return kinds.most_common(1)[0][0]
