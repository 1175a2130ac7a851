"""Tables of labels in every form, written."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.spec.competition import Competition
from competition.spec.tables import TableForm
from competition.tables.label_table import columns_of
from competition.tables.pairs import Pair

SEPARATORS = " |;,"  # of tags, the first that no label holds
BLOCK = 1000  # rows whose scores are written as text at once


def to_tags(multi_hot: NDArray[np.bool_], competition: Competition) -> list[str]:
    """Return the rows of a bool array (num_chips, num_labels) as text, tags in label order.

    They are separated as in the competition's submission or training table; where neither has tags, by a blank, or by
    a mark that no label contains.
    """
    form = next((form for form in (competition.submission_form, competition.tables) if form.form == "tags"), None)
    if form is None:
        mark = next((mark for mark in SEPARATORS if not any(mark in label for label in competition.labels)), "\t")
        form = TableForm(tags_column="tags", separator=mark)
    return _joined(multi_hot, form, competition.labels)


def write_table(
    path: Path,
    names: Sequence[str],
    answers: NDArray[Any],
    form: TableForm,
    labels: Sequence[str],
    *,
    decimals: int | None = None,
    columns: Sequence[str] | None = None,
    pairs: Sequence[Pair] | None = None,
) -> None:
    """Write a table of labels.

    Args:
        path: the CSV file.
        names: ids of the chips.
        answers: array (num_chips, num_labels): bool decisions, or float scores, which are clipped to [0, 1].
        form: how the table says which chip carries which label.
        labels: columns of `answers`.
        decimals: digits after the point of a score; None: as many as distinguish values of float32.
        columns: those of the table in their order; default: ids first, labels as they come.
        pairs: of a table with one row per chip and label, the rows in their order; default: chip by chip.

    Raises:
        ValueError: if tags are to be written and `answers` are scores, or the shapes differ.
    """
    if answers.shape != (len(names), len(labels)):
        raise ValueError(f"Answers {answers.shape} do not fit {len(names)} ids and {len(labels)} labels.")
    usual = columns_of(form, labels)
    columns = usual if columns is None else columns
    order = [usual.index(column) for column in columns]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=form.delimiter, lineterminator="\n")
        writer.writerow(columns)
        rows = rows_of(names, answers, form, labels, decimals=decimals, pairs=pairs)
        writer.writerows(rows if order == sorted(order) else ([row[place] for place in order] for row in rows))


def rows_of(
    names: Sequence[str],
    answers: NDArray[Any],
    form: TableForm,
    labels: Sequence[str],
    *,
    decimals: int | None = None,
    pairs: Sequence[Pair] | None = None,
) -> Iterable[Sequence[str]]:
    """Return the rows below the header that `write_table` writes, cells in the order of `columns_of`.

    Args:
        names: ids of the chips.
        answers: as of `write_table`, and so are all others.
        form: how the table says which chip carries which label.
        labels: columns of `answers`.
        decimals: digits after the point of a score.
        pairs: of a table with one row per chip and label, the rows in their order.

    Raises:
        ValueError: if tags are to be written and `answers` are scores.
    """
    if form.form == "tags":
        if answers.dtype != np.bool_:
            raise ValueError(f"Tags are decided, received {answers.dtype} answers.")
        return zip(names, _joined(answers, form, labels), strict=True)
    cells = _cells(answers, decimals)
    if form.form == "columns":
        return ([name, *row] for name, row in zip(names, cells, strict=True))
    if form.value_column is None:
        return _listed(names, answers, form, labels)
    if pairs is None:
        return (
            row
            for name, values in zip(names, cells, strict=True)
            for label, value in zip(labels, values, strict=True)
            for row in [_pair_row((name, label), value, form)]
        )
    place_of, column = {name: place for place, name in enumerate(names)}, {label: i for i, label in enumerate(labels)}
    at = [place_of[name] for name, _ in pairs], [column[label] for _, label in pairs]
    values = (row[0] for row in _cells(answers[at][:, None], decimals))
    return (_pair_row(pair, value, form) for pair, value in zip(pairs, values, strict=True))


def _pair_row(pair: Pair, value: str, form: TableForm) -> list[str]:
    return [*(pair if form.row_id is None else [form.row_id_of(*pair)]), value]


def _listed(
    names: Sequence[str], decisions: NDArray[np.bool_], form: TableForm, labels: Sequence[str]
) -> Iterator[Pair]:
    """Yield a row for each label that a chip carries, or one that says that it carries none."""
    for name, row in zip(names, decisions, strict=True):
        carried = np.flatnonzero(row).tolist()
        yield from ((name, labels[column]) for column in carried)
        if not carried:
            yield name, form.none or ""


def _joined(decisions: NDArray[np.bool_], form: TableForm, labels: Sequence[str]) -> list[str]:
    words = np.array(labels, dtype=object)
    return [form.join(words[row].tolist()) for row in np.asarray(decisions, dtype=bool)]


def _cells(answers: NDArray[Any], decimals: int | None) -> Iterator[list[str]]:
    """Yield the cells of each row: 0 or 1, or scores."""
    if answers.dtype == np.bool_:
        yield from (["1" if carried else "0" for carried in row] for row in answers.tolist())
        return
    for start in range(0, len(answers), BLOCK):
        block = np.clip(answers[start : start + BLOCK], 0, 1)
        if decimals is None:
            yield from block.astype(np.float32).astype(np.str_).tolist()
        else:
            yield from ([f"{score:.{decimals}f}" for score in row] for row in block.tolist())
