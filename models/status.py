"""How far every model has come, read without Keras."""

from __future__ import annotations

from competition.errors import UserError
from competition.workspace import Workspace
from folds.scores import ScoreStore
from models.training_state import state_of


def table(workspace: Workspace, store: ScoreStore) -> str:
    """Return the (model x fold) table as text: the best held-out metric of finished folds, the epoch of begun ones."""
    from tabulate import tabulate

    models = store.models()
    if not models:
        return 'No model was begun. Run "python run.py train --models baseline".'
    folds = range(store.table.num_folds)
    rows = [[model, *(_cell(store, model, fold) for fold in folds)] for model in models]
    metric = workspace.competition.metric
    headers = ["model", *(f"fold {fold}" for fold in folds)]
    legend = (
        f"Best held-out {metric.name} at cut {metric.prior_cut:.2g}, one view; ... is begun, not done; - not begun;\n"
        "refused was made with other folds or labels."
    )
    return f"{tabulate(rows, headers=headers, disable_numparse=True)}\n{legend}"


def _cell(store: ScoreStore, model: str, fold: int) -> str:
    try:
        state = state_of(store.folder(model, fold))
    except UserError:
        return "damaged"
    if store.is_complete(model, fold):
        try:
            store.provenance(model, fold)
        except UserError:
            return "refused"
        return f"{state.best_metric:.4f}"
    return f"... epoch {state.epochs}" if state.epochs else "..." if store.folder(model, fold).is_dir() else "-"
