"""Memory-mapped arrays that are filled block by block, so that an interruption costs one block.

The values of a block reach the disk before the record that says they are there; what the record does not know is made
again. The chip cache and the feature bank are such arrays.
"""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UNREADABLE, UnreadableError, UserError
from competition.common.files import replace_atomically
from competition.common.folders import check_room
from competition.common.interrupts import check
from competition.common.progress import reporter

# What file systems answer that map no files, or take no room ahead.
NOT_KNOWN = (errno.ENODEV, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)
BLOCK = 2**20  # bytes written at a time


def reserve(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], what: str) -> None:
    """Make the `.npy` file of an array of zeros, all its room on the disk taken.

    Args:
        path: of the file.
        shape: of the array.
        dtype: of the array.
        what: it is for, for the line that says that there is no room.

    Raises:
        UserError: if the disk is too small.
    """
    check_room(int(np.prod(shape)) * dtype.itemsize, path.parent, what)
    with replace_atomically(path) as temporary:
        with mapping(path):
            start = np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape).offset
        _take_room(temporary, start)


def _take_room(path: Path, start: int) -> None:
    """Take the room of a file of zeros, from `start`: a disk that fills up under a map ends Python without a word."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in NOT_KNOWN:
                raise
            for place in range(start, size, BLOCK):
                file.seek(place)
                file.write(bytes(min(BLOCK, size - place)))


@contextmanager
def mapping(path: Path) -> Iterator[None]:
    """Say so where the file system maps no files into memory.

    Raises:
        UnreadableError: if it does not.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NOT_KNOWN:
            raise
        raise UnreadableError(
            f"Cannot map {path} into memory, as chips and features are: its file system cannot do that "
            f"({error.strerror}). Give a --workspace on a disk of this machine."
        ) from error


def opened(
    path: Path, shape: tuple[int | None, ...], dtype: np.dtype[Any] | None = None, mode: Literal["r", "r+"] = "r"
) -> np.memmap | None:
    """Return the array in a file, memory-mapped; None if there is none, or it is of another shape or type, or damaged.

    Args:
        path: of the file.
        shape: expected; None at an axis takes any length.
        dtype: expected; None takes any.
        mode: "r" to read, "r+" to fill.

    Raises:
        UnreadableError: if it is there and cannot be read, or the file system maps no files.
    """
    try:
        # NumPy warns of names of types that only damage brings.
        with warnings.catch_warnings(action="ignore"), mapping(path):
            array = np.load(path, mmap_mode=mode, allow_pickle=False)
    except UserError:
        raise
    except OSError as error:
        if error.errno in UNREADABLE:
            raise UnreadableError.of(path, error) from error
        return None
    except Exception:  # NumPy reads the head as Python, and raises whatever that raises where a byte of it is wrong
        return None
    fits = array.ndim == len(shape) and all(e in (None, r) for e, r in zip(shape, array.shape, strict=True))
    return array if fits and array.dtype.isnative and dtype in (None, array.dtype) else None


def fill(
    positions: NDArray[np.int64],
    block: int,
    arrays: Sequence[np.memmap],
    make: Callable[[NDArray[np.int64]], Iterator[int]],
    record: Callable[[NDArray[np.int64]], None],
    *,
    total: int,
    title: str,
    unit: str = "chip",
) -> None:
    """Fill memory-mapped arrays block by block, recording each block once its values are on the disk.

    Args:
        positions: the rows to fill.
        block: how many of them between two records.
        arrays: the arrays, opened to be filled.
        make: writes the rows it is given into the arrays, yielding how much further the bar goes.
        record: notes that the rows it is given are there; may stop the work by raising.
        total: what the bar goes to.
        title: of the bar.
        unit: what the bar counts.
    """
    with reporter.bar(total, title, unit) as bar:
        for start in range(0, len(positions), block):
            rows = positions[start : start + block]
            for done in make(rows):
                check()
                bar.update(done)
            for array in arrays:
                array.flush()
            record(rows)
