"""What was seen in a folder, as a table, and what is to be asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from competition.common.text import counted, first
from competition.init.draft import Draft

SHOWN = 6  # labels of a group, bands
NOTED = 5  # files that were not read

Row = tuple[str, str, str]


def report(found: Draft, path: Path) -> str:
    """Return what was seen as a table, then the questions, and what was written."""
    from tabulate import tabulate

    rows = [*_tables(found), *_labels(found), *_images(found)]
    lines = [tabulate(rows, headers=["What", "Where", "Seen"], tablefmt="simple", disable_numparse=True)]
    lines += [f"? {question}" for question in found.questions]
    lines += [f"Not read: {note}." for note in found.notes[:NOTED]]
    return "\n".join([*lines, f"Wrote {path}"])


def _tables(found: Draft) -> Iterator[Row]:
    labelled, form = found.labelled, found.labelled.form
    how = {
        "tags": f"tags in {form.entries.get('tags_column')!r}",
        "columns": "a column per label",
        "rows": "a row per chip and label",
    }
    yield "labels", first(found.tables), f"{len(form.ids):,} chips, {len(found.labels):,} labels, {how[form.kind]}"
    yield "ids", repr(labelled.id_column), f"{labelled.kind} of the files, such as {form.ids[0]}"
    if found.sample:
        grid, name = found.sample
        yield "sample submission", name, f"{len(grid.rows):,} rows, kind {found.asked.kind}"
    if found.group:
        yield "groups of chips", repr(found.group), f"{len(labelled.grid.values(found.group)):,} of them"
    if found.fold_column:
        yield "folds", repr(found.fold_column), f"{len(labelled.grid.values(found.fold_column))} of them"


def _labels(found: Draft) -> Iterator[Row]:
    for labels, exceptions in found.groups:
        yield "exactly one of", first(labels, SHOWN), counted(exceptions, "exception") if exceptions else "no exception"
    if found.alone:
        yield "beside no other", first(found.alone, SHOWN), f"{sum(found.alone.values()):,} chips"
    if found.unlabelled:
        yield "no label", "", f"{found.unlabelled:,} chips"
    yield "metric", found.metric.title, "a guess" if found.is_guessed else "as you say"


def _images(found: Draft) -> Iterator[Row]:
    for each in found.renderings:
        bands = each.content.bands
        shown = first(bands, SHOWN) if isinstance(bands, list) else bands
        where = f"{first(each.train, 3)}; {first(each.test, 3) or 'none to predict'}"
        yield f"images {each.name}", where, f"{each.content.dtype or 'not decoded'}, bands {shown}"
