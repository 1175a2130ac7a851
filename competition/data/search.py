"""Looking through a folder for the chips and tables of a competition, unpacked or in archives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO

from competition.common.folders import is_file, is_folder, sorted_entries
from competition.common.packed import FORMATS, LISTED, members
from competition.index.chip_index import Naming
from competition.spec.competition import Competition

TABLE_FORMATS = (".zip", ".7z")  # of archives of one table
DEPTH = 4  # folders below the source that are searched
NESTED = 3  # archives within archives
HERE = "."  # the folder that holds all files
NUMBER = r"[ ._-]*(?:part[ ._-]*)?\d{1,4}"  # what the archives of a folder in parts have after its name


@dataclass(frozen=True)
class Wanted:
    """The image folders and tables that a competition names; what each is called among the files.

    Attributes:
        folders: how the chips in each folder are named; several renderings may share one.
        tables: names of the tables.
        slug: Kaggle's name of the competition; None if there is none.
    """

    folders: dict[str, tuple[Naming, ...]]
    tables: tuple[str, ...]
    slug: str | None = None

    @classmethod
    def of(cls, competition: Competition, renderings: Iterable[str] | None = None) -> Wanted:
        """Return what a competition names.

        Args:
            competition: the competition.
            renderings: those whose chips are wanted; default: all.
        """
        folders: dict[str, tuple[Naming, ...]] = {}
        for rendering in competition.images if renderings is None else renderings:
            images = competition.image_set(rendering)
            for name in dict.fromkeys((*images.train, *images.test, *images.further)):
                folders[name] = (*folders.get(name, ()), Naming(images, competition.tables.ids))
        return cls(folders, tuple(tables_of(competition)), competition.slug)

    def folders_at(self, parts: Sequence[str]) -> list[str]:
        """Return the wanted folders that a folder is by its name, or by the last parts of its path."""
        return [name for name in self.folders if ends_in(parts, name)]

    def table_at(self, parts: Sequence[str]) -> str | None:
        """Return the wanted table that a file is."""
        return next((name for name in self.tables if ends_in(parts, name)), None)

    def archived_at(self, parts: Sequence[str]) -> tuple[str, bool] | None:
        """Return the folder or table whose archive a file is by its name, and whether it is a numbered part of it."""
        *above, last = parts
        if not last.lower().endswith(FORMATS):
            return None
        parts_of = None
        for name in (*self.folders, *self.tables):
            *folders, own = name.split("/")
            if name == HERE or not ends_in([*above, own], name, minimum=len(folders) + 1):
                continue
            for suffix in TABLE_FORMATS if name in self.tables else FORMATS:
                found = re.fullmatch(rf"{re.escape(own)}({NUMBER})?{re.escape(suffix)}", last, re.IGNORECASE)
                if found and found[1] is None:
                    return name, False
                if found and name in self.folders:
                    parts_of = parts_of or (name, True)
        return parts_of

    def may_hold_all(self, archive: PurePath) -> bool:
        """Whether an archive is by its name that of the competition, or of a folder above a wanted one."""
        above = {name.split("/")[0].lower() for name in (*self.folders, *self.tables) if "/" in name}
        names = {*above, *([self.slug.lower()] if self.slug else [])}
        return any(archive.name.lower() == own + suffix for own in names for suffix in FORMATS)

    def named_by(self, parts: Sequence[str]) -> str | None:
        """Return the wanted folder or table to which a file belongs by its path: chips, tables and archives of them."""
        if found := self.archived_at(parts):
            return found[0]
        if table := self.table_at(parts):
            return table
        for length in range(len(parts) - 1, -1, -1):
            for name in self.folders_at(parts[:length]) if length else [HERE] if HERE in self.folders else []:
                inside = "/".join(parts[length:])
                if any(naming.read(inside) is not None for naming in self.folders[name]):
                    return name
        return None


def ends_in(parts: Sequence[str], name: str, minimum: int = 1) -> bool:
    """Whether a path ends in a name, or in several names with "/" between them."""
    wanted = name.split("/")
    return len(parts) >= minimum and list(parts[-len(wanted) :]) == wanted


def tables_of(competition: Competition) -> list[str]:
    """Return the names of the tables that a competition names."""
    further = [competition.tables.sample_submission, *(images.renamed for images in competition.images.values())]
    return list(dict.fromkeys([*competition.tables.train, *(name for name in further if name)]))


@dataclass
class Content:
    """What lies in a folder: paths by the name in the competition file, nearest first.

    Attributes:
        unpacked: folders that hold chips, and tables.
        nested: folders whose chips lie in folders within, though no name says so; the second choice.
        archives: of a folder or table.
        parts: numbered archives of a folder.
        others: other archives, which may hold anything.
        held: what of the wanted the archives hold whose lists were read.
    """

    unpacked: dict[str, list[Path]] = field(default_factory=dict)
    nested: dict[str, list[Path]] = field(default_factory=dict)
    archives: dict[str, list[Path]] = field(default_factory=dict)
    parts: dict[str, list[Path]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    held: dict[Path, set[str]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def names(self) -> set[str]:
        """What was found, in whichever form."""
        return {*self.unpacked, *self.nested, *self.archives, *self.parts}

    @property
    def archive_names(self) -> set[str]:
        """Names of every archive that was found."""
        groups = [*self.archives.values(), *self.parts.values(), self.others]
        return {archive.name for group in groups for archive in group}

    def forget(self, own: Iterable[Path]) -> None:
        """Forget what lies within the folders `own`, or is one of them."""
        gone = [path.resolve() for path in own]
        for group in (self.unpacked, self.nested, self.archives, self.parts):
            for name, paths in list(group.items()):
                left = [path for path in paths if not any(path.resolve().is_relative_to(place) for place in gone)]
                if left:
                    group[name] = left
                else:
                    del group[name]

    def add(self, more: Content) -> None:
        """Add what was found elsewhere, behind what is here."""
        for group, others in zip(
            (self.unpacked, self.nested, self.archives, self.parts),
            (more.unpacked, more.nested, more.archives, more.parts),
            strict=True,
        ):
            for name, paths in others.items():
                group.setdefault(name, []).extend(paths)
        self.others += more.others

    def bundles(self, wanted: Wanted) -> dict[Path, set[str]]:
        """Return the archives that hold more than one folder or table, and what of the wanted each holds.

        Their own list says so, of archives called as a folder or table that of zips alone; or else their name, as that
        of the competition may hold anything.
        """
        held = {}
        for archive in [*self.others, *(path for paths in self.archives.values() for path in paths)]:
            if archive not in self.held:  # a list may be long
                is_zip = archive.suffix.lower() == ".zip"
                names = held_by(archive, wanted) if is_zip or archive in self.others else set()
                by_name = not is_zip and not names and wanted.may_hold_all(archive)
                self.held[archive] = {*wanted.folders, *wanted.tables} if by_name else names
            if self.held[archive]:
                held[archive] = self.held[archive]
        return held


def held_by(archive: Path, wanted: Wanted) -> set[str]:
    """Return which wanted folders and tables an archive holds, or may hold, by its list and those of archives in it.

    Of what cannot be read, or has no list at hand, none.
    """
    names: set[str] = set()
    with suppress(OSError), archive.open("rb") as file:
        _add_held(names, file, archive.name, wanted, NESTED)
    return names


def _add_held(names: set[str], file: IO[bytes], archive: str, wanted: Wanted, depth: int) -> None:
    """Add what an open archive holds to `names`; of archives in it that no name explains, their lists are read too."""
    known: set[str] = set()  # folders of chips; there may be many in each
    with suppress(Exception):  # decoders raise whatever they like on a damaged file
        for member, reader in members(file, archive):
            folder, _, last = member.rpartition("/")
            if folder in known and not (wanted.table_at((last,)) or last.lower().endswith(FORMATS)):
                continue
            if (name := wanted.named_by(member.split("/"))) is not None:
                names.add(name)
                known |= {folder} if name in wanted.folders else set()
            elif wanted.may_hold_all(PurePath(member)):
                names |= {*wanted.folders, *wanted.tables}
            elif depth > 1 and last.lower().endswith(LISTED) and reader is not None:
                with suppress(Exception), reader() as inner:  # it may be encrypted
                    _add_held(names, inner, last, wanted, depth - 1)


def members_of(archive: Path) -> list[str]:
    """Return the paths of the files in an archive, as its list has them; none if it cannot be read."""
    with suppress(Exception), archive.open("rb") as file:
        return [path for path, _ in members(file, archive.name)]
    return []


def search(root: Path, wanted: Wanted) -> Content:
    """Look for folders, tables and archives, level by level; a folder that holds its chips is not walked."""
    content = Content()
    level = [(root, root.resolve().parts)]
    of_chips: list[tuple[Path, tuple[str, ...]]] = []
    for depth in range(DEPTH + 1):
        below: list[tuple[Path, tuple[str, ...]]] = []
        for folder, parts in level:
            names = [HERE] if depth == 0 and HERE in wanted.folders else []
            held = _held(folder, [*names, *wanted.folders_at(parts)], wanted, content)
            if held == "flat":
                of_chips.append((folder, parts))
                continue
            for entry in sorted_entries(folder):
                path, inside = Path(entry.path), (*parts, entry.name)
                if is_file(entry):
                    _note(path, inside, wanted, content)
                elif not is_folder(entry):
                    continue  # a pipe or a device, which has no end
                elif not held or wanted.folders_at(inside):
                    below.append((path, inside))
        level = below
    if any(table not in content.names for table in wanted.tables):
        for folder, parts in of_chips:  # of which there may be many: a table among them is the last that is looked for
            for entry in sorted_entries(folder):
                if wanted.table_at((*parts, entry.name)) and is_file(entry):
                    _note(Path(entry.path), (*parts, entry.name), wanted, content)
    return content


def _held(folder: Path, names: Sequence[str], wanted: Wanted, content: Content) -> str:
    """Note which of the wanted folders a folder is, as it holds their chips.

    Returns:
        "flat" if it holds the chips of one itself, "deep" if in folders within, "" if it holds none.
    """
    found = ""
    for name in names:
        for naming in wanted.folders[name]:
            where = naming.lie_in(folder)
            if where is None:
                continue
            *inside, _ = where.split("/")
            if any(name != HERE and ends_in(inside[: end + 1], name) for end in range(len(inside))):
                continue  # a folder of this name within it is the one
            group = content.nested if inside and not naming.is_deep else content.unpacked
            if folder not in (known := group.setdefault(name, [])):
                known.append(folder)
            if name != HERE:
                found = "deep" if inside or naming.is_deep else found or "flat"
    return found


def _note(path: Path, parts: Sequence[str], wanted: Wanted, content: Content) -> None:
    if table := wanted.table_at(parts):
        content.unpacked.setdefault(table, []).append(path)
    elif archived := wanted.archived_at(parts):
        name, is_part = archived
        (content.parts if is_part else content.archives).setdefault(name, []).append(path)
    elif path.name.lower().endswith(FORMATS):
        content.others.append(path)
