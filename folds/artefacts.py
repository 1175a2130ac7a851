"""What this room keeps: the fold table, the scores of finished folds, and pseudo-labels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from competition.artefacts.looked import Looked, look, look_at_record
from competition.workspace import Workspace
from folds.store.chip_weights import FILE as WEIGHTS
from folds.store.kept import KeptFolds
from folds.store.provenance import MARKER
from folds.store.pseudo_labels import check_pseudo, pseudo_names
from folds.store.score_store import ScoreStore


def artefacts_of(workspace: Workspace) -> Iterator[Looked]:
    """Yield the fold table of a workspace and what was scored with it."""
    kept = KeptFolds(workspace)
    if not kept.is_known:
        return
    found = look(workspace.fold_table, "fold table", partial(_read, kept))
    yield found
    if (weights := workspace.root / WEIGHTS).exists():
        yield look_at_record(weights, "weights", "adversarial MODEL")
    record = workspace.fold_table.with_suffix(".json")
    if record.exists():
        yield look_at_record(record, "fold table", kept.command_again)
    if found.state == "damaged":
        yield Looked(workspace.runs, "scores", "not looked at", "Scores were not looked at: they are of a fold table.")
        return
    table = kept.read()
    for name in pseudo_names(workspace):
        yield look(workspace.pseudo / name, "pseudo-labels", partial(check_pseudo, workspace.pseudo / name, table))
    for there in (workspace, workspace.restarted):
        store = ScoreStore(there.runs, workspace.competition.labels, table)
        for marker in sorted(there.runs.glob(f"*/fold*/{MARKER}")):
            model, fold = marker.parent.parent.name, marker.parent.name.removeprefix("fold")
            if fold.isdigit():
                yield look(marker.parent, "scores", partial(store.read, model, int(fold)))


def _read(kept: KeptFolds) -> bool:
    kept.read()
    return kept.noted is not None
