"""Checksums of rows of arrays: a bit that a failing disk has turned is noticed where it is read.

CRC-32, which zlib computes at 6.6 GB/s (SHA-256: 1.9): it misses no change of up to 32 neighbouring bits, and of others
one in four thousand million. What it guards is made again, so that nobody gains by forging it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.arrays import opened
from competition.common.files import replace_atomically
from competition.common.records import DamagedError, read_record, write_record

FORMAT = 1  # of the record of one checksum
SUM = np.dtype([("record", "<u4"), ("values", "<u4"), ("known", "?")])


def checksum(content: bytes | NDArray[Any]) -> int:
    """Return the CRC-32 of some bytes, or of those of an array."""
    if isinstance(content, bytes):
        return zlib.crc32(content)
    return zlib.crc32(np.ascontiguousarray(content).reshape(-1).view(np.uint8).data)


def write_sum(path: Path, values: NDArray[Any]) -> None:
    """Write the checksum of an array into a record of its own."""
    write_record(path, {"sum": checksum(values)}, version=FORMAT)


def sum_fits(path: Path, values: NDArray[Any]) -> bool:
    """Whether an array is the one whose checksum `write_sum` has written; any is where there is no such record."""
    try:
        return not path.exists() or read_record(path, lambda kept: int(kept["sum"]), version=FORMAT) == checksum(values)
    except DamagedError:
        return True  # the record itself is damaged, and says nothing


class RowSums:
    """The checksums of what lies in each row of an array, and of what is recorded of it.

    Rows that an earlier version of the toolkit has filled have none, and fit whatever they hold.
    """

    def __init__(self, path: Path, sums: NDArray[Any]) -> None:
        self._path, self._sums = path, sums

    @classmethod
    def read(cls, path: Path, count: int) -> RowSums:
        """Return the checksums in a file; none are known where it is missing or damaged."""
        sums = opened(path, (count,), SUM)
        return cls(path, np.zeros(count, dtype=SUM) if sums is None else np.array(sums))

    def write(self) -> None:
        """Write them, atomically."""
        with replace_atomically(self._path) as temporary:
            np.save(temporary, self._sums, allow_pickle=False)

    def put(self, row: int, record: bytes, values: NDArray[Any]) -> None:
        """Note what a row holds, and what is recorded of it."""
        self._sums[row] = checksum(record), checksum(values), True

    def forget(self, rows: int | slice | Sequence[bool]) -> None:
        """Take it that nothing is known of some rows."""
        self._sums[rows] = np.zeros((), dtype=SUM)

    def fits(self, row: int, record: bytes | None = None, values: NDArray[Any] | None = None) -> bool:
        """Whether a record, values, or both are those that were noted."""
        known = self._sums[row]
        return not known["known"] or all(
            given is None or checksum(given) == known[name] for name, given in (("record", record), ("values", values))
        )

    def knows(self, row: int) -> bool:
        """Whether anything was noted of a row."""
        return bool(self._sums[row]["known"])

    def __len__(self) -> int:
        return len(self._sums)


class Checked:
    """Checks the rows of an array as they are read, each once a process.

    Args:
        sums: what they held when they were made.
        again: is given a row, and the values that were read of it, and puts these right.
    """

    def __init__(self, sums: RowSums, again: Callable[[int, NDArray[Any]], None]) -> None:
        self._sums, self._again = sums, again
        self._done = np.zeros(len(sums), dtype=bool)

    def __call__(self, rows: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Check what was read of some rows.

        Args:
            rows: their numbers.
            values: array (num_rows, ...), put right where they are not those that were made.
        """
        for place in np.flatnonzero(~self._done[rows]):
            if not self._sums.fits(rows[place], values=values[place]):
                self._again(int(rows[place]), values[place])
        self._done[rows] = True
