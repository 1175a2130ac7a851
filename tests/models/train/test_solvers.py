"""Heads fitted at once: the closed form, signals found, scores that are frequencies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from models.inputs.examples import Examples
from models.inputs.feature_bank import FeatureBank
from models.networks.heads import build_head
from models.recipes.recipe import Recipe
from models.runs.training_state import state_of
from models.train import solvers
from models.train.solvers import RIDGE_PENALTIES, _Probe, solve
from tests.models.samples import PLANET, compiled, output_of, tiny_recipe

COUNT, SIZE = 900, 6
LABELS = ("clear", "haze", "water", "blow_down")
NONE = LABELS.index("blow_down")  # that no chip carries
TRAINING, HELDOUT = np.arange(700), np.arange(700, COUNT)


def recipe_for(solver: str, **values: Any) -> Recipe:
    frozen = {"backbone": "TinyNet", "weights": "imagenet", "train": "head", "pooling": ("avg",)}
    linear = {"dense": (), "augment": ("flips",)}
    return tiny_recipe(solver=solver, only_labels=LABELS, **{**frozen, **linear, **values})


@pytest.fixture(scope="module")
def bank() -> FeatureBank:
    """Features far from standardised, of which each view shows a little else; the last one is constant."""
    random = np.random.default_rng(0)
    features = random.normal(size=(COUNT, SIZE)) * [1, 2, 5, 0.1, 30, 0] + [0, 3, -50, 1, 0, 7]
    noise = [1, 2, 5, 0.1, 30, 0]
    views = ("identity", "mirror", "turn180_mirror", "turn180")
    shown = {view: features + 0.05 * random.normal(size=features.shape) * noise for view in views}
    return FeatureBank(SIZE, {view: array.astype(np.float16) for view, array in shown.items()})


@pytest.fixture(scope="module")
def truth(bank) -> np.ndarray:
    """Labels by features 0 and 1, by feature 3 and rarely, by chance, and never."""
    random, features = np.random.default_rng(1), bank.read(np.arange(COUNT))
    first = 2 * features[:, 0] + (features[:, 1] - 3) + 0.6 * random.normal(size=COUNT) > 0
    second = (features[:, 3] - 1) / 0.1 + 0.4 * random.normal(size=COUNT) > 1.3
    return np.stack([first, second, random.random(COUNT) < 0.3, np.zeros(COUNT, dtype=bool)], axis=1)


def fitted(bank: FeatureBank, truth: np.ndarray, folder: Path, solver: str, **values: Any) -> keras.Model:
    recipe = recipe_for(solver, **values)
    head = compiled(build_head(recipe, SIZE, recipe.task(PLANET)), recipe)
    solve(head, Examples(recipe.task(PLANET), bank, truth, TRAINING, HELDOUT), recipe, folder)
    return head


@pytest.fixture(scope="module", params=["ridge", "logistic"])
def scores(request, bank, truth, tmp_path_factory) -> np.ndarray:
    head = fitted(bank, truth, tmp_path_factory.mktemp("solved"), request.param)
    return output_of(head, bank.read(HELDOUT))


def ranked(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of pairs of chips, one with the label and one without, that the scores order rightly."""
    return float((scores[truth][:, None] > scores[~truth][None]).mean())


def test_a_signal_on_unseen_chips_is_found(scores, truth):
    assert ranked(scores[:, 0], truth[HELDOUT, 0]) > 0.95
    assert ranked(scores[:, 1], truth[HELDOUT, 1]) > 0.95
    assert 0.35 < ranked(scores[:, 2], truth[HELDOUT, 2]) < 0.65


def test_scores_are_as_high_as_labels_are_frequent(scores, truth):
    # Calibrated on a fifth of the chips, of which the frequencies are known to within a few hundredths.
    np.testing.assert_allclose(scores.mean(axis=0), truth[TRAINING].mean(axis=0), atol=0.08)
    sure = scores[:, 0] > 0.8
    assert truth[HELDOUT, 0][sure].mean() > 0.8


def test_a_label_that_no_chip_carries_gets_its_prior(scores):
    assert np.isfinite(scores).all()
    kept = len(TRAINING) * 4 // 5
    np.testing.assert_allclose(scores[:, NONE], 1 / (kept + 2), rtol=1e-3)


@pytest.mark.parametrize("solver", ["ridge", "logistic"])
def test_a_label_that_every_chip_carries_gets_its_prior(bank, truth, tmp_path, solver):
    every = np.where(np.arange(4) == NONE, True, truth)
    scores = output_of(fitted(bank, every, tmp_path, solver), bank.read(HELDOUT))
    assert (scores[:, NONE] > 0.99).all()


def test_the_figures_are_written_as_one_epochs_and_are_the_heads(bank, truth, tmp_path):
    head = fitted(bank, truth, tmp_path, "ridge")
    state = state_of(tmp_path)
    assert (state.epochs, state.best) == (1, 0)
    figures = head.evaluate(bank.read(HELDOUT), truth[HELDOUT].astype(np.float32), verbose=0, return_dict=True)
    assert state.best_metric == pytest.approx(figures["metric"], abs=1e-5)
    assert state.history[0].heldout_loss == pytest.approx(figures["loss"], abs=1e-4)


def test_the_seed_decides_which_chips_are_set_aside_and_nothing_else_is_random(bank, truth, tmp_path):
    weights = [fitted(bank, truth, tmp_path, "ridge", seed=seed).get_weights()[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


# Least squares


def probe_of(bank: FeatureBank, truth: np.ndarray, views: tuple[str, ...] = ("identity", "mirror")) -> _Probe:
    kept, aside = TRAINING[140:], TRAINING[:140]
    return _Probe(bank, views, truth, kept, aside, *solvers._moments(bank, kept))


def test_moments_are_those_of_the_chips_at_once(bank, monkeypatch):
    monkeypatch.setattr(solvers, "PART", 64)
    mean, scale = solvers._moments(bank, TRAINING)
    np.testing.assert_allclose(mean, bank.read(TRAINING).mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(scale, bank.read(TRAINING).std(axis=0) + 1e-3, rtol=1e-3)


def test_least_squares_is_the_closed_form_up_to_calibration(bank, truth, monkeypatch):
    """One penalty, all features in memory, a view under the other."""
    monkeypatch.setattr(solvers, "PART", 64)
    monkeypatch.setattr(solvers, "RIDGE_PENALTIES", np.array([0.3]))
    monkeypatch.setattr(solvers, "_platt", lambda answers, truth, odds: (1.0, 0.0))
    probe = probe_of(bank, truth)
    kernel, bias = probe.ridge()
    mean, scale = bank.read(probe.kept).mean(axis=0), bank.read(probe.kept).std(axis=0) + 1e-3
    seen = np.concatenate([(bank.under(view, probe.kept) - mean) / scale for view in probe.views])
    wanted = np.tile(truth[probe.kept] - truth[probe.kept].mean(axis=0), (2, 1))
    expected = np.linalg.solve(seen.T @ seen / len(seen) + 0.3 * np.eye(SIZE), seen.T @ wanted / len(seen))
    np.testing.assert_allclose(kernel, expected, atol=1e-4)
    assert not bias.any()


@pytest.mark.parametrize("chips", [12, 40, 300], ids=["fewer rows than features", "a few more", "many more"])
def test_every_penaltys_kernels_are_those_of_the_direct_solution(chips):
    """Of features that depend on each other, as those of a network do."""
    random, size, labels = np.random.default_rng(4), 64, 5
    features = random.normal(size=(2 * chips, 20)) @ random.normal(size=(20, size)) + random.normal(size=(1, size))
    features += 0.3 * random.normal(size=features.shape)
    maps = {"identity": features[:chips].astype(np.float16), "mirror": features[chips:].astype(np.float16)}
    bank, truth, kept = FeatureBank(size, maps), random.random((chips, labels)) < 0.3, np.arange(chips)
    probe = _Probe(bank, tuple(maps), truth, kept, kept, *solvers._moments(bank, kept))
    frequency = truth.mean(axis=0)
    seen = np.concatenate([probe._under(kept, view) for view in maps]).astype(np.float64)
    products = seen.T @ seen / len(seen)
    answers = seen.T @ np.tile(truth - frequency, (2, 1)) / len(seen)
    for penalty, kernels in zip(RIDGE_PENALTIES, probe._kernels(frequency), strict=True):
        expected = np.linalg.solve(products + penalty * np.eye(size), answers)
        # Products of many rows are summed in float32, which the weakest penalty shows.
        np.testing.assert_allclose(kernels, expected, atol=3e-4 * np.abs(expected).max())


@pytest.mark.parametrize("weakest", [10.0, 1e-2, 1e-7], ids=str)
def test_products_too_close_to_singular_for_float32_are_solved_too(weakest):
    random = np.random.default_rng(5)
    directions = np.linalg.qr(random.normal(size=(50, 50)))[0]
    products = (directions * np.geomspace(weakest, 1e4, 50)) @ directions.T
    answers, penalty = random.normal(size=(50, 3)), 1e-6
    found = solvers._solved(products, penalty, answers)
    expected = np.linalg.solve(products + penalty * np.eye(50), answers)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_each_label_has_the_penalty_that_is_best_on_the_chips_set_aside(bank, truth, monkeypatch):
    monkeypatch.setattr(solvers, "_platt", lambda answers, truth, odds: (1.0, 0.0))
    probe = probe_of(bank, truth)
    chosen, frequency, seen = probe.ridge()[0], truth[probe.kept].mean(axis=0), probe._under(probe.aside, "identity")

    def wrong(kernel: np.ndarray) -> np.ndarray:
        return ((seen @ kernel + frequency - truth[probe.aside]) ** 2).mean(axis=0)

    others = []
    for penalty in RIDGE_PENALTIES:
        monkeypatch.setattr(solvers, "RIDGE_PENALTIES", np.array([penalty]))
        others.append(wrong(probe.ridge()[0]))
    np.testing.assert_allclose(wrong(chosen), np.min(others, axis=0), rtol=1e-5)


def test_calibration_turns_answers_into_the_odds_they_stand_for():
    random = np.random.default_rng(0)
    made = random.normal(size=4000) * 0.01
    truth = random.random(4000) < 1 / (1 + np.exp(-(300 * made - 2)))
    slope, intercept = solvers._platt(made, truth, 0.0)
    assert slope == pytest.approx(300, rel=0.15)
    assert intercept == pytest.approx(-2, abs=0.15)
    assert solvers._platt(made, np.zeros(4000, dtype=bool), -7.0) == (0.0, -7.0)
