"""A job: one model and fold, from chips to scores, whatever comes between."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result

import run
from competition.common.errors import UserError
from competition.common.records import write_record
from competition.data.chips import BrokenChipError, read_chip, resize_chip
from competition.data.prepare import prepare
from competition.metrics.judge import measure
from competition.spec.metric import Metric
from competition.tables.csv_files import read_table
from competition.task import Task
from competition.workspace import Workspace
from folds.assign import assign_folds
from folds.dealing.table import FoldTable
from folds.store.alone import alone
from folds.store.pseudo_labels import PseudoLabels
from models.backend.made import MADE
from models.inputs.views import apply_view
from models.predict.scorer import Scorer
from models.predict.trained_model import predict_folder
from models.recipes.view_sets import FLIPS
from models.runs.curves import LEARNT, curves_of, learnt_by_fold
from models.runs.event_log import HELDOUT_RUN, LOGS
from models.runs.folders import EXTRACTOR, HISTORY, JOB, LOG, NETWORK, PARTS, RECIPE, WEIGHTS
from models.runs.model_recipe import ModelRequest, recipe_of
from models.runs.restarts import Restart
from models.runs.status import status_of
from models.runs.training_state import HEAD, TrainingState, state_of
from models.train.fit import train
from models.train.run_jobs import run_jobs
from models.train.train_folds import train_folds
from tests.conftest import NUM_TEST, NUM_TRAIN, K, store_of
from tests.models import samples
from tests.models.event_files import read_events
from tests.models.samples import content_of, frozen, tiny_job, tiny_recipe
from tests.models.train.conftest import interrupt_heads_after, no_head_is_to_be_trained

QUICK = {"epochs": 1, "views": "identity"}


def heldout_names(workspace: Workspace, fold: int) -> tuple[str, ...]:
    table = FoldTable.read(workspace.fold_table).ordered_as(workspace.labelled.image_names)
    return tuple(np.array(table.image_names)[table.heldout(fold)])


def decoded(workspace: Workspace, split: str, names: tuple[str, ...], size: int = 16) -> np.ndarray:
    images = workspace.competition.image_set("jpg")
    return np.stack(
        [resize_chip(read_chip(path, images), size) for path in workspace.layout.locate(images, split, names)]
    )


def train_is_not_to_be_called(*_: object, **__: object) -> TrainingState:
    raise AssertionError("trained again")


def interrupted(network, examples, recipe, folder) -> TrainingState:
    """Stand in for `train`: stop after one epoch."""
    train(network, examples, dataclasses.replace(recipe, epochs=1, progressive=()), folder)
    raise KeyboardInterrupt


@pytest.fixture
def learnt(trained, monkeypatch) -> Workspace:
    """A workspace in which "tiny" fold 0 has learnt and nothing is scored yet; it is not to learn again."""
    folder = trained.runs / "tiny/fold0"
    for name in (LEARNT, "heldout.npz", "test.npz", "scores.json"):
        (folder / name).unlink()
    monkeypatch.setattr("models.train.stages.train", train_is_not_to_be_called)
    return trained


# What a job makes


@pytest.mark.parametrize("fold", range(K))
def test_scores_are_those_of_the_held_out_and_the_test_chips_in_their_order(trained, fold):
    scores = store_of(trained).read("tiny", fold)
    assert scores.heldout.names == heldout_names(trained, fold)
    assert scores.test.names == trained.test_names
    sample = read_table(trained.layout.table("sample_submission_v2.csv"), ["image_name"])
    assert scores.test.names == tuple(sample["image_name"])
    assert scores.heldout.values.shape == (len(scores.heldout.names), 17)
    assert scores.test.values.shape == (NUM_TEST, 17)


def test_scores_are_the_mean_over_the_same_views_for_held_out_and_test_chips(trained):
    store = store_of(trained)
    for fold in range(K):
        scores, network = store.read("tiny", fold), samples.built(tiny_recipe(seed=9))
        network.load_weights(trained.runs / f"tiny/fold{fold}" / NETWORK)
        for split, made in (("train", scores.heldout), ("test", scores.test)):
            chips = decoded(trained, split, made.names).astype(np.float32)
            seen = [samples.output_of(network, np.ascontiguousarray(apply_view(chips, view))) for view in FLIPS]
            np.testing.assert_allclose(made.values, np.mean(seen, axis=0), atol=1e-5)
            assert not np.allclose(made.values, seen[0], atol=1e-5)


def test_what_is_reached_on_chips_learnt_and_held_out_as_they_are_is_kept(trained):
    table, labelled = FoldTable.read(trained.fold_table), trained.labelled
    task = Task(trained.competition, trained.competition.labels)
    for fold, kept in enumerate(learnt_by_fold(trained, "tiny")):
        held = table.ordered_as(labelled.image_names).heldout(fold)
        network = samples.built(tiny_recipe(seed=9))
        network.load_weights(trained.runs / f"tiny/fold{fold}" / NETWORK)
        for value, rows in zip(kept, (~held, held), strict=True):
            names = tuple(np.array(labelled.image_names)[rows])
            scores = samples.output_of(network, decoded(trained, "train", names).astype(np.float32))
            assert value == pytest.approx(measure(labelled.truth[rows], task.answers(scores), task.metric), abs=1e-4)


def test_the_folds_join_to_a_score_for_every_labelled_chip(trained):
    joined = store_of(trained).join("tiny")
    assert joined.oof.names == trained.labelled.image_names
    assert len(joined.oof.names) == NUM_TRAIN
    assert joined.left_out == ()


def test_provenance_says_what_the_scores_were_made_with(trained):
    store = store_of(trained)
    for fold in range(K):
        made = store.provenance("tiny", fold)
        assert (made.model, made.fold, made.labels) == ("tiny", fold, trained.competition.labels)
        assert (made.fold_digest, made.recipe_digest) == (store.table.digest, tiny_recipe().digest())
        assert (made.views, made.left_out) == (FLIPS, ())
        assert made.versions.keys() - {"planet-toolkit"} == {"keras", "numpy", keras.backend.backend()}
        assert made.versions["keras"] == keras.__version__


def test_a_finished_fold_holds_weights_and_scores_and_no_pickle(trained):
    folder = trained.runs / "tiny/fold1"
    names = {path.name for path in folder.iterdir()}
    assert names == {JOB, LOG, MADE, HISTORY, NETWORK, LEARNT, "heldout.npz", "test.npz", "scores.json", *LOGS}
    for name in ("heldout.npz", "test.npz"):
        with np.load(folder / name, allow_pickle=False) as arrays:
            assert {arrays[key].dtype.kind for key in arrays} == {"U", "f"}
        assert {Path(name).suffix for name in zipfile.ZipFile(folder / name).namelist()} == {".npy"}
    with h5py.File(folder / NETWORK) as file:
        found: list[str] = []
        file.visit(found.append)
    assert any("dense" in name for name in found)
    assert not any("optimizer" in name for name in found)


def test_the_log_file_holds_a_line_an_epoch(trained):
    lines = (trained.runs / "tiny/fold0" / LOG).read_text().splitlines()
    assert sum(bool(re.match(r"epoch +\d/2  loss", line)) for line in lines) == 2
    assert lines[-1].startswith("Wrote ")


def test_the_log_ends_with_what_the_scores_that_were_kept_reach(trained):
    store, labelled = store_of(trained), trained.labelled
    heldout = store.read("tiny", 0).heldout
    truth = labelled.truth[[labelled.image_names.index(name) for name in heldout.names]]
    metric = trained.competition.metric
    reached = measure(truth, heldout.values >= metric.prior_cut, metric)
    log = (trained.runs / "tiny/fold0" / LOG).read_text()
    assert f"Held-out F2 {reached:.4f} at cut 0.2, the mean of 4 views." in log


def test_the_history_holds_the_best_held_out_metric(trained):
    state = state_of(trained.runs / "tiny/fold0")
    assert state.epochs == 2
    assert state.best_metric == max(epoch.heldout_metric for epoch in state.history) > 0


@pytest.mark.parametrize(
    "name",
    ["log_loss", "roc_auc", *(pytest.param(name, marks=pytest.mark.slow) for name in ("label_ranking", "accuracy"))],
)
def test_whatever_judges_chooses_the_best_epoch_and_is_what_is_shown(workspace, name):
    """Of a loss the lowest is the best."""
    labels = workspace.competition.labels
    update = {"metric": Metric.model_validate({"name": name})}
    if name == "accuracy":
        update["exclusive"] = (labels,)
    judged = Workspace(workspace.root, workspace.competition.model_copy(update=update))
    run_jobs([tiny_job(judged, learning_rate=0.05, epochs=3, groups="softmax" if name == "accuracy" else "sigmoid")])
    state, metric = state_of(judged.runs / "tiny/fold0"), judged.competition.metric
    best = max if metric.sign == 1 else min
    assert state.best_metric == best(epoch.heldout_metric for epoch in state.history)
    log = (judged.runs / "tiny/fold0" / LOG).read_text()
    assert f"held-out loss {state.history[0].heldout_loss:.4f}  {metric.title} " in log
    heldout = store_of(judged).read("tiny", 0).heldout
    truth = judged.labelled.truth[[judged.labelled.image_names.index(name) for name in heldout.names]]
    answers = Task(judged.competition, labels).answers(heldout.values)
    assert f"Held-out {metric.title} {measure(truth, answers, metric):.4f}, the mean of 4 views." in log


def test_what_judges_epochs_in_the_place_of_the_chips_held_out_is_said_and_kept(workspace, capsys):
    job = tiny_job(workspace, monitor="inner", **QUICK)
    run_jobs([job])
    said = re.search(r"(\d+) chips to learn from; (\d+) more, set aside, judge the epochs", capsys.readouterr().out)
    assert sum(map(int, said.groups())) == NUM_TRAIN - len(heldout_names(workspace, 0))
    assert store_of(workspace).read("tiny", 0).heldout.names == heldout_names(workspace, 0)
    assert "chips held out (--monitor inner): tiny" in status_of(workspace).text()
    assert not (job.folder / HELDOUT_RUN).exists()
    assert read_events(job.folder / "inner")["loss"]
    assert {curve.monitor for curve in curves_of(workspace, "tiny")} == {"inner"}
    workspace.fold_table.with_suffix(".json").unlink(missing_ok=True)
    names = workspace.labelled.image_names
    groups = workspace.root / "groups.csv"
    groups.write_text("image_name,group\n" + "".join(f"{name},{row // 4}\n" for row, name in enumerate(names)))
    settings = {"group": str(groups)}  # as if the table had been made by these
    digest = FoldTable.read(workspace.fold_table).digest
    write_record(workspace.fold_table.with_suffix(".json"), {"fold_digest": digest, "settings": settings}, version=1)
    (job.folder / "scores.json").unlink()
    with pytest.raises(UserError, match=r"another chips set aside\. To go on, restore folds\.json and the groups"):
        run_jobs([job])


# Doing it again


def test_a_job_that_is_done_trains_nothing_and_changes_nothing(trained, monkeypatch, capsys):
    monkeypatch.setattr("models.train.stages.train", train_is_not_to_be_called)
    before = content_of(trained.runs)
    run_jobs([tiny_job(trained, 1)])
    assert re.search(r"'tiny' fold 1 is done: held-out F2 0\.\d{4} at cut 0\.2, the mean of", capsys.readouterr().out)
    after = content_of(trained.runs)
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert changed == {f"tiny/fold1/{LOG}"}


def test_scores_that_were_lost_are_made_again_without_training(trained, monkeypatch):
    store = store_of(trained)
    before = store.read("tiny", 1)
    for name in ("scores.json", "test.npz"):
        (store.folder("tiny", 1) / name).unlink()
    monkeypatch.setattr("models.train.stages.train", train_is_not_to_be_called)
    run_jobs([tiny_job(trained, 1)])
    after = store.read("tiny", 1)
    assert after.provenance == before.provenance
    np.testing.assert_allclose(after.heldout.values, before.heldout.values, atol=1e-6)
    np.testing.assert_allclose(after.test.values, before.test.values, atol=1e-6)


def test_a_fold_that_does_not_exist_is_refused_before_anything_is_written(workspace):
    with pytest.raises(UserError, match=r"No fold 3\. The fold table has folds 0 to 2"):
        run_jobs([tiny_job(workspace, 3)])
    assert not workspace.runs.exists()


def test_another_process_at_the_fold_is_refused_and_not_restarted(trained):
    folder, asked = trained.runs / "tiny/fold1", ModelRequest("tiny")
    before = content_of(trained.runs)
    with alone(folder):
        for attempt in (lambda: run_jobs([tiny_job(trained, 1)]), lambda: train_folds(trained, asked, 1, restart=True)):
            with pytest.raises(UserError, match=r"Another process is at 'tiny' fold 1: .+\. Wait for it to end\."):
                attempt()
    assert content_of(trained.runs) == before
    run_jobs([tiny_job(trained, 1)])


# Another recipe, other data


def test_another_fold_table_for_a_finished_fold_is_refused(trained):
    folds = FoldTable.read(trained.fold_table)
    FoldTable(folds.image_names, folds.folds[:, ::-1], folds.k).write(trained.fold_table)
    with pytest.raises(UserError, match="made with another fold table"):
        run_jobs([tiny_job(trained)])


def test_another_fold_table_other_labels_or_chips_in_mid_training_are_refused(
    workspace_of_own_chips, tmp_path, monkeypatch
):
    workspace, kaggle = workspace_of_own_chips, tmp_path / "kaggle"
    with monkeypatch.context() as context:
        context.setattr("models.train.stages.train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_jobs([tiny_job(workspace)])
    monkeypatch.setattr("models.train.stages.train", train_is_not_to_be_called)
    folds = FoldTable.read(workspace.fold_table)
    FoldTable(folds.image_names, folds.folds[:, ::-1], folds.k).write(workspace.fold_table)
    with pytest.raises(
        UserError, match=r"another fold table\. To go on, restore folds\.csv\. To begin it again, .*--fold 0 --restart"
    ):
        run_jobs([tiny_job(workspace)])
    folds.write(workspace.fold_table)
    table = kaggle / "train_v2.csv"
    before = table.read_text()
    table.write_text(re.sub(r"(train_3),.*", r"\1,haze primary blow_down", before))
    prepare(workspace, kaggle)
    with pytest.raises(UserError, match=r"begun with another labels\."):
        run_jobs([tiny_job(Workspace(workspace.root, workspace.competition))])
    table.write_text(before)
    prepare(workspace, kaggle)
    shutil.copy(kaggle / "train-jpg/train_1.jpg", kaggle / "train-jpg/train_0.jpg")
    with pytest.raises(UserError, match=r"begun with another training chips\."):
        run_jobs([tiny_job(Workspace(workspace.root, workspace.competition))])


# What may be damaged: the line, then the command that it names, then the state of before


def only_one_digit(path: Path) -> None:
    text = path.read_text()
    row = re.search(r",(\d)\n", text)
    path.write_text(f"{text[: row.start(1)]}{(int(row[1]) + 1) % K}{text[row.end(1) :]}")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("folds.csv", only_one_digit),
        ("folds.csv", lambda path: path.write_text("0" * 14_000)),
        ("folds.csv", lambda path: path.write_bytes(bytes(900))),
        ("folds.csv", lambda path: path.unlink()),
        (f"runs/tiny/{RECIPE}", lambda path: path.write_text("{")),
        (f"runs/tiny/{RECIPE}", lambda path: path.unlink()),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--restart"]])
def test_what_is_damaged_is_had_back_by_what_the_line_says_and_costs_no_fold(trained, monkeypatch, name, damage, flags):
    def ask(*words: str) -> Result:
        return CliRunner().invoke(run.main, [*words, "--workspace", str(trained.root)])

    def finished() -> dict[str, bytes]:
        return {path: content for path, content in content_of(trained.runs).items() if not path.endswith((LOG, "lock"))}

    monkeypatch.setattr("models.train.stages.train", train_is_not_to_be_called)
    assign_folds(trained, k=K, seed=0)
    before, path = finished(), trained.root / name
    content = path.read_bytes()
    damage(path)
    if flags and name.endswith(RECIPE):
        with pytest.raises(AssertionError, match="trained again"):  # by the same recipe, beside what there is
            raise ask("train", "--models", "tiny", *flags).exception
    else:
        asked = ask("train", "--models", "tiny", *flags)
        if not name.endswith(RECIPE):
            assert (asked.exit_code, asked.output.count("\n")) == (2, 1)
            assert len(asked.output) < 700
            command = re.search(r'run "python run\.py (.*?)"', asked.output, re.I)[1]
            assert ask(*command.split()).exit_code == 0
    assert path.read_bytes() == content
    assert finished() == before
    assert ask("train", "--models", "tiny").exit_code == 0
    assert finished() == before


# What may be missing or broken


def test_without_test_chips_the_held_out_ones_are_scored_and_those_added_later_without_training_again(learnt, capsys):
    path = learnt.data / "layout.json"
    whole = path.read_text()
    layout = json.loads(whole)
    layout.pop("digest")  # or it would be one that was damaged
    layout["folders"] = {name: found for name, found in layout["folders"].items() if "test" not in name}
    path.write_text(json.dumps(layout))
    run_jobs([tiny_job(Workspace(learnt.root, learnt.competition))])
    before = store_of(learnt).read("tiny", 0)
    assert (before.test.names, before.test.values.shape) == ((), (0, 17))
    assert before.heldout.names == heldout_names(learnt, 0)
    assert "There are no test chips" in capsys.readouterr().out
    path.write_text(whole)
    run_jobs([tiny_job(Workspace(learnt.root, learnt.competition))])
    after = store_of(learnt).read("tiny", 0)
    assert after.test.names == learnt.test_names
    np.testing.assert_array_equal(after.heldout.values, before.heldout.values)


def test_a_start_that_failed_binds_the_model_to_nothing(workspace, capsys):
    with pytest.raises(UserError, match="asks for bands"):
        run_jobs([tiny_job(workspace, bands="RGBN")])
    assert recipe_of(workspace, ModelRequest("baseline", "tiny", {"epochs": 1})).epochs == 1
    assert not (workspace.runs / "tiny" / RECIPE).exists()
    assert not list(workspace.cache.glob("*"))


def test_interrupted_prediction_goes_on_with_the_parts_that_are_done(workspace, monkeypatch):
    monkeypatch.setattr("models.inputs.sources.batch_size_for", lambda size: 2)
    monkeypatch.setattr("models.predict.scorer.BATCHES_PER_PART", 2)
    calls, real = [], Scorer.__call__

    def stopping(scorer, chips):
        calls.append(scorer)
        if len(calls) == 8:  # the second batch of the fourth part
            raise KeyboardInterrupt
        return real(scorer, chips)

    monkeypatch.setattr(Scorer, "__call__", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([tiny_job(workspace, **QUICK)])
    monkeypatch.setattr("models.train.stages.train", train_is_not_to_be_called)
    run_jobs([tiny_job(workspace, **QUICK)])
    heldout = len(heldout_names(workspace, 0))
    batches = -(-heldout // 2) + NUM_TEST // 2 + -(-(NUM_TRAIN - heldout) // 2)
    assert len(calls) == batches + 2  # the part that was interrupted, again
    resumed = store_of(workspace).read("tiny", 0)
    assert not (workspace.runs / "tiny/fold0" / PARTS).exists()
    (workspace.runs / "tiny/fold0/scores.json").unlink()
    run_jobs([tiny_job(workspace, **QUICK)])
    np.testing.assert_allclose(resumed.test.values, store_of(workspace).read("tiny", 0).test.values, atol=1e-6)


def test_broken_chips_stop_or_are_left_out_and_recorded(workspace_of_own_chips, tmp_path):
    workspace, kaggle = workspace_of_own_chips, tmp_path / "kaggle"
    held = heldout_names(workspace, 0)
    learnt = next(name for name in workspace.labelled.image_names if name not in held)
    for path in (f"train-jpg/{held[2]}.jpg", f"train-jpg/{learnt}.jpg", "test-jpg/test_3.jpg"):
        (kaggle / path).write_bytes(b"half a chip")
    with pytest.raises(BrokenChipError, match=r"train_\d+\.jpg.*Mend it, or add --skip-broken"):
        run_jobs([tiny_job(workspace, **QUICK)])
    run_jobs([tiny_job(workspace, skip_broken=True, **QUICK)])
    scores = store_of(workspace).read("tiny", 0)
    assert set(scores.provenance.left_out) == {held[2], learnt}
    assert scores.provenance.test_left_out == ("test_3",)
    assert scores.heldout.names == tuple(name for name in held if name != held[2])
    assert scores.test.names == tuple(name for name in workspace.test_names if name != "test_3")
    with pytest.raises(BrokenChipError):
        predict_folder(workspace, store_of(workspace), "tiny", kaggle / "train-jpg")
    predictions = predict_folder(workspace, store_of(workspace), "tiny", kaggle / "train-jpg", skip_broken=True)
    made, broken = predictions.scores, predictions.left_out
    assert len(broken) == 2
    np.testing.assert_allclose(made.aligned(scores.heldout.names), scores.heldout.values, atol=1e-5)


def test_four_bands_of_16_bits_are_trained_on_and_scored(workspace):
    job = tiny_job(workspace, images="tif", bands="RGBN", **QUICK)
    run_jobs([job])
    store = store_of(workspace)
    assert store.read("tiny", 0).test.names == workspace.test_names
    inputs = json.loads((job.folder / JOB).read_text())["inputs"]
    assert inputs["bands"] == "RGBN"
    assert inputs["low"][3] == workspace.competition.image_set("tif").range["N"][0]
    folder = workspace.layout.folders["train-tif-v2"][0]
    made = predict_folder(workspace, store, "tiny", folder).scores
    heldout = store.read("tiny", 0).heldout
    np.testing.assert_allclose(made.aligned(heldout.names), heldout.values, atol=1e-5)


def test_a_frozen_backbone_is_trained_and_needs_its_file_no_more(workspace, tiny_net, tiny_weights, tmp_path):
    weights = shutil.copy(tiny_weights, tmp_path / "tiny.weights.h5")
    job = tiny_job(workspace, **frozen(str(weights), **QUICK))
    digest = job.recipe.digest()
    run_jobs([job])
    weights.unlink()
    store = store_of(workspace)
    assert store.provenance("tiny", 0).recipe_digest == digest
    made = predict_folder(workspace, store, "tiny", workspace.layout.folders["train-jpg"][0]).scores
    heldout = store.read("tiny", 0).heldout
    # The job's scores come from a bank, whose features are float16.
    np.testing.assert_allclose(made.aligned(heldout.names), heldout.values, atol=2e-3)
    with h5py.File(job.folder / NETWORK) as head, h5py.File(job.folder.parent / f"{EXTRACTOR}{WEIGHTS}") as extractor:
        found: dict[str, list[str]] = {"head": [], "extractor": []}
        head.visit(found["head"].append)
        extractor.visit(found["extractor"].append)
    assert any("conv" in name for name in found["extractor"])
    assert not any("conv" in name for name in found["head"])


def test_where_pixels_change_their_values_the_frozen_backbone_runs_in_every_epoch(workspace, tiny_net, tiny_weights):
    job = tiny_job(workspace, **frozen(tiny_weights, augment=("d4", "shifts"), **QUICK))
    run_jobs([job])
    assert not (workspace.cache / "features").exists()
    store = store_of(workspace)
    made = predict_folder(workspace, store, "tiny", workspace.layout.folders["train-jpg"][0]).scores
    heldout = store.read("tiny", 0).heldout
    np.testing.assert_allclose(made.aligned(heldout.names), heldout.values, atol=1e-5)


@pytest.mark.usefixtures("checkpoint_each_epoch")
def test_a_weights_file_changed_in_mid_training_is_refused(workspace, tiny_net, tiny_weights, tmp_path, monkeypatch):
    weights = shutil.copy(tiny_weights, tmp_path / "tiny.weights.h5")
    job = tiny_job(workspace, **frozen(str(weights), epochs=2, views="identity"))
    interrupt_heads_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job])
    no_head_is_to_be_trained(monkeypatch)
    samples.saved(weights, samples.TinyNet())
    with pytest.raises(UserError, match="begun with another recipe"):
        run_jobs([job])


def test_a_fold_of_other_weights_than_the_other_folds_is_not_begun(workspace, tiny_net, tiny_weights, tmp_path):
    weights = shutil.copy(tiny_weights, tmp_path / "tiny.weights.h5")
    job = tiny_job(workspace, **frozen(str(weights), **QUICK))
    run_jobs([job])
    samples.saved(weights, samples.TinyNet())
    with pytest.raises(UserError, match=r"tiny\.weights\.h5, are not those that its other folds .*Put those back\."):
        run_jobs([dataclasses.replace(job, fold=1)])
    again = Restart(workspace, job.model)
    with pytest.raises(UserError, match=r"train --models tiny --restart"):
        again.begin([1], job.recipe, job.store)
    again.begin([0], job.recipe, job.store)  # nothing is left then of what the others were


# Fine-tuning, specialists, seeds


@pytest.mark.usefixtures("checkpoint_each_epoch")
def test_a_head_begun_with_other_folds_is_not_fine_tuned(workspace, tiny_net, tiny_weights, monkeypatch):
    """It has learnt from chips that would now be held out."""
    job = tiny_job(workspace, **frozen(tiny_weights, train="finetune", head_epochs=2, **QUICK))
    interrupt_heads_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job])
    no_head_is_to_be_trained(monkeypatch)
    assert state_of(job.folder / HEAD).epochs == 1
    with pytest.raises(UserError, match=r"begun with head_epochs 2 \(received 3\)"):
        recipe_of(workspace, ModelRequest("tiny", overrides={"head_epochs": 3}))
    folds = FoldTable.read(workspace.fold_table)
    FoldTable(folds.image_names, folds.folds[:, ::-1], folds.k).write(workspace.fold_table)
    again = dataclasses.replace(job, store=store_of(workspace))
    with pytest.raises(UserError, match=r"begun with another fold table\."):
        run_jobs([again])


def test_a_fine_tuned_specialist_scores_its_labels_and_leaves_nothing_half_made(workspace, tiny_net, tiny_weights):
    specialist = {"train": "finetune", "head_epochs": 1, "only_labels": ("water", "clear"), "seeds": 2}
    job = tiny_job(workspace, **frozen(tiny_weights, **specialist, **QUICK))
    run_jobs([job])
    assert {path.name for path in job.folder.iterdir()} == {
        JOB, LOG, MADE, HISTORY, NETWORK, LEARNT, "heldout.npz", "test.npz", "scores.json", "seed1", HEAD, *LOGS,
    }  # fmt: skip
    assert {path.name for path in (job.folder / "seed1").iterdir()} == {HISTORY, NETWORK, HEAD, *LOGS}
    for folder in (job.folder, job.folder / "seed1"):  # of the head that came before, what it shows of itself alone
        assert {path.name for path in (folder / HEAD).iterdir()} == {*LOGS}
        assert [step for step, _ in read_events(folder / HEAD / HELDOUT_RUN)["loss"]] == [1]
    store, labels = store_of(workspace), workspace.competition.labels
    scores = store.read("tiny", 0)
    assert scores.provenance.scored == ("clear", "water")
    scored = np.array([label in ("clear", "water") for label in labels])
    for made in (scores.heldout, scores.test):
        assert np.isfinite(made.values[:, scored]).all()
        assert np.isnan(made.values[:, ~scored]).all()
    chips = decoded(workspace, "test", scores.test.names[:4]).astype(np.float32)
    seen = []
    for folder in (job.folder, job.folder / "seed1"):
        network = samples.built(job.recipe, pretrained=False)
        network.load_weights(folder / NETWORK)
        seen.append(samples.output_of(network, chips))
    assert not np.allclose(seen[0], seen[1], atol=1e-3)
    np.testing.assert_allclose(scores.test.values[:4][:, scored], np.mean(seen, axis=0), atol=1e-5)
    made = predict_folder(workspace, store, "tiny", workspace.layout.folders["test-jpg"][0]).scores
    np.testing.assert_allclose(made.values, scores.test.aligned(made.names), atol=1e-5)


def test_an_unknown_label_of_a_specialist_is_refused_before_anything_is_written(workspace):
    with pytest.raises(UserError, match="Unknown label of --only-labels 'gold'"):
        run_jobs([tiny_job(workspace, only_labels=("gold",))])
    assert not workspace.runs.exists()
    assert not list(workspace.cache.glob("*"))


def test_left_out_at_first_test_chips_are_scored_later_without_training(learnt):
    job = dataclasses.replace(tiny_job(learnt), with_test=False)
    run_jobs([job])
    before = store_of(learnt).read("tiny", 0)
    assert before.test.names == ()
    run_jobs([tiny_job(learnt)])
    after = store_of(learnt).read("tiny", 0)
    assert after.test.names == learnt.test_names
    np.testing.assert_array_equal(after.heldout.values, before.heldout.values)


@pytest.mark.usefixtures("built_once")
def test_a_network_that_was_lost_is_trained_again_from_the_weights_asked_for(workspace, tiny_net, tiny_weights):
    """Not from random ones, as a training that goes on is given weights by its checkpoint."""
    job = tiny_job(workspace, **frozen(tiny_weights, train="finetune", head_epochs=1, **QUICK))
    run_jobs([job])
    before, history = store_of(workspace).read("tiny", 0), state_of(job.folder).history
    (job.folder / NETWORK).unlink()
    (job.folder / "scores.json").unlink()
    run_jobs([job])
    after = store_of(workspace).read("tiny", 0)
    np.testing.assert_allclose(after.heldout.values, before.heldout.values, atol=1e-3)
    assert state_of(job.folder).history[0].loss == pytest.approx(history[0].loss, abs=1e-3)


# Real interruptions

ENTRY = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_path('run.py', run_name='__main__')"
)
EPOCHS = 8
FLAGS = (
    "--model", "baseline", "--fold", "0", "--input-size", "16", "--dense", "8", "--batch-size", "1", "--patience", "0",
    "--epochs", str(EPOCHS), "--views", "identity",
)  # fmt: skip


def started(workspace: Workspace, *more: str) -> subprocess.Popen[str]:
    # Not run.py itself: a shell that runs the tests in the background has its children ignore SIGINT.
    command = [sys.executable, "-c", ENTRY, "fold", "--workspace", str(workspace.root), *FLAGS, *more]
    root = Path(run.__file__).parent
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_epoch(process: subprocess.Popen[str], log: Path, epoch: int) -> None:
    deadline = time.monotonic() + 60
    while not (log.is_file() and f"epoch {epoch:>3}/{EPOCHS}" in log.read_text()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_in_mid_epoch_a_fold_goes_on_and_completes(workspace):
    folder = workspace.runs / "baseline/fold0"
    process = started(workspace)
    wait_for_epoch(process, folder / LOG, 2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = state_of(folder)
    assert 2 <= before.epochs < EPOCHS
    again = CliRunner().invoke(run.main, ["fold", "--workspace", str(workspace.root), *FLAGS])
    assert again.exit_code == 0, again.output
    assert f"Going on after epoch {before.epochs};" in again.output
    assert "Next: python run.py status" in again.output
    after = state_of(folder)
    assert after.epochs == EPOCHS
    assert after.history[: before.epochs] == before.history
    assert store_of(workspace).read("baseline", 0).heldout.names == heldout_names(workspace, 0)
    assert not (folder / "checkpoints").exists()
    for split in LOGS:
        assert [step for step, _ in read_events(folder / split)["loss"]] == list(range(1, EPOCHS + 1))


@pytest.mark.slow
def test_killed_while_it_begins_again_a_fold_keeps_its_scores_and_the_new_ones_come_later(workspace):
    def fold(*more: str) -> str:
        result = CliRunner().invoke(run.main, ["fold", "--workspace", str(workspace.root), *FLAGS, *more])
        assert result.exit_code == 0, result.output
        return result.output

    fold("--epochs", "1")
    before = content_of(workspace.runs)
    process = started(workspace, "--restart")
    wait_for_epoch(process, workspace.restarted.runs / "baseline/fold0" / LOG, 2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert content_of(workspace.runs) == before
    assert store_of(workspace).read("baseline", 0).heldout.names == heldout_names(workspace, 0)
    assert "Going on after epoch" in fold()
    assert state_of(workspace.runs / "baseline/fold0").epochs == EPOCHS
    assert not workspace.restarted.runs.exists()


@pytest.mark.slow
def test_ctrl_c_ends_in_one_line_and_keeps_what_was_finished(workspace):
    folder = workspace.runs / "baseline/fold0"
    process = started(workspace)
    wait_for_epoch(process, folder / LOG, 1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Stopped. What was finished is kept; run the same command to go on." in errors
    assert "Traceback" not in errors
    assert 1 <= state_of(folder).epochs < EPOCHS


def test_what_a_job_killed_behind_its_scores_leaves_goes_when_it_is_looked_at_again(workspace, monkeypatch):
    class KilledError(BaseException):
        """Stands for the end of the process."""

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    job, left = tiny_job(workspace), {"checkpoints", PARTS}
    with monkeypatch.context() as context:
        context.setattr("models.train.job.clear", killed)
        with pytest.raises(KilledError):
            run_jobs([job])
    before = {path.name for path in job.folder.iterdir()}
    assert left <= before
    status_of(workspace)  # which only looks
    assert {path.name for path in job.folder.iterdir()} == before
    run_jobs([job])
    assert {path.name for path in job.folder.iterdir()} == before - left


@pytest.mark.slow
def test_a_student_is_trained_recorded_and_held_to_the_labels_it_was_begun_with(trained):
    here = ["--workspace", str(trained.root)]

    def ask(words: str) -> Result:
        return CliRunner().invoke(run.main, [*words.split(), *here])

    assert ask("pseudo p --from tiny").exit_code == 0
    done = ask("train --models tiny --name student --pseudo p --pseudo-weight 0.5")
    assert done.exit_code == 0, done.output
    assert f"and {NUM_TEST} with the pseudo-labels 'p', round 1" in done.output
    assert "What it has gained by pseudo-labels: python run.py pseudo p" in done.output
    store, again = store_of(trained), PseudoLabels.open(trained, "p")
    for fold in range(K):
        learnt = store.provenance("student", fold).pseudo
        assert (learnt.name, learnt.fold, learnt.digest) == ("p", fold, again.digest)
        assert learnt.without == store.provenance("tiny", fold).recipe_digest
    assert re.search(r"student  +0\.\d{4}  +[+-]0\.\d{4} ± 0\.\d{4}  +[+-]0\.\d{4} ± 0\.\d{4}", ask("pseudo p").output)
    # The next round is by networks that learnt from clean labels alone, and says which round it is.
    second = ask("pseudo p2 --from student --power 2")
    assert "Round 2." in second.output
    assert {each.pseudo.digest for (each,) in PseudoLabels.open(trained, "p2").made.networks.values()} == {again.digest}
    # Other labels of that name: what is trained stays, and another fold of the same model is not trained by these.
    assert ask("pseudo p --from tiny --power 3").exit_code == 0
    shutil.rmtree(trained.runs / "student/fold1")
    refused = ask("fold --model student --fold 1")
    assert refused.exit_code == 2
    assert "are others than those with which 'student' was begun" in refused.output
    assert "'student' has learnt from earlier pseudo-labels 'p'" in ask("status").output
    anew = recipe_of(trained, ModelRequest("student"), restarted=range(K))
    assert anew.pseudo_digest == PseudoLabels.open(trained, "p").digest != again.digest


@pytest.mark.slow
def test_a_model_learns_by_weights_of_chips_and_is_held_to_those_it_was_begun_with(trained):
    here, names = ["--workspace", str(trained.root)], trained.labelled.image_names

    def ask(words: str) -> Result:
        return CliRunner().invoke(run.main, [*words.split(), *here])

    asked = "train --models tiny --name weighted --weighted-to test"
    refused = ask(asked)
    assert refused.exit_code == 2
    assert 'Run "python run.py adversarial MODEL' in refused.output
    assert not (trained.runs / "weighted").exists()
    first = samples.write_chip_weights(trained, np.ones(len(names)))
    done = ask(asked)
    assert done.exit_code == 0, done.output
    assert "chips weighted to test." in done.output
    store = store_of(trained)
    for fold in range(K):  # all weigh the same: it is the same model
        ours, theirs = (store.read(model, fold).heldout.values for model in ("weighted", "tiny"))
        np.testing.assert_array_equal(ours, theirs)
    assert re.search(rf"chip weights +{first.digest[:8]}", ask("status --how weighted").output)
    samples.write_chip_weights(trained, np.linspace(0.2, 1.8, len(names)))
    assert ask("train --models weighted").exit_code == 0  # it is done
    shutil.rmtree(trained.runs / "weighted/fold1")
    refused = ask("fold --model weighted --fold 1")
    assert refused.exit_code == 2
    assert "are others than those with which 'weighted' was begun" in refused.output
    assert "has learnt by earlier weights" in ask("status").output
    assert ask("train --models weighted --restart").exit_code == 0
    assert not np.array_equal(store.read("weighted", 0).heldout.values, store.read("tiny", 0).heldout.values)
    assert "earlier weights" not in ask("status").output
