"""Where chips come from, as their ids and files say: what of that tells chips to predict from labelled ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from competition.data.decode import opened
from competition.index.chip_index import shown_file
from competition.spec.images import ImageSet
from competition.tables.joined import read_column
from competition.workspace import Workspace
from models.shift.area import FEWEST, SURE, Area, area
from models.shift.both import Both

SAMPLED = 1000  # files of either side that are opened, to see how large the pictures are
BINS = 20  # of file sizes
MOST = 50  # groups of an attribute that are looked at, the largest ones
PLACES = ("id prefix", "folder")  # by which chips are grouped, besides the competition's column of groups

Values = NDArray[np.str_]  # of an attribute, "" where it is not known


@dataclass(frozen=True)
class Origin:
    """Something that ids or files say of chips.

    Attributes:
        name: what it is, such as "file size".
        area: how well it alone tells chips to predict from labelled ones, by how often its values occur in other folds.
        is_apart: no labelled chip has a value that a chip to predict has: it is how they are told, and says nothing of
            what they show.
        value: the value whose share differs most.
        labelled: share of the labelled chips that have it.
        to_predict: share of the chips to predict that have it.
    """

    name: str
    area: Area
    is_apart: bool
    value: str
    labelled: float
    to_predict: float


@dataclass(frozen=True)
class Group:
    """Chips of one side that have a value in common.

    Attributes:
        name: what they have in common.
        value: of it.
        is_test: whether they are to be predicted.
        chips: how many they are.
        area: of the features' log odds of being to predict: of these chips against all labelled ones, or of all chips
            to predict against these.
    """

    name: str
    value: str
    is_test: bool
    chips: int
    area: Area


def attributes_of(both: Both, workspace: Workspace, images: ImageSet) -> dict[str, Values]:
    """Return what ids and files say of chips, (num_chips,) each."""
    sides = (("train", both.labelled), ("test", both.to_predict))
    files = [file for split, names in sides for file in workspace.layout.locate(images, split, names)]
    paths = [shown_file(file) for file in files]
    found = {
        "id prefix": np.array([re.split(r"\d", name, maxsplit=1)[0] for name in both.names]),
        "folder": np.array([path.parent.name for path in paths]),
        "suffix": np.array([path.suffix for path in paths]),
        "file size": _binned(np.array([path.stat().st_size for path in paths])),
    }
    random = np.random.default_rng(0)
    drawn = [random.permutation(np.flatnonzero(both.is_test == side))[:SAMPLED] for side in (False, True)]
    heads = {int(row): _head(paths[row]) for row in np.concatenate(drawn)}
    for number, name in enumerate(("picture size", "mode")):
        found[name] = np.array([heads[row][number] if row in heads else "" for row in range(len(paths))])
    return found


def groups_in(both: Both, workspace: Workspace) -> dict[str, Values]:
    """Return the group of each labelled chip, (num_chips,), by the competition's column; "" for those to predict."""
    tables = workspace.competition.tables
    if tables.group_column is None:
        return {}
    cells = read_column(workspace.training_tables, tables, workspace.competition.labels, tables.group_column)
    return {tables.group_column: np.array([*(cells.get(name, "") for name in both.labelled), *[""] * both.num_test])}


def origins(both: Both, attributes: Mapping[str, Values]) -> list[Origin]:
    """Return the attributes that tell chips to predict from labelled ones, the one that tells most first."""
    found = [_origin(name, values, both) for name, values in attributes.items() if len(np.unique(values)) > 1]
    return sorted(
        (one for one in found if one.is_apart or one.area.differs), key=lambda one: (one.is_apart, -one.area.value)
    )


def _origin(name: str, values: Values, both: Both) -> Origin:
    known = values != ""
    is_test, folds = both.is_test[known], both.folds[known]
    kinds, codes = np.unique(values[known], return_inverse=True)
    counts = np.stack([np.bincount(codes[is_test == side], minlength=len(kinds)) for side in (False, True)])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    told = np.empty(len(codes))
    for fold in np.unique(folds):
        others = [np.bincount(codes[(folds != fold) & (is_test == side)], minlength=len(kinds)) for side in (0, 1)]
        ours, theirs = ((of + 0.5) / (of.sum() + 0.5) for of in others)
        told[folds == fold] = np.log(theirs / ours)[codes[folds == fold]]
    most = int(np.abs(shares[1] - shares[0]).argmax())
    is_apart = not (counts > 0).all(axis=0).any()
    found = area(told, is_test, folds, learnt=True)
    return Origin(name, found, is_apart, str(kinds[most]), float(shares[0, most]), float(shares[1, most]))


def groups(both: Both, log_odds: NDArray[np.float64], attributes: Mapping[str, Values], overall: Area) -> list[Group]:
    """Return the groups of chips that differ from the other side by more or less than all do, the furthest first.

    Args:
        both: the chips.
        log_odds: float array (num_chips,) of being to predict, cross-fitted.
        attributes: by which chips are grouped.
        overall: area of all chips.
    """
    found, seen = list[Group](), set[bytes]()
    for name, values in attributes.items():
        for value, is_test, inside in _large(values, both):
            if inside.tobytes() not in seen:  # a folder may hold just those of one prefix
                seen.add(inside.tobytes())
                rows = inside | (both.is_test != is_test)
                own = area(log_odds[rows], both.is_test[rows], both.folds[rows], learnt=True)
                found.append(Group(name, value, is_test, int(inside.sum()), own))
    far = [one for one in found if abs(one.area.value - overall.value) > SURE * one.area.error]
    return sorted(far, key=lambda one: -abs(one.area.value - overall.value))


def _large(values: Values, both: Both) -> Iterator[tuple[str, bool, NDArray[np.bool_]]]:
    """Yield the groups of either side that have enough chips, and are not the whole of it."""
    for is_test in (False, True):
        side = both.is_test == is_test
        kinds, counts = np.unique(values[side & (values != "")], return_counts=True)
        for number in np.argsort(-counts, kind="stable")[:MOST]:
            if FEWEST <= counts[number] < side.sum():
                yield str(kinds[number]), is_test, side & (values == kinds[number])


def _binned(sizes: NDArray[np.int64]) -> Values:
    """Return numbers of bytes as ranges with about as many files each."""
    edges = np.unique(np.quantile(sizes, np.linspace(0, 1, BINS + 1)[1:-1]).astype(np.int64))
    names = ["less", *(f"{edge:,} bytes" for edge in edges)]
    names = [f"from {one}" if number else f"below {names[1]}" for number, one in enumerate(names)]
    return np.array(names)[np.searchsorted(edges, sizes, side="right")]


def _head(path: Path) -> tuple[str, str]:
    """Return how large a picture is and its mode, as its head says; "" of one that Pillow does not know."""
    with suppress(Exception), opened(path) as file, Image.open(file) as picture:  # it raises whatever it likes
        return f"{picture.width} x {picture.height}", picture.mode
    return "", ""


def shown_groups(found: Sequence[Group], most: int) -> list[list[str]]:
    """Return rows of a table: which chips, how many, and their area."""
    sides = {False: "labelled", True: "to predict"}
    return [[f"{one.name} {one.value}", sides[one.is_test], f"{one.chips:,}", one.area.text()] for one in found[:most]]
