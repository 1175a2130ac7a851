"""Checksums of rows: every bit counts, what was never noted fits, and each row is looked at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from competition.checksums import Checked, RowSums, checksum

VALUES = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


@pytest.fixture
def sums(tmp_path: Path) -> RowSums:
    made = RowSums.read(tmp_path / "sums.npy", len(VALUES))
    for row in (0, 1, 3):
        made.put(row, b"record", VALUES[row])
    made.write()
    return RowSums.read(tmp_path / "sums.npy", len(VALUES))


def test_every_bit_counts() -> None:
    whole = VALUES.tobytes()
    flipped = [
        bytes(byte ^ (place == at) << bit for place, byte in enumerate(whole)) for at in (0, 50) for bit in (0, 7)
    ]
    assert len({checksum(content) for content in (whole, *flipped)}) == 5
    assert checksum(VALUES) == checksum(whole)


def test_the_memory_in_which_values_lie_does_not_count() -> None:
    assert checksum(np.asfortranarray(VALUES)) == checksum(VALUES)


def test_what_was_noted_fits_and_nothing_else(sums: RowSums) -> None:
    assert sums.fits(1, b"record", VALUES[1])
    assert not sums.fits(1, b"Record")
    assert not sums.fits(1, values=VALUES[0])


def test_what_was_never_noted_fits_whatever_it_is(sums: RowSums, tmp_path: Path) -> None:
    assert sums.fits(2, b"any", VALUES[0])
    (tmp_path / "sums.npy").write_bytes(b"")
    assert RowSums.read(tmp_path / "sums.npy", len(VALUES)).fits(1, b"any", VALUES[0])


def test_rows_are_looked_at_once_and_put_right(sums: RowSums) -> None:
    asked: list[int] = []

    def again(row: int, values: np.ndarray) -> None:
        asked.append(row)
        values[...] = VALUES[row]

    check, rows = Checked(sums, again), np.array([3, 1, 2])
    read = VALUES[rows].copy()
    read[[0, 2]] += 1
    check(rows, read)
    np.testing.assert_array_equal(read[:2], VALUES[[3, 1]])
    check(rows, np.zeros_like(read))
    assert asked == [3]
