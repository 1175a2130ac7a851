"""Assigning the labelled chips of a workspace to folds, once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.text import short
from competition.workspace import Workspace
from folds.audit import Audit, audit, write_table
from folds.table import FoldTable, make_table, read_groups


@dataclass(frozen=True)
class AssignedFolds:
    """The fold table that was written, and how good it is.

    Attributes:
        table: the folds.
        audit: how well they hold the labels' shares.
        path: of the table.
    """

    table: FoldTable
    audit: Audit
    path: Path

    def text(self) -> str:
        """Return the audit and what was written, for a terminal."""
        return f"{self.audit.text()}\nWrote {self.path}, digest {short(self.table.digest)}."

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {"path": str(self.path), "digest": self.table.digest, "audit": self.audit.as_dict()}


def assign_folds(
    workspace: Workspace, *, k: int, seed: int = 0, repeats: int = 1, group: str | None = None, force: bool = False
) -> AssignedFolds:
    """Assign the labelled chips of a workspace to folds, and write the table and its audit.

    Args:
        workspace: the chips, and where the table goes.
        k: number of folds in each repeat.
        seed: of the shuffling.
        repeats: how many times every chip is held out, each time in other folds.
        group: a column of the training table, or the path of a CSV file, that says which chips stay together.
        force: replace another fold table.

    Raises:
        UserError: if the data, k or the groups are not right, or there is another fold table.
    """
    labelled, path = workspace.labelled, workspace.fold_table
    groups = None
    if group is not None:
        in_file, tables = group.endswith(".csv"), workspace.competition.tables
        source = Path(group) if in_file else workspace.layout.table(tables.train[0])
        groups = read_groups(source, labelled.image_names, None if in_file else group, tables.id_column)
    table = make_table(labelled.image_names, labelled.truth, k=k, seed=seed, repeats=repeats, groups=groups)
    if path.is_file() and not force and FoldTable.read(path).digest != table.digest:
        raise UserError(
            f"{path} holds other folds. Keep them, or replace them with --force: runs made with them are refused then."
        )
    assigned = AssignedFolds(table, audit(table, labelled.truth, workspace.competition.labels), path)
    settings = {"k": k, "seed": seed, "repeats": repeats, "group": group}
    write_table(table, assigned.audit, path, settings=settings)
    return assigned
