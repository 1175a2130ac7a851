"""Losses of heads: scores, values and gradients are those of Keras, for heads of their own batches."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import tensorflow as tf

from competition.spec.competition import Competition
from competition.spec.load import load
from competition.spec.metric import Metric
from competition.task import Task
from models.heads.losses import HeadLoss, head_loss
from models.networks.layers import ScoreLayer
from models.networks.losses import make_loss
from models.recipes.recipe import Recipe, softmax_groups
from tests.models.samples import tiny_recipe

PLANET = load("planet")
EUROSAT = load("eurosat")  # exclusive labels alone
NUM_LABELS = len(PLANET.labels)
WEATHER = PLANET.exclusive_columns[0]
LOSSES = get_args(get_type_hints(Recipe)["loss"])
SETTINGS = [
    {"loss": loss, "groups": groups, "label_smoothing": smoothing, "class_weights": weights}
    for loss in LOSSES
    for groups in ("sigmoid", "softmax")
    for smoothing in (0.0, 0.2)
    for weights in ("none", "balanced")
    if loss != "soft_f_beta" or (not smoothing and weights == "none")
]
# Each with the averages on which it depends.
CASES = [
    pytest.param(values, average, id="-".join(map(str, [*values.values(), average])))
    for values in SETTINGS
    for average in (("samples", "macro", "micro") if "f_beta" in values["loss"] else ("samples",))
]


def batch(*heads: int, seed: int = 0, num_labels: int = NUM_LABELS, spread: float = 3.0) -> tuple[Any, Any]:
    """Return targets (..., 12, num_labels), half of them mixed and some rows without a label, and logits."""
    random = np.random.default_rng(seed)
    targets = (random.random((*heads, 12, num_labels)) < 0.3).astype(np.float32)
    targets[..., 6:, :] = random.random(targets[..., 6:, :].shape)
    targets[..., 5, :] = 0
    return targets, random.normal(0, spread, targets.shape).astype(np.float32)


def planet(average: str = "samples", **weights: float) -> Competition:
    return PLANET.model_copy(update={"metric": Metric(average=average, beta=2, weights=weights)})


def truth_of(seed: int = 0, num_labels: int = NUM_LABELS) -> Any:
    """Return truth in which labels differ in how rare they are."""
    return np.random.default_rng(seed).random((300, num_labels)) < np.linspace(0.01, 0.6, num_labels)


def of_keras(recipe: Recipe, task: Task, truth: Any, targets: Any, logits: Any) -> tuple[Any, Any, Any]:
    """Return scores, the loss by chip of those, and the gradient of its sum by the logits, of one head."""
    layer, loss = ScoreLayer(softmax_groups(recipe, task)), make_loss(recipe, task, truth)
    logits = tf.Variable(logits)
    with tf.GradientTape() as tape:
        total = loss(targets, layer(logits)) * len(targets)
    scores = layer(logits).numpy()
    # A copy, behind which Keras does not see the logits.
    return scores, loss.call(tf.constant(targets), tf.constant(scores)).numpy(), tape.gradient(total, logits).numpy()


def check(recipe: Recipe, competition: Competition, targets: Any, logits: Any) -> None:
    """Hold scores, values and gradient of one head against Keras'."""
    task, truth = recipe.task(competition), truth_of(num_labels=targets.shape[-1])
    loss = head_loss(recipe, task, truth)
    scores, values, gradient = of_keras(recipe, task, truth, targets, logits)
    ours = loss.scores(logits)
    np.testing.assert_allclose(ours, scores, rtol=2e-5, atol=1e-37)
    np.testing.assert_allclose(loss.values(targets, scores), values, rtol=1e-5, atol=1e-6)
    found = loss.gradient(targets, scores)
    np.testing.assert_allclose(found, gradient, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())
    assert {part.dtype for part in (ours, loss.values(targets, scores), found)} == {np.dtype(np.float32)}


# Against Keras


@pytest.mark.parametrize(("values", "average"), CASES)
def test_scores_values_and_gradients_are_those_of_keras_for_all_logits(values, average):
    targets, logits = batch()
    logits[::3] = np.where(logits[::3] > 0, 40, -40)
    logits[1], logits[7] = 100, -100
    check(tiny_recipe(**values), planet(average), targets, logits)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("groups", ["sigmoid", "softmax"])
@pytest.mark.parametrize("loss", ["focal", "asymmetric"])
def test_so_they_are_of_any_gamma(loss, groups, gamma):
    targets, logits = batch()
    logits[6:] = np.linspace(-20, 20, logits[6:].size).reshape(logits[6:].shape)
    check(tiny_recipe(loss=loss, groups=groups, gamma=gamma), planet(), targets, logits)


def test_so_they_are_of_labels_that_the_metric_weighs():
    check(tiny_recipe(loss="soft_f_beta"), planet("macro", water=3.0, road=0.0), *batch())


@pytest.mark.parametrize("loss", LOSSES)
def test_so_they_are_where_all_labels_share_a_softmax(loss):
    competition = EUROSAT.model_copy(update={"metric": Metric(average="macro")})
    values = {"bands": "RGB", "loss": loss, "label_smoothing": 0.1 if loss != "soft_f_beta" else 0.0}
    recipe = tiny_recipe(**values, groups="softmax")
    check(recipe, competition, *batch(num_labels=len(EUROSAT.labels)))


def test_a_specialist_has_the_loss_of_its_labels():
    recipe = tiny_recipe(only_labels=("water", "cloudy", "haze", "partly_cloudy", "clear"), groups="softmax")
    check(recipe, planet(), *batch(num_labels=5))


# Of the gradient itself


@pytest.mark.parametrize(("values", "average"), CASES)
def test_values_change_as_the_gradient_says(values, average):
    targets, logits = batch(spread=1.0)
    recipe = tiny_recipe(**values)
    loss = head_loss(recipe, recipe.task(planet(average)), truth_of())
    exact, step = logits.astype(np.float64), np.random.default_rng(5).normal(size=logits.shape)
    ends = [loss.values(targets, loss.scores(exact + sign * step)).sum() for sign in (1e-2, -1e-2)]
    slope = np.sum(loss.gradient(targets, loss.scores(logits)) * step)
    assert (ends[0] - ends[1]) / 2e-2 == pytest.approx(slope, rel=1e-2, abs=1e-2)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "soft_f_beta"])
def test_a_score_that_is_wrong_by_any_amount_still_learns(loss):
    made = loss_of(loss=loss)
    scores = made.scores(np.full((1, NUM_LABELS), -60, np.float32))
    assert made.gradient(np.ones((1, NUM_LABELS)), scores) == pytest.approx(-1 / NUM_LABELS)


# Many heads


def loss_of(competition: Competition = PLANET, **values: Any) -> HeadLoss:
    recipe = tiny_recipe(**values)
    return head_loss(recipe, recipe.task(competition), truth_of())


@pytest.mark.parametrize(("values", "average"), CASES)
def test_heads_at_once_have_what_each_has_alone(values, average):
    loss = loss_of(planet(average), **values)
    targets, logits = batch(2, 3)
    found = loss.values(targets, loss.scores(logits)), loss.gradient(targets, loss.scores(logits))
    assert [part.dtype for part in found] == [np.float32] * 2
    for head in np.ndindex(2, 3):
        own = targets[head], loss.scores(logits[head])
        for part, expected in zip(found, (loss.values(*own), loss.gradient(*own)), strict=True):
            np.testing.assert_allclose(part[head], np.broadcast_to(expected, part[head].shape), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("values", "average"), CASES)
def test_heads_may_share_targets_of_any_type(values, average):
    loss = loss_of(planet(average), **values)
    targets, scores = batch()[0] > 0.5, loss.scores(batch(2)[1])
    full = np.broadcast_to(targets, scores.shape).astype(np.float32)
    for method in (loss.values, loss.gradient):
        np.testing.assert_allclose(method(targets, scores), method(full, scores), rtol=1e-5, atol=1e-7)
        assert method(targets.astype(int), scores).dtype == np.float32


# Memory


@pytest.mark.parametrize(("values", "average"), CASES)
def test_results_are_written_where_they_are_wanted_and_nothing_else_is_changed(values, average):
    loss = loss_of(planet(average), **values)
    targets, logits = batch(2)
    scores = loss.scores(logits.copy())
    kept = targets.copy(), scores.copy()
    expected = loss.gradient(targets, scores)
    loss.values(targets, scores)
    assert all(np.array_equal(*pair) for pair in zip((targets, scores), kept, strict=True))
    buffer = logits.copy()
    assert loss.scores(buffer, out=buffer) is buffer
    assert np.array_equal(buffer, scores)
    assert loss.gradient(targets, buffer, out=buffer) is buffer
    assert np.array_equal(buffer, expected)


def test_truths_have_a_column_for_each_label_scored():
    recipe = tiny_recipe(only_labels=("water", "road"))
    with pytest.raises(ValueError, match="17 columns for 2 labels"):
        head_loss(recipe, recipe.task(PLANET), truth_of())


# Targets in two planes


def in_planes(targets: Any, weights: Any) -> Any:
    return np.concatenate([targets * weights, (1 - targets) * weights], axis=-1).astype(np.float32)


@pytest.mark.parametrize(("values", "average"), CASES)
def test_planes_of_weight_one_are_the_targets_themselves(values, average):
    recipe, (targets, logits) = tiny_recipe(**values), batch()
    loss = head_loss(recipe, recipe.task(planet(average)), truth_of())
    scores, planes = loss.scores(logits), in_planes(targets, 1)
    np.testing.assert_allclose(loss.values(planes, scores), loss.values(targets, scores), rtol=1e-5)
    np.testing.assert_allclose(loss.gradient(planes, scores), loss.gradient(targets, scores), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("values", "average"), CASES)
def test_planes_of_other_weights_are_what_keras_makes_of_them(values, average):
    recipe, (targets, logits) = tiny_recipe(**values), batch()
    targets[:, WEATHER] /= np.maximum(targets[:, WEATHER].sum(axis=1, keepdims=True), 1)
    weights = np.random.default_rng(1).choice([0, 0.3, 1, 2.5], targets.shape)
    weights[:, WEATHER] = weights[:, WEATHER[:1]]  # labels of a softmax count together
    planes, task = in_planes(targets, weights), recipe.task(planet(average))
    loss = head_loss(recipe, task, truth_of())
    scores, values, gradient = of_keras(recipe, task, truth_of(), planes, logits)
    np.testing.assert_allclose(loss.values(planes, scores), values, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(loss.gradient(planes, scores), gradient, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())
    if not recipe.label_smoothing:
        assert not loss.gradient(planes, scores)[weights == 0].any()  # what does not count teaches nothing


@pytest.mark.parametrize(("values", "average"), CASES)
def test_a_chip_that_weighs_two_is_two_chips_and_one_that_weighs_nothing_is_none(values, average):
    recipe, (targets, logits) = tiny_recipe(**values), batch()
    loss = head_loss(recipe, recipe.task(planet(average)), truth_of())
    weighed, twice = np.arange(12) % 2 == 0, np.repeat(np.arange(0, 12, 2), 2)
    planes, scores = in_planes(targets, 2.0 * weighed[:, None]), loss.scores(logits)
    found, apart = loss.gradient(planes, scores), loss.gradient(targets[twice], scores[twice])
    np.testing.assert_allclose(found[weighed], apart[::2] + apart[1::2], rtol=1e-4, atol=1e-6)
    assert not found[~weighed].any()
    sums = loss.values(planes, scores).mean(), loss.values(targets[twice], scores[twice]).mean()
    assert sums[0] == pytest.approx(sums[1], rel=1e-4)
