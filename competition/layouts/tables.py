"""The tables of made-up chips, in the form that the competition's file says, with all that is delivered besides."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from competition.common.files import write_text
from competition.layouts.chips import Chip
from competition.layouts.layout import Layout
from competition.spec.competition import Competition
from competition.spec.tables import TableForm

Row = dict[str, Any]


def write_tables(root: Path, competition: Competition, layout: Layout, train: list[Chip], test: list[Chip]) -> None:
    """Write the training tables, the sample submission and the further files below `root`."""
    tables = competition.tables
    for number, name in enumerate(tables.train):
        chips = train[number :: len(tables.train)]
        rows = labelled_rows([*chips, *chips[: layout.repeated]], competition, layout)
        _write(root / name, rows, tables, layout.columns)
    if tables.sample_submission is not None:
        path = root / tables.sample_submission
        if layout.is_split:
            _write(path, labelled_rows(test, competition, layout), tables, layout.columns)
        else:
            _write(path, _sample_rows(test, competition, layout), competition.submission_form)
    _write_listings(root, competition, layout, {"train": train, "test": test})


def _write_listings(root: Path, competition: Competition, layout: Layout, chips: dict[str, list[Chip]]) -> None:
    labels = [{"number": number, "label": label} for number, label in enumerate(competition.labels)]
    for name, listing in layout.listings.items():
        fields = labels if listing.of == "labels" else [chip.fields for chip in chips[listing.of]]
        lines = [listing.header] * bool(listing.header) + [listing.line.format(**each) for each in fields]
        write_text(root / name, "".join(f"{line}\n" for line in lines))


def labelled_rows(chips: Sequence[Chip], competition: Competition, layout: Layout) -> list[Row]:
    """Return the rows of labelled chips, further columns included."""
    return [
        row | {column: template.format(**chip.fields) for column, template in layout.more.items()}
        for chip in chips
        for row in _rows_of(chip, competition)
    ]


def _rows_of(chip: Chip, competition: Competition) -> Iterable[Row]:
    form = competition.tables
    carried = [label for label, has in zip(competition.labels, chip.labels, strict=True) if has]
    if form.tags_column is not None:
        return [{form.id_column: chip.name, form.tags_column: form.join(carried)}]
    if form.form == "columns":
        return [{form.id_column: chip.name} | {label: int(label in carried) for label in competition.labels}]
    # Without values, a label is listed or it is not.
    labels = competition.labels if form.value_column else carried
    return [_row_of_label(form, chip.name, label, int(label in carried)) for label in labels]


def _row_of_label(form: TableForm, name: str, label: str, value: object) -> Row:
    if form.row_id is not None:
        row: Row = {form.id_column: form.row_id.format(id=name, label=label)}
    else:
        row = {form.id_column: name, str(form.label_column): label}
    return row | ({form.value_column: value} if form.value_column else {})


def _sample_rows(chips: Sequence[Chip], competition: Competition, layout: Layout) -> list[Row]:
    form = competition.submission_form
    names = sorted(chip.name for chip in chips)
    if form.tags_column is not None:
        answer = layout.answer or competition.labels[0]
        return [{form.id_column: name, form.tags_column: answer} for name in names]
    value = layout.answer or "0"
    if form.form == "columns":
        return [{form.id_column: name} | dict.fromkeys(competition.labels, value) for name in names]
    return [_row_of_label(form, name, label, value) for name in names for label in competition.labels]


def _write(path: Path, rows: list[Row], form: TableForm, columns: tuple[str, ...] = ()) -> None:
    text = io.StringIO()
    header = columns or tuple(rows[0])
    writer = csv.DictWriter(text, header, delimiter=form.delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.getvalue().encode(form.encoding))
