"""Scores for the training of a fold: by heads that know nothing of it, nor of the chip's own fold."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.store.chip_weights import checksum_of
from folds.store.pseudo_labels import PseudoLabels
from folds.store.score_store import ScoreStore
from models.inputs.fill_banks import fill_banks
from models.linear.nested import nested, nested_scores
from models.linear.solvers import Logistic
from models.runs.model_recipe import ModelRequest, recipe_of, record_recipe
from tests.models.linear.samples import bank_of, labels_of, related_features, uneven_features
from tests.models.linear.test_fit import ranked
from tests.models.samples import frozen, tiny_recipe

COUNT = 600


def bank(features: np.ndarray):
    return bank_of(features, views=("identity",))


@pytest.mark.parametrize("num_folds", [2, 3, 5])
def test_the_other_folds_chips_are_scored_by_what_can_be_learnt_without_both(num_folds: int) -> None:
    features = uneven_features(COUNT)
    truth, fold_of = labels_of(features), np.arange(COUNT) % num_folds
    found = nested(bank(features), truth, fold_of)
    assert list(found) == list(range(num_folds))
    for fold, (positions, scores) in found.items():
        np.testing.assert_array_equal(positions, np.flatnonzero(fold_of != fold))
        assert (scores.dtype, scores.shape) == (np.float32, (len(positions), 4))
        ranks = [ranked(scores[:, label], truth[positions, label]) for label in range(3)]
        assert min(ranks[:2]) > 0.93
        assert 0.35 < ranks[2] < 0.65
        np.testing.assert_allclose(scores.mean(axis=0), truth[positions].mean(axis=0), atol=0.05)


@pytest.mark.parametrize("num_folds", [2, 3, 4])
@pytest.mark.parametrize(("chips", "size"), [(240, 30), (40, 300)], ids=["many chips", "few chips"])
def test_a_folds_scores_depend_on_nothing_of_its_chips(num_folds: int, chips: int, size: int) -> None:
    features, random = related_features(chips, size), np.random.default_rng(0)
    truth, fold_of = features[:, :4] > [0, 0, 1, 99], np.arange(chips) % num_folds
    held = fold_of == 1
    before = nested(bank(features), truth, fold_of)
    other = np.where(held[:, None], 100 * random.normal(size=features.shape), features)
    wrong = np.where(held[:, None], random.random(truth.shape) < 0.5, truth)
    after = nested(bank(other), wrong, fold_of)
    assert before[1][1].tobytes() == after[1][1].tobytes()
    assert before[0][1].tobytes() != after[0][1].tobytes()


def test_a_chips_score_depends_on_its_own_fold_by_the_choice_of_penalties_alone(monkeypatch) -> None:
    monkeypatch.setattr(Logistic, "penalties", np.array([1e-2]))
    features = related_features(240, 30)
    truth, fold_of = features[:, :4] > [0, 0, 1, 99], np.arange(240) % 4
    before = nested(bank(features), truth, fold_of)[1]
    after = nested(bank(features), truth ^ (fold_of == 2)[:, None], fold_of)[1]
    own = fold_of[before[0]] == 2
    assert before[1][own].tobytes() == after[1][own].tobytes()
    assert before[1][~own].tobytes() != after[1][~own].tobytes()


def test_a_fold_of_one_chip_that_leaves_nothing_to_learn_from_is_refused() -> None:
    features = related_features(3, 5)
    with pytest.raises(UserError, match="3 labelled chips: too few to score each by heads"):
        nested(bank(features), features[:, :2] > 0, np.array([0, 0, 1]))


@pytest.fixture
def filled(workspace: Workspace, tiny_net: str, tiny_weights: str) -> Workspace:
    """A workspace with a model on features, and these."""
    recipe = tiny_recipe(**frozen(tiny_weights, augment=()), views="identity")
    record_recipe(workspace, "small", recipe)
    fill_banks(workspace, recipe, no_test=True)
    return workspace


def test_a_models_features_score_every_chip_that_a_fold_does_not_hold_out(filled: Workspace) -> None:
    found, table = nested_scores(filled, "small"), ScoreStore.of(filled).table
    assert (found.model, found.recipe_digest) == ("small", recipe_of(filled, ModelRequest("small")).digest())
    assert sorted(found.folds) == list(range(table.num_folds))
    for fold, scores in found.folds.items():
        held = {name for name, is_held in zip(table.image_names, table.heldout(fold), strict=True) if is_held}
        assert set(scores.names) == set(table.image_names) - held
        assert scores.values.shape == (len(scores.names), len(filled.competition.labels))
    ((path, checksum),) = found.features.items()
    assert checksum_of(filled.root / path) == checksum


def test_models_without_features_of_all_labels_are_refused(filled: Workspace, tiny_weights: str) -> None:
    with pytest.raises(UserError, match="'baseline' does not learn from features"):
        nested_scores(filled, "baseline")
    flipped = tiny_recipe(**frozen(tiny_weights, augment=(), pooling=("max",)), views="identity")
    record_recipe(filled, "other", flipped)
    with pytest.raises(UserError, match=r"^The features of 'other' are not made yet of 60 of 60 train chips.*features"):
        nested_scores(filled, "other")
    few = tiny_recipe(**frozen(tiny_weights, augment=()), views="identity", only_labels=("water", "road"))
    record_recipe(filled, "few", few)
    with pytest.raises(UserError, match="'few' scores some labels only: water, road"):
        nested_scores(filled, "few")


def test_the_verb_corrects_labels_by_them(filled: Workspace) -> None:
    place = ["--workspace", str(filled.root)]
    found = CliRunner().invoke(run.main, ["pseudo", "c", "--of", "labelled", "--from", "small", *place])
    assert found.exit_code == 0, found.output
    assert "by heads on the features of 'small' that saw neither the chip's own fold nor the one held" in found.output
    made = PseudoLabels.open(filled, "c", ScoreStore.of(filled).table)
    for fold in range(ScoreStore.of(filled).table.num_folds):
        made.of_fold(fold)
    assert made.changed(filled) == []
    assert made.made.features == nested_scores(filled, "small").features
