"""A folder anywhere, by its URL: `s3://bucket/prefix`, `gs://...`, whatever else fsspec knows, or a plain folder.

Object stores have neither folders nor renaming, and listings of theirs may be old: so files are written whole, under
names that nobody else writes, and what says that they are there is written last. Where there is renaming, a file has
its name once it is whole. Credentials are found where the store's own tools look for them (the environment, the
cloud's files), and no line shows any.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from competition.common.errors import UserError
from competition.common.files import SAFE_SECONDS, remove_leftovers, replace_atomically
from competition.common.locks import is_dead, own_mark
from competition.common.text import readable, without_secrets
from competition.remote.reaching import is_url, reaching

CHUNK = 2**20  # bytes read at once
NEEDS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
WITHOUT_FOLDERS = {*NEEDS, "abfs", "abfss", "az"}  # asked for a folder, some would make a bucket
PART = re.compile(r".+\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.part", re.DOTALL)  # with the mark of the process that sends it
EXTRA = "pip install -e '.[cluster]'"


@dataclass(frozen=True)
class Place:
    """A folder anywhere.

    Attributes:
        url: as it is shown; without secrets.
        fs: fsspec's file system.
        root: of the folder, as the file system calls it.
    """

    url: str
    fs: Any
    root: str

    @classmethod
    def of(cls, url: str) -> Place:
        """Return the place of a URL or of a folder of this machine; it need not exist.

        Raises:
            UserError: if it is empty, the protocol is unknown, what it needs is not installed, or it cannot be reached.
        """
        if not url.strip():  # which would be the current folder
            raise UserError("The place is empty, as a variable is that was not set. Give a URL or a folder.")
        try:
            import fsspec
        except ImportError as error:
            raise UserError(f"Files elsewhere need fsspec, which is not installed: {EXTRA}.") from error
        shown = without_secrets(url)
        protocol = url.split("://", maxsplit=1)[0]
        try:
            with reaching(shown, missing_ok=True):
                fs, root = fsspec.core.url_to_fs(
                    url if is_url(url) else str(Path(url).expanduser().absolute()), use_listings_cache=False
                )
        except ImportError as error:
            needed = NEEDS.get(protocol, protocol)
            raise UserError(f"{shown} needs {needed}, which is not installed: {EXTRA}.") from error
        return cls(shown, fs, root.rstrip("/"))

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return "file" in _protocols(self.fs)

    def path(self, name: str) -> str:
        """Return what the file system calls a file in the place.

        Args:
            name: of the file, with "/" between folders.
        """
        return f"{self.root}/{name}"

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes; None if there is none."""
        with suppress(FileNotFoundError), reaching(self.url, missing_ok=True):
            found = self.fs.info(self.path(name))
            return int(found["size"]) if found["type"] == "file" else None
        return None

    def sizes_in(self, folder: str) -> dict[str, int]:
        """Return the sizes in bytes of what is no folder in a folder of the place, by name; none without the folder.

        Raises:
            UserError: if it is a file, or the place cannot be reached.
        """
        with suppress(FileNotFoundError), reaching(self.url, missing_ok=True):
            if self.is_local:
                os.scandir(self.path(folder)).close()  # as fsspec lists a file as if it were in itself
            found = (entry for entry in self.fs.ls(self.path(folder), detail=True) if entry["type"] != "directory")
            return {entry["name"].rstrip("/").rpartition("/")[2]: int(entry["size"] or 0) for entry in found}
        return {}

    def names_in(self, folder: str) -> list[str]:
        """Return the names of what `sizes_in` finds, sorted."""
        return sorted(self.sizes_in(folder))

    def walk(self) -> list[str]:
        """Return the paths within the place of all files in it, sorted, with "/" between folders.

        Raises:
            UserError: if it is not there, or cannot be reached.
        """
        with reaching(self.url):
            found = self.fs.find(self.root)
        return sorted(path.removeprefix(f"{self.root}/") for path in found)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield what a file holds, piece by piece.

        Raises:
            UserError: if it is not there, or the place fails.
        """
        with reaching(f"{self.url}/{name}"):
            file = self._open(name)
        with file:
            while True:
                with reaching(f"{self.url}/{name}"):
                    chunk = file.read(CHUNK)
                if not chunk:
                    return
                yield chunk

    def fetch(self, name: str, target: Path, most: int) -> str:
        """Bring a file to this machine; return "", or why it is not to be had, where that is for this file alone.

        Args:
            name: of the file.
            target: where it goes.
            most: bytes; of a file that has more, or says so, these are not brought.

        Raises:
            UserError: if the place fails, or does not allow it.
        """
        try:
            with (
                reaching(f"{self.url}/{name}", missing_ok=True),
                self._open(name) as file,
                target.open("wb") as copy,
            ):
                while chunk := file.read(CHUNK):
                    if copy.tell() + len(chunk) > most:
                        return f"it holds more than {readable(most)}"
                    copy.write(chunk)
        except FileNotFoundError:
            return "it is not there"
        return ""

    def _open(self, name: str) -> Any:
        """Open a file for reading; nothing else that this machine may have under its name, as a pipe never ends."""
        path = self.path(name)
        if self.is_local and os.path.exists(path) and not os.path.isfile(path):
            raise UserError(f"{self.url}/{name} is no ordinary file. Move it away.")
        return self.fs.open(path, "rb")

    def remove(self, *names: str) -> None:
        """Remove files, those that are there, and the place itself where it is a folder that is empty then."""
        for name in names:
            with suppress(FileNotFoundError), reaching(f"{self.url}/{name}", missing_ok=True):
                self.fs.rm_file(self.path(name))
        if self.is_local:
            with suppress(OSError):
                self.fs.rmdir(self.root)

    def remove_parts(self, folder: str) -> None:
        """Remove from a folder of the place what dead processes left of what they were sending.

        Those of this machine are known to be dead; what others have not touched for `SAFE_SECONDS` is taken for left.
        """
        if self.is_local:
            remove_leftovers(Path(self.path(folder)))
        elif not WITHOUT_FOLDERS & set(_protocols(self.fs)):
            for name in self.names_in(folder):
                path = f"{folder}/{name}".lstrip("/")
                if (found := PART.fullmatch(name)) and self._is_left(path, is_dead(found[1], int(found[2]))):
                    self.remove(path)

    def _is_left(self, name: str, dead: bool | None) -> bool:
        with suppress(Exception):  # of a file system that does not know when a file was written
            seconds = (datetime.now(UTC) - self.fs.modified(self.path(name))).total_seconds()
            return dead is True or (dead is None and seconds > SAFE_SECONDS)
        return dead is True

    def send(self, source: Path, name: str, on_bytes: Callable[[int], None] = lambda number: None) -> None:
        """Write a file of this machine to the place, whole or not at all.

        Args:
            source: the file.
            name: that it gets.
            on_bytes: is told how many more bytes were sent.
        """
        size = source.stat().st_size
        with reaching(f"{self.url}/{name}"):
            if self.is_local:
                with replace_atomically(Path(self.path(name))) as temporary:
                    shutil.copyfile(source, temporary)
            elif WITHOUT_FOLDERS & set(_protocols(self.fs)):
                self.fs.put_file(str(source), self.path(name))
            else:
                self.fs.makedirs(self.path(name).rpartition("/")[0], exist_ok=True)
                self._put_and_move(source, self.path(name))
        on_bytes(size)

    def _put_and_move(self, source: Path, path: str) -> None:
        """Write a file under another name and move it, as nobody else sees files of a machine (SFTP, SMB) half."""
        from fsspec import AbstractFileSystem

        if type(self.fs).mv is AbstractFileSystem.mv:  # which would copy it
            self.fs.put_file(str(source), path)
            return
        part = f"{path}.{own_mark()}-{uuid4().hex[:8]}.part"
        try:
            self.fs.put_file(str(source), part)
            if self.fs.exists(path):  # many move onto nothing that is there
                self.fs.rm_file(path)
            self.fs.mv(part, path)
        except BaseException:
            with suppress(Exception):
                self.fs.rm_file(part)
            raise


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
