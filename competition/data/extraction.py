"""Extracting archives of every format, member by member; what could leave the folder is refused."""

from __future__ import annotations

import errno
import gzip
import re
import stat
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path, PureWindowsPath
from typing import IO, Any, NoReturn, cast

import py7zr
from py7zr.exceptions import PasswordRequired

from competition.common.errors import UserError
from competition.common.folders import check_room, free_bytes, is_junk
from competition.common.packed import Writer, streamed
from competition.common.progress import reporter
from competition.common.text import REASON, readable

CHUNK = 1 << 20
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
SMALL = 1 << 30  # bytes that any archive may unpack to
PACKED = 100  # times its own size that a larger one may: pictures hardly pack
TAR_BLOCK = 512
TAR_BUFFER = 32 * TAR_BLOCK  # tarfile copies what is left of it at every read


def extract(archive: Path, content: Path) -> None:
    """Write the members of `archive` into the empty folder `content`.

    Raises:
        UserError: if the archive is damaged, encrypted, hostile or too large for the disk.
    """
    by_format = {".7z": _extract_7z, ".zip": _extract_zip}.get(archive.suffix.lower(), _extract_tar)
    try:
        with reporter.bar(None, archive.name, "B") as bar:
            by_format(archive, Destination(archive, content, bar))
    except UserError:
        raise
    except PasswordRequired as error:
        raise _encrypted(archive) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UserError(f"The disk is full: {archive} could not be unpacked to {content.parent.parent}.") from error
        raise _damaged(archive, error) from error
    except Exception as error:  # decoders raise whatever they like on a damaged file
        raise _damaged(archive, error) from error


class Destination:
    """The folder that members are written to; refuses what would leave it."""

    def __init__(self, archive: Path, folder: Path, bar: Any) -> None:
        self.archive = archive
        self.bar = bar
        self._folder = folder
        self._folders: set[Path] = set()  # those that are there
        self._most = max(SMALL, PACKED * archive.stat().st_size)
        self._written = 0

    def expect(self, size: int) -> None:
        """Announce `size` bytes to come and check that the disk has room for them."""
        self._check_total(size)
        workspace_data = self._folder.parent.parent
        check_room(size, workspace_data, f"{self.archive}, unpacked,")
        free = readable(free_bytes(workspace_data))
        reporter.note(f"Unpacking {self.archive.name}: {readable(size)}, {free} free")
        self.bar.begin(size)

    def path(self, member: str) -> Path | None:
        """Return where `member` goes; None for junk and for the top folder itself."""
        if CONTROL.search(member):
            self.refuse(member, "has control characters in its name, which a terminal would obey")
        # Windows' zip programs write backslashes.
        parts = [part for part in member.replace("\\", "/").split("/") if part not in ("", ".")]
        if member.startswith(("/", "\\")) or PureWindowsPath(member).drive or ".." in parts:
            self.refuse(member, "leads outside the folder")
        if not parts or is_junk("/".join(parts)):
            return None
        return self._folder.joinpath(*parts)

    def _check_total(self, size: int) -> None:
        """Refuse an archive that is made to fill the disk."""
        if size > self._most:
            raise UserError(
                f"{self.archive} is refused: it unpacks to {readable(size)} or more, over {PACKED} times its own size. "
                "Nothing of it was kept."
            )

    def refuse(self, member: str, why: str) -> NoReturn:
        """Raise the error for a member that must not be written."""
        raise UserError(f"{self.archive} is refused: its member {member!r} {why}. Nothing of it was kept.")

    def create(self, path: Path) -> IO[bytes]:
        """Open a new file for writing."""
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        try:
            return path.open("xb")
        except FileExistsError:
            self.refuse(str(path.relative_to(self._folder)), "occurs twice")

    def copy(self, member: str, source: IO[bytes]) -> None:
        """Write one member from an open stream."""
        path = self.path(member)
        if path is not None:
            with self.create(path) as file:
                while part := source.read(CHUNK):
                    self._written += file.write(part)
                    self._check_total(self._written)


def _extract_zip(archive: Path, destination: Destination) -> None:
    with zipfile.ZipFile(archive) as file:
        members = [member for member in file.infolist() if not member.is_dir()]
        for member in members:
            destination.path(member.filename)
            if member.flag_bits & 1:
                raise _encrypted(archive)
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
                destination.refuse(member.filename, "is a link or a device")
        destination.expect(sum(member.file_size for member in members))
        for member in members:
            with file.open(member) as source:
                destination.copy(member.filename, source)
            destination.bar.update(member.file_size)


def _extract_tar(archive: Path, destination: Destination) -> None:
    # The unpacked size of a .tar.gz is unknown; it is at least about the size of the file.
    destination.expect(archive.stat().st_size)
    with archive.open("rb") as raw:
        counted = cast("IO[bytes]", _Counted(raw, destination.bar))
        if archive.suffix.lower() == ".tar":
            _extract_tar_stream(counted, destination)
        else:
            # tarfile's own reading of gzip streams checks neither their length nor their CRC.
            with gzip.GzipFile(fileobj=counted) as stream:
                _extract_tar_stream(cast("IO[bytes]", _Counted(stream)), destination)


def _extract_tar_stream(stream: IO[bytes], destination: Destination) -> None:
    """Write the members of a tar as they come.

    Not `tarfile.extractall(filter="data")`: that lets links through, whose checks have been outwitted before
    (CVE-2025-4517), and changes owners and times of every file, which takes half of the time.
    """
    with tarfile.open(fileobj=stream, mode="r|", bufsize=TAR_BUFFER) as tar:
        while (member := tar.next()) is not None:
            if member.issparse():
                destination.refuse(member.name, "is sparse: of a few bytes it would fill the disk")
            if member.isreg():
                source = tar.extractfile(member)
                assert source is not None  # as it is for every regular file
                destination.copy(member.name, source)
            elif not member.isdir():
                destination.refuse(member.name, "is a link or a device")
            tar.members.clear()  # type: ignore[attr-defined]  # they would pile up
        end = tar.offset
    while stream.read(CHUNK):
        pass
    if stream.tell() < end + TAR_BLOCK:  # tarfile takes a file cut between two members for a whole one
        raise EOFError("it ends early")


def _extract_7z(archive: Path, destination: Destination) -> None:
    # Given an open file and not a path, py7zr writes one member after the other, not in threads.
    with archive.open("rb") as raw, py7zr.SevenZipFile(raw) as file:
        if file.needs_password():
            raise _encrypted(archive)
        members = [member for member in file.list() if not member.is_directory]
        for member in members:
            destination.path(member.filename)
            if member.is_symlink or not member.is_file:
                destination.refuse(member.filename, "is a link or a device")
        if len({member.filename for member in members}) < len(members):
            raise UserError(f"{archive} is refused: it holds two members of one name.")
        destination.expect(sum(member.uncompressed for member in members))
        if len(members) == 1 and members[0].filename.lower().endswith(".tar"):
            with streamed(file) as stream:
                _extract_tar_stream(cast("IO[bytes]", _Counted(stream, destination.bar)), destination)
        else:
            with closing(_IntoFiles(destination)) as files:
                file.extractall(factory=files)


class _IntoFiles(py7zr.WriterFactory):
    """Sends each member of a 7z into its file; one is open at a time, as py7zr does not close them itself."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._open: IO[bytes] | None = None

    def create(self, filename: str) -> py7zr.Py7zIO:
        self.close()
        path = self._destination.path(filename)
        self._open = None if path is None else self._destination.create(path)
        return Writer(self._open, self._destination.bar)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()


class _Counted:
    """A readable stream that counts, and shows, the bytes read from it."""

    def __init__(self, stream: Any, bar: Any = None) -> None:
        self._stream = stream
        self._bar = bar
        self._count = 0

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size)
        self._count += len(data)
        if self._bar is not None:
            self._bar.update(len(data))
        return data

    def tell(self) -> int:
        return self._count


def _encrypted(archive: Path) -> UserError:
    return UserError(f"{archive} is encrypted. Unpack it yourself and run the command again.")


def _damaged(archive: Path, error: Exception) -> UserError:
    said = str(getattr(error, "strerror", None) or error)
    reason = said.splitlines()[0].rstrip(".")[:REASON] if said else type(error).__name__
    return UserError(f"Cannot unpack {archive}: {reason}. It may be incomplete: delete it, and download it again.")
