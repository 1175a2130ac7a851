"""Writing files whole or not at all, and naming content by digest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from competition.common.errors import UserError

if TYPE_CHECKING:
    import numpy as np

LONGEST = 100  # characters of a name; most file systems take 255, and temporary names add some


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it over `path` if the block succeeds.

    A reader sees the old file or the new one, never half of one. The temporary file is removed
    when the block raises.

    Args:
        path: the final path; its folder is created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The whole name comes last, as some writers look at more than one suffix (.weights.h5).
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=f".{path.name}", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; give them what an ordinary open() would have given.
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("r+b") as written:  # Windows flushes only what it may write
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Refuse a path that `replace_atomically` could not write, before the work whose result is to lie there.

    Raises:
        UserError: if it is a folder, or its folder cannot be made or written to.
    """
    if path.is_dir():
        raise UserError(f"Cannot write {path}: it is a folder. Give the path of a file.")
    try:
        folder = next(folder for folder in path.absolute().parents if folder.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}. Give a path in a folder of yours.") from error


@contextmanager
def replace_folder_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; move it to `path`, which must not exist, if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def one_at_a_time(lock: Path, verb: str) -> Iterator[None]:
    """Let one process at a time run the block; others wait, saying so. The lock of a killed process is free.

    Args:
        lock: file of the lock; its folder is created.
        verb: what is being done, for the line that is shown while waiting.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        print(f"Waiting for another '{verb}' at work in {lock.parent}", file=sys.stderr)
        held.acquire()
    try:
        yield
    finally:
        held.release()


def reserve_array(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Make the `.npy` file of an array of zeros, all its room on the disk taken, to be filled through a memory map."""
    import numpy as np

    with replace_atomically(path) as temporary:
        np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
        if hasattr(os, "posix_fallocate"):  # a disk that fills up under a map ends the process without a word
            with temporary.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with replace_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def checked_name(kind: str, name: str) -> str:
    """Return `name` if it can name a file or folder of the workspace.

    Raises:
        UserError: if it is too long, or holds anything but letters, digits, '_', '.' and '-', or begins with one of
            these three.
    """
    if len(name) > LONGEST or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise UserError(
            f"{name!r} cannot name a {kind}: use up to {LONGEST} letters, digits, '_', '.' and '-', "
            "and begin with a letter or digit."
        )
    return name


def digest_json(value: Any) -> str:
    """Return the SHA-256 (64 hex digits) of `value` as canonical JSON."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """Return the SHA-256 (64 hex digits) of the content of the file at `path`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions_of(*packages: str) -> dict[str, str]:
    """Return the versions of installed packages, by name; what is not installed is left out."""
    versions = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
