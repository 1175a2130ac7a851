"""The (model x fold) table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from competition.metrics.judge import measure
from competition.spec.metric import Metric
from competition.workspace import Workspace
from folds.dealing.table import FoldTable
from folds.store.score_store import FoldScores
from folds.store.scores import Scores
from models.runs.model_recipe import record_recipe
from models.runs.status import status_of
from models.runs.training_state import STATE, Epoch, TrainingState
from run import main
from tests.conftest import K, store_of
from tests.models.samples import tiny_recipe, write_chip_weights


def state(*metrics: float) -> TrainingState:
    state = TrainingState()
    for number, metric in enumerate(metrics):
        state.add(Epoch(number, 0.5, 0.5, 0.5, metric, 1e-3, 1.0, 0))
    return state


def cells(text: str, model: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(model))
    return [cell.strip() for cell in line.removeprefix(model).split("  ") if cell.strip()]


def test_without_a_model_it_says_so(workspace):
    assert status_of(workspace).text() == "No model was begun."


def test_it_shows_what_the_scores_of_finished_folds_reach_and_the_epoch_of_begun_ones(trained):
    """Whatever one view of the first seed's network reached in its best epoch."""
    store, labelled = store_of(trained), trained.labelled
    folder = store.folder("other", 1) / "checkpoints/epoch00002"
    folder.mkdir(parents=True)
    state(0.3, 0.4).write(folder / STATE)
    store.folder("other", 2).mkdir()
    record_recipe(trained, "other", tiny_recipe())
    expected = []
    for fold in range(K):
        state(0.9876).write(store.folder("tiny", fold) / "history.json")
        heldout = store.read("tiny", fold).heldout
        truth = labelled.truth[[labelled.image_names.index(name) for name in heldout.names]]
        expected.append(f"{measure(truth, heldout.values >= 0.2, trained.competition.metric):.4f}")
    text = status_of(trained).text()
    assert cells(text, "tiny") == ["F2", *expected]
    assert cells(text, "other") == ["F2", "-", "... epoch 2", "..."]
    assert "Held-out metric of the scores kept" in text
    values = json.loads(json.dumps(status_of(trained).as_dict()))
    assert (values["cut"], values["num_folds"]) == (0.2, K)
    assert [f"{fold['metric']:.4f}" for fold in values["models"][1]["folds"]] == expected
    assert values["models"][0]["folds"][1] == {"state": "begun", "metric": None, "epochs": 2}
    assert status_of(trained).whole == ("tiny",)


def test_a_specialists_figures_are_marked_as_those_of_its_labels(trained):
    store, scored = store_of(trained), ("clear", "water")
    columns = [trained.competition.label_index[label] for label in scored]
    made = store.read("tiny", 0)
    values = np.full_like(made.heldout.values, np.nan)
    values[:, columns] = made.heldout.values[:, columns]
    kept, provenance = Scores(made.heldout.names, values), replace(made.provenance, model="rare", scored=scored)
    store.write(FoldScores(provenance, kept, Scores((), np.zeros((0, 17), dtype=np.float32))))
    record_recipe(trained, "rare", tiny_recipe(only_labels=scored))
    truth = trained.labelled.truth[[trained.labelled.image_names.index(name) for name in kept.names]]
    macro = measure(truth[:, columns], values[:, columns] >= 0.2, Metric(average="macro", beta=2))
    assert cells(status_of(trained).text(), "rare") == ["macro F2 of 2 labels", f"{macro:.4f}", "-", "-"]


@pytest.mark.parametrize("name", ["roc_auc", "log_loss"])
def test_where_scores_are_judged_no_cut_is_named(trained, name):
    metric = Metric.model_validate({"name": name, "average": "macro"})
    judged = Workspace(trained.root, trained.competition.model_copy(update={"metric": metric}))
    text = status_of(judged).text()
    heldout = store_of(trained).read("tiny", 0).heldout
    truth = trained.labelled.truth[[trained.labelled.image_names.index(name) for name in heldout.names]]
    assert f"{measure(truth, heldout.values, metric):.4f}" in text
    assert metric.title in text
    assert "the mean over views and seeds; ... is begun" in text
    assert status_of(judged).as_dict()["cut"] is None


def test_a_start_that_failed_is_no_model(trained):
    store = store_of(trained)
    store.folder("failed", 0).mkdir(parents=True)
    assert "failed" not in status_of(trained).text()


@pytest.mark.parametrize("damage", ["another fold table", "a damaged marker"])
def test_scores_that_readers_would_refuse_are_shown_as_refused(trained, damage):
    if damage == "another fold table":
        table_path = trained.fold_table
        folds = FoldTable.read(table_path)
        FoldTable(folds.image_names, folds.folds[:, ::-1], folds.k).write(table_path)
    else:
        for path in Path(trained.runs).rglob("scores.json"):
            path.write_text("{")
    assert cells(status_of(trained).text(), "tiny") == ["F2", *["refused"] * 3]
    assert status_of(trained).whole == ()


def test_models_that_learnt_by_earlier_weights_of_chips_are_named(workspace: Workspace) -> None:
    weights = write_chip_weights(workspace, np.linspace(0.5, 1.5, len(workspace.labelled.image_names)))
    (workspace.runs / "tiny").mkdir(parents=True)
    record_recipe(workspace, "tiny", tiny_recipe(weighted_to="test", weighted_digest=weights.digest))
    assert not status_of(workspace).notes
    write_chip_weights(workspace, weights.values[::-1])
    (note,) = status_of(workspace).notes
    assert note.startswith("'tiny' has learnt by earlier weights of chips than those in shift.json. To begin again: ")
    assert note.endswith("train --models tiny --restart")
    (workspace.root / "shift.json").unlink()
    assert not status_of(workspace).notes


def test_models_of_other_labels_are_named_and_status_says_what_makes_them_again(trained):
    assert status_of(trained).outdated == {}
    column, wrong = trained.competition.label_index["water"], trained.root / "wrong.csv"
    chip, says = trained.labelled.image_names[0], int(trained.labelled.truth[0, column])
    wrong.write_text(f"id,label,says\n{chip},water,{says}\n")
    shown = CliRunner().invoke(main, ["data", "relabel", "--from", str(wrong), "--workspace", str(trained.root)]).output
    assert "Next, which says what is to be made again, and in which order: python run.py status" in shown
    assert status_of(Workspace(trained.root, trained.competition)).outdated == {"tiny": ""}
    shown = CliRunner().invoke(main, ["status", "--workspace", str(trained.root)]).output
    assert "Next: python run.py train --models tiny --restart" in shown
