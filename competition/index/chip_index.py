"""Which files are the chips of a rendering, and which id each has."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from competition.common.errors import UserError
from competition.common.folders import DEEPEST, check_readable, entries_of, is_file, is_folder, is_junk
from competition.spec.images import FILE, ImageSet

# The file of a chip; where each band has a file of its own, these in the order of the bands.
ChipFile = Path | tuple[Path, ...]
Ids = Literal["stem", "name", "path", "path_stem"]


def shown_file(file: ChipFile) -> Path:
    """Return the one file that stands for a chip in a message."""
    return file if isinstance(file, Path) else file[0]


@dataclass(frozen=True)
class Naming:
    """How the files of a rendering say which chip, and which band of it, they are.

    Attributes:
        images: the rendering: suffixes, and the pattern of the names.
        ids: what an id is, as in `Tables`.
        suffixes: further ones that are taken.
        with_odd: take also what is called like a chip and cannot be one, such as a link to nowhere, so that it is
            found broken; beside chips also a folder.
    """

    images: ImageSet
    ids: Ids = "stem"
    suffixes: tuple[str, ...] = ()
    with_odd: bool = False

    @property
    def is_deep(self) -> bool:
        """Whether the folders within an image folder are part of what names a chip."""
        return self.ids in ("path", "path_stem") or "/" in self.images.file

    @cached_property
    def known_suffixes(self) -> tuple[str, ...]:
        """Every suffix that is taken, in lower case."""
        return (*self.images.suffix, *self.suffixes)

    def read(self, path: str) -> tuple[str, int] | None:
        """Return the id and the band, by its position, of a file; None if it is not one of a chip.

        Args:
            path: within the image folder, with "/" between folders; of a name that is not on the disk, the right one.
        """
        if not path.lower().endswith(self.known_suffixes):
            return None
        stem, suffix = os.path.splitext(path)
        if self.images.file == FILE:
            whole = path if self.ids in ("path", "name") else stem
            return (whole if self.ids in ("path", "path_stem") else whole.rpartition("/")[2]), 0
        found = self._pattern.fullmatch(stem)
        if found is None:
            return None
        name = found["id"] + (suffix if self.ids in ("name", "path") else "")
        return name, self.images.bands.index(found["band"]) if self.images.is_split else 0

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """The pattern of a path without its suffix; what is repeated in it must be the same again."""
        is_path = self.ids in ("path", "path_stem")
        bands = "|".join(re.escape(band) for band in sorted(self.images.bands, key=len, reverse=True))
        groups = {"{id}": f"(?P<id>{'.+' if is_path else '[^/]+'})", "{band}": f"(?P<band>{bands})"}
        again = {"{id}": "(?P=id)", "{band}": "(?P=band)"}
        parts = []
        for part in re.split(r"(\{id\}|\{band\})", self.images.file):
            parts.append(groups.pop(part, again.get(part, re.escape(part))))
        return re.compile(("" if is_path else "(?:.*/)?") + "".join(parts))

    def files_in(self, folder: Path) -> Iterator[tuple[str, str]]:
        """Yield the path within `folder`, and the whole path, of every file that may be of a chip.

        The folders within are searched too where they are part of the names, or where no chip lies in `folder` itself.
        """
        flat, odd = 0, list[tuple[str, str]]()
        if not self.is_deep:
            for entry in entries_of(folder):
                if self.read(entry.name) is not None:
                    if is_file(entry):
                        flat += 1
                        yield entry.name, entry.path
                    elif self.with_odd:
                        odd.append((entry.name, entry.path))
        if flat:
            yield from odd
        else:
            found = _walk(folder, with_odd=self.with_odd)
            yield from (each for each in found if self.read(each[0]) is not None)

    def among(self, paths: Iterable[str]) -> list[str]:
        """Return those of the paths in a place, such as an object store, that `files_in` would yield of a folder."""
        found = [path for path in paths if not is_junk(path) and self.read(path) is not None]
        flat = [] if self.is_deep else [path for path in found if "/" not in path]
        return flat or found

    def lie_in(self, folder: Path) -> str | None:
        """Return where the first chip found in `folder` lies within it; None if it holds none."""
        return next((path for path, _ in self.files_in(folder)), None)


@dataclass(frozen=True)
class ChipIndex:
    """The chips in some folders.

    Attributes:
        chips: their files by id, in the order of the ids.
        lacking: of chips that lack files of bands, these bands by id.
    """

    chips: dict[str, ChipFile]
    lacking: dict[str, tuple[str, ...]] = field(default_factory=dict)


def index_chips(
    folders: Iterable[Path],
    naming: Naming,
    right_names: Mapping[str, str] | None = None,
    ids: Iterable[str] = (),
) -> ChipIndex:
    """Return the chips in some folders.

    Args:
        folders: the image folders.
        naming: how the files are called.
        right_names: by the name of a file on the disk, that which it should have; others have the right one.
        ids: as the tables spell them; one with a suffix also names a file whose suffix is in another case.

    Raises:
        UserError: if a folder cannot be read, or two files are of one chip and band.
    """
    files: dict[tuple[str, int], str] = {}
    for folder in folders:
        check_readable(folder)
        for path, whole in naming.files_in(folder):
            key = naming.read(_renamed(path, right_names, naming.known_suffixes) if right_names else path)
            if key is None:
                continue
            if key in files:
                raise two_files(key, files[key], whole, naming)
            files[key] = whole
    if naming.ids in ("name", "path"):
        files = _respelled(files, frozenset(ids))
    if not naming.images.is_split:
        return ChipIndex({name: Path(whole) for (name, _), whole in sorted(files.items())})
    return _joined(files, naming.images.bands)


def two_files(key: tuple[str, int], one: str, other: str, naming: Naming) -> UserError:
    """Return the error of two files that are of one chip and band."""
    what = f"id {key[0]}" + (f" and band {naming.images.bands[key[1]]}" if naming.images.is_split else "")
    return UserError(f"Two files carry the {what}: {one} and {other}. Remove one.")


def lower_suffix(name: str) -> str:
    """Return a name with its suffix in lower case."""
    stem, suffix = os.path.splitext(name)
    return stem + suffix.lower()


def _respelled(files: Mapping[tuple[str, int], str], ids: Collection[str]) -> dict[tuple[str, int], str]:
    """Return files by id and band with ids as the tables spell them, where only the case of the suffix differs."""
    spelling, found = {lower_suffix(name): name for name in ids}, dict(files)
    for name, band in sorted(files) if spelling else ():
        right = spelling.get(lower_suffix(name), name)
        if name not in ids and (right, band) not in found:
            found[right, band] = found.pop((name, band))
    return found


def _joined(files: Mapping[tuple[str, int], str], bands: Sequence[str]) -> ChipIndex:
    """Return chips of a file per band from their files by id and band."""
    index = ChipIndex({})
    for name in sorted({name for name, _ in files}):
        paths = [files.get((name, band)) for band in range(len(bands))]
        whole = tuple(Path(path) for path in paths if path is not None)
        if len(whole) == len(bands):
            index.chips[name] = whole
        else:
            index.lacking[name] = tuple(band for band, path in zip(bands, paths, strict=True) if path is None)
    return index


def _renamed(path: str, right_names: Mapping[str, str], suffixes: tuple[str, ...]) -> str:
    folders, slash, name = path.rpartition("/")
    right = right_names.get(name, name)
    return folders + slash + (right if right.lower().endswith(suffixes) else right + os.path.splitext(name)[1])


def _walk(folder: Path, inside: str = "", depth: int = 0, *, with_odd: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the path within `folder`, and the whole path, of the files in it and in the folders within."""
    deeper = []
    for entry in entries_of(folder / inside if inside else folder):
        if is_file(entry):
            yield inside + entry.name, entry.path
        elif depth < DEEPEST and is_folder(entry):
            deeper.append(f"{inside}{entry.name}/")
        elif with_odd and not is_folder(entry):
            yield inside + entry.name, entry.path
    for each in deeper:
        yield from _walk(folder, each, depth + 1, with_odd=with_odd)
