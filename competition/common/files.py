"""Writing files whole or not at all, and naming content by digest."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.text import readable

_asking_umask = threading.Lock()
FLUSHED_AT_ONCE = 16  # files of a folder
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO)  # what a disk fails of
LONGEST = 100  # characters of a name; most file systems take 255, and temporary names add some


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it over `path` if the block succeeds.

    A reader sees the old file or the new one, never half of one. The temporary file is removed
    when the block raises.

    Args:
        path: the final path; its folder is created.

    Raises:
        UserError: if it is a folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise UserError(f"{path} is a folder, where a file is written. Move it away, and run the same command again.")
    # The whole name comes last, as some writers look at more than one suffix (.weights.h5).
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=f".{path.name}", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        with naming(path):
            yield temporary
        # mkstemp makes files private; give them what an ordinary open() would have given.
        temporary.chmod(0o666 & ~_umask())
        with naming(path):
            _flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file that could not be written where the disk is full or fails: Python names none of an open file."""
    try:
        yield
    except OSError as error:
        # NumPy has its own words for a disk that does not take an array, and no number.
        is_short = error.errno is None and any(words in str(error) for words in ("requested and", "free space"))
        if is_short or error.errno in DISK:
            number = error.errno or errno.ENOSPC
            raise OSError(number, os.strerror(number), str(path)) from error
        raise


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
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it takes the place of `path`, which may exist, if the block succeeds.

    The old folder stays until the new one is complete; if the process is killed between the two renames, the next call
    brings it back, and removes what was half made. One process at a time may replace a folder.
    """
    path = path.absolute()  # "." has no name
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.with_name(f".{path.name}.old")
    restore_folder(path)
    for half in path.parent.glob(f".{glob.escape(path.name)}.new.*"):
        shutil.rmtree(half, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.new.", dir=path.parent))
    try:
        with naming(path):
            yield temporary
        temporary.chmod(0o777 & ~_umask())
        # At once, as a disk writes what many wait for together: 8,000 chips took 0.9 s, one by one 19 s.
        with naming(path), ThreadPoolExecutor(FLUSHED_AT_ONCE) as pool:
            for _ in pool.map(_flush, (file for file in temporary.rglob("*") if file.is_file())):
                pass
        if path.exists():
            path.rename(old)
        try:
            temporary.rename(path)
        except BaseException:
            restore_folder(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def restore_folder(path: Path) -> None:
    """Bring back a folder that a killed `replace_folder` had moved aside, or remove it where the new one is there."""
    path = path.absolute()
    old = path.with_name(f".{path.name}.old")
    if old.exists() and not path.exists():
        old.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def check_room(
    needed: int, folder: Path, what: str, advice: str = "Make room, or give a --workspace on another disk."
) -> None:
    """Refuse work for whose result the disk has no room.

    Args:
        needed: bytes.
        folder: where they are to lie; it need not exist yet.
        what: needs them, as the beginning of the line.
        advice: the end of the line.

    Raises:
        UserError: if less is free.
    """
    if needed > (free := free_bytes(folder)):
        raise UserError(f"{what} needs {readable(needed)}, but {folder} has {readable(free)} free. {advice}")


def free_bytes(folder: Path) -> int:
    """Return how many bytes are free where `folder` is, or will be."""
    return shutil.disk_usage(_existing(folder)).free


def disk_of(folder: Path) -> int:
    """Return the number of the disk on which `folder` is, or will be."""
    return _existing(folder).stat().st_dev


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


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


def _flush(path: Path) -> None:
    """Wait until a file's content is on the disk: a power cut must not leave its name without it."""
    with path.open("r+b") as written:  # Windows flushes only what it may write
        os.fsync(written.fileno())


def _umask() -> int:
    with _asking_umask:  # it can only be asked for by changing it, for all threads
        mask = os.umask(0)
        os.umask(mask)
    return mask
