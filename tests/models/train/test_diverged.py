"""Training that went wrong is said so, and never taken for a model; a weak model is not taken for that."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import run
from competition.task import Task
from competition.workspace import Workspace
from models.backend.made import read_made
from models.heads.group import HeadGroup
from models.heads.training import Training
from models.inputs.examples import Examples
from models.inputs.feature_bank import FeatureBank
from models.recipes.named import resolve
from models.runs.folders import HISTORY
from models.runs.status import status_of
from models.runs.training_state import DIVERGED, DivergedError, TrainingState
from models.train import diverged
from models.train.diverged import check_learnt, check_scores
from models.train.run_jobs import run_jobs
from tests.conftest import store_of
from tests.models.samples import PLANET, frozen, tiny_job, tiny_recipe

SHARES = (.7, .18, .07, .05, .92, .3, .2, .18, .1, .09, .02, .01, .009, .008, .005, .0024, .0024)  # fmt: skip
NUM_FEATURES = 60


def examples_of(num_chips: int, strength: float, labels: tuple[str, ...] = PLANET.labels) -> Examples:
    """Return chips whose features tell of the labels by a strength; a third of them are held out."""
    rng, task = np.random.default_rng(0), Task(PLANET, labels)
    truth = rng.random((num_chips, len(labels))) < np.array(SHARES)[task.columns]
    features = strength * truth @ rng.normal(size=(len(labels), NUM_FEATURES))
    features = np.maximum(features + rng.normal(size=(num_chips, NUM_FEATURES)), 0).astype(np.float16)
    bank, learnt = FeatureBank(NUM_FEATURES, {"identity": (features,)}), 2 * num_chips // 3
    return Examples(task, bank, truth, np.arange(learnt), np.arange(learnt, num_chips))


def trained(folder: Path, examples: Examples, **values: object) -> tuple[Path, object]:
    """Train a head, and leave its history in a job's folder; return that and the recipe."""
    settings = {"dense": (16,), "batch_size": 32, "augment": (), "images": "jpg", "groups": "sigmoid"}
    recipe = resolve("mobilenet_v2_levels", {**settings, **values})
    group = HeadGroup(recipe, examples)
    while not group.is_over:
        Training(group).epoch()
    group.states[0].write(folder / HISTORY)
    return folder, recipe


LOSSES = (
    {"loss": "binary_crossentropy"},
    {"loss": "binary_crossentropy", "groups": "softmax"},
    {"loss": "binary_crossentropy", "class_weights": "balanced", "sampling": "balanced"},
    {"loss": "focal"},
    {"loss": "asymmetric"},
    {"loss": "crossentropy_and_f_beta"},
)
RARE = ("blow_down", "conventional_mine", "slash_burn")


@pytest.mark.parametrize("loss", [*LOSSES, {"loss": "soft_f_beta"}], ids=str)
@pytest.mark.parametrize(
    ("num_chips", "strength", "labels", "values"),
    [
        (300, 0.0, PLANET.labels, {"epochs": 1}),  # nothing to learn, and no time for it
        (300, 0.0, PLANET.labels, {"epochs": 30, "learning_rate": 1e-2, "dropout": 0.0}),  # learnt by heart
        (30, 0.5, PLANET.labels, {"epochs": 2, "learning_rate": 1e-1}),
        (300, 0.5, RARE, {"epochs": 3}),
        (300, 0.5, PLANET.labels, {"epochs": 2, "learning_rate": 1e-1}),
    ],
)
def test_weak_models_are_not_taken_for_diverged_ones(tmp_path, loss, num_chips, strength, labels, values) -> None:
    examples = examples_of(num_chips, strength, labels)
    folder, recipe = trained(
        tmp_path, examples, **{**loss, **values, **({"groups": "sigmoid"} if labels == RARE else {})}
    )
    check_learnt(folder, recipe, examples)


@pytest.mark.parametrize("loss", LOSSES[:-1], ids=str)
@pytest.mark.parametrize("rate", [3.0, 30.0])
def test_rates_at_which_nothing_is_learnt_are_seen_though_the_loss_is_a_number(tmp_path, loss, rate) -> None:
    examples = examples_of(300, 0.5)
    folder, recipe = trained(tmp_path / "m" / "fold1", examples, **loss, learning_rate=rate, epochs=2)
    line = (
        r"^'m' fold 1 has diverged: The best epoch, \d of 2, has a loss of .* \(.* on the chips learnt\), where each "
    )
    line += (
        rf"label's share alone gives .*, at a learning rate of {rate:g}\. To begin again, run \"python run\.py train "
    )
    with pytest.raises(DivergedError, match=line + r"--models m --learning-rate 0\.001 --restart\"\.$"):
        check_learnt(folder, recipe, examples)


def test_a_network_that_began_far_off_and_comes_down_has_not_diverged(tmp_path) -> None:
    examples = examples_of(300, 0.5)
    folder, recipe = trained(tmp_path / "m" / "fold1", examples, learning_rate=30.0, epochs=2)
    state = TrainingState.read(folder / HISTORY)
    last = 1 - state.best
    state.history[last] = dataclasses.replace(state.history[last], loss=0.3, heldout_loss=0.4)
    state.history.sort(key=lambda epoch: epoch.loss == 0.3)
    state.best = 0
    state.write(folder / HISTORY)
    check_learnt(folder, recipe, examples)


def test_scores_and_losses_that_are_no_numbers_are_refused(tmp_path) -> None:
    recipe, examples = tiny_recipe(**frozen("x", solver="ridge", dense=())), examples_of(30, 0.5)
    scores = np.zeros((4, 17), np.float32)
    check_scores(scores, tmp_path, recipe)
    scores[2, 3] = np.nan
    with pytest.raises(DivergedError, match=r"The scores of 1 chip are no numbers\. .* --solver gradient --restart"):
        check_scores(scores, tmp_path / "m" / "fold0", recipe)
    folder, recipe = trained(tmp_path, examples, epochs=1)
    state = TrainingState.read(folder / HISTORY)
    state.history[0] = dataclasses.replace(state.history[0], loss=float("nan"))
    state.write(folder / HISTORY)
    with pytest.raises(DivergedError, match="has a loss of"):
        check_learnt(folder, recipe, examples)


def invoked(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(run.main, [*arguments, "--workspace", str(workspace.root)])


def test_a_fold_whose_loss_explodes_has_no_scores_and_is_not_trained_again_until_it_is_asked_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At this rate the loss is never NaN: it is thousands of times what it should be."""
    tiny = ("--input-size", "16", "--dense", "8", "--batch-size", "16", "--epochs", "2", "--views", "identity")
    fold = ("fold", "--model", "baseline", "--fold", "0")
    said = invoked(workspace, *fold, *tiny, "--learning-rate", "1e5")
    assert said.exit_code == 2, said.output
    assert "'baseline' fold 0 has diverged: " in said.output
    assert not store_of(workspace).is_complete("baseline", 0)
    assert status_of(workspace).models[0].folds[0].state == "diverged"
    assert "diverged has learnt nothing but noise" in invoked(workspace, "status").output
    with monkeypatch.context() as context:
        context.setattr("models.train.run_jobs._run", lambda jobs: pytest.fail("trained again"))
        again = invoked(workspace, *fold)
        assert (again.exit_code, again.stderr) == (2, said.stderr)
    assert "lacks" in invoked(workspace, "blend", "--members", "baseline", "--name", "b").output
    mended = invoked(workspace, *fold, "--learning-rate", "1e-3", "--restart")
    assert mended.exit_code == 0, mended.output
    assert status_of(workspace).models[0].folds[0].state == "scored"


def test_heads_that_have_learnt_are_kept_though_one_beside_them_has_diverged(
    workspace: Workspace, tiny_net: str, tiny_weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [tiny_job(workspace, fold, **frozen(tiny_weights)) for fold in range(3)]
    check = diverged.check_learnt

    def seen(folder: Path, *others: object) -> None:
        check(folder, *others)
        if folder.name == "fold1":
            raise DivergedError("It", 1.0, "tiny", 1)

    monkeypatch.setattr("models.train.job.check_learnt", seen)
    for _ in range(2):  # also where nothing is left to do
        with pytest.raises(DivergedError, match="'tiny' fold 1 has diverged: It, at a learning rate of 1"):
            run_jobs(jobs)
        assert [store_of(workspace).is_complete("tiny", fold) for fold in range(3)] == [True, False, True]
    assert (jobs[1].folder / DIVERGED).is_file()
    assert [[run.ended for run in read_made(job.folder) or []] for job in jobs] == [
        ["finished"],
        ["diverged"],
        ["finished"],
    ]
