"""The tables of made-up chips, in the form that the competition's file says, with all that is delivered besides."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from competition.common.files import write_text
from competition.layouts.chips import Chip
from competition.layouts.delivery import Delivery
from competition.spec.competition import Competition
from competition.tables.label_table import columns_of
from competition.tables.write import rows_of, write_table


def write_tables(
    root: Path, competition: Competition, delivery: Delivery, train: Sequence[Chip], test: Sequence[Chip]
) -> None:
    """Write the training tables, the sample submission and the further files below `root`."""
    tables = competition.tables
    for number, name in enumerate(tables.train):
        chips = train[number :: len(tables.train)]
        _write_labelled(root / name, [*chips, *chips[: delivery.repeated]], competition, delivery)
    if tables.sample_submission is not None:
        write = _write_labelled if delivery.is_split else _write_sample
        write(root / tables.sample_submission, test, competition, delivery)
    _write_side_files(root, competition, delivery, {"train": train, "test": test})


def _write_side_files(
    root: Path, competition: Competition, delivery: Delivery, chips: dict[str, Sequence[Chip]]
) -> None:
    labels = [{"number": number, "label": label} for number, label in enumerate(competition.labels)]
    for name, file in delivery.side_files.items():
        fields = labels if file.of == "labels" else [chip.fields for chip in chips[file.of]]
        lines = [file.header] * bool(file.header) + [file.line.format(**each) for each in fields]
        write_text(root / name, "".join(f"{line}\n" for line in lines))


def _write_labelled(path: Path, chips: Sequence[Chip], competition: Competition, delivery: Delivery) -> None:
    """Write a table of labels, further columns included."""
    form, text = competition.tables, io.StringIO()
    columns = [*columns_of(form, competition.labels), *delivery.more]
    order = [columns.index(name) for name in delivery.columns or columns]
    rows = _labelled_rows(chips, competition, delivery)
    writer = csv.writer(text, delimiter=form.delimiter, lineterminator="\n")
    writer.writerows([row[place] for place in order] for row in (columns, *rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.getvalue().encode(form.encoding))


def _labelled_rows(chips: Sequence[Chip], competition: Competition, delivery: Delivery) -> Iterator[list[str]]:
    for chip in chips:
        more = [template.format(**chip.fields) for template in delivery.more.values()]
        for row in rows_of([chip.name], chip.labels[None], competition.tables, competition.labels):
            yield [*row, *more]


def _write_sample(path: Path, chips: Sequence[Chip], competition: Competition, delivery: Delivery) -> None:
    """Write a sample submission, which says the same of every chip."""
    form, labels = competition.submission_form, competition.labels
    if form.form == "tags":
        answer = np.isin(labels, form.split(delivery.answer) or labels[:1])
    else:
        value = float(delivery.answer or 0)
        answer = np.full(len(labels), value, dtype=float if value % 1 else bool)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, sorted(chip.name for chip in chips), np.tile(answer, (len(chips), 1)), form, labels)
