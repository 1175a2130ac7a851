"""How far every model has come, read without Keras."""

from __future__ import annotations

from competition.common.errors import UserError
from competition.common.text import counted
from competition.labels import LabelTable
from competition.metrics import f_beta
from competition.task import Task
from competition.workspace import Workspace
from folds.score_store import ScoreStore
from folds.scores import Scores
from models.runs.model_recipe import read_recipe
from models.runs.progress import state_of


def table(workspace: Workspace, store: ScoreStore) -> str:
    """Return the (model x fold) table as text: what the scores of finished folds reach, the epoch of begun ones."""
    from tabulate import tabulate

    models = store.models()
    if not models:
        return 'No model was begun. Run "python run.py train --models baseline".'
    folds = range(store.table.num_folds)
    rows = [
        [model, _metric(workspace, model), *(_cell(workspace, store, model, fold) for fold in folds)]
        for model in models
    ]
    headers = ["model", "metric", *(f"fold {fold}" for fold in folds)]
    legend = (
        f"Held-out metric of the scores kept, the mean over views and seeds, at cut "
        f"{workspace.competition.metric.prior_cut:.2g}; ... is begun, not done; - not begun;\n"
        "refused was made with other folds or labels, or is damaged."
    )
    return f"{tabulate(rows, headers=headers, disable_numparse=True)}\n{legend}"


def reached(heldout: Scores, task: Task, labelled: LabelTable) -> float:
    """Return the metric of held-out scores at the prior cut, over the labels of the task."""
    row = {name: i for i, name in enumerate(labelled.image_names)}
    truth = labelled.truth[[row[name] for name in heldout.names]]
    decided = heldout.values >= task.metric.prior_cut
    return f_beta(truth[:, task.columns], decided[:, task.columns], task.metric)


def _metric(workspace: Workspace, model: str) -> str:
    """Return what a model is judged by; a specialist's figures do not compare with the others'."""
    try:
        task = read_recipe(workspace, model).task(workspace.competition)
    except UserError:
        return "damaged"
    part = "" if task.is_whole else f" of {counted(len(task.labels), 'label')}"
    return f"{task.metric.name}{part}"


def _cell(workspace: Workspace, store: ScoreStore, model: str, fold: int) -> str:
    if store.is_complete(model, fold):
        try:
            scores = store.read(model, fold)
        except UserError:
            return "refused"
        task = Task(workspace.competition, scores.provenance.scored)
        return f"{reached(scores.heldout, task, workspace.labelled):.4f}"
    try:
        epochs = state_of(store.folder(model, fold)).epochs
    except UserError:
        return "damaged"
    return f"... epoch {epochs}" if epochs else "..." if store.folder(model, fold).is_dir() else "-"
