"""A competition as a table for people: what its file says, in the toolkit's words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from competition.common.text import counted, first
from competition.spec.competition import Competition
from competition.spec.images import ImageSet
from competition.spec.tables import TableForm
from competition.terminal.tables import page, table

MOST_LABELS = 20
MOST_BANDS = 12
WITH_SUFFIX = ("name", "path")  # kinds of ids that carry the suffix of their file


def show(competition: Competition, chip: str | None = None) -> str:
    """Return a competition as a table.

    Args:
        competition: what is shown.
        chip: the id of a chip to predict, for an example; None: one is made up.
    """
    rows = [
        ("title", competition.title),
        ("name", competition.name),
        ("on Kaggle", competition.slug or "no slug"),
        ("metric", _metric(competition)),
        (counted(len(competition.labels), "label"), first(competition.labels, MOST_LABELS)),
        *(("exactly one of", first(group, MOST_LABELS)) for group in competition.exclusive),
        *([("beside no other", first(competition.alone, MOST_LABELS))] if competition.alone else []),
        ("without a label", "chips may be" if competition.unlabelled else "no chip is"),
        *_tables(competition),
        *(row for name, images in competition.images.items() for row in _images(name, images, competition.tables.ids)),
        *_submission(competition, chip),
    ]
    return _lines(rows)


def list_of(competitions: Iterable[Competition]) -> str:
    """Return competitions as a table, one a row."""
    rows = [
        (each.name, each.title, each.metric.title, each.submission_kind, f"{len(each.labels):,}")
        for each in competitions
    ]
    return table(["name", "title", "metric", "submission", "labels"], rows, "llllr")


def example_row(competition: Competition, chip: str | None = None) -> str:
    """Return a row of a submission, with its header, as the competition wants it; `chip` as for `show`."""
    form, kind, labels = competition.submission_form, competition.submission_kind, competition.labels
    suffix = competition.image_set(competition.default_images).suffix[0]
    own = chip or ("x1" + (suffix if competition.tables.ids in WITH_SUFFIX else ""))
    cell = "1" if competition.metric.judges == "decisions" else _score(competition)
    mark = form.delimiter
    match kind:
        case "tags":
            chosen = [labels[0]] if competition.is_multi_class else labels[:2]
            names, cells = [form.id_column, form.tags_column or ""], [own, form.join(chosen)]
        case "rows" if form.label_column is not None:
            names, cells = [form.id_column, form.label_column, form.value_column or ""], [own, labels[0], cell]
        case "rows":
            names, cells = [form.id_column, form.value_column or ""], [form.row_id_of(own, labels[0]), cell]
        case _:
            shown, more = labels[:3], ["..."] if len(labels) > 3 else []
            names, cells = [form.id_column, *shown, *more], [own, cell, *("0" for _ in shown[1:]), *more]
    return f"{mark.join(names)}  ->  {mark.join(cells)}"


def _score(competition: Competition) -> str:
    return f"{0.8312745:.{competition.submission.decimals or 7}f}"


def _metric(competition: Competition) -> str:
    metric = competition.metric
    heavier = [f"{label} x {weight:g}" for label, weight in metric.weights.items() if weight != 1]
    weights = f"; {first(heavier)}" if heavier else ""
    better = "less" if metric.sign < 0 else "more"
    return f"{metric.title}, of {metric.judges}, {better} is better{weights}"


def _tables(competition: Competition) -> Iterable[tuple[str, str]]:
    tables = competition.tables
    yield "table of labels", first(tables.train)
    yield "  ids", f"column {tables.id_column!r}, the {tables.ids.replace('_', ' without suffix, ')} of a file"
    yield "  labels", _form(tables, is_multi_class=competition.is_multi_class)
    if tables.cells:
        yield "  cells", ", ".join(f"{text!r} is {value}" for text, value in tables.cells.items())
    if tables.group_column:
        yield "  in one fold", f"chips of one {tables.group_column!r}"
    if tables.fold_column:
        yield "  folds", f"column {tables.fold_column!r}"
    yield "sample submission", tables.sample_submission or "none: chips without labels are predicted"


def _form(form: TableForm, *, is_multi_class: bool) -> str:
    if form.tags_column is not None and is_multi_class:
        return f"one in column {form.tags_column!r}"
    if form.tags_column is not None:
        none = f", {form.none!r} for none" if form.none else ""
        return f"tags in column {form.tags_column!r}, between them {form.separator!r}{none}"
    if form.label_column is not None:
        return f"a row per chip and label, the label in column {form.label_column!r}"
    if form.row_id is not None:
        return f"a row per chip and label, {form.row_id}, its value in column {form.value_column!r}"
    return "a column per label"


def _images(name: str, images: ImageSet, ids: str) -> Iterable[tuple[str, str]]:
    bands = repr(images.band_key) if isinstance(images.band_key, str) else first(images.bands, MOST_BANDS)
    suffixes = " or ".join(images.suffix)
    files = f"{images.file}, which ends in {suffixes}" if ids in WITH_SUFFIX else f"{images.file}{suffixes}"
    yield f"images {name}", f"{files}, {counted(len(images.bands), 'band')}: {bands}"
    yield "  to train", first(images.train)
    yield "  to predict", first(images.test) or "none"
    if images.further:
        yield "  further", first(images.further)


def _submission(competition: Competition, chip: str | None) -> Iterable[tuple[str, str]]:
    yield "submission", f"kind {competition.submission_kind}"
    yield "  example", example_row(competition, chip)


def _lines(rows: Iterable[tuple[str, str]]) -> str:
    rows = list(rows)
    wide = max(len(name) for name, _ in rows) + 2
    return "\n".join(
        textwrap.fill(value, page(), initial_indent=f"{name:<{wide}}", subsequent_indent=" " * wide)
        for name, value in rows
    )
