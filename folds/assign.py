"""Assigning the labelled chips of a workspace to folds, once, or taking those that were delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from competition.common.errors import UserError
from competition.common.text import counted, first, short
from competition.spec.tables import TableForm
from competition.tables.csv_files import header_of
from competition.tables.joined import read_column
from competition.workspace import Workspace
from folds.dealing.audit import Audit, audit, write_table
from folds.dealing.table import NAME_COLUMN, FoldTable, make_table, of_chips, parse_folds
from folds.groups import DUPLICATES, grouping_of
from folds.store.kept import KeptFolds, Noted


@dataclass(frozen=True)
class AssignedFolds:
    """The fold table that was written, and how good it is.

    Attributes:
        table: the folds.
        audit: how well they hold the labels' shares.
        path: of the table.
        remarks: lines that say which chips stay together, and which delivered folds are not used.
    """

    table: FoldTable
    audit: Audit
    path: Path
    remarks: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the audit and what was written, for a terminal."""
        return "\n".join([self.audit.text(), *self.remarks, f"Wrote {self.path}, digest {short(self.table.digest)}."])

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "path": str(self.path),
            "digest": self.table.digest,
            "remarks": list(self.remarks),
            "audit": self.audit.as_dict(),
        }


def assign_folds(
    workspace: Workspace, *, k: int, seed: int = 0, repeats: int = 1, group: str | None = None, force: bool = False
) -> AssignedFolds:
    """Assign the labelled chips of a workspace to folds, and write the table and its audit.

    Args:
        workspace: the chips, and where the table goes.
        k: number of folds in each repeat.
        seed: of the shuffling.
        repeats: how many times every chip is held out, each time in other folds.
        group: a column of the training table, or the path of a CSV file, that says which chips stay together; or
            "duplicates": those that show the same; default: the competition's column of groups; "" for none.
        force: replace another fold table.

    Raises:
        UserError: if the data, k or the groups are not right, or there is another fold table.
    """
    labelled, tables = workspace.labelled, workspace.competition.tables
    group = tables.group_column if group is None else group
    grouping = grouping_of(workspace, group) if group else None
    groups, remarks = grouping.groups if grouping else None, list[str]()
    if grouping and grouping.remark:
        remarks.append(grouping.remark)
    if groups is not None and group == DUPLICATES and len(set(groups)) < k:
        raise UserError(f"All but {len(set(groups)) - 1} chips show the same: that is no data for {k} folds.")
    table = make_table(labelled.image_names, labelled.truth, k=k, seed=seed, repeats=repeats, groups=groups)
    settings = {"k": k, "seed": seed, "repeats": repeats, "group": group or None}
    if grouping:
        remarks.append(f"Chips of one {grouping.what} stay together: {counted(len(set(grouping.groups)), 'group')}.")
    if tables.fold_column is not None:
        remarks.append(f"The delivered folds in column {tables.fold_column!r} are not used.")
    return _written(table, workspace, settings, force=force, remarks=remarks)


def default_folds(workspace: Workspace) -> AssignedFolds | None:
    """Make the fold table if there is none: the delivered folds, or else five; return None if there is one.

    Raises:
        UserError: if the data are not right for it, or there was a table, with which something was made.
    """
    kept = KeptFolds(workspace)
    if not kept.path.exists() and kept.noted is not None:
        return _made_again(workspace, kept.noted)
    if kept.is_known:
        kept.read()
        return None
    is_delivered = workspace.competition.tables.fold_column is not None
    return take_folds(workspace) if is_delivered else assign_folds(workspace, k=5)


def _made_again(workspace: Workspace, noted: Noted) -> AssignedFolds:
    """Make the table that is gone again; one that differs is refused where something was made with it."""
    made = noted.settings
    if "seed" in made:
        values = {name: made.get(name, default) for name, default in (("seed", 0), ("repeats", 1))}
        return assign_folds(workspace, k=made["k"], group=made.get("group") or "", **values)
    return take_folds(workspace, source=noted.source, column=made.get("column"))


def take_folds(
    workspace: Workspace, *, source: Path | None = None, column: str | None = None, force: bool = False
) -> AssignedFolds:
    """Take folds that were delivered, such as a team mate's, and write the table and its audit.

    Args:
        workspace: the chips, and where the table goes.
        source: a CSV file with a column of ids, the first where none has the competition's name, and one of folds;
            default: the training table. Rows of other chips are passed over.
        column: the column of folds, counted from 0 or 1; those of further repeats add "_repeat1" and so on to its name,
            and count anew or go on. Default: "fold", or of the training table the one that the competition names.
        force: replace another fold table.

    Raises:
        UserError: if the file or a column is missing, or the folds are not right or lack a chip, or there is another
            fold table.
    """
    competition, names = workspace.competition, workspace.labelled.image_names
    tables = competition.tables
    column = column or (tables.fold_column if source is None else None) or "fold"
    paths: Sequence[Path] = workspace.training_tables
    form: TableForm = tables
    if source is not None:
        paths, form = (source,), TableForm(id_column=_id_column(source, tables.id_column))
    title = first((path.name for path in paths), shown=3)
    columns = [column, *_repeats_in(paths, form, column)]
    cells = [read_column(paths, form, competition.labels, name) for name in columns]
    rows = [[cell.removesuffix(".0") for cell in of_chips(of, names, title, "fold")] for of in cells]  # as pandas may
    try:
        folds = np.array([parse_folds(name, row) for name, row in zip(columns, rows, strict=True)])
        folds -= int(folds[0].min() == 1)
        k = int(folds[0].max()) + 1
        folds += np.where(folds.min(axis=1) == 0, k * np.arange(len(folds)), 0)[:, None]  # that count anew
        table = FoldTable(names, folds, k)
    except UserError as error:
        raise UserError(f"{title}: {error}") from error
    settings = {"from": title, "column": column, "k": table.k, "repeats": table.num_repeats}
    if source is not None:
        settings["source"] = str(source.resolve())  # from which they can be taken again
    return _written(table, workspace, settings, force=force)


def _id_column(path: Path, usual: str) -> str:
    """Return the column of ids of a table of folds: the competition's, this project's own, or the first."""
    header = header_of(path)
    return next((name for name in (usual, NAME_COLUMN) if name in header), header[0])


def _repeats_in(paths: Sequence[Path], form: TableForm, column: str) -> list[str]:
    headers = {name for path in paths for name in header_of(path, form)}
    later = (f"{column}_repeat{repeat}" for repeat in count(1))
    return list(takewhile(headers.__contains__, later))


def _written(
    table: FoldTable, workspace: Workspace, settings: dict[str, Any], *, force: bool, remarks: Sequence[str] = ()
) -> AssignedFolds:
    path, labels = workspace.fold_table, workspace.competition.labels
    if not force and (said := KeptFolds(workspace).check_replaced_by(table)):
        remarks = [*remarks, said]
    assigned = AssignedFolds(table, audit(table, workspace.labelled.truth, labels), path, tuple(remarks))
    write_table(table, assigned.audit, path, settings=settings)
    return assigned
