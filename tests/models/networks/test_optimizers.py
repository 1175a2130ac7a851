"""Optimisers: variables go at their own pace, rates rise and fall, and averages of the weights come and go."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from competition.common.errors import UserError
from models.networks.optimizers import RisingRate, averaged, make_optimizer
from models.recipes.recipe import Recipe
from tests.models.samples import COMPILE_QUICKLY, tiny_recipe

ROOT = Path(__file__).parents[3]
STEPS = 4  # an epoch
ON_JAX = keras.backend.backend() == "jax"


def network(recipe: Recipe, slow: tuple[str, ...] = (), seed: int = 0) -> keras.Model:
    """Return a small compiled network, built as the toolkit builds its own."""
    start, chips = keras.initializers.GlorotUniform(seed), keras.Input((6,))
    hidden = layers.Dense(5, kernel_initializer=start, name="first")(chips)
    hidden = layers.BatchNormalization(name="norm")(hidden)
    scores = layers.Dense(3, activation="sigmoid", kernel_initializer=start, name="last")(hidden)
    made = keras.Model(chips, scores)
    made.compile(make_optimizer(recipe, STEPS, slow), "binary_crossentropy", jit_compile=ON_JAX)
    made.optimizer.build(made.trainable_variables)
    return made


def learn(made: keras.Model, epochs: int = 1) -> None:
    random = np.random.default_rng(3)
    chips, truth = random.normal(size=(8 * STEPS, 6)), random.random((8 * STEPS, 3)) < 0.3
    made.fit(np.float32(chips), np.float32(truth), batch_size=8, epochs=epochs, shuffle=False, verbose=0)


def step(made: keras.Model, seed: int = 0, size: float = 1.0) -> None:
    """Make one step of random gradients."""
    random = np.random.default_rng(seed)
    gradients = [size * random.normal(size=variable.shape).astype("float32") for variable in made.trainable_variables]
    made.optimizer.apply([ops.convert_to_tensor(gradient) for gradient in gradients])


def weights(made: keras.Model) -> dict[str, np.ndarray]:
    return {variable.path: np.array(ops.convert_to_numpy(variable)) for variable in made.trainable_variables}


def moved(recipe: Recipe, slow: tuple[str, ...] = (), **options) -> dict[str, np.ndarray]:
    """Return how far each variable goes in one step."""
    made = network(recipe, slow)
    before = weights(made)
    step(made, **options)
    return {path: after - before[path] for path, after in weights(made).items()}


# Paces


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_slow_variables_go_their_share_of_the_way_and_the_others_all_of_it(optimizer):
    values = {"optimizer": optimizer, "learning_rate": 0.1, "backbone_rate": 0.25, "weight_decay": 0.1}
    slow = ("first/kernel", "first/bias", "norm/gamma")
    usual, paced = moved(tiny_recipe(**values)), moved(tiny_recipe(**values), slow)
    assert len(usual) == 6
    for path, way in usual.items():
        assert np.abs(way).min() > 0
        assert paced[path] == pytest.approx(way * (0.25 if path in slow else 1), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_without_slow_variables_or_decay_steps_are_those_of_keras(optimizer):
    recipe = tiny_recipe(optimizer=optimizer, learning_rate=0.01, schedule="constant")
    ours, theirs = network(recipe), network(recipe)
    sgd = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
    theirs.compile(sgd if optimizer == "sgd" else keras.optimizers.Adam(0.01), "binary_crossentropy", jit_compile=False)
    for made in (ours, theirs):
        learn(made, epochs=3)
    for path, value in weights(ours).items():
        assert value == pytest.approx(weights(theirs)[path], abs=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_weight_decay_takes_its_share_of_kernels_and_of_nothing_else(optimizer):
    values = {"optimizer": optimizer, "learning_rate": 0.1}
    start = weights(network(tiny_recipe()))
    without, decayed = moved(tiny_recipe(**values)), moved(tiny_recipe(**values, weight_decay=0.5))
    for path, way in without.items():
        expected = way - (0.1 * 0.5 * start[path] if path.endswith("kernel") else 0)
        assert decayed[path] == pytest.approx(expected, abs=1e-6)


def test_gradients_are_clipped_all_together():
    values = {"optimizer": "sgd", "learning_rate": 1.0}
    short, long = (moved(tiny_recipe(**values, clip=0.5), size=size) for size in (1e-3, 10.0))
    free = moved(tiny_recipe(**values), size=1e-3)
    for path, way in free.items():
        assert short[path] == pytest.approx(way, abs=1e-6)
    norm = np.sqrt(sum(np.sum(way**2) for way in long.values()))
    assert norm == pytest.approx(1.9 * 0.5, rel=1e-4)  # Nesterov's first step is 1 + momentum times the gradient


def test_slow_paths_of_no_variable_are_an_error():
    with pytest.raises(ValueError, match="no variable that learns has one of the slow paths, such as backbone/kernel"):
        network(tiny_recipe(), slow=("backbone/kernel",))


# Rates


def rates(**values) -> list[float]:
    optimizer, found = make_optimizer(tiny_recipe(learning_rate=0.8, epochs=4, **values), STEPS), []
    for number in range(4 * STEPS + 1):
        optimizer.iterations.assign(number)
        found.append(float(ops.convert_to_numpy(optimizer.learning_rate)))
    return found


def test_the_rate_rises_in_equal_steps_to_its_peak():
    assert rates(schedule="constant", warmup=0.5) == pytest.approx([0.4] + [0.8] * 16)
    assert rates(schedule="constant", warmup=1)[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8])
    assert rates(schedule="cosine", warmup=2)[:9] == pytest.approx([0.1 * step for step in range(1, 9)] + [0.8])


@pytest.mark.parametrize("warmup", [0, 1])
def test_a_cosine_falls_from_its_peak_to_zero(warmup):
    found, rising = rates(schedule="cosine", warmup=warmup), warmup * STEPS
    share = np.linspace(0, 1, 4 * STEPS + 1 - rising)
    assert found[rising:] == pytest.approx(0.4 * (1 + np.cos(np.pi * share)), abs=1e-6)


def test_a_constant_rate_is_constant():
    assert rates(schedule="constant") == pytest.approx([0.8] * 17)


def test_a_warm_up_of_every_epoch_is_refused():
    with pytest.raises(UserError, match=r"warm-up of 4 epochs leaves none of 4 .*--warmup below 4"):
        tiny_recipe(warmup=4, epochs=4)


def test_a_rate_survives_saving():
    config = keras.saving.serialize_keras_object(RisingRate(0.5, 3, 10))
    again = keras.saving.deserialize_keras_object(config)
    assert float(again(1)) == float(RisingRate(0.5, 3, 10)(1))
    assert float(again(7)) == float(RisingRate(0.5, 3, 10)(7))


# Averages


def test_averages_are_those_of_the_weights_step_by_step_and_forget_the_first_ones_sooner():
    made = network(tiny_recipe(ema=0.3, optimizer="sgd", learning_rate=0.1))
    expected: dict[str, np.ndarray] = {}
    for number in range(6):
        step(made, seed=number)
        for path, value in weights(made).items():
            momentum = min(0.3, number / (number + 9))
            expected[path] = momentum * expected[path] + (1 - momentum) * value if number else value
    with averaged(made):
        for path, value in weights(made).items():
            assert value == pytest.approx(expected[path], abs=1e-6)


def test_raw_weights_come_back_even_after_an_error_and_training_goes_on_with_them():
    made, plain = (network(tiny_recipe(ema=ema)) for ema in (0.9, 0.0))
    for network_ in (made, plain):
        learn(network_, epochs=2)
    raw = weights(made)
    with contextlib.suppress(RuntimeError), averaged(made):
        assert not np.array_equal(weights(made)["last/kernel"], raw["last/kernel"])
        raise RuntimeError
    for path, value in weights(made).items():
        assert np.array_equal(value, raw[path])
    for network_ in (made, plain):
        learn(network_)
    for path, value in weights(made).items():
        assert value == pytest.approx(weights(plain)[path], abs=1e-6)


def test_the_average_is_what_is_judged_and_saved(tmp_path):
    made = network(tiny_recipe(ema=0.9, learning_rate=0.02))
    learn(made, epochs=3)
    chips = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    raw = made.predict(chips, verbose=0)
    with averaged(made):
        inside = made.predict(chips, verbose=0)
        made.save_weights(tmp_path / "best.weights.h5")
    assert np.array_equal(made.predict(chips, verbose=0), raw)
    again = network(tiny_recipe(ema=0.9), seed=1)
    again.load_weights(tmp_path / "best.weights.h5")
    assert np.array_equal(again.predict(chips, verbose=0), inside)
    assert np.abs(inside - raw).max() > 1e-4


@pytest.mark.parametrize(("ema", "steps"), [(0.0, 2), (0.9, 0)])
def test_without_averages_the_weights_stay(ema, steps):
    made = network(tiny_recipe(ema=ema))
    for number in range(steps):
        step(made, seed=number)
    raw = weights(made)
    with averaged(made):
        for path, value in weights(made).items():
            assert np.array_equal(value, raw[path])


def test_training_that_was_resumed_equals_training_that_was_not(tmp_path):
    values = {"ema": 0.9, "warmup": 1.5, "schedule": "cosine", "weight_decay": 0.1, "clip": 1.0}
    recipe = tiny_recipe(optimizer="adamw", epochs=4, learning_rate=0.05, **values)
    slow, latest = ("first/kernel",), tmp_path / "latest.weights.h5"
    whole, first, second = network(recipe, slow), network(recipe, slow), network(recipe, slow, seed=7)
    for _ in range(4):
        learn(whole)
    for _ in range(2):
        learn(first)
        with averaged(first):  # judging between epochs leaves no trace
            first.predict(np.zeros((1, 6), np.float32), verbose=0)
    first.save_weights(latest)
    second.load_weights(latest)
    for _ in range(2):
        learn(second)
    for one, other in zip([whole, whole.optimizer], [second, second.optimizer], strict=True):
        for expected, found in zip(one.variables, other.variables, strict=True):
            assert np.array_equal(ops.convert_to_numpy(expected), ops.convert_to_numpy(found)), expected.path


# Another backend


SCRIPT = """
import jax

from tests.models.networks.test_optimizers import *

assert ON_JAX


def steps(network, count):
    # As Keras' trainer makes them on JAX; what it makes of whole batches, test_backends.py compares with TensorFlow.
    step, random = jax.jit(network.optimizer.stateless_apply), np.random.default_rng(0)
    for _ in range(count):
        state = [variable.value for variable in network.optimizer.variables]
        learning = [variable.value for variable in network.trainable_variables]
        gradients = [random.normal(size=value.shape).astype("float32") for value in learning]
        learnt, state = step(state, gradients, learning)
        for variable, value in zip(network.trainable_variables, learnt, strict=True):
            variable.assign(value)
        for variable, value in zip(network.optimizer.variables, state, strict=True):
            variable.assign(value)
        yield weights(network)


values, ways = {"ema": 0.7, "schedule": "constant", "learning_rate": 0.1}, []
for rate in (1.0, 0.25):
    paced = network(tiny_recipe(**values, backbone_rate=rate), ("first/kernel",))
    before, (after,) = weights(paced), steps(paced, 1)
    ways.append({path: value - before[path] for path, value in after.items()})
for path, way in ways[0].items():
    share = 0.25 if path == "first/kernel" else 1
    np.testing.assert_allclose(ways[1][path], share * way, rtol=1e-4, atol=1e-6)
averages = weights(paced)
for number, raw in enumerate(steps(paced, 3), 1):
    old = number / (number + 9)
    averages = {path: old * averages[path] + (1 - old) * value for path, value in raw.items()}
with averaged(paced):
    for path, value in weights(paced).items():
        np.testing.assert_allclose(value, averages[path], atol=1e-6)
        assert not np.array_equal(value, raw[path])
for path, value in weights(paced).items():
    np.testing.assert_array_equal(value, raw[path])
"""


@pytest.mark.slow
def test_paces_and_averages_hold_on_jax():
    pytest.importorskip("jax")
    environment = {**os.environ, "KERAS_BACKEND": "jax", **COMPILE_QUICKLY}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
