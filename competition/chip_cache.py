"""Chips decoded once into a memory-mapped array, resumable and keyed by content."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from competition.chips import BrokenChipError, read_chip, resize_chip
from competition.errors import UserError
from competition.files import digest_json, replace_atomically, short
from competition.labels import first
from competition.spec import ImageSet

BLOCK = 1024  # chips decoded between two records of progress
READER = 1  # raise it when the same file would decode to other pixels

# One row a chip: what the file was when it was decoded. An all-zero row was not decoded yet.
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

    def __len__(self) -> int:
        return len(self.names)

    @property
    def chip_shape(self) -> tuple[int, int, int]:
        """Height, width and number of bands of a chip."""
        return self._pixels.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 or uint16."""
        return self._pixels.dtype

    def read(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return the chips at `positions` of `names` as an array (num_positions, size, size, num_bands)."""
        # Rows in the order of the file, as neighbouring reads are cheap and far ones are not.
        order = np.argsort(self._rows[positions])
        chips = np.empty((len(positions), *self.chip_shape), dtype=self.dtype)
        chips[order] = self._pixels[self._rows[positions][order]]
        return chips


def open_cache(
    root: Path,
    split: str,
    names: Sequence[str],
    files: Sequence[Path],
    images: ImageSet,
    size: int,
    *,
    skip_broken: bool = False,
    say: Callable[[str], None] = print,
) -> ChipCache:
    """Open the cache of some chips, decoding what is not in it yet.

    A chip is decoded again if its file's content changed. Interrupted, the next call goes on at the last recorded
    block. Two processes may call it at once: the second waits for the first.

    Args:
        root: folder of all caches.
        split: "train" or "test"; part of the cache's name.
        names: ids of the chips.
        files: their files, in the same order.
        images: the rendering they belong to.
        size: pixels along each side of a decoded chip.
        skip_broken: leave broken chips out and list them, instead of stopping.
        say: receives the lines for the user.

    Raises:
        BrokenChipError: if a chip is broken and `skip_broken` is false.
        UserError: if the disk is too small.
    """
    if not names:
        raise UserError(f"There are no {split} chips to decode.")
    key = digest_json([list(names), images.bands, READER])
    folder = root / f"{split}-{images.suffix[1:]}-{size}px-{short(key)}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        return _Builder(folder, tuple(names), list(files), images, size, say).open(skip_broken)


class _Builder:
    """Fills one cache folder: `chips.npy` with the pixels, `rows.npy` with a record a chip."""

    def __init__(
        self,
        folder: Path,
        names: tuple[str, ...],
        files: list[Path],
        images: ImageSet,
        size: int,
        say: Callable[[str], None],
    ) -> None:
        self.names, self.files, self.images, self.size, self.say = names, files, images, size, say
        self.pixels_path, self.rows_path = folder / "chips.npy", folder / "rows.npy"
        self.reasons: dict[str, str] = {}

    def open(self, skip_broken: bool) -> ChipCache:
        rows = self._load_rows()
        stale = self._stale(rows)
        if len(stale):
            self._decode(rows, stale, skip_broken)
        broken = np.flatnonzero(rows["broken"])
        if len(broken) and not skip_broken:
            raise self._stop(int(broken[0]), len(broken))
        if len(broken):
            self.say(f"Left out {len(broken)} broken chips: {first(self.names[i] for i in broken)}.")
        usable = np.flatnonzero(~rows["broken"])
        if not len(usable):
            raise UserError(f"All {len(rows)} chips are broken: {first(self.names)}.")
        digest = digest_json([self.size, self.images.bands, READER, [rows["digest"][i].decode() for i in usable]])
        return ChipCache(
            names=tuple(self.names[i] for i in usable),
            left_out=tuple(self.names[i] for i in broken),
            digest=digest,
            _pixels=np.load(self.pixels_path, mmap_mode="r", allow_pickle=False),
            _rows=usable,
        )

    def _stop(self, row: int, count: int) -> BrokenChipError:
        reason = self.reasons.get(self.names[row]) or _reason(self.files[row], self.images)
        others = f" ({count - 1} more are broken)" if count > 1 else ""
        return BrokenChipError(f"{reason.rstrip('.')}{others}. Mend it, or add --skip-broken to leave it out.")

    def _load_rows(self) -> NDArray[Any]:
        if self.rows_path.is_file() and self.pixels_path.is_file():
            rows = np.load(self.rows_path, allow_pickle=False)
            if rows.dtype == ROW and len(rows) == len(self.names):
                return rows
        return np.zeros(len(self.names), dtype=ROW)

    def _stale(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return the rows whose file is not the one that was decoded."""
        stale = []
        for i, path in enumerate(self.files):
            row, status = rows[i], path.stat()
            if row["bytes"] == status.st_size and row["mtime_ns"] == status.st_mtime_ns and row["digest"]:
                continue
            # A copy or a fresh unpacking changes the time and not the content: then the pixels are still right.
            if row["bytes"] == status.st_size and row["digest"] == _digest(path.read_bytes()):
                rows["mtime_ns"][i] = status.st_mtime_ns
                continue
            stale.append(i)
        return np.array(stale, dtype=np.int64)

    def _decode(self, rows: NDArray[Any], stale: NDArray[np.int64], skip_broken: bool) -> None:
        from tqdm import tqdm

        pixels = self._open_pixels()
        workers = os.cpu_count() or 1
        with (
            ThreadPoolExecutor(workers) as pool,
            tqdm(total=len(stale), unit="chip", desc="decoding", disable=None, leave=False) as bar,
        ):
            for start in range(0, len(stale), BLOCK):
                block = stale[start : start + BLOCK]
                for i, (row, chip) in zip(block, pool.map(lambda i: self._read(i, pixels.dtype), block), strict=True):
                    rows[i] = row
                    if chip is not None:
                        pixels[i] = chip
                    bar.update()
                # Pixels reach the disk before the record that says they are there.
                pixels.flush()
                with replace_atomically(self.rows_path) as temporary:
                    np.save(temporary, rows, allow_pickle=False)
                broken = np.flatnonzero(rows["broken"])
                if len(broken) and not skip_broken:
                    raise self._stop(int(broken[0]), len(broken))

    def _open_pixels(self) -> np.memmap[Any, Any]:
        shape = (len(self.names), self.size, self.size, len(self.images.bands))
        if self.pixels_path.is_file():
            pixels: np.memmap[Any, Any] = np.load(self.pixels_path, mmap_mode="r+", allow_pickle=False)
            if pixels.shape == shape:
                return pixels
        dtype = next(self._dtypes())
        needed, free = int(np.prod(shape)) * dtype.itemsize, shutil.disk_usage(self.pixels_path.parent).free
        where = self.pixels_path.parent
        self.say(f"Decoding {len(self.names):,} chips at {self.size} px: {needed / 1e6:,.0f} MB in {where}.")
        if needed > free:
            raise UserError(f"The cache needs {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free.")
        self.rows_path.unlink(missing_ok=True)
        return np.lib.format.open_memmap(self.pixels_path, mode="w+", dtype=dtype, shape=shape)

    def _dtypes(self) -> Iterator[np.dtype[Any]]:
        for path in self.files:
            try:
                yield read_chip(path, self.images).dtype
            except BrokenChipError:
                continue
        raise UserError(f"All {len(self.files)} chips are broken; the first is {self.files[0]}.")

    def _read(self, i: int, dtype: np.dtype[Any]) -> tuple[tuple[int, int, bytes, bool], NDArray[Any] | None]:
        path = self.files[i]
        status = path.stat()
        digest = _digest(path.read_bytes())
        try:
            chip = resize_chip(read_chip(path, self.images), self.size)
            if chip.dtype != dtype:
                raise BrokenChipError(f"Broken chip {path}: expected {dtype} as in the others, received {chip.dtype}.")
        except BrokenChipError as error:
            self.reasons[self.names[i]] = str(error)
            return (status.st_size, status.st_mtime_ns, digest, True), None
        return (status.st_size, status.st_mtime_ns, digest, False), chip


def _digest(content: bytes) -> bytes:
    # Hex, as NumPy strips zero bytes from the end of byte strings.
    return hashlib.blake2b(content, digest_size=16).hexdigest().encode()


def _reason(path: Path, images: ImageSet) -> str:
    try:
        read_chip(path, images)
    except BrokenChipError as error:
        return str(error)
    return f"Broken chip {path}"
