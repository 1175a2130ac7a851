"""Which column of a table names the pictures, and how."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from competition.index.chip_index import lower_suffix
from competition.spec.tables import TableForm
from competition.survey.grids import Grid
from competition.survey.listing import Piece, evenly
from competition.tables.pairs import Pair, pair_of_row_id

Kind = Literal["name", "stem", "path", "path_stem", "pattern"]
MARKS = "_-. "  # between an id and what else stands in the name of a file
PROBED = 4000  # files by which a pattern is found
ENOUGH = 0.05  # the least share of the ids, or of the files, that must match


@dataclass(frozen=True)
class Match:
    """How the values of a column name pictures.

    Attributes:
        kind: as `Tables.ids`; "pattern" where the id is a part of the name, or the name of a folder.
        hits: how many values name a picture.
    """

    kind: Kind
    hits: int


@dataclass
class Names:
    """The names of the pictures, in every form in which a table may have them; suffixes in lower case."""

    pictures: list[Piece]
    names: set[str] = field(default_factory=set)
    stems: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for piece in self.pictures:
            *folders, name = piece.path.split("/")
            self.names.add(lower_suffix(name))
            self.stems.add(stem_of(name))
            self.folders.update(folders)
        self._parts = [
            (piece.path, frozenset(part for _, part in parts_of(stem_of(piece.name))))
            for piece in evenly(self.pictures, PROBED)
        ]

    def match(self, values: Collection[str]) -> Match | None:
        """Return how the values name pictures, in the way in which most do; None if hardly any does."""
        known = set(values) - {""}
        found = [
            Match("stem", len(known & self.stems)),
            Match("name", len(set(map(lower_suffix, known)) & self.names)),
            *(self._paths(known) if any("/" in value for value in known) else ()),
        ]
        best = max(found, key=lambda match: match.hits)
        if self._is_enough(best.hits, known, len(self.pictures)):
            return best
        hits = len({max(own, key=len) for _, parts in self._parts if (own := parts & known)} | (known & self.folders))
        return Match("pattern", hits) if self._is_enough(hits, known, len(self._parts)) else None

    def has(self, text: str) -> bool:
        """Return whether a picture is called so."""
        is_name = lower_suffix(text) in self.names or text in self.stems
        return is_name or any(piece.path == text for piece in self.pictures)

    @staticmethod
    def _is_enough(hits: int, known: set[str], files: int) -> bool:
        return hits >= 2 and hits >= ENOUGH * min(len(known), files)

    def _paths(self, known: set[str]) -> Iterator[Match]:
        depths = {value.count("/") for value in known if "/" in value}
        tails = {tail for piece in self.pictures for tail in _tails(piece.path, depths)}
        yield Match("path", len(set(map(lower_suffix, known)) & set(map(lower_suffix, tails))))
        yield Match("path_stem", len(known & {_without_suffix(tail) for tail in tails}))


def _tails(path: str, depths: set[int]) -> Iterator[str]:
    parts = path.split("/")
    yield from ("/".join(parts[-depth - 1 :]) for depth in depths if depth < len(parts))


def stem_of(name: str) -> str:
    """Return the name of a file without its suffix."""
    return name.rpartition(".")[0] or name


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + stem_of(name)


def parts_of(text: str) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield the parts of a name that may be an id, which end at marks: where each begins and ends, and the part."""
    cuts = [place.start() for place in re.finditer(f"[{re.escape(MARKS)}]", text)]
    if len(cuts) > 12:
        cuts = [*cuts[:6], *cuts[-6:]]
    begins, ends = [0, *(cut + 1 for cut in cuts)], [*cuts, len(text)]
    yield from (((a, b), text[a:b]) for a in begins for b in ends if a < b)


@dataclass(frozen=True)
class Place:
    """Where one picture of a chip lies.

    Attributes:
        id: of the chip.
        folder: path of the image folder; "" is the root.
        file: the name below it without suffix, with {id} for the id.
    """

    id: str
    folder: str
    file: str


def place_of(path: str, kind: Kind, known: Collection[str], depths: Iterable[int] = ()) -> Place | None:
    """Return which chip's picture a file is, and where it lies; None if it is no chip's.

    Args:
        path: of the file.
        kind: how ids name files.
        known: the ids; a suffix in lower case.
        depths: how many folders the ids that are paths have.
    """
    folder, _, name = path.rpartition("/")
    stem = stem_of(name)
    if kind in ("stem", "name"):
        own = stem if kind == "stem" else lower_suffix(name)
        return Place(own, folder, "{id}") if own in known else None
    if kind == "pattern":
        return _by_pattern(folder, stem, known)
    whole = lower_suffix(path) if kind == "path" else _without_suffix(path)
    for depth in sorted(depths, reverse=True):
        parts = whole.split("/")
        if depth < len(parts) and (own := "/".join(parts[-depth - 1 :])) in known:
            return Place(own, "/".join(parts[: -depth - 1]), "{id}")
    return None


def _by_pattern(folder: str, stem: str, known: Collection[str]) -> Place | None:
    """Return the place of a file whose id is a part of its name, or else the name of a folder above it."""
    inside = [(span, part) for span, part in parts_of(stem) if part in known]
    if inside:
        (begin, end), own = max(inside, key=lambda pair: len(pair[1]))
        return Place(own, folder, f"{stem[:begin]}{{id}}{stem[end:]}")
    parts = folder.split("/")
    for depth in range(len(parts), 0, -1):
        if parts[depth - 1] in known:
            return Place(parts[depth - 1], "/".join(parts[: depth - 1]), "/".join(["{id}", *parts[depth:], stem]))
    return None


@dataclass(frozen=True)
class IdColumn:
    """A column that names pictures.

    Attributes:
        name: of the column.
        match: how its values name pictures.
    """

    name: str
    match: Match


def id_columns(grid: Grid, names: Names) -> list[IdColumn]:
    """Return the columns of a table that could be the id, the best first.

    Those that name far fewer pictures than the best are left out: a column of small numbers names some by chance.
    """
    found = []
    for name in grid.header:
        values = grid.values(name)
        if match := names.match(values):
            found.append(IdColumn(name, match))
    exact = [column for column in found if column.match.kind != "pattern"]
    found = exact or found
    most = max((column.match.hits for column in found), default=0)
    return sorted((c for c in found if c.match.hits >= 0.9 * most), key=lambda column: -column.match.hits)


def row_form(values: Collection[str], known: Collection[str], labels: Collection[str] = ()) -> tuple[str, list[str]]:
    """Return how ids of rows are made of a chip's id and a label, such as "{id}_{label}", and the labels.

    Args:
        values: ids of rows.
        known: ids of chips; may lack some.
        labels: if they are known.

    Returns:
        The form, "" if there is none that most of the values have; and the labels in their order.
    """
    probed = evenly(list(values), PROBED)
    forms: Counter[tuple[str, str]] = Counter()
    of_labels = {f"{mark}{label}": label for label in labels for mark in MARKS}
    for value in probed:
        inside = [(span, part) for span, part in parts_of(value) if part in known and part != value]
        if inside:
            (begin, end), _ = max(inside, key=lambda pair: len(pair[1]))
            if end < len(value) - 1:
                forms[value[:begin], value[end]] += 1
        elif of_labels and (ends := [end for end in of_labels if value.endswith(end)]):
            forms["", max(ends, key=len)[0]] += 1
    if not forms:
        return "", []
    (before, mark), count = forms.most_common(1)[0]
    if count < 0.9 * len(probed):
        return "", []
    form = f"{before}{{id}}{mark}{{label}}"
    pair_of = pair_of_row_id(TableForm(row_id=form, value_column=""), list(labels))
    pairs = (pair_of(value) or _pair_by_chip(value.removeprefix(before), mark, known) for value in values)
    return form, list(dict.fromkeys(label for _, label in pairs if label))


def _pair_by_chip(rest: str, mark: str, known: Collection[str]) -> Pair:
    """Return chip and label of a row whose label is not known, by the longest id of a chip with which it begins."""
    places = [place for place, letter in enumerate(rest) if letter == mark and rest[:place] in known]
    return (rest[: places[-1]], rest[places[-1] + 1 :]) if places else ("", "")
