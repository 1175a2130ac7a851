"""Looking into folders, past what a computer adds and links that lead in circles or nowhere; and the room on disks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from competition.common.errors import UserError
from competition.common.text import readable

DEEPEST = 8  # folders below a folder of data that are looked into; links could lead in circles
JUNK = (".", "__MACOSX")  # macOS leaves a "._train_0.jpg" beside each file it copies to another kind of disk


def is_junk(path: str) -> bool:
    """Whether a path, with "/" between its parts, is hidden, or one that macOS adds to archives."""
    return any(part.startswith(JUNK) and part not in (".", "..") for part in path.split("/"))


def entries_of(folder: Path | str, on_error: Callable[[OSError], object] | None = None) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in a folder but junk, in no order; nothing if it cannot be read, which `on_error` is told."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith(JUNK))
    except OSError as error:
        if on_error is not None:
            on_error(error)


def sorted_entries(folder: Path | str, on_error: Callable[[OSError], object] | None = None) -> list[os.DirEntry[str]]:
    """Return what `entries_of` yields, by name."""
    return sorted(entries_of(folder, on_error), key=lambda entry: entry.name)


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or a link to one."""
    try:
        return entry.is_file()
    except OSError:  # of a link to itself
        return False


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one that is not above it: that would lead in a circle."""
    try:
        if not entry.is_symlink():
            return entry.is_dir()
        above = Path(entry.path).absolute().parents
        return entry.is_dir() and not any(os.path.samefile(folder, entry.path) for folder in above)
    except OSError:
        return False


def check_readable(folder: Path) -> None:
    """Refuse a folder that cannot be looked into.

    Raises:
        UserError: if it may not be read, is gone, or is none.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise UserError(f"Cannot read the folder {folder}: {error.strerror}. Allow it, or move it.") from error


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
