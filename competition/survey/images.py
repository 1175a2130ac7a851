"""Which pictures are the chips: renderings, folders, suffixes, and whether each band has a file of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TypeVar

from competition.common.errors import UserError
from competition.common.text import first
from competition.index.chip_index import lower_suffix
from competition.survey.grids import natural
from competition.survey.ids import MARKS, Kind, Place, parts_of, place_of, stem_of
from competition.survey.listing import Listing, Piece

T = TypeVar("T")
FAMILIES = {".jpeg": ".jpg", ".tiff": ".tif"}
OF_TEST = re.compile(r"(?<![a-z])(test|pred|eval|private|public|holdout|unlabel)", re.I)
COLOURS = ("red", "green", "blue", "r", "g", "b")
MOST_FOLDERS = 20  # that are named one by one, and not by the folder that holds them all
COVERS = 0.9  # share of the chips that must have a file of every band
OF_BAND = re.compile(
    r"red|green|blue|yellow|nir|rededge|swir_?\d?|tir|alpha|pan|vv|vh|hh|hv|[rgbn]|b\d{1,2}a?|(band|channel|ch)_?\d+",
    re.I,
)
MASKS = re.compile(r"mask|segment|annotation|heatmap", re.I)


@dataclass
class Found:
    """One rendering of the chips.

    Attributes:
        family: suffix of its files, the usual spelling.
        suffixes: of its files, in lower case.
        file: as `ImageSet.file`.
        bands: names of the bands that have files of their own; none if a chip is one file.
        train: folders of the labelled chips, by path; "" is the root.
        test: folders of those to predict.
        ids: of the labelled chips that are there.
        pieces: the files of the labelled chips.
        remarks: comments on entries, by their name.
    """

    family: str
    suffixes: list[str] = field(default_factory=list)
    file: str = "{id}"
    bands: list[str] = field(default_factory=list)
    train: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    pieces: list[tuple[Piece, Place]] = field(default_factory=list)
    remarks: dict[str, str] = field(default_factory=dict)


@dataclass
class _Unit:
    """The files of one family in one folder."""

    folder: str
    family: str
    pieces: list[tuple[Piece, Place]] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        return {place.id for _, place in self.pieces}


def find_images(listing: Listing, kind: Kind, train: Collection[str], test: Collection[str]) -> list[Found]:
    """Return the renderings of the chips, the one with most labelled chips first.

    Args:
        listing: what lies in the folder.
        kind: how ids name files.
        train: ids of the labelled chips.
        test: ids of those to predict; none if they are not known.

    Raises:
        UserError: if a chip has several pictures that are no bands.
    """
    spelled: Callable[[str], str] = lower_suffix if kind in ("name", "path") else str
    train, test = set(map(spelled, train)), set(map(spelled, test))
    known = train | test
    depths = {own.count("/") for own in known}
    labelled: dict[tuple[str, str], _Unit] = {}
    asked: dict[tuple[str, str], _Unit] = {}
    strange: dict[str, set[str]] = {}
    for piece in listing.pictures:
        family = FAMILIES.get(piece.suffix, piece.suffix)
        place = place_of(piece.path, kind, known, depths)
        if place is None and known.isdisjoint(part for _, part in parts_of(stem_of(piece.name))):
            strange.setdefault(family, set()).add(piece.path.rpartition("/")[0])
        if place is None:  # what was made of a chip, such as its thumbnail, is no chip
            continue
        for units, ids in ((labelled, train), (asked, test)):
            if place.id in ids:
                unit = units.setdefault((place.folder, family), _Unit(place.folder, family))
                unit.pieces.append((piece, place))
    _part(labelled, asked)
    found, tested = _clusters(labelled.values()), _clusters(asked.values())
    for place_in_order, images in enumerate(found):
        peers = [other for other in found[:place_in_order] if other.family == images.family]
        ours = [other for other in tested if other.family == images.family]
        if len(ours) > len(peers):
            images.test = ours[len(peers)].train
        elif not asked:
            _find_test(images, strange.get(images.family, set()), found, is_path=kind in ("path", "path_stem"))
        _find_file(images)
    _gather(found, {piece.path.rpartition("/")[0] for piece in listing.pictures})
    return found


def _part(labelled: dict[tuple[str, str], _Unit], asked: dict[tuple[str, str], _Unit]) -> None:
    """Part the folders of ids that stand in both tables, by what the folders are called: each is of one of them.

    One folder of both, or folders whose names say nothing, are left to both.
    """
    shared = {key for key in labelled.keys() & asked.keys() if labelled[key].ids & asked[key].ids}
    of_test = {key for key in shared if OF_TEST.search(key[0])}
    if of_test and any(family == other for _, family in of_test for _, other in labelled.keys() - of_test):
        for key in shared:
            del (labelled if key in of_test else asked)[key]


def _gather(found: Sequence[Found], folders: Collection[str]) -> None:
    """Name as few folders as say the same."""
    for images in found:
        every = list(dict.fromkeys([*images.train, *images.test]))
        images.train, images.test = (_gathered(group, folders) for group in (images.train, images.test))
        if max(len(images.train), len(images.test)) > MOST_FOLDERS:  # a folder per chip, of training or not
            above = "/".join(_beginning([folder.split("/") for folder in every]))
            images.train, images.test = [above], [above] if images.test else []


def _clusters(units: Iterable[_Unit]) -> list[Found]:
    """Return units as renderings, masks last; each chip has its files once in a rendering."""
    found: list[Found] = []
    for unit in sorted(units, key=lambda unit: natural(unit.folder)):
        ids = unit.ids
        for images in found:
            if (images.family == unit.family or unit.folder in images.train) and images.ids.isdisjoint(ids):
                break
        else:
            images = Found(unit.family)
            found.append(images)
        images.ids |= ids
        images.pieces += unit.pieces
        images.train += [unit.folder] if unit.folder not in images.train else []
        images.suffixes = list(dict.fromkeys([*images.suffixes, *(piece.suffix for piece, _ in unit.pieces)]))
    found = sorted(found, key=lambda images: (bool(MASKS.search(images.train[0])), -len(images.ids)))
    return _by_band(found)


def _by_band(found: list[Found]) -> list[Found]:
    """Join the renderings that are bands of one: of the same chips, in folders named after bands."""
    joined: dict[tuple[str, str], list[Found]] = {}
    for images in found:
        above, _, name = images.train[0].rpartition("/")
        if len(images.train) == 1 and OF_BAND.fullmatch(name):
            joined.setdefault((above, images.family), []).append(images)
    for (above, _), bands in joined.items():
        fewest = min(len(images.ids) for images in bands)
        if len(bands) < 2 or len(set.intersection(*(images.ids for images in bands))) < COVERS * fewest:
            continue
        whole = bands[0]
        for images in bands:
            name = images.train[0].rpartition("/")[2]
            images.pieces = [(p, Place(own.id, above, f"{name}/{own.file}")) for p, own in images.pieces]
        whole.pieces = [pair for images in bands for pair in images.pieces]
        whole.train = [above]
        found = [images for images in found if images not in bands[1:]]
    return found


def _find_test(images: Found, strange: set[str], found: Sequence[Found], *, is_path: bool) -> None:
    """Look for folders of chips to predict among those whose files no table names."""
    if is_path and any(_lies_in(inner, folder) for inner in strange for folder in images.train):
        images.test = list(images.train)  # ids have the folders in them
        images.remarks["test"] = "files without a row"
        return
    used = {folder for other in found for folder in other.train}
    others = sorted(strange - used, key=natural)
    named = [folder for folder in others if OF_TEST.search(folder)]
    if named or others:
        images.test = named or others
        images.remarks["test"] = "no table names their files"
    elif strange & set(images.train):
        images.test = list(images.train)
        images.remarks["test"] = "files without a row"


def _find_file(images: Found) -> None:
    """Find how files are named, and the bands if each has a file of its own."""
    ids_of: dict[str, set[str]] = {}
    for _, place in images.pieces:
        ids_of.setdefault(place.file, set()).add(place.id)
    if len(ids_of) == 1:
        (images.file,) = ids_of
        return
    usual = [file for file, ids in ids_of.items() if len(ids) >= COVERS * len(images.ids)]
    if len(usual) < 2:
        if len(usual) == 1 or not usual:
            images.file = max(ids_of, key=lambda file: len(ids_of[file]))
        if len(ids_of[images.file]) < COVERS * len(images.ids):
            shown = first((piece.path for piece, _ in images.pieces), 3)
            raise UserError(
                f"A chip is expected to have one picture, or one per band; received others: {shown}. "
                "Give --id-column, or take the pictures that are no chips out of the folder."
            )
        return
    before, after = _common(usual)
    bands = {file[len(before) : len(file) - len(after)]: file for file in usual}
    if "" in bands or not all(re.fullmatch(r"\w[\w.-]*", band) for band in bands):
        images.file = min(usual, key=len)  # a chip, and what was made of it
        return
    images.file = f"{before}{{band}}{after}"
    images.bands = sorted(bands, key=lambda band: (_rank(band), natural(band)))


def _rank(band: str) -> int:
    return COLOURS.index(band.lower()) if band.lower() in COLOURS else len(COLOURS)


def _common(files: list[str]) -> tuple[str, str]:
    """Return how all names of files begin and end, up to where a band may begin and from where one may end."""
    before = "".join(_beginning(files))
    before = re.sub(rf"[^{re.escape(MARKS)}/}}]*$", "", before)
    after = "".join(_beginning([file[len(before) :][::-1] for file in files]))[::-1]
    place = re.search(rf"[{re.escape(MARKS)}/{{].*$", after)
    return before, place[0] if place else ""


def _beginning(several: Sequence[Sequence[T]]) -> list[T]:
    """Return what all sequences begin with."""
    return [items[0] for items in takewhile(lambda items: len(set(items)) == 1, zip(*several, strict=False))]


def _gathered(folders: Sequence[str], all_folders: Collection[str]) -> list[str]:
    """Return as few folders as say the same: the one above them, if all pictures below it lie in them."""
    if len(folders) <= 1:
        return list(folders)
    parts = [folder.split("/") for folder in folders]
    above = "/".join(_beginning(parts))
    below = {folder for folder in all_folders if folder == above or folder.startswith(f"{above}/")}
    is_whole = all(any(_lies_in(inner, folder) for folder in folders) for inner in below)
    if above and is_whole and above not in folders:
        return [above]
    depth = len(above.split("/")) if above else 0
    groups: dict[str, list[str]] = {}
    for folder, own in zip(folders, parts, strict=True):
        groups.setdefault("/".join(own[: depth + 1]), []).append(folder)
    return [each for group in groups.values() for each in _gathered(group, all_folders)]


def _lies_in(folder: str, other: str) -> bool:
    return not other or folder == other or folder.startswith(f"{other}/")


def short_names(paths: Iterable[str], all_paths: Iterable[str]) -> list[str]:
    """Return of each path as few of its last parts as no other path ends with."""
    known = [path.split("/") for path in all_paths]

    def short(path: str) -> str:
        parts = path.split("/")
        for number in range(1, len(parts)):
            tail = parts[-number:]
            if sum(other[-number:] == tail for other in known) <= 1:
                return "/".join(tail)
        return path

    return [short(path) for path in paths]


def folders_of(listing: Listing) -> set[str]:
    """Return every folder that holds pictures, and every folder above one."""
    found = set()
    for folder in {piece.path.rpartition("/")[0] for piece in listing.pictures}:
        parts = folder.split("/")
        found |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return found - {""}
