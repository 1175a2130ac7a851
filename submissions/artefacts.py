"""What this room keeps: cuts, blends, submissions, what was pushed, and the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from competition.artefacts.looked import Looked, look, look_at_record
from competition.workspace import Workspace
from submissions.choose.cuts import FILE as CUTS
from submissions.members.blend_files import check_files
from submissions.push.log import PushLog
from submissions.push.packed import PUSHED
from submissions.submit.entry import read_copy
from submissions.submit.ledger import Ledger
from submissions.submit.provenance import path_beside, read_provenance


def artefacts_of(workspace: Workspace) -> Iterator[Looked]:
    """Yield what was decided in a workspace, and what was submitted from it."""
    for root in (workspace.runs, workspace.blends):
        for path in sorted(root.glob(f"[!.]*/{CUTS}")):
            yield look_at_record(path, "cuts", f"thresholds --model {path.parent.name}")
    for folder in sorted(path for path in workspace.blends.glob("[!.]*") if path.is_dir()):
        yield look(folder, "blends", partial(check_files, folder))
    for path in sorted(workspace.submissions.glob("*.csv")):
        yield look(path, "submissions", partial(_submission, path))
    for path in sorted(workspace.notebooks.glob(f"[!.]*{PUSHED}")):
        yield look(path, "pushes", partial(PushLog, path))
    ledger = Ledger.of(workspace)
    if workspace.ledger.exists() or ledger.was_made:
        yield look(workspace.ledger, "ledger", lambda: bool(ledger.entries()) and False)
    if ledger.was_made:
        yield look(ledger.copy, "ledger", lambda: bool(read_copy(ledger.copy)))


def _submission(path: Path) -> bool:
    read_provenance(path)
    return path_beside(path).is_file()
