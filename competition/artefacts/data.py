"""What this room keeps: where the data lie, what was unpacked, decoded chips, and studies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from competition.arrays import opened
from competition.artefacts.looked import Looked, look, look_at_record
from competition.checksums import RowSums
from competition.common.errors import UserError
from competition.common.text import counted, first
from competition.data.chip_cache import ROW, said_by
from competition.index.contents import changed_since, kept_beside
from competition.index.layout import Layout
from competition.studies import check_pages
from competition.workspace import Workspace

AGAIN = "data prepare --from DIR"


def artefacts_of(workspace: Workspace) -> Iterator[Looked]:
    """Yield what there is of the data of a workspace."""
    layout = workspace.data / "layout.json"
    if layout.exists() or workspace.fold_table.exists():
        found = look(layout, "data", partial(_layout, workspace))
        yield found
        if found.state != "damaged":
            yield from _tables(workspace, workspace.layout)
    if (record := workspace.data / "unpacked.json").exists():
        yield look_at_record(record, "data", AGAIN)
    for kept in sorted(workspace.data.rglob("*.sums.json")):
        folder = kept.with_name(kept.name.removesuffix(".sums.json"))
        yield look(folder, "unpacked chips", partial(_folder, folder))
    for folder in sorted(path.parent for path in workspace.cache.glob("*/rows.npy")):
        yield look(folder, "decoded chips", partial(_cache, folder))
    if workspace.studies.exists():
        yield look(workspace.studies, "studies", partial(_studies, workspace.studies))


def _layout(workspace: Workspace) -> bool:
    _ = workspace.layout
    return look_at_record(workspace.data / "layout.json", "").state == "whole"


def _table(layout: Layout, name: str) -> bool:
    layout.table(name)  # raises if it has changed
    return name in layout.stamps


def _tables(workspace: Workspace, layout: Layout) -> Iterator[Looked]:
    for name, path in layout.tables.items():
        yield look(path, "data", partial(_table, layout, name))
    if workspace.corrections.exists():
        yield look(workspace.corrections, "data", lambda: workspace.labelled and False)


def _folder(folder: Path) -> bool:
    if not folder.is_dir():
        raise UserError(f"{folder} is gone.", command=AGAIN)
    changed = changed_since(folder, by_reading=True)
    if changed:
        number = counted(len(changed), "file")
        raise UserError(
            f"{folder} is not as it was unpacked: {number} lost or changed, {first(changed)}.",
            command=f"{AGAIN} --reread",
        )
    return changed is not None and kept_beside(folder).exists()


def _cache(folder: Path) -> bool:
    again = "Whatever reads them next decodes them again."
    rows, pixels = opened(folder / "rows.npy", (None,), ROW), opened(folder / "chips.npy", (None,) * 4)
    if rows is None or pixels is None or len(rows) != len(pixels):
        raise UserError(f"{folder} is damaged: the decoded chips cannot be read. {again}")
    sums = RowSums.read(folder / "sums.npy", len(rows))
    # Of a chip that is broken, or not decoded yet, there are no pixels.
    wrong = [
        number
        for number, row in enumerate(rows)
        if row["digest"] and not sums.fits(number, said_by(row), pixels[number])
    ]
    if wrong:
        raise UserError(f"{folder} is damaged at {counted(len(wrong), 'chip')}. {again}")
    return all(sums.knows(int(row)) for row in np.flatnonzero(rows["digest"] != b""))


def _studies(path: Path) -> bool:
    check_pages(path)
    return False  # SQLite has no checksums: its pages hold together, and no more is known
