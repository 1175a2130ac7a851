"""Finding the data: image folders and CSV files where they lie, or unpacked from Kaggle's archives."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.files import digest_file, one_at_a_time
from competition.common.records import DamagedError, read_record, write_record
from competition.common.text import first
from competition.data.archives import FOLDER_SUFFIXES, TABLE_SUFFIXES, remove_leftovers, unpack_file, unpack_folder
from competition.spec.competition import Competition
from competition.workspace import Layout, Workspace

DEPTH = 4  # folders below the source that are searched
FORMAT = 1  # of `unpacked.json`


class IncompleteError(UserError):
    """The table of labels or the labelled chips are not to be found."""


@dataclass(frozen=True)
class Item:
    """One image folder or CSV file.

    Attributes:
        name: its name in the competition file.
        path: where it is; None if it is missing.
        how: what was done, for people.
        files: number of chips in a folder; None for a CSV.
    """

    name: str
    path: Path | None
    how: str
    files: int | None = None


@dataclass(frozen=True)
class PreparedReport:
    """What `prepare` did.

    Attributes:
        layout: path of the `layout.json` that was written.
        items: tables first, then image folders, in the order of the competition file.
    """

    layout: Path
    items: tuple[Item, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what was not found; none of it is required."""
        return tuple(item.name for item in self.items if item.path is None)

    def as_dict(self) -> dict[str, Any]:
        """Return what was found, for JSON."""
        items = {
            item.name: {"path": item.path and str(item.path), "how": item.how, "files": item.files}
            for item in self.items
        }
        return {"layout": str(self.layout), "items": items}

    def text(self) -> str:
        """Return one line per item."""
        width = max(len(item.name) for item in self.items)
        counts = ["" if item.files is None else f"{item.files:,} chips" for item in self.items]
        wide = max(map(len, counts))
        rows = zip(self.items, counts, strict=True)
        return "\n".join(
            [*(f"  {item.name:<{width}}  {count:>{wide}}  {item.how}" for item, count in rows), f"Wrote {self.layout}"]
        )


@dataclass
class _Content:
    """What lies in the source folder: paths by the name in the competition file, nearest to the source first."""

    unpacked: dict[str, list[Path]] = field(default_factory=dict)
    archives: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        return {*self.unpacked, *self.archives}

    def forget(self, own: Iterable[Path]) -> None:
        """Forget what `prepare` itself unpacked from an archive that is here too, so that the archive decides."""
        for path in own:
            if path.name in self.archives and path.name in self.unpacked:
                others = [other for other in self.unpacked.pop(path.name) if other.resolve() != path.resolve()]
                self.unpacked |= {path.name: others} if others else {}


def prepare(workspace: Workspace, source: Path) -> PreparedReport:
    """Find the competition's chips and tables in `source` and write down where they are.

    What is unpacked already is used where it lies and never copied or changed; archives are unpacked to the
    workspace, once. What an earlier call found elsewhere is kept, so that data can come in parts.

    Args:
        workspace: receives `data/layout.json`, written last, and what is unpacked.
        source: the folder with Kaggle's files, possibly in folders up to four deep; may be read-only.

    Raises:
        IncompleteError: if the table of labels or the labelled chips are not to be found.
        UserError: if the workspace belongs to another competition, or an archive cannot be unpacked.
    """
    competition = workspace.competition
    layout_path = workspace.data / "layout.json"
    earlier = Layout.read_what_is_left(layout_path, competition)
    if not source.is_dir():
        raise UserError(f"No folder {source}. Give --from the folder that holds Kaggle's files.")
    content = _search(source, competition)
    _require(content, earlier, source, competition)
    workspace.data.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(workspace.data / ".lock", "data prepare"):
        earlier = Layout.read_what_is_left(layout_path, competition)  # another process may just have written it
        remove_leftovers(workspace.data)
        unpacker = _Unpacker(workspace.data)
        content.forget(unpacker.unpacked)
        tables = [_place(name, content, earlier.tables.get(name), unpacker, None) for name in tables_of(competition)]
        folders = [
            _place(name, content, earlier.folders.get(name), unpacker, suffixes)
            for name, suffixes in _folders(competition).items()
        ]
        Layout(
            competition.name,
            {item.name: item.path for item in folders if item.path},
            {item.name: item.path for item in tables if item.path},
        ).write(layout_path)
    return PreparedReport(layout_path, (*tables, *folders))


def tables_of(competition: Competition) -> list[str]:
    """Return the names of the CSV files that a competition names."""
    further = [competition.tables.sample_submission, *(images.renamed for images in competition.images.values())]
    return list(dict.fromkeys([*competition.tables.train, *(name for name in further if name)]))


def names_in(source: Path, competition: Competition) -> set[str]:
    """Return which of the competition's folders and tables are in `source`, unpacked or as archives."""
    return _search(source, competition).names


def archive_names(folders: Iterable[str], tables: Iterable[str]) -> dict[str, str]:
    """Return which folder or table each archive would hold, by the archive's name in lower case."""
    archives = {(name + suffix).lower(): name for name in folders for suffix in FOLDER_SUFFIXES}
    return archives | {(name + suffix).lower(): name for name in tables for suffix in TABLE_SUFFIXES}


def _folders(competition: Competition) -> dict[str, tuple[str, ...]]:
    """Return the image folders and the suffixes of the chips in each; two renderings may share a folder."""
    folders: dict[str, tuple[str, ...]] = {}
    for images in competition.images.values():
        for name in (*images.train, *images.test):
            folders[name] = (*folders.get(name, ()), *images.suffix)
    return folders


def _search(root: Path, competition: Competition) -> _Content:
    """Look for the folders, tables and archives, level by level; a folder that holds its chips is not walked."""
    content = _Content()
    folders, tables = _folders(competition), set(tables_of(competition))
    archives = archive_names(folders, tables)
    level = [root]
    for _ in range(DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            if folder.name in folders and any(_chips(folder, folders[folder.name])):
                content.unpacked.setdefault(folder.name, []).append(folder)
                continue
            for entry in _entries(folder):
                path = Path(entry.path)
                if entry.is_dir():
                    below.append(path)
                elif entry.name in tables:
                    content.unpacked.setdefault(entry.name, []).append(path)
                elif name := archives.get(entry.name.lower()):
                    content.archives.setdefault(name, []).append(path)
        level = below
    return content


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            listed = [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
    except PermissionError:
        return []
    return sorted(listed, key=lambda entry: entry.name)


def _chips(folder: Path, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Yield the names of the chips that lie directly in `folder`."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.lower().endswith(suffixes) and not entry.name.startswith(".") and entry.is_file():
                    yield entry.name
    except PermissionError:
        return


def _require(content: _Content, earlier: Layout, source: Path, competition: Competition) -> None:
    names = content.names
    tables = competition.tables.train
    folders = competition.image_set(competition.default_images).train
    wanted = f"Looked for the table {', '.join(tables)} and the chips {', '.join(folders)}, unpacked or as archives"
    if not names:
        held = first(entry.name for entry in _entries(source)) or "nothing"
        raise IncompleteError(f"{source} holds none of the files of {competition.title}. {wanted}; found {held}.")
    missing = [table for table in tables if table not in names and table not in earlier.tables]
    if not any(name in names or name in earlier.folders for name in folders):
        missing.append(" or ".join(folders))
    if missing:
        listed = ", ".join(sorted(names))
        raise IncompleteError(f"{source} lacks {' and '.join(missing)}. {wanted}; found {listed}.")


def _place(
    name: str, content: _Content, earlier: Path | None, unpacker: _Unpacker, suffixes: tuple[str, ...] | None
) -> Item:
    """Decide where one folder or table is: unpacked in the source, in an archive there, or where it was before."""
    if unpacked := content.unpacked.get(name):
        item = unpacked[0], f"used in place: {unpacked[0]}", unpacked[1:]
    elif archives := content.archives.get(name):
        how = unpacker.unpack(name, archives[0], is_folder=suffixes is not None)
        item = unpacker.data / name, how, archives[1:]
    elif earlier is not None:
        item = earlier, f"kept from an earlier prepare: {earlier}", []
    else:
        return Item(name, None, "missing, not required")
    path, how, others = item
    if others:
        how += f" (another at {first(others, shown=1)} was not used)"
    return Item(name, path, how, None if suffixes is None else sum(1 for _ in _chips(path, suffixes)))


class _Unpacker:
    """Unpacks archives to the workspace and remembers which; what is there from the same archive is left alone."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._record = data / "unpacked.json"

    @property
    def unpacked(self) -> list[Path]:
        """What was unpacked to the workspace, now or earlier."""
        return [self.data / name for name in self._read()]

    def unpack(self, name: str, archive: Path, *, is_folder: bool) -> str:
        """Unpack `archive` to `name` unless that was done, and return what was done."""
        target = self.data / name
        record = self._read()
        earlier = record.get(name, {})
        state = archive.stat()
        stamp = {"archive": archive.name, "size": state.st_size, "modified_ns": state.st_mtime_ns}
        if target.exists() and _count(target) == earlier.get("files") and self._same(archive, stamp, earlier):
            return f"unpacked earlier from {archive.name}"
        if is_folder:
            unpack_folder(archive, target)
        else:
            unpack_file(archive, target)
        record[name] = {**stamp, "sha256": digest_file(archive), "files": _count(target)}
        write_record(self._record, record, version=FORMAT)
        return f"{'unpacked again' if earlier else 'unpacked'} from {archive.name}"

    @staticmethod
    def _same(archive: Path, stamp: dict[str, Any], earlier: dict[str, Any]) -> bool:
        if stamp.items() <= earlier.items():
            return True
        # A copy or a second download has another date: the content decides.
        return bool(stamp["size"] == earlier.get("size") and digest_file(archive) == earlier.get("sha256"))

    def _read(self) -> dict[str, dict[str, Any]]:
        def parse(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
            return {name: dict(about) for name, about in content.items()}

        try:
            return read_record(self._record, parse, version=FORMAT)
        except DamagedError:
            return {}  # unpacking anew is always safe


def _count(path: Path) -> int:
    return sum(not entry.name.startswith(".") for entry in os.scandir(path)) if path.is_dir() else 1
