"""What the sample submission says: kind, columns, order of labels, number of decimals; and the metric that fits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import ValidationError

from competition.common.errors import UserError
from competition.common.text import counted, first
from competition.init.forms import DECIMAL, Form
from competition.spec.load import describe
from competition.spec.metric import AVERAGES, SCORES, Average, Metric
from competition.spec.tables import TableForm, split_words
from competition.survey.grids import Grid
from competition.survey.ids import Names, row_form
from competition.tables.pairs import pair_of_row_id

LEAST_DECIMALS = 3  # fewer cannot be meant: a sample that says 0.5 everywhere does not ask for one
METRICS = {  # by how people write them, without blanks and lines between
    **{name.replace("_", ""): name for name in AVERAGES},
    "ap": "average_precision",
    "auc": "roc_auc",
    "aucroc": "roc_auc",
    "lrap": "label_ranking",
}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.I)


@dataclass
class Asked:
    """What a submission must look like.

    Attributes:
        kind: as `Submission.kind`.
        entries: of the section [submission], where they differ from the tables.
        labels: in the order of the sample, if it has one.
        remarks: comments on entries, by their name.
        questions: what the sample leaves open, and the default that was taken.
    """

    kind: str
    entries: dict[str, Any] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    remarks: dict[str, str] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)


def read_sample(sample: Grid, id_column: str, form: Form, names: Names) -> Asked:
    """Return what a sample submission asks for.

    Args:
        sample: the table.
        id_column: of the table of labels.
        form: of the table of labels.
        names: those of the pictures.
    """
    own = id_column if id_column in sample.header else sample.header[0]
    labels, others = set(form.labels), sample.others(own)
    if len(others) >= 2 and labels <= set(others):
        numbers = [name for name in others if all(NUMBER.fullmatch(cell) for cell in sample.values(name))]
        unseen = [name for name in numbers if name not in labels]
        asked = Asked("columns", {}, [name for name in others if name in labels or name in unseen])
        if unseen and form.kind == "columns":
            asked.labels = [name for name in asked.labels if name in labels]
        if unseen:
            asked.questions.append(
                f"The sample has columns {first(map(repr, unseen), 3)}; no chip carries such a label."
            )
        _read_cells(asked, [cell for name in asked.labels for cell in sample.values(name)])
    else:
        asked = _of_rows(sample, own, others, form, names) or _of_tags(own, others, form, sample)
    if own != id_column:
        asked.entries["id_column"] = own
    if sample.delimiter != form.entries.get("delimiter", ","):
        asked.entries["delimiter"] = sample.delimiter
    return asked


def asked_ids(sample: Grid, id_column: str, asked: Asked, labels: Sequence[str]) -> set[str]:
    """Return the ids of the chips that a sample submission asks for.

    Args:
        sample: the table.
        id_column: of the table of labels.
        asked: what the sample asks for.
        labels: those of the table of labels.
    """
    rows = sample.values(asked.entries.get("id_column", id_column))
    if "row_id" not in asked.entries:
        return set(rows)
    form = TableForm(row_id=asked.entries["row_id"], value_column=asked.entries["value_column"])
    pair_of = pair_of_row_id(form, asked.labels or labels)
    return {pair[0] for row in rows if (pair := pair_of(row))}


def without_sample(form: Form, judges: str) -> Asked:
    """Return what a submission is taken to look like where there is no sample.

    Args:
        form: of the table of labels.
        judges: what the metric judges, "decisions" or "scores".
    """
    if form.kind == "rows" and "value_column" in form.entries:
        names = ("row_id", "label_column", "value_column")
        return Asked("rows", {name: form.entries[name] for name in names if name in form.entries})
    return Asked("scores" if judges == SCORES else "tags" if form.kind == "tags" else "columns")


def _of_rows(sample: Grid, own: str, others: list[str], form: Form, names: Names) -> Asked | None:
    """Return what a sample with one row per chip and label asks for; None if it is none such."""
    numbers = [name for name in others if all(NUMBER.fullmatch(cell) for cell in sample.values(name))]
    entries: dict[str, Any] = {}
    labels: list[str] = []
    words = [name for name in others if set(sample.values(name)) <= set(form.labels) and name not in numbers[-1:]]
    if len(words) == 1 and numbers and len(sample.values(own)) < len(sample.rows):
        entries, labels = {"label_column": words[0]}, list(sample.values(words[0]))
    elif len(others) == 1 and numbers:
        row_id, labels = row_form(sample.values(own), names.stems | names.names | set(form.ids), form.labels)
        if not row_id or not set(labels) <= set(form.labels) or len(labels) < 2:
            return None
        entries = {"row_id": row_id}
    else:
        return None
    value = next(name for name in numbers if name not in words)
    asked = Asked("rows", {**entries, "value_column": value}, labels)
    _read_cells(asked, sample.values(value))
    asked.kind = "rows"
    return asked


def _of_tags(own: str, others: list[str], form: Form, sample: Grid) -> Asked:
    column = form.entries.get("tags_column")
    if column in others:
        strange = [cell for cell in sample.values(column) if DECIMAL.fullmatch(cell) and cell not in form.labels]
        if strange:
            raise UserError(
                f"{sample.path} shows {strange[0]!r} in column {column!r}, which is no label: scores of one column. "
                "A multi-label competition has a column per label, two or more."
            )
        return Asked("tags")
    if len(others) == 1:
        words = {
            word for cell in sample.values(others[0]) for word in split_words(cell, form.entries.get("separator", " "))
        }
        asked = Asked("tags", {"tags_column": others[0]})
        if form.kind != "tags" and any(len(split_words(label, " ")) > 1 for label in form.labels):
            mark = next((mark for mark in "|;," if not any(mark in label for label in form.labels)), "|")
            asked.entries["separator"] = mark
            asked.questions.append(
                f"What stands between two labels in column {others[0]!r}? Taken as {mark!r}, as labels hold blanks; "
                'entry "separator" under [submission] says otherwise.'
            )
        if words - set(form.labels) - {form.entries.get("none")}:
            shown = sorted(words - set(form.labels))[0]
            asked.questions.append(
                f"{sample.path} says {shown!r}, which is no label: is column {others[0]!r} the tags?"
            )
        return asked
    kind = "tags" if form.kind == "tags" else "columns"
    lacking = [label for label in form.labels if label not in others][:3]
    question = f"Is {sample.path} the sample submission? It has no column of {', '.join(map(repr, lacking))}."
    return Asked(kind, questions=[question])


def _read_cells(asked: Asked, cells: Any) -> None:
    """Find by the cells whether scores or decisions are asked for, and the decimals of scores."""
    decimals = max(
        (len(cell.partition(".")[2]) for cell in cells if NUMBER.fullmatch(cell) and "e" not in cell.lower()), default=0
    )
    if not decimals and all(cell in ("0", "1") for cell in cells):
        asked.questions.append("Does a submission hold 0 and 1, or scores? The sample shows 0 and 1; --metric decides.")
        return
    asked.kind = "scores"
    if decimals >= LEAST_DECIMALS:
        asked.entries["decimals"] = min(decimals, 17)
    else:
        shown = counted(decimals, "decimal") if decimals else "no decimals"
        asked.remarks["kind"] = f"the sample shows {shown}, too few for scores: all are written"


def metric_of(text: str) -> Metric:
    """Return the metric that a flag names, such as "f2", "macro f1", "roc_auc", "micro average_precision" or "lwlrap".

    Raises:
        UserError: if there is no such metric; it names those that there are.
    """
    name = re.sub(r"[\s_-]+", "", text.lower())
    values: dict[str, Any] = {}
    for average in get_args(Average):
        if name not in METRICS and (name.startswith(average) or name.endswith(average)):
            values["average"] = average
            name = name.removeprefix(average).removesuffix(average)
    if name == "weightedlogloss":  # its weights are for the file to say
        name = "logloss"
    if beta := re.fullmatch(r"f(\d+(\.\d+)?)(score)?", name):
        values |= {"name": "f_beta", "beta": float(beta[1])}
    elif name == "lwlrap":
        values |= {"name": "label_ranking", "average": "micro"}
    else:
        values["name"] = METRICS.get(name)
    if values["name"] is None:
        known, averages = ", ".join(AVERAGES), ", ".join(get_args(Average))
        raise UserError(
            f"--metric {text!r} is not known. Known: {known}, f1, f2, lwlrap. Write the average first, such as "
            f'"macro f1"; averages: {averages}.'
        )
    try:
        return Metric.model_validate(values)
    except ValidationError as error:
        raise UserError(f"--metric {text!r}: {describe(error)}.") from error


def guess_metric(kind: str, shows_scores: bool, is_multi_class: bool) -> Metric:
    """Return the metric that is likeliest for a kind of submission."""
    if shows_scores:
        return Metric(name="log_loss", average="samples") if is_multi_class else Metric(name="roc_auc")
    if is_multi_class and kind == "tags":
        return Metric(name="accuracy", average="samples")
    return Metric(name="f_beta", average="samples", beta=1.0)
