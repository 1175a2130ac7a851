"""The finished folds of a model as entries of a tracker: recipe, epochs, what they reach, and the small files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from competition.common.files import digest_file, digest_json
from competition.task import Task
from competition.terminal.command_line import shown
from competition.tracking.entry import Entry, Figure
from competition.tracking.tracker import Tracker
from competition.workspace import Workspace
from folds.store.provenance import MARKER
from folds.store.score_store import ScoreStore
from models.runs.curves import LEARNT, learnt_by_fold
from models.runs.folders import HISTORY, JOB, LOG, RECIPE, seed_folders
from models.runs.model_recipe import read_recipe, spread
from models.runs.status import reached
from models.runs.training_state import TrainingState


@contextmanager
def tracked(workspace: Workspace, track: str | None) -> Iterator[Callable[[str], None]]:
    """Yield what brings the finished folds of a model into line with a tracker; it never stops the work in the block.

    Args:
        workspace: with the runs.
        track: the word of `--track`.

    Raises:
        UserError: before the block, if the tracker cannot be had; after it, if something was not kept.
    """
    tracker = Tracker(workspace, track)
    yield lambda model: tracker.keep(model, lambda: _entries(workspace, model))
    tracker.end()


def _entries(workspace: Workspace, model: str) -> dict[str, Callable[[], Entry]]:
    """Return what describes each finished fold, by what it was made with and what came of it.

    Not by its test scores, which change when chips to predict are added: the network is the same.
    """
    store, entries = ScoreStore.of(workspace), dict[str, Callable[[], Entry]]()
    for fold in store.folds_of(model):
        made = store.provenance(model, fold)
        digests = [made.fold_digest, made.label_digest, made.recipe_digest]
        scores = digest_file(store.folder(model, fold) / "heldout.npz")
        entries[digest_json([model, fold, *digests, scores])] = partial(_entry, workspace, store, model, fold)
    return entries


def _entry(workspace: Workspace, store: ScoreStore, model: str, fold: int) -> Entry:
    recipe, scores, folder = read_recipe(workspace, model), store.read(model, fold), store.folder(model, fold)
    task = Task(workspace.competition, scores.provenance.scored)
    metric, made = task.metric.title, scores.provenance
    networks = seed_folders(folder, recipe)
    states = [TrainingState.read(network / HISTORY) for network in networks]
    figures = [Figure(f"heldout {metric}", reached(scores.heldout, task, workspace.labelled))]
    if (kept := learnt_by_fold(workspace, model)[fold]) is not None:
        figures.append(Figure(f"learnt {metric}", kept[0]))
    for seed, (network, state) in enumerate(zip(networks, states, strict=True)):
        group, ended = f"seed {seed}" if seed else "epochs", (network / HISTORY).stat().st_mtime
        figures += _epochs(group, state, (metric, recipe.monitor), ended)
    values = spread(recipe.to_dict())
    first = {
        (network / HISTORY).stat().st_mtime - _seconds(state) for network, state in zip(networks, states, strict=True)
    }
    return Entry(
        name=f"{model} fold {fold}",
        began=min(first),
        ended=(folder / MARKER).stat().st_mtime,
        settings={name: shown(value) for name, value in values.items() if name != "parts" and value is not None},
        tags={
            "model": model,
            "fold": str(fold),
            "fold table": made.fold_digest,
            "labels": made.label_digest,
            "recipe": made.recipe_digest,
            "test-time views": ",".join(made.views),
            **{f"version of {package}": version for package, version in made.versions.items()},
        },
        figures=figures,
        files=_files(folder, networks),
    )


def _epochs(group: str, state: TrainingState, names: tuple[str, str], ended: float) -> Iterator[Figure]:
    """Yield the figures of a network's epochs, dated back from the end of its training, and which epoch is kept.

    `names` are those of the metric, and of the chips that judge epochs.
    """
    metric, judges = names
    yield Figure(f"{group}/best", state.best + 1)
    when = ended - _seconds(state)
    for epoch in state.history:
        when += epoch.seconds
        values = {
            "learnt loss": epoch.loss,
            f"learnt {metric}": epoch.metric,
            f"{judges} loss": epoch.heldout_loss,
            f"{judges} {metric}": epoch.heldout_metric,
            "learning rate": epoch.learning_rate,
        }
        for name, value in values.items():
            yield Figure(f"{group}/{name}", value, epoch.number + 1, when)


def _seconds(state: TrainingState) -> float:
    return sum(epoch.seconds for epoch in state.history)


def _files(folder: Path, networks: list[Path]) -> dict[str, Path]:
    """Return the files of some kilobytes; weights and scores stay in the workspace alone."""
    paths = [folder.parent / RECIPE, *(folder / name for name in (JOB, LEARNT, MARKER, LOG))]
    files = {path.name: path for path in paths if path.is_file()}
    return files | {str((network / HISTORY).relative_to(folder)): network / HISTORY for network in networks}
