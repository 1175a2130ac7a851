"""Labels as words, as sets, and as multi-hot rows; tables of ids and of labelled chips."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.spec.competition import Competition
from competition.tables.label_table import content_of, parse_rows

if TYPE_CHECKING:
    import pandas as pd


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
        raise UserError(f"Unknown tags: {', '.join(sorted(unknown))}. Known: {', '.join(competition.labels)}.")
    multi_hot = np.zeros((len(place), len(column)), dtype=bool)
    for tags, number in place.items():
        multi_hot[number, [column[tag] for tag in tags]] = True
    return multi_hot[[place[tags] for tags in rows]]


def to_tags(multi_hot: NDArray[np.bool_], competition: Competition) -> list[str]:
    """Return the rows of a bool array (num_chips, num_labels) as space-separated tags in label order."""
    labels = np.array(competition.labels)
    return [" ".join(labels[row]) for row in np.asarray(multi_hot, dtype=bool)]


def read_table(path: Path, required: Sequence[str]) -> pd.DataFrame:
    """Read a CSV file as text, so that an id such as "007" stays what it is.

    Args:
        path: the file, plain or zipped.
        required: columns that must be there.

    Raises:
        UserError: if the file is missing, not a CSV, or lacks a column.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(f"No file {path}.") from error
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise UserError(f"Cannot read {path} as CSV: {str(error).splitlines()[0]}.") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes the first of too many cells for row names
        raise UserError(f"{path} is not a table: its rows have more cells than the header {list(table.columns)}.")
    if missing := [column for column in required if column not in table.columns]:
        raise UserError(f"{path} lacks columns {missing}; it has {list(table.columns)}.")
    return table


def read_label_table(path: Path, competition: Competition) -> LabelTable:
    """Read labelled chips, as words in one column or as one 0/1 column per label.

    Args:
        path: the CSV file, plain or zipped.
        competition: names the columns and the labels.

    Raises:
        UserError: if the file cannot be used; the line names every problem, how often it occurs and where it begins.
    """
    table = parse_rows(content_of(path), competition)
    if problems := [*table.problems, *table.repeated_ids(), *table.unknown_tags(competition)]:
        raise UserError(f"{path} cannot be used: {'; '.join(problem.text() for problem in problems)}.")
    return LabelTable(table.names, to_multi_hot(table.tags, competition))
