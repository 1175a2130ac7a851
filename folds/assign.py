"""Dealing a workspace's labelled chips into folds, once."""

from __future__ import annotations

from pathlib import Path

from competition.common.errors import UserError
from competition.common.text import short
from competition.workspace import Workspace
from folds.audit import audit, write_table
from folds.table import FoldTable, make_table, read_groups


def deal(workspace: Workspace, *, k: int, seed: int, repeats: int, group: str | None, force: bool) -> str:
    """Deal the labelled chips of a workspace into folds, and write the table and its audit.

    Args:
        workspace: the chips, and where the table goes.
        k: folds a repeat.
        seed: of the shuffling.
        repeats: whole rounds of k folds.
        group: a column of the training table, or the path of a CSV file, that says which chips stay together.
        force: replace another fold table.

    Returns:
        The audit, for a terminal.

    Raises:
        UserError: if the data, k or the groups are not right, or there is another fold table.
    """
    labelled, path = workspace.labelled, workspace.fold_table
    groups = None
    if group is not None:
        in_file, tables = group.endswith(".csv"), workspace.competition.tables
        source = Path(group) if in_file else workspace.layout.table(tables.train)
        groups = read_groups(source, labelled.image_names, None if in_file else group, tables.id_column)
    table = make_table(labelled.image_names, labelled.truth, k=k, seed=seed, repeats=repeats, groups=groups)
    if path.is_file() and not force and FoldTable.read(path).digest != table.digest:
        raise UserError(
            f"{path} holds other folds. Keep them, or replace them with --force: runs made with them are refused then."
        )
    audited = audit(table, labelled.truth, workspace.competition.labels)
    write_table(table, audited, path, settings={"k": k, "seed": seed, "repeats": repeats, "group": group})
    return f"{audited.text()}\nWrote {path}, digest {short(table.digest)}."
