"""Unpacking Kaggle's archives: safely, whole or not at all, and once.

Members are files and folders; a name that leads outside, a link or a device is refused. Everything is written to a
temporary folder first and renamed at the end, so that what was there stays until the new is complete.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.files import TEMPORARY, digest_file, replace_folder, temporary_folder
from competition.common.packed import stem_of
from competition.common.records import DamagedError, read_record, write_record
from competition.common.text import first, short
from competition.data.extraction import extract
from competition.index.contents import changed_since, note_contents

STAGING = "unpacking"
FORMAT = 1  # of `unpacked.json`
BUNDLES = "bundles"  # folder of what has no place of its own name
# Of the workspace, and of the record of what was unpacked.
RESERVED = ("layout.json", "unpacked.json", ".lock", "format", "digest")
LONGEST = 50  # letters of an archive's name in that of a folder


def unpack_folder(archive: Path, target: Path, *, as_it_is: bool = False, beside: Path | None = None) -> int:
    """Unpack an archive of files to the folder `target`, replacing it.

    The files lie in `target` itself, whether the archive holds them bare, in a folder, or in a folder of a folder.

    Args:
        archive: `.tar.7z`, `.7z`, `.zip`, `.tar`, `.tar.gz` or `.tgz`.
        target: the folder; on failure it is left as it was.
        as_it_is: keep the folders within the archive, but for one of the target's name around all the rest.
        beside: folder that receives the temporary one; default: that of the target.

    Returns:
        Number of files in `target` and below it.

    Raises:
        UserError: if the archive is damaged, encrypted, hostile or too large for the disk, or holds no files.
    """
    with _unpacked(archive, beside or target.parent) as content:
        folder = _folder_of_files(content, target.name, archive, as_it_is=as_it_is)
        count = num_files(folder)
        with replace_folder(target) as new:
            new.rmdir()
            folder.rename(new)
    return count


def num_files(folder: Path) -> int:
    """Return the number of files in a folder and below it, but for hidden ones."""
    return sum(not name.startswith(".") for _, _, names in os.walk(folder) for name in names)


def unpack_file(archive: Path, target: Path, *, beside: Path | None = None) -> None:
    """Unpack the one file called `target.name`, or else the only file, of an archive to `target`, replacing it.

    Args:
        archive: as for `unpack_folder`.
        target: the file; on failure it is left as it was.
        beside: as for `unpack_folder`.

    Raises:
        UserError: if the archive is damaged, encrypted, hostile or too large for the disk, or holds no such file.
    """
    if target.is_dir():
        raise UserError(
            f"{target} is a folder, where a file is unpacked. Move it away, and run the same command again."
        )
    with _unpacked(archive, beside or target.parent) as content:
        files = [path for path in content.rglob("*") if path.is_file()]
        wanted = [path for path in files if path.name == target.name] or files
        if len(wanted) != 1:
            names = first(path.relative_to(content) for path in files) or "no files"
            raise UserError(f"{archive} should hold one {target.name}, but holds {names}.")
        target.parent.mkdir(parents=True, exist_ok=True)
        wanted[0].replace(target)


def _remove_unpackings(folder: Path) -> None:
    """Remove what unpackings that were killed left in `folder`, on any machine; nothing may be unpacking there."""
    for path in folder.glob(f"{TEMPORARY}*.{STAGING}"):
        shutil.rmtree(path, ignore_errors=True)


class Unpacker:
    """Unpacks archives to the workspace and remembers which; what is there from the same archive is left alone.

    Args:
        data: folder of the workspace that receives what is unpacked.
        source: folder in which the archives lie, if not in that one.
        names: of all folders and tables that may be unpacked.
        by_reading: read every file that was unpacked, also those whose size and time are as they were.
    """

    def __init__(
        self, data: Path, source: Path | None = None, names: Iterable[str] = (), *, by_reading: bool = False
    ) -> None:
        self.data = data
        self._by_reading = by_reading
        self._source = source or data
        self._record = data / "unpacked.json"
        self._names = {name.lower() for name in names}
        self._taken = {*RESERVED, BUNDLES}
        _remove_unpackings(data)

    def made_from(self, archives: set[str]) -> list[Path]:
        """Return what was unpacked, now or earlier, from archives of these names."""
        return [self.data / name for name, about in self._read().items() if about.get("archive") in archives]

    def place_for(self, name: str, archive: Path, *, own: bool = False) -> str:
        """Return where within `data` an archive is unpacked to, so that it takes nobody else's place, nor lies in it.

        Args:
            name: the place it would have; where that is taken, it has a folder of its own.
            archive: the archive.
            own: whether `name` is one of the `names`, and it has the right to its place.
        """
        place = name.lower()
        others = self._names - {place} if own else self._names
        if any(_overlap(place, other) for other in (*others, *self._taken)):
            name = f"{self._folder_of(archive)}-only/{name.rpartition('/')[2]}"
        self._taken.add(name.lower())
        return name

    def place_of_bundle(self, archive: Path) -> str:
        """Return where within `data` an archive is unpacked to that may hold anything; no other has that place."""
        # The name of the archive comes last: it may be part of that of an image folder, such as images_001/images.
        return f"{self._folder_of(archive)}/{stem_of(archive.name)[:LONGEST]}"

    def _folder_of(self, archive: Path) -> str:
        within = archive.relative_to(self.data if archive.is_relative_to(self.data) else self._source)
        return f"{BUNDLES}/{short(hashlib.sha256(os.fsencode(within.as_posix())).hexdigest())}"

    def unpack(self, name: str, archive: Path, *, is_folder: bool, as_it_is: bool = False) -> str:
        """Unpack `archive` to `name` unless that was done, and return what was done.

        Args:
            name: of the file or folder, or a path, within the folder of what is unpacked.
            archive: the archive.
            is_folder: whether it holds a folder, or one file.
            as_it_is: as of `unpack_folder`.

        Raises:
            UserError: as of `unpack_folder`, and if the workspace keeps `name` for itself.
        """
        if name.lower().split("/", maxsplit=1)[0] in RESERVED:
            raise UserError(f"{archive} cannot be unpacked to {name}, which the workspace keeps for itself. Rename it.")
        target = self.data / name
        record = self._read()
        earlier = record.get(name, {})
        state = archive.stat()
        stamp = {
            "archive": archive.name,
            "size": state.st_size,
            "modified_ns": state.st_mtime_ns,
            "as_it_is": as_it_is,
        }
        if _is_as_unpacked(target, earlier, by_reading=self._by_reading) and self._same(archive, stamp, earlier):
            return f"unpacked earlier from {archive.name}"
        how = f"{'unpacked again' if earlier else 'unpacked'} from {archive.name}"
        digest = digest_file(archive)  # first: what is in its place is noted at once, or a kill costs all of it
        if is_folder:
            unpack_folder(archive, target, as_it_is=as_it_is, beside=self.data)
            note_contents(target)
        elif aside := _unpack_anew(archive, target, earlier, self.data):
            how += f" (what was there is now {aside.name})"
        content = {} if is_folder else {"content": digest_file(target)}
        record[name] = {**stamp, "sha256": digest, "files": _count(target), **content}
        write_record(self._record, record, version=FORMAT)
        return how

    @staticmethod
    def _same(archive: Path, stamp: dict[str, Any], earlier: dict[str, Any]) -> bool:
        earlier = {"as_it_is": stamp["as_it_is"], **earlier}  # which earlier versions did not write down
        if stamp.items() <= earlier.items():
            return True
        if stamp["as_it_is"] != earlier["as_it_is"]:
            return False
        # A copy or a second download has another date: the content decides.
        return bool(stamp["size"] == earlier.get("size") and digest_file(archive) == earlier.get("sha256"))

    def _read(self) -> dict[str, dict[str, Any]]:
        def parse(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
            return {name: dict(about) for name, about in content.items()}

        try:
            return read_record(self._record, parse, version=FORMAT)
        except DamagedError:
            return {}  # unpacking anew is always safe


@contextmanager
def _unpacked(archive: Path, beside: Path) -> Iterator[Path]:
    """Yield a temporary folder with the content of `archive`; remove what the block has not moved away."""
    beside.mkdir(parents=True, exist_ok=True)
    staging = temporary_folder(beside / STAGING)
    try:
        content = staging / "content"  # that is a private folder; this one has the usual permissions
        content.mkdir()
        extract(archive, content)
        yield content
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _folder_of_files(content: Path, name: str, archive: Path, *, as_it_is: bool) -> Path:
    """Return the folder that holds the files: the one called `name`, or else `content` or a folder around all of it."""
    if not num_files(content):
        raise UserError(f"{archive} should hold the files of {name}, but holds no files.")
    folder = content
    while True:
        entries = list(os.scandir(folder))
        folders = [entry.name for entry in entries if entry.is_dir()]
        is_whole = len(entries) == len(folders) == 1
        if name in folders and (is_whole or not as_it_is):
            folder /= name
        elif is_whole and not as_it_is:
            folder /= folders[0]
        else:
            return folder


def _overlap(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _count(path: Path) -> int:
    return num_files(path) if path.is_dir() else 1


def _is_as_unpacked(target: Path, earlier: dict[str, Any], *, by_reading: bool) -> bool:
    """Whether a folder has as many files as were unpacked, and each file the content."""
    if not target.exists() or _count(target) != earlier.get("files"):
        return False
    return (
        not changed_since(target, by_reading=by_reading)
        if target.is_dir()
        else digest_file(target) == earlier.get("content")
    )


def _unpack_anew(archive: Path, target: Path, earlier: dict[str, Any], beside: Path) -> Path | None:
    """Unpack a file over one that may have been changed by hand; return where that one is now, if it is another one."""
    names = (f"{target.name}.changed{number or ''}" for number in itertools.count())
    aside = next(path for path in map(target.with_name, names) if not path.exists())
    before = digest_file(target) if target.is_file() else None
    if before not in (None, earlier.get("content")):
        shutil.copyfile(target, aside)
    unpack_file(archive, target, beside=beside)
    if before in (None, earlier.get("content")):
        return None
    if before == digest_file(target):
        aside.unlink()
        return None
    return aside
