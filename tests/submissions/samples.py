"""Simulated scores and small workspaces for the tests of this room."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.index.layout import Layout
from competition.spec.competition import Competition
from competition.workspace import Workspace
from folds.dealing.table import make_table
from folds.store.provenance import Provenance
from folds.store.score_store import FoldScores, ScoreStore
from folds.store.scores import Scores
from submissions.choose.blending import Blend, make_blend
from submissions.choose.candidates import make_candidates
from submissions.decide.studies import Tuning
from tests.competition.samples import other as one_hot
from tests.competition.samples import planet

__all__ = ["one_hot", "planet"]  # for the tests of this room

NUM_CHIPS = 300
NUM_TEST = 40
K = 3


def draw_truth(competition: Competition, num_chips: int, seed: int = 0) -> NDArray[np.bool_]:
    """Draw labels that obey the exclusive groups."""
    random = np.random.default_rng(seed)
    truth = random.random((num_chips, len(competition.labels))) < 0.25
    for group in competition.exclusive_columns:
        columns = np.array(group)
        truth[:, columns] = random.integers(len(columns), size=num_chips)[:, None] == np.arange(len(columns))
    return truth


def draw_scores(truth: NDArray[np.bool_], seed: int = 0, signal: float = 3.0) -> NDArray[np.float32]:
    """Draw scores that know the truth, the more the larger `signal` is."""
    random = np.random.default_rng(seed)
    logit = signal * (truth - 0.5) - 0.5 + random.normal(size=truth.shape)
    return (1 / (1 + np.exp(-logit))).astype(np.float32)


def fold_numbers(num_chips: int, k: int = K) -> NDArray[np.int64]:
    return np.arange(num_chips) % k


def ids_to_predict() -> tuple[str, ...]:
    """Ids of the chips to predict, in an order that is not the alphabet's."""
    return tuple(f"{'file' if i % 4 == 1 else 'test'}_{(i * 7) % NUM_TEST}" for i in range(NUM_TEST))


def make_workspace(
    root: Path,
    models: Sequence[str] = ("a", "b"),
    competition: Competition | None = None,
    num_chips: int = NUM_CHIPS,
) -> Workspace:
    """Make a workspace with labels, a sample submission, a fold table and the scores of some models."""
    competition = competition or planet()
    workspace = Workspace(root / "workspace", competition)
    names = tuple(f"train_{i}" for i in range(num_chips))
    truth = draw_truth(competition, num_chips)
    tables = competition.tables
    files = {name: workspace.data / name for name in (tables.train[0], tables.sample_submission)}
    workspace.data.mkdir(parents=True)
    write_table(files[tables.train[0]], names, truth, competition)
    write_table(files[tables.sample_submission], ids_to_predict(), draw_truth(competition, NUM_TEST, 1), competition)
    Layout(competition.name, {}, files).write(workspace.data / "layout.json")
    table = make_table(names, truth, k=K, seed=0)
    table.write(workspace.fold_table)
    store = ScoreStore.of(workspace)
    for seed, model in enumerate(models):
        add_model(store, model, truth, seed)
    return workspace


def blend_of(
    name: str,
    members: Sequence[str],
    workspace: Workspace,
    *,
    method: str = "mean",
    rule: str = "auto",
    exclusive: bool = True,
    trials: int = 5,
    **options: Any,
) -> Blend:
    """Make a blend of members, as the verb does."""
    tuning = Tuning(trials, workspace.studies, title=name)
    candidates = make_candidates(members, workspace, exclusive=exclusive, tuning=tuning, **options)
    return make_blend(name, candidates, workspace, method=method, rule=rule)


def add_model(
    store: ScoreStore,
    model: str,
    truth: NDArray[np.bool_],
    seed: int = 0,
    *,
    left_out: Sequence[str] = (),
    test_left_out: Sequence[str] = (),
    folds: Sequence[int] | None = None,
    scored: Sequence[str] | None = None,
) -> None:
    """Write simulated scores of a model to a store; NaN for labels other than `scored`."""
    scored = store.labels if scored is None else tuple(scored)
    unscored = [label not in scored for label in store.labels]
    scores = draw_scores(truth, seed)
    scores[:, unscored] = np.nan
    kept = np.array([name not in left_out for name in store.table.image_names])
    names = tuple(name for name in ids_to_predict() if name not in test_left_out)
    for fold in range(store.table.num_folds) if folds is None else folds:
        rows = np.flatnonzero(store.table.heldout(fold) & kept)
        heldout = Scores(tuple(store.table.image_names[i] for i in rows), scores[rows])
        test_truth = draw_truth(planet(), NUM_TEST, 2)[: len(names), : len(store.labels)]
        test_scores = draw_scores(test_truth, 100 + 10 * seed + fold)
        test_scores[:, unscored] = np.nan
        made = replace(provenance(store, model, fold, left_out), scored=scored)
        store.write(FoldScores(made, heldout, Scores(names, test_scores)))


def provenance(store: ScoreStore, model: str, fold: int, left_out: Sequence[str] = ()) -> Provenance:
    return Provenance(
        model=model,
        fold=fold,
        labels=store.labels,
        scored=store.labels,
        fold_digest=store.table.digest,
        label_digest=store.label_digest or "",
        recipe_digest=f"recipe of {model}",
        views=("identity",),
        left_out=tuple(left_out),
        versions={"numpy": np.__version__},
    )


def write_table(path: Path, names: Sequence[str], decisions: NDArray[np.bool_], competition: Competition) -> Path:
    """Write a table of labels without the code under test."""
    tables, labels = competition.tables, np.array(competition.labels)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        if tables.tags_column:
            writer.writerow([tables.id_column, tables.tags_column])
            writer.writerows([name, " ".join(labels[row])] for name, row in zip(names, decisions, strict=True))
        else:
            writer.writerow([tables.id_column, *labels])
            writer.writerows([name, *row.astype(int)] for name, row in zip(names, decisions, strict=True))
    return path
