"""Making pseudo-labels: soft, sharpened, and only those that are sure enough; and the verb."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.store.pseudo_labels import PseudoLabels
from folds.store.score_store import ScoreStore
from submissions.pseudo.make import make_pseudo, powered
from submissions.pseudo.verbs import pseudo_verb
from tests.submissions.samples import NUM_TEST, add_model, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def test_they_are_the_scores_of_the_networks_that_held_the_fold_out(workspace: Workspace) -> None:
    made = make_pseudo("p", "a", workspace)
    store = ScoreStore.of(workspace)
    for fold in range(3):
        labels, own = made.pseudo.of_fold(fold), store.read("a", fold).test
        assert labels.names == own.names
        np.testing.assert_array_equal(labels.targets, own.values)
        assert labels.counted.all()
    assert made.num_chips == NUM_TEST
    assert PseudoLabels.open(workspace, "p").made.round == 1
    assert "each by the networks of 'a' that held the fold out. Round 1." in made.text()


def test_a_power_multiplies_log_odds() -> None:
    scores = np.array([0.0, 0.1, 0.5, 0.9, 1.0], dtype=np.float32)
    inner = scores[1:-1]
    found = powered(scores, 3.0)
    np.testing.assert_allclose(
        np.log(found[1:-1] / (1 - found[1:-1])), 3 * np.log(inner / (1 - inner)), rtol=1e-4, atol=1e-5
    )
    assert found[[0, -1]].tolist() == [0, 1]
    np.testing.assert_array_equal(powered(scores, 1.0), scores)


@pytest.mark.parametrize("power", [1100.0, 1e308, 1e-300])
def test_no_power_is_too_large_for_odds(power: float) -> None:
    found = powered(np.array([0.0, 0.3, 0.5, 0.7, 1.0], dtype=np.float32), power)
    np.testing.assert_allclose(found, [0, 0, 0.5, 1, 1] if power > 1 else [0, 0.5, 0.5, 0.5, 1], atol=1e-6)


def test_what_counts_is_right_as_often_as_asked_for(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, num_chips=900)
    every, sure = (make_pseudo(name, "a", workspace, sure=sure) for name, sure in (("every", 0.5), ("sure", 0.9)))
    assert every.counted.min() == 1
    assert 0.05 < sure.counted.mean() < 0.95
    labels = sure.pseudo.of_fold(0)
    # The simulated scores mean the same of every label, so what counts is told by one pair of cuts about those of all.
    off = labels.targets[~labels.counted]
    assert np.percentile(off, 5) > 0.02
    assert np.percentile(off, 95) < 0.98
    heldout = ScoreStore.of(workspace).read("a", 0).heldout
    row = {name: number for number, name in enumerate(workspace.labelled.image_names)}
    truth = workspace.labelled.truth[[row[name] for name in heldout.names]]
    for label in range(3):
        counted = labels.targets[labels.counted[:, label], label]
        low, high = counted[counted < 0.5].max(initial=0), counted[counted > 0.5].min(initial=1)
        own = heldout.values[:, label]
        told = (own <= low) | (own >= high)
        assert ((own > 0.5) == truth[:, label])[told].mean() > 0.88  # it is .9 at the cuts, and more beyond


def test_a_specialist_alone_labels_nothing(workspace: Workspace) -> None:
    add_model(ScoreStore.of(workspace), "few", workspace.labelled.truth, 5, scored=workspace.competition.labels[:4])
    with pytest.raises(UserError, match=r"No scores of .* by 'few'\. Add a model that scores them"):
        make_pseudo("p", "few", workspace)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"power": 0.0}, "--power must be above 0"),
        ({"power": float("inf")}, "--power must be above 0 and finite"),
        ({"power": float("nan")}, "--power must be above 0 and finite"),
        ({"sure": 1.0}, "--sure must be at least 0.5"),
        ({"name": "none"}, "stands for no pseudo-labels"),
    ],
)
def test_values_that_cannot_be_are_refused(workspace: Workspace, values: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make_pseudo(**{"name": "p", "source": "a", "workspace": workspace, **values})
    assert not workspace.pseudo.exists()


def test_the_verb_makes_them_and_says_what_comes_next(workspace: Workspace) -> None:
    place = ["--workspace", str(workspace.root)]
    found = CliRunner().invoke(run.main, ["pseudo", "p", "--from", "b", "--power", "2", *place])
    assert found.exit_code == 0, found.output
    assert "train --models b --name b-p --pseudo p" in found.output
    shown = CliRunner().invoke(run.main, ["pseudo", "p", "--json", *place])
    assert json.loads(shown.output)["students"] == []
    refused = CliRunner().invoke(run.main, ["pseudo", "p", "--sure", "0.9", *place])
    assert refused.exit_code != 0
    assert "--sure: what labels the chips?" in refused.output
    endless = CliRunner().invoke(run.main, ["pseudo", "q", "--from", "b", "--power", "inf", *place])
    assert endless.exit_code == 2
    assert "not a finite number" in endless.output


def test_the_student_that_is_proposed_is_begun_as_its_teacher_was(workspace: Workspace) -> None:
    def begun_as(_: Workspace, model: str) -> str:
        return f"train --models {model} --epochs 12"

    verb = pseudo_verb(lambda *_: pytest.fail("nothing is nested"), begun_as)
    for flags in (["--from", "b"], []):
        done = CliRunner().invoke(verb, ["p", *flags, "--workspace", str(workspace.root)], catch_exceptions=False)
        assert "train --models b --epochs 12 --name b-p --pseudo p" in done.output


def test_labels_of_which_nearly_all_targets_that_count_say_no_are_named(workspace: Workspace) -> None:
    made = make_pseudo("p", "a", workspace, sure=0.6)
    assert "`of pseudo-labels`: their mean target" in made.text()
    every = [made.pseudo.of_fold(fold) for fold in range(3)]
    counted = np.concatenate([each.counted[:, 5] for each in every])
    targets = np.concatenate([each.targets[:, 5] for each in every])
    assert made.learnt[5] == pytest.approx(targets[counted].mean())
    assert made.never == []
    label, learnt = workspace.competition.labels[5], made.learnt * (np.arange(len(made.learnt)) != 5)
    assert f"Warning: of {label} nearly all targets" in replace(made, learnt=learnt).text()
