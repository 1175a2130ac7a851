"""Labels as words, as sets, and as multi-hot rows; the tables that hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from competition.spec import Competition

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


def parse_tags(text: str) -> frozenset[str]:
    """Return the set of tags in a space-separated text; order and repetition carry no meaning."""
    return frozenset(text.split())


def to_multi_hot(tag_sets: Iterable[Iterable[str]], competition: Competition) -> NDArray[np.bool_]:
    """Return sets of tags as a bool array (num_chips, num_labels).

    Raises:
        UserError: if a tag is not a label of the competition.
    """
    column = competition.label_index
    rows = [frozenset(tags) for tags in tag_sets]
    if unknown := frozenset().union(*rows) - column.keys():
        raise UserError(f"Unknown tags: {', '.join(sorted(unknown))}. Known: {', '.join(competition.labels)}.")
    multi_hot = np.zeros((len(rows), len(column)), dtype=bool)
    for row, tags in enumerate(rows):
        multi_hot[row, [column[tag] for tag in tags]] = True
    return multi_hot


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
    """Read labelled chips, as words in one column or as one 0/1 column a label.

    Raises:
        UserError: if a column is missing, an id is repeated, a tag is unknown, or a cell is not 0 or 1.
    """
    tables = competition.tables
    columns = [tables.tags_column] if tables.tags_column else list(competition.labels)
    table = read_table(path, [tables.id_column, *columns])
    names = table[tables.id_column]
    if names.duplicated().any():
        raise UserError(f"{path} repeats ids: {first(names[names.duplicated()])}.")
    if tables.tags_column:
        try:
            truth = to_multi_hot((parse_tags(text) for text in table[tables.tags_column]), competition)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
    else:
        cells = table[columns]
        wrong = ~cells.isin(["0", "1"]).all(axis=1)
        if wrong.any():
            raise UserError(f"{path} must hold 0 or 1 in every label column; see rows {first(names[wrong])}.")
        truth = cells.to_numpy() == "1"
    return LabelTable(tuple(names), truth)
