"""Corrections of labels, kept beside the data: Kaggle's own tables stay as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from competition.common.errors import UserError
from competition.common.files import write_text
from competition.common.text import counted, first
from competition.spec.competition import Competition
from competition.tables.labels import LabelTable

FILE = "corrections.csv"
NEEDED = ("id", "label", "says")
KEPT = ("id", "label", "is")
SHOWN = 3

Cells = dict[tuple[str, str], bool]  # by id and label, whether the chip carries it


@dataclass(frozen=True)
class Relabelled:
    """What corrections have changed.

    Attributes:
        path: where all corrections are kept.
        new: how many labels were turned now.
        known: how many of those asked for were turned before.
        total: how many corrections there are.
    """

    path: Path
    new: int
    known: int
    total: int

    def text(self) -> str:
        """Return what was changed, for people."""
        known = f", {self.known:,} had been before" if self.known else ""
        return (
            f"{counted(self.new, 'label')} turned{known}. Wrote {self.path}: {counted(self.total, 'correction')}.\n"
            "Scores made so far are of other labels: what was trained is to be trained again."
        )


def corrected(table: LabelTable, path: Path, competition: Competition) -> LabelTable:
    """Return labelled chips with the corrections that are kept; those themselves if there are none.

    Raises:
        UserError: if the file is damaged, or names other chips or labels.
    """
    if not path.is_file():
        return table
    cells = {key: cell == "1" for key, cell in _read(path, KEPT, mend="data relabel --clear").items()}
    return _with(table, cells, competition, path, "data relabel --clear")


def relabel(table: LabelTable, source: Path, path: Path, competition: Competition) -> Relabelled:
    """Turn labels: what a file says of a chip and a label becomes its contrary.

    Args:
        table: the labelled chips as Kaggle's tables have them.
        source: CSV file with the columns id, label and says (0 or 1: what the table says of it), as `report --suspects`
            writes it; rows that are right after all are taken out before.
        path: where corrections are kept.
        competition: names the labels.

    Raises:
        UserError: if the file is not such a one, or says of a label what the table does not.
    """
    before: Cells = {key: cell == "1" for key, cell in _read(path, KEPT).items()} if path.is_file() else {}
    wanted = {key: cell == "0" for key, cell in _read(source, NEEDED).items()}
    if not wanted:
        raise UserError(f"{source} holds no row: nothing is to be corrected.")
    _with(table, wanted, competition, source, "")  # refuses what it does not know
    row = {name: number for number, name in enumerate(table.image_names)}
    other = [
        f"{name} {label}"
        for (name, label), value in wanted.items()
        if bool(table.truth[row[name], competition.label_index[label]]) == value
    ]
    if other:
        raise UserError(
            f"{source} says otherwise than the table of {counted(len(other), 'label')}: {first(other, SHOWN)}. "
            "It was made of other labels."
        )
    known = sum(before.get(key) == value for key, value in wanted.items())
    every = before | wanted
    kept = io.StringIO()
    writer = csv.writer(kept, lineterminator="\n")
    writer.writerow(KEPT)
    writer.writerows((name, label, int(value)) for (name, label), value in sorted(every.items()))
    write_text(path, kept.getvalue())
    return Relabelled(path, len(wanted) - known, known, len(every))


def _with(
    table: LabelTable, cells: Mapping[tuple[str, str], bool], competition: Competition, path: Path, mend: str
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


def _read(path: Path, columns: tuple[str, ...], mend: str = "") -> dict[tuple[str, str], str]:
    """Return the last of some columns by the first two, as text of 0 or 1."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
                raise UserError(f"{path} has no column {' and no '.join(missing)}.", command=mend)
            rows = [(row[columns[0]], row[columns[1]], row[columns[2]]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}.", command=mend) from error
    if wrong := [f"{name} {label}: {cell!r}" for name, label, cell in rows if cell not in ("0", "1")]:
        raise UserError(f"{path}: column {columns[2]} is to hold 0 or 1, received {first(wrong, SHOWN)}.", command=mend)
    found = {(name, label): cell for name, label, cell in rows}
    if any(found[name, label] != cell for name, label, cell in rows):
        raise UserError(f"{path} says both 0 and 1 of the same label of a chip.", command=mend)
    return found
