"""Memory-mapped arrays: made whole, opened only where they fit, and filled block by block."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from competition import arrays
from competition.arrays import fill, opened, reserve
from competition.common.errors import UserError

INT32 = np.dtype(np.int32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    reserve(tmp_path / "a.npy", (10, 2), INT32, "The array")
    return tmp_path / "a.npy"


def test_a_reserved_array_is_of_zeros_and_takes_its_room(path: Path) -> None:
    array = opened(path, (10, 2), INT32)
    assert array is not None
    assert not array.any()
    assert path.stat().st_blocks * 512 >= 10 * 2 * 4
    assert list(path.parent.iterdir()) == [path]


def test_no_room_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(UserError, match=r"The array needs 8 kB, but .* has 100 bytes free"):
        reserve(tmp_path / "a.npy", (1000, 2), INT32, "The array")
    assert list(tmp_path.iterdir()) == []


def test_an_array_is_opened_where_shape_and_type_are_those_expected(path: Path) -> None:
    assert opened(path, (None, 2), INT32) is not None
    assert opened(path, (10, 2)) is not None
    for shape, dtype in (((9, 2), INT32), ((10,), INT32), ((10, 2, 1), INT32), ((10, 2), np.dtype(np.int64))):
        assert opened(path, shape, dtype) is None


@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY", b"no array at all" * 20])
def test_what_is_missing_or_damaged_is_not_opened(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert opened(path, (10, 2), INT32) is None


def test_an_array_that_was_cut_short_is_not_opened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    assert opened(path, (10, 2), INT32) is None


def test_no_byte_of_the_head_brings_more_than_a_refusal(path: Path) -> None:
    """NumPy reads the head as Python, whose tokenizer and parser raise errors of their own."""
    whole = path.read_bytes()
    for place in range(80):
        for byte in (0, 10, 34, 39, 40, 255, whole[place] ^ 1):
            path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            opened(path, (10, 2), INT32)


def test_an_array_in_the_other_order_of_bytes_is_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones(3, dtype=np.dtype(np.int32).newbyteorder()))
    assert opened(tmp_path / "a.npy", (3,)) is None


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert opened(tmp_path / "a.npy", (1,)) is None


def test_blocks_are_on_the_disk_before_they_are_recorded_and_what_was_recorded_stays(path: Path) -> None:
    array = opened(path, (10, 2), INT32, "r+")
    assert array is not None
    recorded: list[list[int]] = []

    def make(rows: np.ndarray) -> Iterator[int]:
        for row in rows:
            array[row] = row
            yield 1

    def record(rows: np.ndarray) -> None:
        np.testing.assert_array_equal(np.load(path)[rows, 0], rows)
        recorded.append(rows.tolist())
        if len(recorded) == 2:
            raise KeyboardInterrupt

    positions = np.array([9, 1, 7, 3, 5])
    with pytest.raises(KeyboardInterrupt):
        fill(positions, 2, [array], make, record, total=5, title="filling")
    assert recorded == [[9, 1], [7, 3]]
    fill(positions[4:], 2, [array], make, record, total=1, title="filling")
    assert recorded[2:] == [[5]]
    np.testing.assert_array_equal(np.flatnonzero(np.load(path)[:, 0]), sorted(positions))


def test_a_file_system_that_maps_no_files_is_named_and_its_files_are_not_taken_for_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    content = path.read_bytes()
    monkeypatch.setattr(np, "load", refuse)
    monkeypatch.setattr(np.lib.format, "open_memmap", refuse)
    line = rf"Cannot map {path} into memory, .*: its file system cannot do that \(No such device\)\. Give a --workspace"
    with pytest.raises(UserError, match=line):
        opened(path, (5, 3))
    with pytest.raises(UserError, match=line):
        reserve(path, (5, 3), np.dtype(np.uint8), "The array")
    assert path.read_bytes() == content


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="there is nothing to refuse")
def test_room_is_taken_where_it_cannot_be_taken_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    monkeypatch.setattr(arrays, "BLOCK", 3000)
    path = tmp_path / "a.npy"
    reserve(path, (5, 2000), np.dtype(np.uint8), "The array")
    assert path.stat().st_blocks * 512 >= 10_000
    array = opened(path, (5, 2000), np.dtype(np.uint8))
    assert array is not None
    assert not array.any()
