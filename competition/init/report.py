"""What was seen in a folder, as a table, and what is to be asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from competition.common.text import counted, first, printable
from competition.init.draft import Draft
from competition.init.toml_file import IDS, KINDS
from competition.terminal.tables import table

SHOWN = 6  # labels of a group, bands
NOTED = 5  # files that were not read

Row = tuple[str, str, str]


def report(found: Draft, path: Path) -> str:
    """Return what was seen as a table, then the questions, and what was written."""
    rows = [*_tables(found), *_labels(found), *_images(found)]
    cells = [[printable(cell) for cell in row] for row in rows]
    lines = [table(["what", "where", "seen"], cells, "lll")]
    lines += [printable(f"? {question}") for question in found.questions]
    lines += [printable(f"Not read: {note}.") for note in found.notes[:NOTED]]
    return "\n".join([*lines, f"Wrote {path}"])


def _tables(found: Draft) -> Iterator[Row]:
    labelled, form = found.labelled, found.labelled.form
    how = {
        "tags": f"as words in column {form.entries.get('tags_column')!r}",
        "columns": "a column per label",
        "rows": "a row per chip and label",
    }
    yield "labels", first(found.tables), f"{len(form.ids):,} chips, {len(found.labels):,} labels, {how[form.kind]}"
    yield "ids", f"column {labelled.id_column!r}", f"{IDS[labelled.kind]}, such as {form.ids[0]}"
    if found.sample:
        sample, name = found.sample
        yield "sample submission", name, f"{len(sample.rows):,} rows, {KINDS[found.asked.kind]}"
    columns, grid = found.columns, labelled.grid
    if columns.group:
        yield "groups of chips", repr(columns.group), f"{len(grid.values(columns.group)):,} of them"
    if columns.folds:
        yield "folds", repr(columns.folds), f"{len(grid.values(columns.folds))} of them"


def _labels(found: Draft) -> Iterator[Row]:
    for labels, exceptions in found.rules.groups:
        yield "exactly one of", first(labels, SHOWN), counted(exceptions, "exception") if exceptions else "no exception"
    if found.rules.alone:
        yield "always alone", first(found.rules.alone, SHOWN), f"{sum(found.rules.alone.values()):,} chips"
    if found.rules.unlabelled:
        yield "no label", "", f"{found.rules.unlabelled:,} chips"
    yield "metric", found.metric.title, "a guess" if found.is_guessed else "by --metric"


def _images(found: Draft) -> Iterator[Row]:
    for each in found.renderings:
        bands = each.content.bands
        shown = first(bands, SHOWN) if isinstance(bands, list) else bands
        where = f"labelled: {first(each.train, 3)}; to predict: {first(each.test, 3) or 'none'}"
        yield f"images {each.name}", where, f"{each.content.dtype or 'not decoded'}, bands {shown}"
