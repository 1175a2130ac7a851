"""The (model x fold) table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from folds.table import FoldTable
from models.status import table
from models.training_state import STATE, Epoch, TrainingState
from tests.conftest import store_of


def state(*metrics: float) -> TrainingState:
    state = TrainingState()
    for number, metric in enumerate(metrics):
        state.add(Epoch(number, 0.5, 0.5, 0.5, metric, 1e-3, 1.0, 0))
    return state


def cells(text: str, model: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(model))
    return [cell.strip() for cell in line.removeprefix(model).split("  ") if cell.strip()]


def test_without_a_model_it_says_how_to_begin(workspace, store):
    assert table(workspace, store) == 'No model was begun. Run "python run.py train --models baseline".'


def test_it_shows_the_best_metric_of_finished_folds_and_the_epoch_of_begun_ones(trained, store):
    store = store_of(trained)
    folder = store.folder("other", 1) / "checkpoints/epoch00002"
    folder.mkdir(parents=True)
    state(0.3, 0.4).write(folder / STATE)
    store.folder("other", 2).mkdir()
    text = table(trained, store)
    best = [json.loads((store.folder("tiny", fold) / "history.json").read_text()) for fold in range(3)]
    expected = [f"{content['history'][content['best']]['heldout_metric']:.4f}" for content in best]
    assert cells(text, "tiny") == expected
    assert cells(text, "other") == ["-", "... epoch 2", "..."]
    assert "Best held-out F2 at cut 0.2" in text


@pytest.mark.parametrize("damage", ["another fold table", "a damaged marker"])
def test_scores_that_readers_would_refuse_are_shown_as_refused(trained, damage):
    if damage == "another fold table":
        table_path = trained.fold_table
        folds = FoldTable.read(table_path)
        FoldTable(folds.image_names, folds.folds[:, ::-1], folds.k).write(table_path)
    else:
        for path in Path(trained.runs).rglob("scores.json"):
            path.write_text("{")
    assert cells(table(trained, store_of(trained)), "tiny") == ["refused"] * 3
