"""The table of labels, read: which of its columns is which, and what it says of every chip."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from competition.common.errors import UserError
from competition.common.text import first
from competition.init.forms import Form, Wishes, is_binary, of_columns, of_row_ids, of_rows, of_tags, tags_columns
from competition.survey.grids import Grid
from competition.survey.ids import IdColumn, Kind, Names

REPEATED = 0.05  # share of the rows; if more repeat a chip, there is one row per chip and label
OF_TRAIN = re.compile(r"train|label|truth|target|annot|entry", re.I)
OF_TEST = re.compile(r"(?<![a-z])(test|private|public)", re.I)


@dataclass
class Labelled:
    """The table of labels, read.

    Attributes:
        grid: the table; of several, all of them as one.
        paths: of it, or of the tables that were joined.
        id_column: the column that names the chips.
        kind: how ids name files.
        form: how it says which chip carries which label.
        test: a table with the same columns that is named after a test, for want of a sample submission.
        questions: what was decided though it could be otherwise.
    """

    grid: Grid
    id_column: str
    kind: Kind
    form: Form
    paths: list[str] = field(default_factory=list)
    test: Grid | None = None
    questions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Candidate:
    """A table that may have the labels.

    Attributes:
        grid: the table.
        ids: the columns that could be the id, the best first.
        columns: that each could be a label.
        is_rows: whether chip and label make the id.
    """

    grid: Grid
    ids: tuple[IdColumn, ...]
    columns: tuple[str, ...]
    is_rows: bool = False

    def rank(self, sample: Grid | None) -> tuple[bool, bool]:
        """Return how much it looks like the table of labels: as the sample submission does, and by its name."""
        shared = bool(sample) and len(set(self.grid.header) & set(sample.header if sample else ())) >= 2
        return shared, bool(OF_TRAIN.search(self.grid.name)) and not OF_TEST.search(self.grid.path)

    @property
    def hits(self) -> int:
        """How many pictures it names."""
        return self.ids[0].match.hits


def read_labels(chosen: Candidate, column: IdColumn, sample: Grid | None, names: Names, wishes: Wishes) -> Labelled:
    """Read the table of labels.

    Args:
        chosen: the table.
        column: of the ids.
        sample: the sample submission; None if there is none.
        names: those of the pictures.
        wishes: what the flags say.

    Raises:
        UserError: if it cannot be told which column holds the tags; the line names the flag.
    """
    grid, own = chosen.grid, column.name
    if wishes.tags_column is not None and wishes.tags_column not in grid.header:
        raise UserError(f"--tags-column {wishes.tags_column!r}: {grid.path} has {first(map(repr, grid.header), 8)}.")
    if chosen.is_rows:
        value = next(name for name in grid.others(own) if is_binary(grid.values(name)))
        form = of_row_ids(grid, own, names.stems, value)
        if form is None:
            raise UserError(f"{grid.path}: ids such as {first(grid.values(own), 1)!r} do not end with labels.")
        return Labelled(grid, own, column.match.kind, form)
    others = [each.name for each in chosen.ids if each.name != own]
    columns = [name for name in chosen.columns if name not in others]
    again = len(grid.rows) - len(grid.values(own))
    repeats = len(grid.rows) - len({tuple(row) for row in grid.rows})
    if again - repeats > REPEATED * len(grid.rows):
        return Labelled(grid, own, column.match.kind, _read_rows(grid, own, sample, wishes))
    tags = [wishes.tags_column] if wishes.tags_column else tags_columns(grid, own, sample, [*others, *columns])
    in_sample = [name for name in tags if sample and name in sample.header]
    if not wishes.tags_column and (len(columns) >= 3 or (len(columns) == 2 and not in_sample)):
        form = of_columns(grid, own, columns)
        if sample is None:
            form.remarks["labels"] = "every column of 0 and 1"
    else:
        form = of_tags(grid, own, _one(tags or columns, grid, "--tags-column", "the tags"), sample, wishes)
    return Labelled(grid, own, column.match.kind, form)


def _read_rows(grid: Grid, own: str, sample: Grid | None, wishes: Wishes) -> Form:
    """Read a table that names chips again and again: one row per chip and label."""
    values = [name for name in grid.others(own) if is_binary(grid.values(name))]
    values = [name for name in values if sample and name in sample.header] or values
    value = values[0] if len(values) == 1 else None
    tags = [wishes.tags_column] if wishes.tags_column else tags_columns(grid, own, sample, values)
    return of_rows(grid, own, _one(tags, grid, "--tags-column", "the label"), value)


def _one(names: Sequence[str], grid: Grid, flag: str, what: str) -> str:
    """Return the only name.

    Raises:
        UserError: if there is none, or several.
    """
    if len(names) == 1:
        return names[0]
    if not names:
        raise UserError(f"{grid.path} has the columns {first(map(repr, grid.header), 8)}: which holds {what}? {flag}.")
    listed = " or ".join(map(repr, names[:3]))
    raise UserError(f"{grid.path}: which column holds {what}, {listed}? Give {flag}, with one of them.")
