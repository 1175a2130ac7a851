"""Chips decoded once into a memory-mapped array, resumable and keyed by content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from competition.arrays import fill, opened, reserve
from competition.checksums import Checked, RowSums
from competition.common.errors import UserError
from competition.common.files import digest_json, replace_atomically
from competition.common.locks import lock_of, locked
from competition.common.progress import reporter
from competition.common.text import counted, first, readable, short
from competition.data.chips import (
    DTYPES,
    BrokenChipError,
    check_unpacked,
    digest_chip,
    holds_turned,
    probe,
    read_chip,
    resize_chip,
    state_of,
)
from competition.index.chip_index import ChipFile, shown_file
from competition.index.contents import Unpacked
from competition.spec.images import ImageSet

BLOCK = 1024  # chips decoded between two records of progress
FILES = ("chips.npy", "rows.npy", "upright")
READER = 1  # raise it when the same file would decode to other pixels; of few files, see `digest_chip`

# One row per chip: what the file was when it was decoded. A row without a digest was not decoded yet, or is broken.
ROW = np.dtype([("bytes", "<i8"), ("mtime_ns", "<i8"), ("digest", "S32"), ("broken", "?")])


@dataclass(frozen=True)
class ChipCache:
    """Decoded chips of one split and rendering.

    Attributes:
        names: ids of the usable chips.
        left_out: ids of the chips left out as broken.
        digest: digest of the usable chips' content and of how they were decoded.
    """

    names: tuple[str, ...]
    left_out: tuple[str, ...]
    digest: str
    _pixels: NDArray[Any]
    _rows: NDArray[np.int64]
    _check: Checked | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def chip_shape(self) -> tuple[int, int, int]:
        """Height, width and number of bands of a chip."""
        return self._pixels.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, uint16, int16 or float32."""
        return self._pixels.dtype

    def read(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return the chips at `positions` of `names` as an array (num_positions, size, size, num_bands)."""
        # Rows in the order of the file, as neighbouring reads are cheap and far ones are not.
        rows = self._rows[positions]
        order = np.argsort(rows)
        chips = np.empty((len(positions), *self.chip_shape), dtype=self.dtype)
        chips[order] = self._pixels[rows[order]]
        if self._check:
            self._check(rows, chips)
        return chips


def open_cache(
    root: Path,
    split: str,
    names: Sequence[str],
    files: Sequence[ChipFile],
    images: ImageSet,
    size: int,
    *,
    skip_broken: bool = False,
) -> ChipCache:
    """Open the cache of some chips, decoding what is not in it yet.

    A chip is decoded again if its file's content changed, or if it was broken. Interrupted, the next call goes on at
    the last recorded block. Of two processes at once the second waits.

    Args:
        root: folder of all caches.
        split: "train", "test" or "further"; part of the cache's name.
        names: ids of the chips.
        files: their files, in the same order; see `read_chip`.
        images: the rendering they belong to.
        size: pixels along each side of a decoded chip.
        skip_broken: leave broken chips out and list them, instead of stopping.

    Raises:
        BrokenChipError: if a chip is broken and `skip_broken` is false.
        UserError: if the disk is too small.
    """
    if not names:
        raise UserError(f"There are no {split} chips to decode.")
    key = digest_json([list(names), images.folders(split), *_reading(images)])
    folder = root / f"{split}-{images.suffix[0][1:]}-{size}px-{short(key)}"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(lock_of(folder)):
        return _Builder(folder, tuple(names), list(files), images, size).open(skip_broken)


def _reading(images: ImageSet) -> list[Any]:
    """Return what the pixels of a rendering depend on besides the files; what is usual is left out, as ever."""
    unusual: dict[str, Any] = {"black": images.black} if images.black != "broken" else {}
    if images.nodata is not None:
        unusual |= {"nodata": str(images.nodata), "range": images.range}
    return [images.band_key, READER, *([unusual] if unusual else [])]


class _Builder:
    """Fills one cache folder: `chips.npy` with the pixels, `rows.npy` with a record of each chip, `sums.npy` of both.

    The empty file `upright` says that turned chips are upright in it; where it is missing, they are decoded again.
    """

    def __init__(
        self, folder: Path, names: tuple[str, ...], files: list[ChipFile], images: ImageSet, size: int
    ) -> None:
        self.names, self.files, self.images, self.size = names, files, images, size
        self.shape = (len(names), size, size, len(images.bands))
        self.pixels_path, self.rows_path, self.upright_path = (folder / each for each in FILES)
        self.sums = RowSums.read(folder / "sums.npy", len(names))
        self.broken: dict[str, BrokenChipError] = {}
        self.unpacked = Unpacked()

    def open(self, skip_broken: bool) -> ChipCache:
        rows = self._load_rows()
        stale = self._stale(rows)
        kept = f"{len(rows) - len(stale):,} of {counted(len(rows), 'chip')}"
        reporter.detail(f"Decoded at {self.size} px in {self.pixels_path.parent}: {kept}.")
        if len(stale):
            rows = self._decode(rows, stale, skip_broken)
        if len(broken := np.flatnonzero(rows["broken"])):
            reporter.say(f"Left out {len(broken)} broken chips: {first(self.names[i] for i in broken)}.")
        if not len(usable := np.flatnonzero(~rows["broken"])):
            raise UserError(f"All {len(rows)} chips are broken: {first(self.names)}.")
        digests = [rows["digest"][i].decode(errors="replace") for i in usable]
        digest = digest_json([self.size, *_reading(self.images), digests])
        return ChipCache(
            names=tuple(self.names[i] for i in usable),
            left_out=tuple(self.names[i] for i in broken),
            digest=digest,
            _pixels=np.load(self.pixels_path, mmap_mode="r", allow_pickle=False),
            _rows=usable,
            _check=Checked(self.sums, self._again),
        )

    def _stop(self, broken: NDArray[np.int64]) -> BrokenChipError:
        error = self.broken[self.names[broken[0]]]
        others = f" ({len(broken) - 1} more are broken)" if len(broken) > 1 else ""
        text, way = f"{error.text.rstrip('.')}{others}.", "add --skip-broken to leave it out"
        return BrokenChipError(text, command=error.command, otherwise=way if error.command else f"mend it, or {way}")

    def _load_rows(self) -> NDArray[Any]:
        """Return the record of each chip; nothing is recorded where either file is missing or damaged."""
        recorded, pixels = opened(self.rows_path, (len(self.names),), ROW), opened(self.pixels_path, self.shape)
        pixels = None if pixels is None or pixels.dtype.name not in DTYPES else pixels
        found = {self.pixels_path: pixels, self.rows_path: recorded}
        if damaged := [path for path, array in found.items() if array is None and path.exists()]:
            reporter.say(
                f"{first(damaged)} {'is' if len(damaged) == 1 else 'are'} damaged: the chips are decoded again."
            )
        if recorded is None or pixels is None:
            self.sums.forget(slice(None))
            return np.zeros(len(self.names), dtype=ROW)
        rows = np.array(recorded)
        if wrong := [i for i, row in enumerate(rows) if not self.sums.fits(i, said_by(row))]:
            reporter.say(f"{self.rows_path} is damaged at {counted(len(wrong), 'chip')}: decoded again.")
            rows[wrong] = np.zeros((), dtype=ROW)
        if not self.upright_path.is_file():
            with ThreadPoolExecutor(cpu_count()) as pool:
                turned = list(pool.map(holds_turned, self.files))
            rows[turned] = np.zeros((), dtype=ROW)
            self.sums.forget(turned)
            self._save(rows)
        return rows

    def _stale(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return the rows whose file is not the one that was decoded."""
        stale, touched = [], False
        for i, file in enumerate(self.files):
            row, state = rows[i], state_of(file) if rows[i]["digest"] else None
            if state is None:
                stale.append(i)
                continue
            size, time = state
            if row["bytes"] == size and row["mtime_ns"] == time:
                continue
            # A copy or a fresh unpacking changes the time and not the content: then the pixels are still right.
            if row["bytes"] == size and row["digest"] == digest_chip(file):
                rows["mtime_ns"][i] = time
                touched = True
                continue
            stale.append(i)
        if touched:  # or every opening would read every file again
            self._save(rows)
        return np.array(stale, dtype=np.int64)

    def _save(self, rows: NDArray[Any]) -> None:
        self.sums.write()  # first: what is recorded has its checksum, and one without a record harms nothing
        with replace_atomically(self.rows_path) as temporary:
            np.save(temporary, rows, allow_pickle=False)
        self.upright_path.touch()

    def _decode(self, rows: NDArray[Any], stale: NDArray[np.int64], skip_broken: bool) -> NDArray[Any]:
        pixels = self._open_pixels()
        if not self.rows_path.is_file():
            rows, stale = np.zeros(len(rows), dtype=ROW), np.arange(len(rows))
            self.sums.forget(slice(None))

        def decode(block: NDArray[np.int64]) -> Iterator[int]:
            for i, (row, chip) in zip(block, pool.map(lambda i: self._read(i, pixels.dtype), block), strict=True):
                rows[i] = row
                self.sums.forget(i)
                if chip is not None:
                    pixels[i] = chip
                    self.sums.put(i, said_by(rows[i]), chip)
                yield 1

        def record(block: NDArray[np.int64]) -> None:
            self._save(rows)
            broken = block[rows["broken"][block]]
            if len(broken) and not skip_broken:
                raise self._stop(broken)

        with ThreadPoolExecutor(cpu_count()) as pool:
            fill(stale, BLOCK, [pixels], decode, record, total=len(stale), title="decoding")
        return rows

    def _open_pixels(self) -> np.memmap:
        """Return the array to fill; a new one, without any record, unless there is one of the right kind."""
        dtype = probe(self.files, self.images).dtype
        pixels = opened(self.pixels_path, self.shape, dtype, "r+")
        if pixels is None:
            size = readable(int(np.prod(self.shape)) * dtype.itemsize)
            where = self.pixels_path.parent
            reporter.say(f"Decoding {counted(len(self.names), 'chip')} at {self.size} px: {size} in {where}.")
            self.rows_path.unlink(missing_ok=True)
            reserve(self.pixels_path, self.shape, dtype, "The chip cache")
            pixels = opened(self.pixels_path, self.shape, dtype, "r+")
            assert pixels is not None  # as it was just made
        return pixels

    def _again(self, i: int, chip: NDArray[Any]) -> None:
        """Put a chip whose pixels are not those that were decoded right: in `chip`, and on the disk."""
        row, decoded = self._read(i, chip.dtype)
        if decoded is None or not self.sums.fits(i, said_by(np.array(row, dtype=ROW)), decoded):
            raise UserError(
                f"{self.pixels_path} is damaged at {self.names[i]}, and its file is gone or another one by now. "
                "Run the same command again."
            )
        reporter.say(f"{self.pixels_path} is damaged at {self.names[i]}: decoded again.")
        chip[...] = decoded
        pixels = opened(self.pixels_path, self.shape, chip.dtype, "r+")
        if pixels is not None:
            pixels[i] = decoded
            pixels.flush()

    def _read(self, i: int, dtype: np.dtype[Any]) -> tuple[tuple[int, int, bytes, bool], NDArray[Any] | None]:
        file = self.files[i]
        try:
            # First what the file is: if it changes meanwhile, the record is of the old one, and it is decoded again.
            state, digest = state_of(file), digest_chip(file)
            check_unpacked(file, self.unpacked)
            chip = resize_chip(read_chip(file, self.images), self.size)
            if chip.dtype != dtype:
                raise BrokenChipError.of(shown_file(file), f"expected {dtype} as in the others, received {chip.dtype}")
        except (BrokenChipError, OSError) as error:
            self.broken[self.names[i]] = BrokenChipError.unread(error) if isinstance(error, OSError) else error
            return (0, 0, b"", True), None
        assert state is not None  # as the file was read
        return (*state, digest, False), chip


def said_by(row: Any) -> bytes:
    """Return what the record of a chip says, but for the file's date, which a copy changes."""
    return bytes(row["digest"]) + bytes([bool(row["broken"])])
