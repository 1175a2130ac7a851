"""Linear heads of all folds: signals found, scores that are frequencies, and nothing of a fold in its own head."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from models.inputs.feature_bank import FeatureBank
from models.linear import solvers
from models.linear.fit import fit_linear
from models.linear.solvers import Ridge
from tests.models.linear.samples import VIEWS, bank_of, labels_of, recipe_for, related_features, uneven_features

COUNT, NONE = 900, 3  # chips, and the label that none of them carries
FOLDS = np.random.default_rng(7).integers(5, size=COUNT)
SOLVERS = pytest.mark.parametrize("solver", ["ridge", "logistic"])


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return uneven_features(COUNT)


@pytest.fixture(scope="module")
def truth(features) -> np.ndarray:
    return labels_of(features)


def scored(bank: FeatureBank, truth: np.ndarray, fold_of: np.ndarray, solver: str) -> np.ndarray:
    """Return the scores (num_chips, num_labels) that each chip gets from the head of its fold."""
    folds = np.unique(fold_of).tolist()
    scores = np.empty(truth.shape)
    for fold, (kernel, bias) in zip(folds, fit_linear(bank, truth, fold_of, folds, recipe_for(solver)), strict=True):
        scores[fold_of == fold] = expit(bank.read(np.flatnonzero(fold_of == fold)) @ kernel + bias)
    return scores


def ranked(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of pairs of chips, one with the label and one without, that the scores order rightly."""
    return float(roc_auc_score(truth, scores))


@pytest.mark.parametrize("num_folds", [2, 3, 5, 8])
@SOLVERS
def test_a_signal_on_unseen_chips_is_found(features, truth, solver, num_folds):
    fold_of = np.arange(COUNT) % num_folds
    scores = scored(bank_of(features), truth, fold_of, solver)
    held = [fold_of == fold for fold in range(num_folds)]  # scores of two folds know each other's frequencies
    ranks = [np.mean([ranked(scores[own, label], truth[own, label]) for own in held]) for label in range(3)]
    assert min(ranks[:2]) > 0.95
    assert 0.35 < ranks[2] < 0.65
    np.testing.assert_allclose(scores.mean(axis=0), truth.mean(axis=0), atol=0.02)
    sure = scores[:, 0] > 0.8
    assert truth[sure, 0].mean() > 0.8


@SOLVERS
def test_a_label_that_all_or_no_chips_carry_gets_its_prior(features, truth, solver):
    count = (FOLDS != 2).sum()
    for every in (False, True):
        known = np.where(np.arange(4) == NONE, every, truth)
        ((kernel, bias),) = fit_linear(bank_of(features), known, FOLDS, [2], recipe_for(solver))
        assert not kernel[:, NONE].any()
        expected = (count + 1) / (count + 2) if every else 1 / (count + 2)
        assert expit(bias[NONE].astype(np.float64)) == pytest.approx(expected, rel=1e-3)


def heads(bank: FeatureBank, truth: np.ndarray, fold_of: np.ndarray, folds: list[int], solver: str) -> list[bytes]:
    fitted = fit_linear(bank, truth, fold_of, folds, recipe_for(solver))
    return [kernel.tobytes() + bias.tobytes() for kernel, bias in fitted]


SIZES = pytest.mark.parametrize(("chips", "size"), [(300, 40), (30, 400)], ids=["many chips", "few chips"])


@pytest.mark.parametrize("num_folds", [2, 3, 5, 7])
@SIZES
@SOLVERS
def test_a_head_depends_on_nothing_of_its_folds_chips(solver, chips, size, num_folds):
    features = related_features(chips, size)
    truth = features[:, :4] > [0, 0, 1, 99]
    fold_of, random = np.arange(chips) % num_folds, np.random.default_rng(0)
    held = fold_of == 1
    before = heads(bank_of(features), truth, fold_of, [0, 1], solver)
    other = bank_of(features)
    for view in VIEWS:
        other.maps[view][0][held] = random.normal(size=(held.sum(), size)) * 100
    other.maps["mirror"][0][held.argmax()] = np.inf  # nor does a chip that cannot be read hurt any other
    wrong = np.where(held[:, None], random.random(truth.shape) < 0.5, truth)
    ((kernel, bias),) = fit_linear(other, wrong, fold_of, [1], recipe_for(solver))
    assert kernel.tobytes() + bias.tobytes() == before[1]
    assert np.isfinite(kernel).all()


@pytest.mark.parametrize("num_folds", [2, 5, 7])
@SIZES
@SOLVERS
def test_a_head_is_the_same_whichever_folds_are_asked_for(solver, chips, size, num_folds):
    features = related_features(chips, size)
    truth, fold_of = features[:, :4] > [0, 0, 1, 99], np.arange(chips) % num_folds
    bank = bank_of(features)
    together = heads(bank, truth, fold_of, list(range(num_folds)), solver)
    for fold in (0, num_folds - 1):
        assert heads(bank, truth, fold_of, [fold], solver) == [together[fold]]
    assert heads(bank, truth, fold_of, [1, 0], solver) == [together[1], together[0]]


def test_each_label_has_the_penalty_that_is_best_on_inner_folds(features, truth, monkeypatch):
    """On other chips than the fold's, by heads that have not learnt from them."""
    monkeypatch.setattr(solvers, "_platt", lambda answers, truth, odds: (1.0, 0.0))
    monkeypatch.setattr(Ridge, "penalties", np.array([1e-3, 1.0, 50.0]))
    bank, recipe = bank_of(features), recipe_for("ridge")
    ((kernel, _),) = fit_linear(bank, truth, FOLDS, [0], recipe)
    options, wrong = [], []
    for penalty in (1e-3, 1.0, 50.0):
        monkeypatch.setattr(Ridge, "penalties", np.array([penalty]))
        ((option, _),) = fit_linear(bank, truth, FOLDS, [0], recipe)
        options.append(option)
        total = np.zeros(4)
        for inner in range(1, 5):
            chips = np.flatnonzero(FOLDS != 0)
            learnt = np.setdiff1d(chips, np.flatnonzero(inner == FOLDS))
            raw = np.concatenate([bank.under(view, learnt) for view in recipe.drawn_views]).astype(np.float64)
            mean, scale = raw.mean(axis=0), raw.std(axis=0) + 1e-3
            seen, frequency = (raw - mean) / scale, truth[learnt].mean(axis=0)
            answers = seen.T @ np.tile(truth[learnt] - frequency, (len(recipe.drawn_views), 1)) / len(seen)
            solution = np.linalg.solve(seen.T @ seen / len(seen) + penalty * np.eye(6), answers)
            said = (bank.read(np.flatnonzero(inner == FOLDS)) - mean) / scale @ solution + frequency
            total += ((said - truth[inner == FOLDS]) ** 2).sum(axis=0)
        wrong.append(total)
    for label, best in enumerate(np.argmin(wrong, axis=0)):
        np.testing.assert_allclose(kernel[:, label], options[best][:, label], rtol=1e-4, atol=1e-6)
    assert len(set(np.argmin(wrong, axis=0)[:3])) > 1


def test_the_seed_draws_the_views_of_a_logistic_head_and_nothing_of_ridges(features, truth):
    def of(solver: str, seed: int) -> np.ndarray:
        return fit_linear(bank_of(features), truth, FOLDS, [0], recipe_for(solver, seed=seed))[0][0]

    assert np.array_equal(of("ridge", 1), of("ridge", 2))
    assert np.array_equal(of("logistic", 1), of("logistic", 1))
    assert not np.array_equal(of("logistic", 1), of("logistic", 2))


@pytest.mark.parametrize("chips", [2, 3, 6])
@SOLVERS
def test_a_handful_of_chips_gives_finite_heads(solver, chips):
    features = related_features(chips, 50)
    truth = np.arange(chips)[:, None] % 2 == [0, 1]
    for kernel, bias in fit_linear(bank_of(features), truth, np.arange(chips) % 2, [0, 1], recipe_for(solver)):
        assert np.isfinite(kernel).all()
        assert np.isfinite(bias).all()


def test_a_fold_that_leaves_nobody_is_refused(features, truth):
    with pytest.raises(ValueError, match="fold 0 leaves no chips"):
        fit_linear(bank_of(features), truth, np.zeros(COUNT, dtype=int), [0], recipe_for("ridge"))
