"""What ships: competitions as they were, and from what each delivers to a submission that it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from competition.layouts.chips import CHIPS_A_GROUP, Chip
from competition.layouts.shipped import DELIVERIES
from competition.layouts.simulate import simulate_layout
from competition.spec.load import built_in_names, load
from competition.workspace import Workspace
from run import main

WHAT_THEY_WERE = {
    "bigearthnet-s2": (19, "macro AP", "scores"),
    "chestx-ray14": (14, "ROC AUC", "scores"),
    "eurosat": (10, "accuracy", "tags"),
    "human-protein-atlas-2018": (28, "macro F1", "tags"),
    "imet-2019": (1103, "F2", "tags"),
    "planet": (17, "F2", "tags"),
    "plant-pathology-2021": (6, "F1", "tags"),
    "ranzcr-clip": (11, "ROC AUC", "scores"),
    "rsna-hemorrhage-2019": (6, "weighted log loss", "rows"),
    "ucmerced-multilabel": (17, "macro AP", "scores"),
}
NUM_TRAIN, NUM_TEST = 60, 20


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def delivered(name: str, tmp_path: Path) -> tuple[tuple[object, ...], list[Chip], list[Chip]]:
    """Return the flags of a workspace prepared from what a competition delivers, and the chips with their truth."""
    train, test = simulate_layout(tmp_path / "data", load(name), num_train=NUM_TRAIN, num_test=NUM_TEST, size=24)
    here = ("--workspace", tmp_path / "workspace", "--competition", name)
    assert "Next: " in run("data", "prepare", "--from", tmp_path / "data", *here)
    return here, train, test


def write_scores(path: Path, chips: list[Chip], labels: tuple[str, ...]) -> None:
    """Write scores that know half of the truth, as a team mate would send them."""
    truth = np.array([chip.labels for chip in chips])
    scores = 0.01 + 0.49 * truth + 0.49 * np.random.default_rng(0).random(truth.shape)
    np.savez(path, names=np.array([chip.name for chip in chips]), scores=scores, labels=np.array(labels))


def test_competitions_have_their_labels_metric_and_kind_of_submission():
    found = {name: load(name) for name in built_in_names()}
    assert {
        name: (len(competition.labels), competition.metric.title, competition.submission_kind)
        for name, competition in found.items()
    } == WHAT_THEY_WERE
    assert all(competition.name == name for name, competition in found.items())


def test_each_has_a_layout_and_planet_a_simulator_of_its_own():
    assert DELIVERIES.keys() | {"planet"} == set(built_in_names())


def test_the_one_class_of_a_chip_and_the_weight_of_any():
    assert load("eurosat").is_multi_class
    weights = load("rsna-hemorrhage-2019").metric.weights
    assert {label for label, weight in weights.items() if weight == 2} == {"any"}


@pytest.mark.parametrize("name", ["human-protein-atlas-2018", "imet-2019"])
def test_labels_that_are_numbers_are_all_there_in_order(name):
    labels = load(name).labels
    assert labels == tuple(map(str, range(len(labels))))


@pytest.mark.parametrize("name", DELIVERIES)
def test_from_what_is_delivered_to_a_submission_that_is_taken(name, delivered, tmp_path):
    here, train, test = delivered
    workspace = Workspace.open(tmp_path / "workspace", name)
    labelled = workspace.labelled
    truth = dict(zip(labelled.image_names, labelled.truth.tolist(), strict=True))
    assert truth == {chip.name: chip.labels.tolist() for chip in train}
    assert sorted(workspace.test_names) == sorted(chip.name for chip in test)
    run("folds", "--k", 2, *here)
    folds = pd.read_csv(tmp_path / "workspace" / "folds.csv", index_col="image_name", dtype=str)["fold"]
    if workspace.competition.tables.group_column is not None:
        pairs = {(chip.fields["patient"], folds[chip.name]) for chip in train}
        assert len(pairs) == NUM_TRAIN / CHIPS_A_GROUP
    write_scores(tmp_path / "scores.npz", [*train, *test], workspace.competition.labels)
    run("scores", "import", tmp_path / "scores.npz", "--name", "mine", *here)
    quick = ("--rule", "fixed") if len(workspace.competition.labels) > 100 else ()
    run("blend", "--members", "mine", "--name", "first", *quick, *here)
    run("validate", "first", *here)
    written = pd.read_csv(tmp_path / "workspace" / "submissions" / "first.csv", dtype=str, keep_default_na=False)
    rows = NUM_TEST * (len(workspace.competition.labels) if workspace.competition.submission_kind == "rows" else 1)
    assert len(written) == rows


@pytest.mark.parametrize("name", DELIVERIES)
def test_the_check_of_the_data_finds_no_error(name, delivered):
    here, _, _ = delivered
    assert "Ready: 0 errors" in run("data", "check", *here)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["eurosat", "rsna-hemorrhage-2019"])
def test_a_model_learns_from_the_chips(name, delivered, tmp_path):
    here, _, _ = delivered
    run("folds", "--k", 2, *here)
    run("train", "--models", "baseline", "--input-size", 16, "--epochs", 1, "--views", "identity", *here)
    run("blend", "--members", "baseline", "--name", "first", *here)
    run("validate", "first", *here)
