"""Labelled chips: labels as sets and as multi-hot rows, and how chips come from the training tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from competition.spec.competition import Competition
from competition.tables.joined import read_label_rows


@dataclass(frozen=True)
class LabelTable:
    """Labelled chips.

    Attributes:
        image_names: ids of the chips, in the order of the file.
        truth: bool array (num_chips, num_labels), columns in the competition's label order.
    """

    image_names: tuple[str, ...]
    truth: NDArray[np.bool_]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of ids and labels."""
        content = hashlib.sha256("\n".join(self.image_names).encode())
        content.update(np.packbits(self.truth).tobytes())
        return content.hexdigest()


def to_multi_hot(tag_sets: Iterable[Iterable[str]], competition: Competition) -> NDArray[np.bool_]:
    """Return sets of tags as a bool array (num_chips, num_labels).

    Raises:
        UserError: if a tag is not a label of the competition.
    """
    column = competition.label_index
    rows = [tuple(tags) for tags in tag_sets]
    place = {tags: number for number, tags in enumerate(dict.fromkeys(rows))}  # few are different
    if unknown := frozenset(chain.from_iterable(place)) - column.keys():
        raise UserError(f"Unknown tags: {first(sorted(unknown))}. Known: {first(competition.labels)}.")
    multi_hot = np.zeros((len(place), len(column)), dtype=bool)
    for tags, number in place.items():
        multi_hot[number, [column[tag] for tag in tags]] = True
    return multi_hot[[place[tags] for tags in rows]]


def read_label_table(paths: Sequence[Path], competition: Competition) -> LabelTable:
    """Read labelled chips from the training table of a competition, or from several.

    Args:
        paths: the CSV files, plain or zipped.
        competition: says how they name the labels.

    Raises:
        UserError: if a file cannot be used; the line names every problem, how often it occurs and where it begins.
    """
    table = read_label_rows(paths, competition.tables, competition.labels)
    if table.problems:
        files = first(paths, shown=3)
        raise UserError(f"{files} cannot be used: {'; '.join(problem.text() for problem in table.problems)}.")
    return LabelTable(table.names, to_multi_hot(table.tags, competition))
