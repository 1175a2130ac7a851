"""Losses and scores: they are their papers' formulas, take any target in [0, 1], and are always numbers."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from competition.common.errors import UserError
from competition.metrics.judge import measure
from competition.spec.competition import Competition
from competition.spec.load import load
from competition.spec.metric import Metric
from competition.task import Task
from models.networks.layers import ScoreLayer
from models.networks.losses import make_loss
from models.recipes.loss_terms import balanced_weights
from models.recipes.recipe import Recipe, softmax_groups
from tests.models.samples import tiny_recipe

PLANET = load("planet")
WHOLE = Task(PLANET, PLANET.labels)
NUM_LABELS = len(PLANET.labels)
WEATHER = PLANET.exclusive_columns[0]
GROUND = tuple(column for column in range(NUM_LABELS) if column not in WEATHER)
LOSSES = get_args(get_type_hints(Recipe)["loss"])


def chips(count: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return truth, one weather per chip, and scores."""
    random = np.random.default_rng(seed)
    truth = random.random((count, NUM_LABELS)) < 0.3
    truth[:, WEATHER] = np.eye(len(WEATHER), dtype=bool)[random.integers(len(WEATHER), size=count)]
    return truth, random.uniform(0.001, 0.999, truth.shape).astype(np.float32)


def loss_of(recipe: Recipe, task: Task, truth: np.ndarray) -> keras.losses.Loss:
    return make_loss(recipe, task, truth)


def judged(
    truth: Any, scores: Any, weigh_by: Any = None, competition: Competition = PLANET, **values: Any
) -> np.ndarray:
    """Return the loss of each chip."""
    recipe = tiny_recipe(**values)
    loss = loss_of(recipe, recipe.task(competition), np.asarray(truth if weigh_by is None else weigh_by) > 0)
    given = (ops.convert_to_tensor(np.float32(part)) for part in (truth, scores))
    return ops.convert_to_numpy(loss.call(*given))


def averaged_by(average: str) -> Competition:
    return PLANET.model_copy(update={"metric": Metric(average=average, beta=2)})


# Formulas


def test_the_plain_loss_is_that_of_keras():
    truth, scores = chips()
    scores[0, :4] = [0, 1, 1e-8, 1 - 6e-8]
    theirs = ops.convert_to_numpy(keras.losses.binary_crossentropy(np.float32(truth), scores))
    assert judged(truth, scores) == pytest.approx(theirs, abs=1e-6)
    loss = loss_of(tiny_recipe(), WHOLE, truth)
    assert float(loss(np.float32(truth), scores)) == pytest.approx(theirs.mean(), abs=1e-6)


def test_scores_of_a_network_that_are_wrong_beyond_the_clipping_still_learn():
    logits = tf.Variable([[-40.0] * NUM_LABELS])
    with tf.GradientTape() as tape:
        value = loss_of(tiny_recipe(), WHOLE, np.ones((1, NUM_LABELS), bool))(
            np.ones((1, NUM_LABELS), np.float32), ScoreLayer()(logits)
        )
    assert tape.gradient(value, logits).numpy() == pytest.approx(-1 / NUM_LABELS)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_focal_loss_is_its_formula(gamma):
    truth, scores = chips()
    right = np.where(truth, scores, 1 - scores.astype(np.float64))
    expected = -((1 - right) ** gamma) * np.log(right)
    assert judged(truth, scores, loss="focal", gamma=gamma) == pytest.approx(expected.mean(axis=1), rel=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 4.0])
def test_the_asymmetric_loss_is_its_formula(gamma):
    truth, scores = chips()
    shifted = np.maximum(scores.astype(np.float64) - 0.05, 0)
    expected = -np.where(truth, np.log(scores), shifted**gamma * np.log(1 - shifted))
    assert judged(truth, scores, loss="asymmetric", gamma=gamma) == pytest.approx(expected.mean(axis=1), rel=1e-4)


@pytest.mark.parametrize("average", ["samples", "macro", "micro"])
def test_soft_f_beta_of_decisions_is_one_minus_the_metric(average):
    truth, scores = chips(40)
    truth[3], competition = False, averaged_by(average)
    values = judged(truth, scores > 0.5, competition=competition, loss="soft_f_beta")
    assert values.shape == (40,)
    assert values.mean() == pytest.approx(1 - measure(truth, scores > 0.5, competition.metric), abs=1e-6)


@pytest.mark.parametrize(("average", "axis"), [("samples", 1), ("macro", 0), ("micro", None)])
def test_soft_f_beta_is_its_formula(average, axis):
    truth, scores = chips()
    hits, decided, carried = ((part * 1.0).sum(axis=axis) for part in (truth * scores, scores, truth))
    expected = 1 - np.mean(5 * hits / (decided + 4 * carried))
    values = judged(truth, scores, competition=averaged_by(average), loss="soft_f_beta")
    assert values.mean() == pytest.approx(expected, rel=1e-5)
    assert len(set(values)) == (len(truth) if average == "samples" else 1)


def test_the_sum_is_the_sum():
    truth, scores = chips()
    both = judged(truth, scores) + judged(truth, scores, loss="soft_f_beta")
    assert judged(truth, scores, loss="crossentropy_and_f_beta") == pytest.approx(both, rel=1e-6)


# Targets


def test_smoothing_moves_targets_towards_a_half():
    truth, scores = chips()
    theirs = keras.losses.binary_crossentropy(np.float32(truth), scores, label_smoothing=0.1)
    assert judged(truth, scores, label_smoothing=0.1) == pytest.approx(ops.convert_to_numpy(theirs), rel=1e-5)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if "f_beta" not in loss])
@pytest.mark.parametrize("groups", ["sigmoid", "softmax"])
def test_mixed_targets_cost_the_mixture_of_what_they_are_mixed_of(loss, groups):
    (one, scores), (other, _) = chips(seed=1), chips(seed=2)
    values = {"loss": loss, "groups": groups, "label_smoothing": 0.1, "class_weights": "balanced", "weigh_by": one}
    mixed = judged(0.3 * one + 0.7 * other, scores, **values)
    parts = [share * judged(truth, scores, **values) for share, truth in ((0.3, one), (0.7, other))]
    assert mixed == pytest.approx(sum(parts), rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(LOSSES),
    st.sampled_from(["sigmoid", "softmax"]),
    st.sampled_from(["samples", "macro", "micro"]),
    st.sampled_from([0.0, 0.3, 2.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_values_and_gradients_are_finite_at_the_ends(loss, groups, average, gamma, target):
    scores = tf.Variable(np.float32([[end] * NUM_LABELS for end in (0, 1, 1e-9, 0.05, 1 - 6e-8)]))
    truth = np.full(scores.shape, target, np.float32)
    made = loss_of(
        tiny_recipe(loss=loss, groups=groups, gamma=gamma), Task(averaged_by(average), PLANET.labels), truth > 0
    )
    with tf.GradientTape() as tape:
        value = made(truth, scores)
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, scores)).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_float32_whatever_the_scores_are(loss):
    truth, scores = chips()
    made = loss_of(tiny_recipe(loss=loss), WHOLE, truth)
    assert made(truth.astype(np.uint8), ops.cast(scores, "bfloat16")).dtype == "float32"


# Weights of labels


def test_balanced_weights_multiply_positives_alone():
    truth, scores = chips(200)
    none = np.zeros_like(truth)
    values = {"class_weights": "balanced", "weigh_by": truth}
    assert judged(none, scores, **values) == pytest.approx(judged(none, scores), rel=1e-6)
    expected = -np.where(truth, balanced_weights(truth) * np.log(scores), np.log(1 - scores.astype(np.float64)))
    assert judged(truth, scores, **values) == pytest.approx(expected.mean(axis=1), rel=1e-4)


def test_soft_f_beta_weighs_the_labels_as_the_metric_does():
    truth, scores = chips()
    weights = {label: 1.0 + number % 3 for number, label in enumerate(PLANET.labels)}
    weighted = PLANET.model_copy(update={"metric": Metric(average="macro", weights=weights)})
    values = judged(truth, scores > 0.5, competition=weighted, loss="soft_f_beta")
    assert values == pytest.approx(1 - measure(truth, scores > 0.5, weighted.metric), abs=1e-6)


@pytest.mark.parametrize("loss", ["soft_f_beta", "crossentropy_and_f_beta"])
def test_losses_that_follow_f_beta_are_refused_where_that_judges_nothing(loss):
    ranked = PLANET.model_copy(update={"metric": Metric(name="roc_auc", average="macro")})
    line = rf"^The loss {loss} follows F-beta, but .* is judged by ROC AUC\. Give --loss binary_crossentropy\.$"
    with pytest.raises(UserError, match=line):
        tiny_recipe(loss=loss).task(ranked)


@pytest.mark.parametrize("values", [{"label_smoothing": 0.1}, {"class_weights": "balanced"}])
def test_soft_f_beta_alone_refuses_what_it_cannot_do(values):
    flag = next(iter(values)).replace("_", "-")
    with pytest.raises(UserError, match=f"Give --{flag} .*crossentropy_and_f_beta"):
        tiny_recipe(loss="soft_f_beta", **values)


# Groups


def test_a_group_shares_a_softmax_if_all_of_it_is_scored():
    recipe = tiny_recipe(groups="softmax")
    assert softmax_groups(recipe, WHOLE) == PLANET.exclusive_columns
    assert softmax_groups(tiny_recipe(), WHOLE) == ()
    part = tuple(label for label in PLANET.labels if label != "haze")
    assert softmax_groups(recipe, Task(PLANET, part)) == ()
    few = ("water", "cloudy", "haze", "partly_cloudy", "clear")
    assert softmax_groups(recipe, Task(PLANET, few)) == ((4, 3, 2, 1),)


def test_truth_has_a_column_for_each_label_scored():
    recipe = tiny_recipe(only_labels=("water", "road"))
    with pytest.raises(ValueError, match="17 columns for 2 labels"):
        loss_of(recipe, recipe.task(PLANET), chips()[0])


def test_a_group_costs_its_categorical_loss():
    truth, scores = chips()
    scores[:, WEATHER] /= scores[:, WEATHER].sum(axis=1, keepdims=True)
    weather = keras.losses.categorical_crossentropy(np.float32(truth[:, WEATHER]), scores[:, WEATHER])
    ground = keras.losses.binary_crossentropy(np.float32(truth[:, GROUND]), scores[:, GROUND])
    expected = (ops.convert_to_numpy(weather) + len(GROUND) * ops.convert_to_numpy(ground)) / NUM_LABELS
    assert judged(truth, scores, groups="softmax") == pytest.approx(expected, rel=1e-4)


def test_smoothing_moves_a_group_towards_the_uniform_distribution():
    truth, scores = chips()
    scores[:, WEATHER] /= scores[:, WEATHER].sum(axis=1, keepdims=True)
    smoothed = {"groups": "softmax", "label_smoothing": 0.2}
    target = 0.8 * truth[:, WEATHER] + 0.2 / len(WEATHER)
    weather = -(target * np.log(scores[:, WEATHER])).sum(axis=1)
    ground = judged(truth, scores, label_smoothing=0.2)[:, None] * NUM_LABELS
    target = 0.8 * truth[:, WEATHER] + 0.1
    single = -(target * np.log(scores[:, WEATHER]) + (1 - target) * np.log(1 - scores[:, WEATHER]))
    expected = (ground[:, 0] - single.sum(axis=1) + weather) / NUM_LABELS
    assert judged(truth, scores, **smoothed) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("loss", "power"), [("binary_crossentropy", 0), ("focal", 2), ("asymmetric", 0)])
def test_only_the_focal_loss_of_a_group_passes_over_what_is_easy(loss, power):
    truth, scores = chips()
    values = {"groups": "softmax", "loss": loss, "gamma": 2.0}
    away = truth.copy()
    away[:, WEATHER] = False
    right = scores[truth & np.isin(np.arange(NUM_LABELS), WEATHER)]
    expected = -((1 - right) ** power) * np.log(right) / NUM_LABELS
    assert judged(truth, scores, **values) - judged(away, scores, **values) == pytest.approx(expected, abs=1e-5)


def test_a_chip_without_a_label_of_a_group_says_nothing_of_it_and_with_several_they_share():
    truth, scores = chips()
    none, other = truth.copy(), scores.copy()
    none[:, WEATHER] = False
    other[:, WEATHER] = 0.25
    assert np.array_equal(judged(none, scores, groups="softmax"), judged(none, other, groups="softmax"))
    both, shared = none.copy(), none.astype(np.float32)
    both[:, WEATHER[:2]], shared[:, WEATHER[:2]] = True, 0.5
    assert judged(both, scores, groups="softmax") == pytest.approx(judged(shared, scores, groups="softmax"), rel=1e-6)


@pytest.mark.parametrize("groups", ["sigmoid", "softmax"])
@pytest.mark.parametrize("loss", LOSSES)
def test_scores_that_follow_the_gradient_of_a_loss_come_to_the_truth(loss, groups):
    truth, _ = chips(6)
    recipe = tiny_recipe(loss=loss, groups=groups)
    scores, made = ScoreLayer(softmax_groups(recipe, WHOLE)), loss_of(recipe, WHOLE, truth)
    logits = tf.Variable(np.zeros(truth.shape, np.float32))
    for _ in range(40):
        with tf.GradientTape() as tape:
            value = made(np.float32(truth), scores(logits))
        logits.assign_sub(100 * tape.gradient(value, logits))
    assert np.array_equal(scores(logits).numpy() > 0.5, truth)
