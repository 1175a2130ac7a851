"""What lies in a folder of Kaggle's files, packed or unpacked, as though it were unpacked: tables and pictures.

Nothing is written beside it. Archives whose table of contents is at hand are listed whole; of those that must be
unpacked to be listed, only the beginning is.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar, cast

import py7zr
import py7zr.io

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".jp2", ".bmp", ".gif")
TABLES = (".csv", ".tsv", ".txt")
ARCHIVES = (".zip", ".7z", ".tar", ".tgz", ".gz")
MOST_FOLDERS = 2000  # of the folders in one folder, so many are looked into, evenly spaced
MOST_STREAMED = 3000  # files that are listed of an archive which has to be unpacked for that
MOST_BYTES = 1 << 28  # and how much is unpacked for it
KEPT = 24  # pictures of such an archive that are kept to be decoded
MOST_IN_MEMORY = 1 << 30
SMALL = 1 << 26  # bytes: a picture that is larger is not kept

T = TypeVar("T")
Opener = Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Piece:
    """One file.

    Attributes:
        path: where it would lie below the folder if all were unpacked, with "/".
        open: opens it for reading; None where that would take unpacking an archive.
    """

    path: str
    open: Opener | None

    def read(self) -> bytes:
        """Return its content; it must have an opener."""
        assert self.open is not None
        with self.open() as file:
            return file.read()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The suffix in lower case."""
        return PurePosixPath(self.path).suffix.lower()


@dataclass
class Listing:
    """What lies in a folder.

    Attributes:
        root: the folder.
        pictures: in the order of their paths.
        tables: files that may be tables, in the order of their paths.
        notes: what was not looked into, and why.
        others: how many files of each other suffix there are.
        partial: folders, and archives as folders, of which only a part was listed.
    """

    root: Path
    pictures: list[Piece] = field(default_factory=list)
    tables: list[Piece] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    partial: list[str] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @classmethod
    def of(cls, root: Path) -> Listing:
        """List a folder; what must be unpacked on the way lies in a temporary folder until the listing is closed."""
        listing = cls(root)
        try:
            listing._walk(root, "")
        except BaseException:
            listing._stack.close()
            raise
        for pieces in (listing.pictures, listing.tables):
            unpacked = {piece.path: piece for piece in reversed(pieces)}  # folders come first: they win over archives
            pieces[:] = sorted(unpacked.values(), key=lambda piece: piece.path)
        return listing

    def _walk(self, folder: Path, below: str) -> None:
        entries = sorted(_entries(folder), key=lambda entry: entry.name)
        archives = []
        for entry in entries:
            if not entry.is_file():
                continue
            if entry.name.lower().endswith(ARCHIVES):
                archives.append(Path(entry.path))
            else:
                self._add(below + entry.name, _of_file(entry.path))
        folders = [entry for entry in entries if entry.is_dir()]
        if len(folders) > MOST_FOLDERS:
            self.partial.append(below)
        for entry in evenly(folders, MOST_FOLDERS):
            self._walk(Path(entry.path), f"{below}{entry.name}/")
        for path in archives:
            self._open(path, below, path.name)

    def _add(self, path: str, opener: Opener | None) -> None:
        suffix = PurePosixPath(path).suffix.lower()
        if suffix in PICTURES:
            self.pictures.append(Piece(path, opener))
        elif suffix in TABLES:
            self.tables.append(Piece(path, opener))
        else:
            self.others[suffix or path] = self.others.get(suffix or path, 0) + 1

    def _open(self, archive: Path, below: str, name: str) -> None:
        """List an archive; one that cannot be read is noted, as another may hold all that is needed."""
        try:
            if name.lower().endswith(".zip"):
                self._list_zip(archive, below, name)
            elif name.lower().endswith(".7z"):
                self._list_7z(archive, below, name)
            elif name.lower().endswith(".tar"):
                self._list_tar(archive, below, name)
            elif name.lower().endswith((".tar.gz", ".tgz")):
                with tarfile.open(archive, "r|gz") as tar:
                    self._take_stream(tar, below, name)
            else:
                self.others[".gz"] = self.others.get(".gz", 0) + 1
        except Exception as error:  # decoders raise whatever they like on a damaged file
            reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            self.notes.append(f"{below}{name} was not read: {reason}")

    def _list_zip(self, archive: Path, below: str, name: str) -> None:
        file = self._stack.enter_context(zipfile.ZipFile(archive))
        members = [member for member in file.namelist() if not member.endswith("/")]
        self._take(members, below, name, lambda member: lambda: file.open(member))

    def _list_tar(self, archive: Path, below: str, name: str) -> None:
        file = self._stack.enter_context(tarfile.open(archive))  # noqa: SIM115 (the stack closes it)
        members = {member.name: member for member in file if member.isreg()}

        def reader(member: str) -> Opener:
            return lambda: cast("IO[bytes]", file.extractfile(members[member]))

        self._take(list(members), below, name, reader)

    def _list_7z(self, archive: Path, below: str, name: str) -> None:
        with archive.open("rb") as raw, py7zr.SevenZipFile(raw) as file:
            if file.needs_password():
                raise ValueError("it is encrypted")
            members = [member.filename for member in file.list() if not member.is_directory]
            if len(members) == 1 and members[0].lower().endswith(".tar"):
                self._list_tar_in_7z(file, below, name)
                return
            tables = [member for member in members if member.lower().endswith((*TABLES, *ARCHIVES))]
            pictures = [member for member in members if member.lower().endswith(PICTURES)][:KEPT]
            kept = py7zr.io.BytesIOFactory(MOST_IN_MEMORY)
            file.extract(targets=[*tables, *pictures], factory=kept)
        content = {member: product.read() for member, product in kept.products.items()}
        self._take(members, below, name, lambda member: _in_memory(content.get(member)))

    def _list_tar_in_7z(self, file: py7zr.SevenZipFile, below: str, name: str) -> None:
        """List the beginning of the one tar in a 7z, through a pipe that is closed when that is enough."""
        reading, writing = os.pipe()

        def push() -> None:
            with suppress(BrokenPipeError), os.fdopen(writing, "wb") as pipe:
                file.extractall(factory=_IntoPipe(pipe))

        with ThreadPoolExecutor(1) as pool, os.fdopen(reading, "rb") as stream:
            pushed = pool.submit(push)
            try:
                with tarfile.open(fileobj=stream, mode="r|") as tar:
                    self._take_stream(tar, below, name)
            except tarfile.TarError:
                stream.close()
                if cause := pushed.exception():
                    raise cause from None
                raise
            finally:
                stream.close()

    def _take_stream(self, tar: tarfile.TarFile, below: str, name: str) -> None:
        content: dict[str, bytes | None] = {}
        kept, seen = 0, 0
        for member in tar:
            if len(content) >= MOST_STREAMED or seen > MOST_BYTES:
                self.partial.append(below + _stem_of(name))
                break
            if not member.isreg():
                continue
            seen += member.size
            is_picture = member.name.lower().endswith(PICTURES)
            wanted = kept < KEPT and member.size <= SMALL if is_picture else member.name.lower().endswith(TABLES)
            content[member.name] = cast("IO[bytes]", tar.extractfile(member)).read() if wanted else None
            kept += is_picture and wanted
        self._take(list(content), below, name, lambda member: _in_memory(content[member]))

    def _take(self, members: list[str], below: str, name: str, reader: Callable[[str], Opener | None]) -> None:
        """Add the members of an archive where unpacking would put them."""
        paths = {member: member.replace("\\", "/").lstrip("/").removeprefix("./") for member in members}
        paths = {member: path for member, path in paths.items() if _is_shown(path)}
        is_whole = any(path.lower().endswith((*TABLES, *ARCHIVES)) for path in paths.values())
        base, stem = below, _stem_of(name)
        if not is_whole and {path.partition("/")[0] for path in paths.values()} != {stem}:
            base = f"{below}{stem}/"
        for member, path in paths.items():
            if not path.lower().endswith(ARCHIVES):
                self._add(base + path, reader(member))
            elif opener := reader(member):
                self._open_inner(opener, base + path)
            else:
                self.notes.append(f"{base}{path} was not read: it is an archive in {name}; unpack that")

    def _open_inner(self, opener: Opener, path: str) -> None:
        """List an archive in an archive: it is put into a temporary folder first."""
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="competition-init-")))
        name = path.rpartition("/")[2]
        with opener() as packed, (folder / name).open("wb") as file:
            shutil.copyfileobj(packed, file)
        self._open(folder / name, path.removesuffix(name), name)


class _IntoPipe(py7zr.WriterFactory):
    """Sends the one member of a 7z into a pipe."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    def create(self, filename: str) -> py7zr.Py7zIO:
        return _PipeEnd(self._pipe)


class _PipeEnd(py7zr.io.NullIO):
    """Passes what py7zr unpacks to a pipe; py7zr only ever writes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    def write(self, s: bytes | bytearray) -> int:
        return self._pipe.write(s)


def _of_file(path: str) -> Opener:
    return lambda: Path(path).open("rb")


def _in_memory(content: bytes | None) -> Opener | None:
    return None if content is None else lambda: io.BytesIO(content)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if _is_shown(entry.name)]
    except PermissionError:
        return []


def _is_shown(path: str) -> bool:
    """Return whether a path is none of those that a computer adds for itself, and stays below its folder."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


def _stem_of(name: str) -> str:
    """Return the name of an archive without its suffixes."""
    for suffix in (".tar.7z", ".tar.gz", *ARCHIVES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def evenly(items: Sequence[T], number: int) -> Sequence[T]:
    """Return so many of the items at most, evenly spaced."""
    return items if len(items) <= number else [items[i * len(items) // number] for i in range(number)]
