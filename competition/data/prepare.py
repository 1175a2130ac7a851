"""Finding the data: image folders and tables where they lie, or unpacked from Kaggle's archives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.locks import locked
from competition.common.packed import stem_of
from competition.common.text import first
from competition.data.archives import Unpacker
from competition.data.mistakes import check_complete
from competition.data.parts import apart, numbered_parts, parted
from competition.data.search import NESTED, Content, Wanted, search
from competition.index.layout import Layout, description_of
from competition.index.stamps import Stamp
from competition.workspace import Workspace

SHOWN = 2  # paths of a folder in parts


@dataclass(frozen=True)
class Item:
    """One image folder or table.

    Attributes:
        name: its name in the competition file.
        paths: where it is; of a folder in several parts, all of them; empty if it is missing.
        how: what was done, for people.
        files: number of chips in a folder; None for a table.
        stamp: what a table holds; None for a folder.
    """

    name: str
    paths: tuple[Path, ...]
    how: str
    files: int | None = None
    stamp: Stamp | None = None


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
        return tuple(item.name for item in self.items if not item.paths)

    def as_dict(self) -> dict[str, Any]:
        """Return what was found, for JSON."""
        items = {
            item.name: {"paths": [str(path) for path in item.paths], "how": item.how, "files": item.files}
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


def prepare(workspace: Workspace, source: Path, *, reread: bool = False, tables_only: bool = False) -> PreparedReport:
    """Find the competition's chips and tables in `source` and write down where they are.

    What is unpacked already is used where it lies and never copied or changed; archives are unpacked to the
    workspace, once; so is one archive of the whole competition. What an earlier call found elsewhere is kept, so that
    data can come in parts.

    Args:
        workspace: receives `data/layout.json`, written last, and what is unpacked.
        source: the folder with Kaggle's files, possibly in folders up to four deep; may be read-only.
        reread: read all that was unpacked, also files whose size and time are as they were.
        tables_only: look for no chips, which scores that others have made do not need.

    Raises:
        IncompleteError: if the table of labels or the labelled chips are not to be found.
        UserError: if the workspace belongs to another competition, or an archive cannot be unpacked.
    """
    competition, layout_path = workspace.competition, workspace.data / "layout.json"
    earlier = Layout.read_what_is_left(layout_path, competition)
    if not source.is_dir():
        raise UserError(f"No folder {source}. Give --from the folder that holds Kaggle's files.")
    everything = Wanted.of(competition)
    wanted = Wanted.of(competition, ()) if tables_only else everything
    content = search(source, wanted)
    within = {name for names in content.bundles(wanted).values() for name in names}
    check_complete(content.names | within, earlier, source, competition, tables_only=tables_only)
    workspace.data.mkdir(parents=True, exist_ok=True)
    with locked(workspace.data / ".lock"):
        unpacker = Unpacker(workspace.data, source, (*everything.folders, *everything.tables), by_reading=reread)
        # What `prepare` itself unpacked from an archive that is here too: the archive decides.
        content.forget(unpacker.made_from(content.archive_names))
        _open_bundles(content, wanted, unpacker)
        # Another process may just have written it; and what an archive of this name held may be gone.
        earlier = Layout.read_what_is_left(layout_path, competition)
        check_complete(content.names, earlier, source, competition, tables_only=tables_only)
        tables = [_place_table(name, content, earlier, unpacker) for name in wanted.tables]
        folders = [_place_folder(name, content, earlier, unpacker, everything) for name in everything.folders]
        Layout(
            competition.name,
            {item.name: item.paths for item in folders if item.paths},
            {item.name: item.paths[0] for item in tables if item.paths},
            described=description_of(competition),
            stamps={item.name: stamp for item in tables if (stamp := item.stamp)},
        ).write(layout_path)
    return PreparedReport(layout_path, (*tables, *folders))


def _open_bundles(content: Content, wanted: Wanted, unpacker: Unpacker) -> None:
    """Unpack the archives that hold several of the wanted, where one of these is not found otherwise."""
    opened: set[Path] = set()
    for _ in range(NESTED):
        for archive, names in content.bundles(wanted).items():
            if archive not in opened and names - content.names:
                for each in _with_parts(archive, content, wanted):
                    if each not in opened:
                        opened.add(each)
                        place = unpacker.place_of_bundle(each)
                        unpacker.unpack(place, each, is_folder=True, as_it_is=True)
                        content.add(search(unpacker.data / place, wanted))


def _with_parts(archive: Path, content: Content, wanted: Wanted) -> list[Path]:
    """Return an archive and those of its name that hold other parts of one folder."""
    named = [(content.archives.get(name, ()), namings) for name, namings in wanted.folders.items()]
    groups = [parted(group, namings)[0] for group, namings in named if archive in group]
    return list(dict.fromkeys([archive, *(part for group in groups for part in group)]))


def _place_table(name: str, content: Content, earlier: Layout, unpacker: Unpacker) -> Item:
    """Decide where a table is: unpacked in the source, in an archive there, or where it was before.

    An archive is preferred to an unpacked table that is another one than before: it may have been damaged.
    """
    before, unpacked, archives = earlier.stamps.get(name), content.unpacked.get(name), content.archives.get(name)
    if unpacked and not (archives and before and before != Stamp.of(unpacked[0])):
        how = f"used in place: {unpacked[0]}{_unused(unpacked[1:])}"
        return _table(name, unpacked[0], how, before)
    if archives:
        place = unpacker.place_for(name, archives[0], own=True)
        how = unpacker.unpack(place, archives[0], is_folder=False)
        return _table(name, unpacker.data / place, f"{how}{_unused([*(unpacked or ()), *archives[1:]])}", before)
    if kept := earlier.tables.get(name):
        stamp = before or Stamp.of(kept)  # one that has changed goes on being refused
        return Item(name, (kept,), f"kept from an earlier prepare: {kept}", stamp=stamp)
    return Item(name, (), "missing, not required")


def _table(name: str, path: Path, how: str, before: Stamp | None) -> Item:
    """Return a table, and whether it is another one than before."""
    stamp = Stamp.of(path)
    change = before.change_to(stamp) if before else ""
    return Item(name, (path,), f"{how}; {change}" if change else how, stamp=stamp)


def _place_folder(name: str, content: Content, earlier: Layout, unpacker: Unpacker, wanted: Wanted) -> Item:
    """Decide where an image folder is, as for a table, in all of its parts."""
    namings = wanted.folders[name]
    paths, hows = list(content.unpacked.get(name, ())), []
    archives, unused = parted(content.archives.get(name, ()), namings) if not paths else ([], [])
    targets = {archive: f"{name}-{number + 1}" if number else name for number, archive in enumerate(archives)}
    targets |= {archive: stem_of(archive.name) for archive in numbered_parts(name, content)}
    if not paths and not targets:
        paths = list(content.nested.get(name, ()))
    if paths:
        hows.append(f"used in place: {first(paths, shown=SHOWN)}")
    ways: dict[str, list[str]] = {}
    for archive, target in targets.items():
        is_deep = any(naming.is_deep for naming in namings)
        place = unpacker.place_for(target, archive, own=target == name)
        way, _, _ = unpacker.unpack(place, archive, is_folder=True, as_it_is=is_deep).partition(" from ")
        ways.setdefault(way, []).append(archive.name)
        folder = unpacker.data / place
        # Where folders are part of a chip's name, they are kept; what else is in the archive may lie beside its own.
        paths += (search(folder, wanted).unpacked.get(name) if is_deep else None) or [folder]
    hows += [f"{way} from {first(names, shown=SHOWN)}" for way, names in ways.items()]
    if not paths and (paths := list(earlier.folders.get(name, ()))):
        hows.append(f"kept from an earlier prepare: {first(paths, shown=SHOWN)}")
    if not paths:
        return Item(name, (), "missing, not required")
    parts, copies, files = apart(paths, namings)
    if copies and hows[0].startswith("used in place"):
        hows[0] = f"used in place: {first(parts, shown=SHOWN)}"
    return Item(name, tuple(parts), "; ".join(hows) + _unused([*copies, *unused]), files)


def _unused(others: Sequence[Path]) -> str:
    return f" (another at {first(others, shown=1)} was not used)" if others else ""
