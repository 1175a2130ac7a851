"""Steps of an optimiser over a flat buffer: those that Keras makes, at the rates that Keras gives."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from models.heads import steps
from models.heads.stack import HeadShape, one_by_one
from models.heads.steps import Steps, clip, learning_rate, num_slots
from models.networks.optimizers import make_optimizer
from tests.models.heads.samples import recipe_for

STEPS_PER_EPOCH, EPOCHS = 4, 3
SHAPE = HeadShape(7, (4, 3))
RATES: list[dict[str, Any]] = [
    {"schedule": "constant"},
    {"schedule": "cosine"},
    {"schedule": "constant", "warmup": 1.5},
    {"schedule": "cosine", "warmup": 1.0},
    {"schedule": "cosine", "warmup": 2.9},
    {"schedule": "cosine", "warmup": 0.05},
]
RULES: list[dict[str, Any]] = [
    {"schedule": "constant"},
    {"schedule": "cosine", "warmup": 1.0, "weight_decay": 0.3, "ema": 0.9},
    {"schedule": "constant", "clip": 0.5, "ema": 0.6},
]
OPTIMIZERS = ["adam", "adamw", "sgd"]


def recipe_of(**values: Any):
    return recipe_for(epochs=EPOCHS, **values)


@pytest.mark.parametrize("rates", RATES, ids=str)
def test_the_rate_is_that_of_keras_at_every_step(rates):
    recipe = recipe_of(**rates)
    optimizer = make_optimizer(recipe, STEPS_PER_EPOCH)
    for step in range(EPOCHS * STEPS_PER_EPOCH):
        optimizer.iterations.assign(step)
        expected = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        assert learning_rate(recipe, step, STEPS_PER_EPOCH) == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rules", RULES, ids=str)
def test_weights_and_their_averages_are_those_of_keras_after_every_step(optimizer, rules, monkeypatch):
    monkeypatch.setattr(steps, "CHUNK", 11)  # one of them holds the last kernel's end
    recipe = recipe_of(optimizer=optimizer, **rules)
    random = np.random.default_rng(0)
    values = random.normal(size=SHAPE.num_weights).astype(np.float32)
    slots = np.zeros((num_slots(recipe), len(values)), np.float32)
    variables = [keras.Variable(array, name=name) for array, name in arrays_of(values)]
    theirs = make_optimizer(recipe, STEPS_PER_EPOCH)
    theirs.build(variables)
    ours = Steps(recipe, STEPS_PER_EPOCH, SHAPE.num_decayed)
    for taken in range(EPOCHS * STEPS_PER_EPOCH):
        gradients = random.normal(size=len(values)).astype(np.float32) * random.choice([1e-4, 1e-2, 1])
        theirs.apply([keras.ops.convert_to_tensor(array) for array, _ in arrays_of(gradients)])
        if recipe.clip:
            clip([array for array, _ in arrays_of(gradients, copied=False)], recipe.clip)
        ours.take(values, gradients, slots, taken)
        assert_near(values, variables)
        if recipe.ema:
            assert_near(slots[-1], [average for _, average in theirs.averages])


def arrays_of(values: np.ndarray, *, copied: bool = True) -> list[tuple[np.ndarray, str]]:
    """Return the arrays of a head, with the names of what they are in Keras."""
    named = zip(SHAPE.layers(values, 0), range(9), strict=False)
    pairs = [(array, name) for layer, _ in named for array, name in zip(layer, ("kernel", "bias"), strict=True)]
    return [(array.copy(), name) for array, name in pairs] if copied else pairs


def assert_near(values: np.ndarray, variables: list[Any]) -> None:
    for (array, _), variable in zip(arrays_of(values), variables, strict=True):
        np.testing.assert_allclose(array, keras.ops.convert_to_numpy(variable), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_steps_are_the_same_to_the_bit_however_they_are_shared(optimizer, monkeypatch):
    monkeypatch.setattr(steps, "CHUNK", 8)
    recipe, made = recipe_of(optimizer=optimizer, weight_decay=0.1, ema=0.9), []
    for each in (one_by_one, lambda work, things: one_by_one(work, things[::-1])):
        random = np.random.default_rng(1)
        values = random.normal(size=SHAPE.num_weights).astype(np.float32)
        slots = np.zeros((num_slots(recipe), len(values)), np.float32)
        ours = Steps(recipe, STEPS_PER_EPOCH, SHAPE.num_decayed, each)
        for taken in range(4):
            ours.take(values, random.normal(size=len(values)).astype(np.float32), slots, taken)
        made.append(values.tobytes() + slots.tobytes())
    assert made[0] == made[1]


def test_gradients_are_clipped_by_the_norm_of_all_of_them_and_keep_their_direction():
    parts = [np.full((2, 2), 3.0, np.float32), np.full(9, -4.0, np.float32)]
    norm = np.sqrt(4 * 9 + 9 * 16)
    clip(parts, norm + 1)
    assert parts[0][0, 0] == 3
    clip(parts, 0.5)
    assert np.sqrt(sum((part**2).sum() for part in parts)) == pytest.approx(0.5)
    assert parts[0][0, 0] / parts[1][0] == pytest.approx(-0.75)
