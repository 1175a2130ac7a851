"""Training made quick: with made-up figures, where epoch n leaves every weight at n, or with networks built once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from models.heads.checkpoints import Keeper
from models.heads.training import Training
from models.recipes.recipe import Recipe
from models.runs.training_state import Epoch, TrainingState
from models.train import fit, stages
from tests.models.samples import PLANET, fill_weights, tiny_recipe


@pytest.fixture
def network() -> keras.Model:
    chips = keras.Input((2,))
    network = keras.Model(chips, keras.layers.Dense(2)(chips))
    network.compile(optimizer="sgd", loss="mse")
    network.optimizer.build(network.trainable_variables)
    return network


@pytest.fixture
def play(monkeypatch) -> Callable[..., list[int]]:
    """Make epochs give the held-out metrics named; return the list of those trained."""

    def play(*metrics: float, **losses: float) -> list[int]:
        played: list[int] = []

        def epoch(network: keras.Model, examples: Any, recipe: Recipe, number: int, size: int) -> Epoch:
            played.append(number)
            assert number == 0 or weights_of(network) == {number - 1}, "not the weights of the epoch before"
            network.set_weights([np.full_like(weights, number) for weights in network.get_weights()])
            loss, heldout_loss = losses.get("loss", 0.5), losses.get("heldout_loss", 0.5)
            return Epoch(number, loss, 0.5, heldout_loss, metrics[number], 0.1, 1.0, size)

        monkeypatch.setattr(fit, "_one_epoch", epoch)
        return played

    return play


def train_played(folder: Path, network: keras.Model, recipe: Recipe) -> TrainingState:
    """Train with the figures of `play`."""
    return fit.train(network, SimpleNamespace(task=recipe.task(PLANET), judged_by="held-out"), recipe, folder)  # type: ignore[arg-type]


def weights_of(network: keras.Model) -> set[float]:
    """Return the values that the weights have."""
    return {float(value) for weights in network.get_weights() for value in weights.ravel()}


def recipe_for(epochs: int, patience: int = 0, **values: Any) -> Recipe:
    """Return a recipe that trains for some epochs."""
    return tiny_recipe(epochs=epochs, patience=patience, **values)


@pytest.fixture
def checkpoint_each_epoch(monkeypatch) -> None:
    """Keep heads after each epoch, and not only every few seconds."""
    monkeypatch.setattr("models.heads.checkpoints.SECONDS", 0.0)
    monkeypatch.setattr("models.heads.checkpoints.SHARE", 0)


def ctrl_c() -> None:
    """Stand for a Ctrl-C."""
    raise KeyboardInterrupt


def interrupt_heads_after(monkeypatch: pytest.MonkeyPatch, epochs: int, interrupt: Callable[[], None] = ctrl_c) -> None:
    """Make a Ctrl-C come after some epochs of heads, those of all folds counted together."""
    after, counted = Keeper.after_epoch, itertools.count(1)

    def after_epoch(keeper: Keeper) -> None:
        after(keeper)
        if next(counted) == epochs:
            interrupt()

    monkeypatch.setattr(Keeper, "after_epoch", after_epoch)


def no_head_is_to_be_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the training of a head an error."""

    def trained_again(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(Training, "epoch", trained_again)


@pytest.fixture
def built_once(monkeypatch) -> None:
    """Build and compile each network once, as tracing its steps takes a second.

    When it is asked for again, as after an interruption, its weights are the first ones again, or where a checkpoint's
    are to be loaded next, nonsense; and its optimizer is as new.
    """
    networks: dict[str, keras.Model] = {}
    first: dict[int, list[Any]] = {}
    build, compile_network = stages.build_network, stages.compile_network

    def built(recipe: Recipe, *arguments: Any, **options: Any) -> keras.Model:
        key = str(recipe)
        if key not in networks:
            networks[key] = build(recipe, *arguments, **options)
            first[id(networks[key])] = networks[key].get_weights()
        elif options.get("pretrained", True):
            networks[key].set_weights(first[id(networks[key])])
        else:
            fill_weights(networks[key], 77)
        return networks[key]

    def compiled(network: keras.Model, *arguments: Any) -> None:
        if network.compiled:
            for variable, value in zip(network.optimizer.variables, first[id(network.optimizer)], strict=True):
                variable.assign(value)
        else:
            compile_network(network, *arguments)
            first[id(network.optimizer)] = [keras.ops.copy(variable) for variable in network.optimizer.variables]

    monkeypatch.setattr(keras.utils, "clear_session", lambda: None)  # networks are kept
    monkeypatch.setattr(stages, "build_network", built)
    monkeypatch.setattr(stages, "compile_network", compiled)
