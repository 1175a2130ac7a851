"""Training of a fold: interrupted and resumed it is the uninterrupted one, and it ends with its best weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from typing import Any

import keras
import numpy as np
import pytest

from competition.common.errors import UserError
from competition.data.chip_cache import open_cache
from competition.spec.load import load
from competition.workspace import Workspace
from folds.dealing.table import FoldTable
from models.inputs.batches import Batches, Chips, Taught
from models.inputs.examples import Examples
from models.recipes.recipe import Recipe
from models.runs.event_log import HELDOUT_RUN
from models.runs.training_state import STATE, TrainingState, checkpoints
from models.train import fit
from models.train.checkpoints import BEST, LATEST
from models.train.fit import train
from tests.models import samples
from tests.models.event_files import read_events
from tests.models.samples import fill_weights, interrupt_at, tiny_recipe
from tests.models.train.conftest import recipe_for, train_played, weights_of

# Real training of a tiny network with everything that has a state: dropout, batch normalisation, Adam, a schedule


@pytest.fixture(scope="module")
def chips(prepared, tmp_path_factory) -> Examples:
    workspace = Workspace(prepared, load("planet"))
    images, labelled = workspace.competition.image_set("jpg"), workspace.labelled
    files = workspace.layout.locate(images, "train", labelled.image_names)
    root = tmp_path_factory.mktemp("cache")
    cache = open_cache(root, "train", labelled.image_names, files, images, 16)
    heldout = FoldTable.read(workspace.fold_table).ordered_as(labelled.image_names).heldout(0)
    source = Chips(cache, (0, 1, 2), batch_size=8)
    return Examples(
        tiny_recipe().task(samples.PLANET), source, labelled.truth, np.flatnonzero(~heldout), np.flatnonzero(heldout)
    )


@pytest.fixture
def build(tiny_net, chips) -> Callable[[Recipe], keras.Model]:
    def build(recipe: Recipe) -> keras.Model:
        return samples.compiled(samples.built(recipe), recipe, chips.steps_per_epoch(recipe))

    return build


def lively(**values: Any) -> Recipe:
    kinds = {"backbone": "TinyNet", "pooling": ("avg",), "augment": ("d4", "shifts"), "schedule": "cosine"}
    return tiny_recipe(**{**kinds, "epochs": 4, "learning_rate": 0.02, "batch_size": 8, **values})


def test_interrupted_and_resumed_it_is_the_uninterrupted_training(build, chips, tmp_path, monkeypatch, lines):
    recipe = lively()
    network = build(recipe)
    network.save_weights(tmp_path / "first.weights.h5")
    expected = train(network, chips, recipe, tmp_path / "whole")

    network.load_weights(tmp_path / "first.weights.h5")
    with monkeypatch.context() as context:
        interrupt_at(context, step=2 * chips.steps_per_epoch(recipe) + 2)
        with pytest.raises(KeyboardInterrupt):
            train(network, chips, recipe, tmp_path / "resumed")
    # In a new process weights and optimiser would be those of a new network.
    network.load_weights(tmp_path / "first.weights.h5")
    network.set_weights([np.ones_like(weights) for weights in network.get_weights()])
    lines.clear()
    state = train(network, chips, recipe, tmp_path / "resumed")
    assert lines[0].startswith("Going on after epoch 2; best F2 so far 0.")
    assert [line[:11] for line in lines[1:]] == ["epoch   3/4", "epoch   4/4"]
    assert (state.best, state.waited, state.epochs) == (expected.best, expected.waited, 4)
    np.testing.assert_allclose(figures(state), figures(expected), rtol=1e-4, atol=1e-5)
    for weights in (LATEST, BEST):
        network.load_weights(checkpoints(tmp_path / "whole")[-1] / weights)
        whole = network.get_weights()
        network.load_weights(checkpoints(tmp_path / "resumed")[-1] / weights)
        for one, other in zip(network.get_weights(), whole, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def figures(state: TrainingState) -> list[tuple[Any, ...]]:
    return [astuple(replace(epoch, seconds=0.0)) for epoch in state.history]


def test_the_figures_are_those_of_the_network_and_the_losses_fall(build, chips, tmp_path, monkeypatch, lines):
    recipe = lively(epochs=3)
    network = build(recipe)
    batches = fit.TrainingBatches
    made: list[Any] = []
    monkeypatch.setattr(fit, "TrainingBatches", lambda *arguments: made.append(batches(*arguments)) or made[-1])
    state = train(network, chips, recipe, tmp_path)
    assert state.history[-1].loss < state.history[0].loss
    assert [epoch.number for epoch in state.history] == [0, 1, 2]
    assert [(batches.epoch, set(batches.positions)) for batches in made] == [
        (number, set(chips.training)) for number in range(3)
    ]
    assert state.history[0].learning_rate == pytest.approx(0.02)
    heldout = Batches(chips.source, chips.heldout, chips.truth, 7)
    found = network.evaluate(heldout, verbose=0, return_dict=True)
    assert found["metric"] == pytest.approx(state.best_metric, abs=1e-5)
    assert found["loss"] == pytest.approx(state.history[state.best].heldout_loss, abs=1e-4)
    assert len(lines) == 3
    assert all(
        re.fullmatch(r"epoch +\d+/3  loss .*  F2 .*  held-out loss .*  F2 0\.\d{4}( \*|  )  rate .*  \d+ s", line)
        for line in lines
    )


def test_a_loss_that_is_no_number_is_named_with_what_mends_it(build, chips, tmp_path):
    recipe = lively(optimizer="sgd", learning_rate=1e30)
    command = r"python run\.py train --models tiny --learning-rate 0\.001 --restart"
    line = rf'The loss became (nan|inf) in epoch 1, .* of 1e\+30\. To begin again, run "{command}"\.$'
    with pytest.raises(UserError, match=line):
        train(build(recipe), chips, recipe, folder := tmp_path / "tiny/fold1/head")
    assert not checkpoints(folder)


# Training with made-up figures: epoch n leaves every weight at n


def test_training_ends_with_the_weights_of_its_best_epoch(network, play, tmp_path):
    play(0.1, 0.5, 0.3, 0.5)
    state = train_played(tmp_path, network, recipe_for(4))
    assert (state.best, state.best_metric) == (1, 0.5)
    assert weights_of(network) == {1.0}


@pytest.mark.parametrize(
    ("metrics", "swa", "mean"), [((0.1, 0.5, 0.3), 2, 1.5), ((0.5, 0.1, 0.5), 2, 1.0), ((0.1, 0.2, 0.3, 0.1), 3, 1.0)]
)
def test_training_ends_with_the_mean_of_its_best_epochs(network, play, tmp_path, lines, metrics, swa, mean):
    play(*metrics)
    state = train_played(tmp_path, network, recipe_for(len(metrics), swa=swa))
    assert weights_of(network) == {mean}
    assert lines[-1].endswith("are averaged.")
    fill_weights(network, 7)
    assert train_played(tmp_path, network, recipe_for(len(metrics), swa=swa)).best == state.best
    assert weights_of(network) == {mean}


def test_of_several_sizes_the_last_ones_epochs_are_averaged(network, play, tmp_path):
    play(0.9, 0.8, 0.1, 0.3, 0.2, 0.4)
    recipe = recipe_for(6, swa=2, progressive=(8,), pooling=("avg",))
    train_played(tmp_path, network, recipe)
    train_played(tmp_path, network, recipe)
    assert weights_of(network) == {4.0}


def test_the_mean_of_epochs_gets_statistics_of_its_own_and_is_the_same_again(build, chips, tmp_path):
    recipe = lively(swa=2, epochs=3, learning_rate=0.1)
    network = build(recipe)
    train(network, chips, recipe, tmp_path)
    once, (kept,), again = network.get_weights(), checkpoints(tmp_path), build(recipe)
    every = []
    for path in sorted(kept.glob("best*")):
        again.load_weights(path)
        every.append(again.get_weights())
    assert len(every) == 2
    for variable, found, *weights in zip(network.weights, once, *every, strict=True):
        is_mean = np.allclose(found, np.mean(weights, axis=0), atol=1e-6)
        assert is_mean == ("moving" not in variable.path), variable.path
    train(again, chips, recipe, tmp_path)  # as after a kill before the network was written
    for one, other in zip(again.get_weights(), once, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_interrupted_and_resumed_the_mean_of_epochs_is_the_uninterrupted_one(build, chips, tmp_path, monkeypatch):
    recipe = lively(swa=2, ema=0.9)
    networks = [build(recipe), build(recipe)]
    expected = train(networks[0], chips, recipe, tmp_path / "whole")
    with monkeypatch.context() as context:
        interrupt_at(context, step=3 * chips.steps_per_epoch(recipe) + 2)
        with pytest.raises(KeyboardInterrupt):
            train(networks[1], chips, recipe, tmp_path / "resumed")
    networks[1].set_weights([np.ones_like(weights) for weights in networks[1].get_weights()])
    assert train(networks[1], chips, recipe, tmp_path / "resumed").best == expected.best
    for one, other in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_it_stops_when_patience_is_at_its_end_and_not_before(network, play, tmp_path, lines):
    played = play(0.1, 0.5, 0.3, 0.4, 0.6, 0.2, 0.2, 0.2, 0.9)
    state = train_played(tmp_path, network, recipe_for(9, patience=3))
    assert played == [0, 1, 2, 3, 4, 5, 6, 7]
    assert (state.best, state.waited) == (4, 3)
    assert lines[-1] == "Stopped: no better F2 in 3 epochs."
    assert weights_of(network) == {4.0}


def test_without_patience_it_never_stops_early(network, play, tmp_path):
    played = play(0.9, 0.1, 0.1, 0.1)
    assert train_played(tmp_path, network, recipe_for(4)).best == 0
    assert played == [0, 1, 2, 3]


def test_a_size_ends_without_its_best_weights_and_the_next_goes_on_from_its_last(network, play, tmp_path, lines):
    played = play(0.5, 0.9, 0.4, 0.2, 0.3, 0.1)
    recipe = recipe_for(6, patience=1, progressive=(8,), pooling=("avg",))
    train_played(tmp_path, network, recipe)
    assert played == [0, 1, 2]  # patience is for the last size
    assert weights_of(network) == {2.0}
    samples.fill_weights(network, 77)
    lines.clear()
    state = train_played(tmp_path, network, recipe)
    assert lines[0].startswith("epoch   4/6")  # a new size is no interruption
    assert played == [0, 1, 2, 3, 4, 5]
    assert [epoch.input_size for epoch in state.history] == [8, 8, 8, 16, 16, 16]
    assert (state.best, state.best_metric) == (4, 0.3)
    assert weights_of(network) == {4.0}


def test_training_that_is_over_trains_nothing_more(network, play, tmp_path):
    play(0.1, 0.5, 0.3)
    before = train_played(tmp_path, network, recipe_for(3))
    played = play(0.1, 0.5, 0.3)
    network.set_weights([np.full_like(weights, 77) for weights in network.get_weights()])
    assert train_played(tmp_path, network, recipe_for(3)) == before
    assert played == []
    assert weights_of(network) == {1.0}


@pytest.mark.parametrize("losses", [{"loss": float("nan")}, {"loss": float("inf")}, {"heldout_loss": float("nan")}])
def test_an_epoch_whose_loss_is_no_number_is_not_kept(network, play, tmp_path, losses):
    play(0.1)
    train_played(folder := tmp_path / "tiny/fold0", network, recipe_for(1))
    play(0.1, 0.9, **losses)
    with pytest.raises(UserError, match=r"The loss became (nan|inf) in epoch 2, .* To begin again, run"):
        train_played(folder, network, recipe_for(2))
    assert TrainingState.read(checkpoints(folder)[-1] / STATE).epochs == 1


@pytest.mark.parametrize("moment", ["write_checkpoint", "log_epochs"])
def test_killed_around_a_checkpoint_and_gone_on_every_step_is_logged_once(network, play, tmp_path, monkeypatch, moment):
    metrics = (0.25, 0.5, 0.375)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    play(*metrics)
    train_played(tmp_path, network, recipe_for(1))
    with monkeypatch.context() as context:
        context.setattr(fit, moment, kill if moment == "write_checkpoint" else _killed_later(kill, calls=1))
        with pytest.raises(KeyboardInterrupt):
            train_played(tmp_path, network, recipe_for(3))
    logged = read_events(tmp_path / HELDOUT_RUN)["F2"]
    assert logged == [(1, 0.25)]
    train_played(tmp_path, network, recipe_for(3))
    assert read_events(tmp_path / HELDOUT_RUN)["F2"] == [(1, 0.25), (2, 0.5), (3, 0.375)]


def _killed_later(kill: Callable[..., None], calls: int) -> Callable[..., None]:
    left = iter(range(calls))
    return lambda *arguments: None if next(left, None) is not None else kill()


def test_an_epoch_that_a_kill_kept_from_the_log_is_there_after_the_next_start(network, play, tmp_path, monkeypatch):
    play(0.25, 0.5)
    with monkeypatch.context() as context:
        context.setattr(fit, "log_epochs", lambda *_: None)
        train_played(tmp_path, network, recipe_for(2))
    assert not (tmp_path / HELDOUT_RUN).exists()
    train_played(tmp_path, network, recipe_for(2))  # there is nothing to train
    assert read_events(tmp_path / HELDOUT_RUN)["F2"] == [(1, 0.25), (2, 0.5)]


def test_dropout_draws_depend_on_seed_and_epoch_and_differ_between_layers():
    chips = keras.Input((2,))
    network = keras.Model(chips, keras.layers.Dropout(0.5)(keras.layers.Dropout(0.5)(chips)))

    def states(seed: int, epoch: int) -> Iterator[tuple[int, ...]]:
        fit._seed_dropout(network, seed, epoch)
        for layer in network.layers[1:]:
            yield tuple(keras.ops.convert_to_numpy(layer.seed_generator.state).tolist())

    assert list(states(1, 2)) == list(states(1, 2))
    assert len({*states(1, 2), *states(1, 3), *states(2, 2)}) == 6


# Priors


# Weights of chips


@pytest.mark.slow
def test_weights_of_one_teach_a_network_the_same_to_the_bit_and_others_something_else(build, chips, tmp_path):
    recipe, found = lively(epochs=1, mixup=0.4, augment=()), []
    for number, weights in enumerate((None, np.ones(len(chips.truth)), np.linspace(0.1, 1.9, len(chips.truth)))):
        taught = None if weights is None else Taught.of(chips.truth).weighed(weights)
        network = build(recipe)
        train(network, replace(chips, taught=taught), recipe, tmp_path / str(number))
        found.append(network.get_weights())
    assert not any(samples.moved(found[0], found[1]))
    assert any(samples.moved(found[0], found[2]))
