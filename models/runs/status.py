"""How far every model has come, read without Keras."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from competition.common.errors import UserError, spelled
from competition.common.text import counted, first
from competition.metrics.judge import measure
from competition.tables.labels import LabelTable
from competition.task import Task
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.chip_weights import FILE, read_weights
from folds.store.provenance import MARKER, read_marker
from folds.store.pseudo_labels import every_pseudo
from folds.store.score_store import ScoreStore
from folds.store.scores import Scores
from models.recipes.recipe import Recipe
from models.recipes.values import NONE
from models.runs.folders import read_job
from models.runs.model_recipe import read_recipe
from models.runs.restarts import Restart
from models.runs.training_state import has_diverged, state_of

REFUSED = "refused"


@dataclass(frozen=True)
class FoldStatus:
    """How far one model has come on one fold.

    Attributes:
        state: "scored"; "refused", of scores made with other folds or labels, or damaged; "damaged" or "diverged", of
            its training; "begun"; or "open".
        metric: what its held-out scores reach; None without scores.
        epochs: that are finished, where there are no scores yet.
    """

    state: str
    metric: float | None = None
    epochs: int = 0

    def __str__(self) -> str:
        if self.metric is not None:
            return f"{self.metric:.4f}"
        epochs = f"... epoch {self.epochs}" if self.epochs else "..."
        return {"begun": epochs, "open": "-"}.get(self.state, self.state)


@dataclass(frozen=True)
class ModelStatus:
    """How far one model has come.

    Attributes:
        model: its name.
        metric: what it is judged by.
        folds: by fold how far it has come.
    """

    model: str
    metric: str
    folds: tuple[FoldStatus, ...]

    @property
    def scored(self) -> int:
        """Number of folds that have scores."""
        return sum(fold.state == "scored" for fold in self.folds)


@dataclass(frozen=True)
class Status:
    """How far every model of a workspace has come.

    Attributes:
        cut: the cut at which held-out scores are judged; None where they are judged without one.
        num_folds: number of folds.
        models: one entry per model.
        restarted: names of the models that are being made again, beside what there is of them.
        inner: names of the models whose epochs are judged by chips set aside, and not by those held out.
        notes: lines on pseudo-labels that are older than what they were made of, or younger than what learnt from them;
            and on chips' weights that are younger than what learnt by them.
        outdated: by name of the models of which a fold was made with other folds or labels than there are now, the
            pseudo-labels that they learn from; "" of those that learn from none.
    """

    cut: float | None
    num_folds: int
    models: tuple[ModelStatus, ...]
    restarted: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    outdated: Mapping[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> tuple[str, ...]:
        """Names of the models that have scores of every fold."""
        return tuple(status.model for status in self.models if status.scored == self.num_folds)

    @property
    def headers(self) -> list[str]:
        """The headers of the (model x fold) table."""
        return ["model", "metric", *(f"fold {fold}" for fold in range(self.num_folds))]

    @property
    def rows(self) -> list[list[str]]:
        """Its rows."""
        return [[status.model, status.metric, *map(str, status.folds)] for status in self.models]

    def text(self) -> str:
        """Return the (model x fold) table for people."""
        if not self.models:
            return "No model was begun."
        at_cut = "" if self.cut is None else f", at cut {self.cut:.2g}"
        legend = (
            f"Held-out metric of the scores kept, the mean over views and seeds{at_cut}; ... is begun, not done; - not "
            "begun;\n"
            f"{REFUSED} was made with other folds or labels, another's or damaged: `data check --artefacts` says which."
        )
        if any(fold.state == "diverged" for status in self.models for fold in status.folds):
            legend += "\ndiverged has learnt nothing but noise; `fold` says why, and what mends it."
        if self.inner:
            legend += f"\nEpochs chosen without the chips held out (--monitor inner): {first(self.inner)}."
        if self.restarted:
            legend += f"\nBegun again, beside what is shown: {first(self.restarted)}; `train` goes on with it."
        return "\n".join([table(self.headers, self.rows, "llr"), legend, *self.notes])

    def as_dict(self) -> dict[str, Any]:
        """Return the status as values that JSON knows."""
        return asdict(self)


def status_of(workspace: Workspace) -> Status:
    """Return how far every model has come: what the scores of finished folds reach, the epoch of begun ones.

    Raises:
        UserError: if the workspace has no fold table.
    """
    store = ScoreStore.of(workspace)
    folds = range(store.table.num_folds)
    models = []
    for model in store.models():
        reached_by_fold = tuple(_fold_status(workspace, store, model, fold) for fold in folds)
        models.append(ModelStatus(model, _metric(workspace, model), reached_by_fold))
    competition = workspace.competition
    restarted = tuple(model for model in store.models() if Restart(workspace, model).folds(store))
    recipes = recipes_of(workspace, store.models())
    inner = tuple(model for model, recipe in recipes.items() if recipe.monitor == "inner")
    notes = *_on_pseudo_labels(workspace, store), *_on_weights(workspace, recipes)
    cut = Task(competition, competition.labels).cut
    learnt = {model: "" if recipe.pseudo == NONE else recipe.pseudo for model, recipe in recipes.items()}
    outdated = {
        model: learnt.get(model, "")
        for model in store.models()
        if any(_is_outdated(store, model, fold) for fold in folds)
    }
    return Status(cut, len(folds), tuple(models), restarted, inner, notes, outdated)


def _is_outdated(store: ScoreStore, model: str, fold: int) -> bool:
    """Return whether a fold was made, or begun, with other folds or labels; of a damaged one that is not known."""
    made_with = (store.table.digest, store.label_digest)
    with suppress(UserError):
        if store.is_complete(model, fold):
            made = read_marker(store.folder(model, fold) / MARKER, "").provenance
            return (made.fold_digest, made.label_digest) != made_with
        job = read_job(store.folder(model, fold))
        return (job["fold table"], job["labels"]) != made_with
    return False


def _on_pseudo_labels(workspace: Workspace, store: ScoreStore) -> Iterator[str]:
    """Yield what there is to say of pseudo-labels that are older than their source, or younger than their students."""
    digests = {}
    for found in every_pseudo(workspace):
        digests[found.made.name] = found.digest
        if changed := found.said_of_change(workspace):
            yield f"{changed} To make them again: {spelled(found.made.command)}"
    for model in store.models():
        for fold in store.folds_of(model)[:1]:
            with suppress(UserError):
                learnt = store.provenance(model, fold).pseudo
                if learnt and digests.get(learnt.name, learnt.digest) != learnt.digest:
                    again = spelled(f"train --models {model} --restart")
                    yield f"'{model}' has learnt from earlier pseudo-labels '{learnt.name}'. To begin again: {again}"


def _on_weights(workspace: Workspace, recipes: Mapping[str, Recipe]) -> Iterator[str]:
    """Yield which models have learnt by other weights of chips than there are now."""
    weighted = {model: recipe.weighted_digest for model, recipe in recipes.items() if recipe.weighted_digest}
    now = ""
    with suppress(UserError):
        now = read_weights(workspace).digest if weighted else ""
    for model in (model for model, digest in weighted.items() if now and digest != now):
        again = spelled(f"train --models {model} --restart")
        yield f"'{model}' has learnt by earlier weights of chips than those in {FILE}. To begin again: {again}"


def reached(heldout: Scores, task: Task, labelled: LabelTable) -> float:
    """Return the metric of held-out scores, nothing fitted to them, over the labels of the task."""
    row = {name: i for i, name in enumerate(labelled.image_names)}
    truth = labelled.truth[[row[name] for name in heldout.names]]
    return measure(truth[:, task.columns], task.answers(heldout.values[:, task.columns]), task.metric)


def _metric(workspace: Workspace, model: str) -> str:
    """Return what a model is judged by; a specialist's figures do not compare with the others'."""
    try:
        task = read_recipe(workspace, model).task(workspace.competition)
    except UserError:
        return "damaged"
    part = "" if task.is_whole else f" of {counted(len(task.labels), 'label')}"
    return f"{task.metric.title}{part}"


def recipes_of(workspace: Workspace, models: Iterable[str]) -> dict[str, Recipe]:
    """Return the recipe of each model, where it is not damaged."""
    found = {}
    for model in models:
        with suppress(UserError):
            found[model] = read_recipe(workspace, model)
    return found


def _fold_status(workspace: Workspace, store: ScoreStore, model: str, fold: int) -> FoldStatus:
    if store.is_complete(model, fold):
        try:
            scores = store.read(model, fold)
        except UserError:
            return FoldStatus(REFUSED)
        task = Task(workspace.competition, scores.provenance.scored)
        return FoldStatus("scored", reached(scores.heldout, task, workspace.labelled))
    if has_diverged(store.folder(model, fold)):
        return FoldStatus("diverged")
    try:
        epochs = state_of(store.folder(model, fold)).epochs
    except UserError:
        return FoldStatus("damaged")
    return FoldStatus("begun" if epochs or store.folder(model, fold).is_dir() else "open", epochs=epochs)
