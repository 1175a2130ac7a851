"""Corrections of labels, kept beside the data: Kaggle's own tables stay as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import write_text
from competition.common.text import counted, first
from competition.spec.competition import Competition
from competition.tables.csv_files import content_of, decoded
from competition.tables.labels import LabelTable
from competition.tables.problems import lines_of

FILE = "corrections.csv"
NEEDED = ("id", "label", "says")
KEPT = ("id", "label", "is")
SHOWN = 3
# Models that were trained on corrected labels are of these alone: to take corrections back is not to have them back.
MEND = {
    "to take all corrections back, after which the file is kept under another name": "data relabel --clear",
    "to make them again then": "data relabel --from FILE",
}


@dataclass(frozen=True)
class Relabelled:
    """What corrections have changed.

    Attributes:
        path: where all corrections are kept.
        turned: how many labels were turned now.
        total: how many labels are other than in Kaggle's tables.
    """

    path: Path
    turned: int
    total: int

    def text(self) -> str:
        """Return what was changed, for people."""
        return (
            f"{counted(self.turned, 'label')} turned; {counted(self.total, 'correction')} in {self.path}.\n"
            "Scores made so far are of other labels: what was trained is to be trained again. Models then learn from "
            "corrected labels and are judged by them: the figures rise by that alone, and Kaggle's do not."
        )


def clear(path: Path) -> str:
    """Take all corrections back; return what became of them, for people. They are kept beside, under another name."""
    if not path.is_file():
        return "There are no corrections."
    kept = path.with_suffix(".old.csv")
    path.replace(kept)
    return f"No label is corrected any more. The corrections are in {kept}."


def corrected(table: LabelTable, path: Path, competition: Competition) -> LabelTable:
    """Return labelled chips with the corrections that are kept; those themselves if there are none.

    Raises:
        UserError: if the file is damaged, or names other chips or labels.
    """
    if not path.is_file():
        return table
    cells = {key: cell == "1" for key, cell in _read(path, KEPT, mend=MEND).items()}
    return _with(table, cells, competition, path, MEND)


def relabel(table: LabelTable, source: Path, path: Path, competition: Competition) -> Relabelled:
    """Turn labels: what a file says of a chip and a label becomes its contrary.

    Args:
        table: the labelled chips as Kaggle's tables have them.
        source: CSV file with the columns id, label and says (0 or 1: what is said of it now), as `report --suspects`
            writes it; rows that are right after all are taken out before.
        path: where corrections are kept.
        competition: names the labels.

    Raises:
        UserError: if the file is not such a one, says of a label what the labels do not, or would leave a chip with
            labels that the competition does not allow.
    """
    now = corrected(table, path, competition)
    wanted = {key: cell == "0" for key, cell in _read(source, NEEDED).items()}
    if not wanted:
        raise UserError(f"{source} holds no row: nothing is to be corrected.")
    after = _with(now, wanted, competition, source, "")
    row = {name: number for number, name in enumerate(table.image_names)}
    places = {(name, label): (row[name], competition.label_index[label]) for name, label in wanted}
    if other := [
        f"{name} {label}" for (name, label), place in places.items() if now.truth[place] == wanted[name, label]
    ]:
        raise UserError(
            f"{source} says otherwise than the labels do of {counted(len(other), 'label')}: {first(other, SHOWN)}. "
            "It was made of other labels, or its rows are turned already.",
            command="report --suspects FILE.csv",
        )
    _check_allowed(now, after, competition)
    differs = np.argwhere(after.truth != table.truth)
    kept = io.StringIO()
    writer = csv.writer(kept, lineterminator="\n")
    writer.writerow(KEPT)
    writer.writerows(
        (table.image_names[chip], competition.labels[label], int(after.truth[chip, label])) for chip, label in differs
    )
    write_text(path, kept.getvalue())
    return Relabelled(path, len(wanted), len(differs))


def _check_allowed(before: LabelTable, after: LabelTable, competition: Competition) -> None:
    """Refuse labels of a changed chip that the competition does not allow, where they were allowed before."""
    changed = (before.truth != after.truth).any(axis=1)

    def allowed(table: LabelTable) -> dict[str, NDArray[np.bool_]]:
        """Return which chips keep each rule, by what they have otherwise."""
        truth, rules = table.truth, dict[str, NDArray[np.bool_]]()
        for columns in competition.exclusive_columns:
            names = first([competition.labels[column] for column in columns], SHOWN)
            rules[f"not just one of {names}"] = np.asarray(truth[:, list(columns)].sum(axis=1) == 1)
        if not competition.unlabelled:
            rules["no label"] = np.asarray(truth.any(axis=1))
        for label in competition.alone:
            carries = truth[:, competition.label_index[label]]
            rules[f"{label} and another label"] = np.asarray(~carries | (truth.sum(axis=1) == 1))
        return rules

    held = allowed(before)
    for what, holds in allowed(after).items():
        if wrong := [after.image_names[row] for row in np.flatnonzero(changed & held[what] & ~holds)]:
            raise UserError(
                f"Then {counted(len(wrong), 'chip')} would have {what}: {first(wrong, SHOWN)}. Add the rows of the "
                "other labels that are to be turned."
            )


def _with(
    table: LabelTable,
    cells: Mapping[tuple[str, str], bool],
    competition: Competition,
    path: Path,
    mend: str | Mapping[str, str],
) -> LabelTable:
    """Return labelled chips with other labels; `path` says which, and `mend` is the command that mends it."""
    row = {name: number for number, name in enumerate(table.image_names)}
    if strange := [name for name, _ in cells if name not in row]:
        raise UserError(f"{path} names chips that are not labelled: {first(strange, SHOWN)}.", command=mend)
    if strange := [label for _, label in cells if label not in competition.label_index]:
        raise UserError(f"{path} names unknown labels: {first(dict.fromkeys(strange), SHOWN)}.", command=mend)
    truth = table.truth.copy()
    for (name, label), value in cells.items():
        truth[row[name], competition.label_index[label]] = value
    return replace(table, truth=truth)


def _read(path: Path, columns: tuple[str, ...], mend: str | Mapping[str, str] = "") -> dict[tuple[str, str], str]:
    """Return the last of some columns by the first two, as text of 0 or 1."""
    try:
        text, _ = decoded(content_of(path), "utf-8")
        header = text.partition("\n")[0]
        delimiter = max(",;\t", key=header.count)  # as spreadsheets save it
        reader = csv.DictReader(lines_of(text), delimiter=delimiter)
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise UserError(f"{path} has no column {' and no '.join(missing)}.", command=mend)
        rows = [(row[columns[0]], row[columns[1]], row[columns[2]]) for row in reader]
    except csv.Error as error:
        raise UserError(f"{path} cannot be read: {error}.", command=mend) from error
    if wrong := [f"{name} {label}: {cell!r}" for name, label, cell in rows if cell not in ("0", "1")]:
        raise UserError(f"{path}: column {columns[2]} is to hold 0 or 1, received {first(wrong, SHOWN)}.", command=mend)
    found = {(name, label): cell for name, label, cell in rows}
    if any(found[name, label] != cell for name, label, cell in rows):
        raise UserError(f"{path} says both 0 and 1 of the same label of a chip.", command=mend)
    return found
