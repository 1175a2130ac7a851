"""What lies in a folder of Kaggle's files, packed or unpacked, as though it were unpacked: tables and pictures.

Nothing is written beside it. Archives whose table of contents is at hand are listed whole; of those that must be
unpacked to be listed, only the beginning is.
"""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar, cast

import py7zr
import py7zr.io

from competition.common.errors import UserError
from competition.common.files import scratch_folder
from competition.common.folders import DEEPEST, check_room, is_file, is_folder, is_junk, sorted_entries
from competition.common.packed import FORMATS, stem_of, streamed
from competition.common.text import readable
from competition.tables.csv_files import LARGEST

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".jp2", ".bmp", ".gif")
TABLES = (".csv", ".tsv", ".txt")
ARCHIVES = (*FORMATS, ".gz")
MOST_FOLDERS = 2000  # of the folders in one folder, so many are looked into, evenly spaced
MOST_STREAMED = 3000  # files that are listed of an archive which has to be unpacked for that
MOST_BYTES = 1 << 28  # and how much is unpacked for it
KEPT = 24  # pictures of such an archive that are kept to be decoded
MOST_INNER = 100  # archives within archives
SMALL = 1 << 26  # bytes: a picture that is larger is not kept

T = TypeVar("T")
Opener = Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Piece:
    """One file.

    Attributes:
        path: where it would lie below the folder if all were unpacked, with "/".
        open: opens it for reading; None where that would take unpacking an archive.
        size: in bytes, as an archive says it.
    """

    path: str
    open: Opener | None
    size: int = 0

    def read(self) -> bytes:
        """Return its content; it must have an opener.

        Raises:
            UserError: if it is larger than any table or picture, as what unpacks from a small archive may be.
        """
        assert self.open is not None
        content = b""
        if self.size <= LARGEST:
            with self.open() as file:
                content = file.read(LARGEST + 1)
        if max(self.size, len(content)) > LARGEST:
            raise UserError(f"{self.path} is larger than {readable(LARGEST)}, the most that is read.")
        return content

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
    _inner: int = 0  # archives within archives that were met

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @classmethod
    def of(cls, root: Path) -> Listing:
        """List a folder; what must be unpacked on the way lies in a temporary folder until the listing is closed."""
        listing = cls(root)
        try:
            listing._walk(root, "", 0)
        except BaseException:
            listing._stack.close()
            raise
        for pieces in (listing.pictures, listing.tables):
            unpacked = {piece.path: piece for piece in reversed(pieces)}  # folders come first: they win over archives
            pieces[:] = sorted(unpacked.values(), key=lambda piece: piece.path)
        return listing

    def _walk(self, folder: Path, below: str, depth: int) -> None:
        entries = sorted_entries(folder, lambda error: self._note(below or str(folder), error))
        archives = []
        for entry in filter(is_file, entries):
            if entry.name.lower().endswith(ARCHIVES):
                archives.append(Path(entry.path))
            else:
                self._add(below + entry.name, _of_file(entry.path))
        folders = [entry for entry in entries if is_folder(entry)]
        if folders and depth == DEEPEST:
            self.notes.append(f"{below} was not read further: it lies {DEEPEST} folders deep")
            folders = []
        if len(folders) > MOST_FOLDERS:
            self.partial.append(below)
        for entry in evenly(folders, MOST_FOLDERS):
            self._walk(Path(entry.path), f"{below}{entry.name}/", depth + 1)
        for path in archives:
            self._open(path, below, path.name)

    def _note(self, path: str, error: Exception) -> None:
        lines = str(getattr(error, "strerror", None) or error).splitlines()
        self.notes.append(f"{path} was not read: {lines[0].rstrip('.') if lines else type(error).__name__}")

    @contextmanager
    def _noted(self, path: str) -> Iterator[None]:
        """Note what of the block cannot be read, as another file may hold all that is needed."""
        try:
            yield
        except Exception as error:  # decoders raise whatever they like on a damaged file
            self._note(path, error)

    def _add(self, path: str, opener: Opener | None, size: int = 0) -> None:
        suffix = PurePosixPath(path).suffix.lower()
        if suffix in PICTURES:
            self.pictures.append(Piece(path, opener, size))
        elif suffix in TABLES:
            self.tables.append(Piece(path, opener, size))
        else:
            self.others[suffix or path] = self.others.get(suffix or path, 0) + 1

    def _open(self, archive: Path, below: str, name: str) -> None:
        """List an archive."""
        with self._noted(below + name):
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

    def _list_zip(self, archive: Path, below: str, name: str) -> None:
        file = self._stack.enter_context(zipfile.ZipFile(archive))
        members = {member.filename: member.file_size for member in file.infolist() if not member.is_dir()}
        self._take(members, below, name, lambda member: lambda: file.open(member))

    def _list_tar(self, archive: Path, below: str, name: str) -> None:
        file = self._stack.enter_context(tarfile.open(archive))  # noqa: SIM115 (the stack closes it)
        members = {member.name: member for member in file if member.isreg()}

        def reader(member: str) -> Opener:
            return lambda: cast("IO[bytes]", file.extractfile(members[member]))

        self._take({member: found.size for member, found in members.items()}, below, name, reader)

    def _list_7z(self, archive: Path, below: str, name: str) -> None:
        with archive.open("rb") as raw, py7zr.SevenZipFile(raw) as file:
            if file.needs_password():
                raise ValueError("it is encrypted")
            members = {member.filename: member.uncompressed for member in file.list() if not member.is_directory}
            if len(members) == 1 and next(iter(members)).lower().endswith(".tar"):
                # Only its beginning is unpacked.
                with streamed(file) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
                    self._take_stream(tar, below, name)
                return
            tables = [member for member in members if member.lower().endswith((*TABLES, *ARCHIVES))]
            pictures = [member for member in members if member.lower().endswith(PICTURES)][:KEPT]
            targets, left = [], LARGEST
            for member in (*tables, *pictures):
                if members[member] <= left:
                    targets.append(member)
                    left -= members[member]
            kept = py7zr.io.BytesIOFactory(LARGEST)
            if targets:
                file.extract(targets=targets, factory=kept)
        content = {member: product.read() for member, product in kept.products.items()}
        self._take(members, below, name, lambda member: _in_memory(content.get(member)))

    def _take_stream(self, tar: tarfile.TarFile, below: str, name: str) -> None:
        content: dict[str, bytes | None] = {}
        kept, seen = 0, 0
        for member in tar:
            if len(content) >= MOST_STREAMED or seen > MOST_BYTES or member.size > LARGEST:
                self.partial.append(below + stem_of(name))
                break
            if not member.isreg():
                continue
            seen += member.size
            is_picture = member.name.lower().endswith(PICTURES)
            wanted = kept < KEPT and member.size <= SMALL if is_picture else member.name.lower().endswith(TABLES)
            content[member.name] = cast("IO[bytes]", tar.extractfile(member)).read() if wanted else None
            kept += is_picture and wanted
        self._take(dict.fromkeys(content, 0), below, name, lambda member: _in_memory(content[member]))

    def _take(self, members: Mapping[str, int], below: str, name: str, reader: Callable[[str], Opener | None]) -> None:
        """Add the members of an archive, by their sizes, where unpacking would put them."""
        paths = {member: member.replace("\\", "/").lstrip("/").removeprefix("./") for member in members}
        paths = {member: path for member, path in paths.items() if not is_junk(path) and ".." not in path.split("/")}
        is_whole = any(path.lower().endswith((*TABLES, *ARCHIVES)) for path in paths.values())
        base, stem = below, stem_of(name)
        if not is_whole and {path.partition("/")[0] for path in paths.values()} != {stem}:
            base = f"{below}{stem}/"
        for member, path in paths.items():
            if not path.lower().endswith(ARCHIVES):
                self._add(base + path, reader(member), members[member])
            elif opener := reader(member):
                self._open_inner(opener, members[member], base + path)
            else:
                self.notes.append(f"{base}{path} was not read: it is an archive in {name}; unpack that")

    def _open_inner(self, opener: Opener, size: int, path: str) -> None:
        """List an archive in an archive: it is put into a temporary folder first."""
        self._inner += 1
        if self._inner > MOST_INNER:  # an archive may hold itself
            if self._inner == MOST_INNER + 1:
                self.notes.append(f"{path} was not read, nor others: {MOST_INNER} archives within archives were")
            return
        with self._noted(path):
            folder = self._stack.enter_context(scratch_folder())
            check_room(size, folder, path, "Unpack the archive that holds it.")
            name = path.rpartition("/")[2]
            with opener() as packed, (folder / name).open("wb") as file:
                shutil.copyfileobj(packed, file)
            self._open(folder / name, path.removesuffix(name), name)


def _of_file(path: str) -> Opener:
    return lambda: Path(path).open("rb")


def _in_memory(content: bytes | None) -> Opener | None:
    return None if content is None else lambda: io.BytesIO(content)


def evenly(items: Sequence[T], number: int) -> Sequence[T]:
    """Return so many of the items at most, evenly spaced."""
    return items if len(items) <= number else [items[i * len(items) // number] for i in range(number)]
