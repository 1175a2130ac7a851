"""Unpacking Kaggle's archives: safely, whole or not at all.

Members are files and folders; a name that leads outside, a link or a device is refused. Everything is written to a
temporary folder first and renamed at the end, so that what was there stays until the new is complete.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from competition.common.errors import UserError
from competition.common.files import replace_folder
from competition.common.text import first
from competition.data.extraction import extract

FOLDER_SUFFIXES = (".tar.7z", ".7z", ".zip", ".tar", ".tar.gz", ".tgz")
TABLE_SUFFIXES = (".zip", ".7z")
STAGING = ".unpacking-"


def unpack_folder(archive: Path, target: Path) -> int:
    """Unpack an archive of files to the folder `target`, replacing it.

    The files lie in `target` itself, whether the archive holds them bare, in a folder, or in a folder of a folder.

    Args:
        archive: `.tar.7z`, `.7z`, `.zip`, `.tar`, `.tar.gz` or `.tgz`.
        target: the folder; on failure it is left as it was.

    Returns:
        Number of files in `target`.

    Raises:
        UserError: if the archive is damaged, encrypted, hostile or too large for the disk, or holds no single folder.
    """
    with _unpacked(archive, target.parent) as content:
        folder = _folder_of_files(content, target.name, archive)
        count = sum(entry.is_file() for entry in os.scandir(folder))
        with replace_folder(target) as new:
            new.rmdir()
            folder.rename(new)
    return count


def unpack_file(archive: Path, target: Path) -> None:
    """Unpack the one file called `target.name`, or else the only file, of an archive to `target`, replacing it.

    Args:
        archive: as for `unpack_folder`.
        target: the file; on failure it is left as it was.

    Raises:
        UserError: if the archive is damaged, encrypted, hostile or too large for the disk, or holds no such file.
    """
    with _unpacked(archive, target.parent) as content:
        files = [path for path in content.rglob("*") if path.is_file()]
        wanted = [path for path in files if path.name == target.name] or files
        if len(wanted) != 1:
            names = first(path.relative_to(content) for path in files) or "no files"
            raise UserError(f"{archive} should hold one {target.name}, but holds {names}.")
        wanted[0].replace(target)


def remove_leftovers(folder: Path) -> None:
    """Remove what an unpacking that was killed left in `folder`; nothing else may be unpacking there."""
    for path in folder.glob(f"{STAGING}*"):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _unpacked(archive: Path, beside: Path) -> Iterator[Path]:
    """Yield a temporary folder with the content of `archive`; remove what the block has not moved away."""
    beside.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=beside))
    try:
        content = staging / "content"  # mkdtemp makes a private folder; this one has the usual permissions
        content.mkdir()
        extract(archive, content)
        yield content
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _folder_of_files(content: Path, name: str, archive: Path) -> Path:
    """Return the folder that holds the files: `content`, or a folder (of a folder ...) in it."""
    folder = content
    while True:
        entries = list(os.scandir(folder))
        folders = sorted(entry.name for entry in entries if entry.is_dir())
        if name in folders:
            folder /= name
        elif len(folders) < len(entries):
            return folder
        elif len(folders) == 1:
            folder /= folders[0]
        else:
            held = f"folders {first(folders)}" if folders else "no files"
            raise UserError(f"{archive} should hold the files of {name}, but holds {held}.")
