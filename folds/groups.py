"""Which labelled chips stay together: by a column, a file or their pictures, and as in the fold table that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.text import first
from competition.copies.copies import copies_of
from competition.tables.joined import read_column
from competition.workspace import Workspace
from folds.dealing.table import of_chips, read_groups
from folds.store.kept import KeptFolds

DUPLICATES = "duplicates"  # as a group: chips that are equal, or nearly so


@dataclass(frozen=True)
class Grouping:
    """Which chips stay together.

    Attributes:
        groups: the group of each labelled chip.
        what: those of one group share, as a word.
        remark: what is to be said of them.
    """

    groups: Sequence[Any]
    what: str
    remark: str = ""


def grouping_of(workspace: Workspace, group: str) -> Grouping:
    """Return which labelled chips of a workspace stay together.

    Args:
        workspace: the chips.
        group: a column of the training table, the path of a CSV file, or "duplicates": chips that show the same.

    Raises:
        UserError: if the file or column is missing, or a chip has no group.
    """
    names, tables = workspace.labelled.image_names, workspace.competition.tables
    if group.endswith(".csv"):
        return Grouping(read_groups(Path(group), names, id_column=tables.id_column), f"group in {group}")
    if group == DUPLICATES:
        column, copies = tables.group_column, copies_of(workspace)
        groups = copies.groups(names, _column(workspace, column) if column else None)
        return Grouping(groups, f"picture or {column!r}" if column else "picture", copies.text())
    return Grouping(_column(workspace, group), repr(group))


def kept_groups(workspace: Workspace) -> Sequence[Any] | None:
    """Return the group of each labelled chip by which the fold table was made; None if each stands for itself.

    Of a table that was delivered, it is the competition's own column of groups, if it has one.

    Raises:
        UserError: if what they were read from is not there any more.
    """
    noted = KeptFolds(workspace).noted
    settings = noted.settings if noted else {}
    group = settings.get("group", workspace.competition.tables.group_column)
    return grouping_of(workspace, group).groups if group else None


def _column(workspace: Workspace, group: str) -> list[str]:
    """Return the group of each labelled chip, by a column of the training table."""
    labelled, tables = workspace.labelled, workspace.competition.tables
    cells = read_column(workspace.training_tables, tables, workspace.competition.labels, group)
    try:
        return of_chips(cells, labelled.image_names, f"{first(tables.train)}, column {group!r},", "group")
    except UserError as error:
        raise UserError(f"{error} Fill these cells, or give --group '' for no groups.") from error
