"""Training of a fold: interrupted and resumed it is the uninterrupted one, and it ends with its best weights."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from competition.common.errors import UserError
from competition.data.chip_cache import open_cache
from competition.spec import load
from competition.workspace import Workspace
from folds.table import FoldTable
from models.inputs.batches import Batches, Chips
from models.inputs.examples import Examples
from models.recipes.recipe import Recipe
from models.runs.progress import STATE, Epoch, TrainingState, checkpoints
from models.train import checkpoints as checkpoints_module
from models.train import fit
from models.train.checkpoints import BEST, LATEST
from models.train.fit import train
from tests.models import samples
from tests.models.samples import interrupt_at, tiny_recipe


def trained_in(
    folder: Path, network: keras.Model, recipe: Recipe, chips: Any = None, lines: Any = None, **options: Any
) -> TrainingState:
    return train(network, chips, recipe, folder, "F2", [].append if lines is None else lines.append, **options)


# Real training of a tiny network with everything that has a state: dropout, batch normalisation, Adam, a schedule


@pytest.fixture(scope="module")
def chips(prepared, tmp_path_factory) -> Examples:
    workspace = Workspace(prepared, load("planet"))
    images, labelled = workspace.competition.image_set("jpg"), workspace.labelled
    files = workspace.layout.locate(images, "train", labelled.image_names)
    root = tmp_path_factory.mktemp("cache")
    cache = open_cache(root, "train", labelled.image_names, files, images, 16, say=lambda line: None)
    heldout = FoldTable.read(workspace.fold_table).ordered_as(labelled.image_names).heldout(0)
    source = Chips(cache, (0, 1, 2), batch_size=8)
    return Examples(source, labelled.truth, np.flatnonzero(~heldout), np.flatnonzero(heldout))


@pytest.fixture
def build(tiny_net, chips) -> Callable[[Recipe], keras.Model]:
    def build(recipe: Recipe) -> keras.Model:
        return samples.compiled(samples.built(recipe), recipe, chips.steps_per_epoch(recipe))

    return build


def lively(**values: Any) -> Recipe:
    kinds = {"backbone": "TinyNet", "pooling": ("avg",), "augment": ("d4", "shifts"), "schedule": "cosine"}
    return tiny_recipe(**{**kinds, "epochs": 4, "learning_rate": 0.02, "batch_size": 8, **values})


def test_interrupted_in_an_epoch_and_resumed_it_is_the_uninterrupted_training(build, chips, tmp_path, monkeypatch):
    recipe = lively()
    network = build(recipe)
    network.save_weights(tmp_path / "first.weights.h5")
    expected = trained_in(tmp_path / "whole", network, recipe, chips)

    network.load_weights(tmp_path / "first.weights.h5")
    with monkeypatch.context() as context:
        interrupt_at(context, step=2 * chips.steps_per_epoch(recipe) + 2)
        with pytest.raises(KeyboardInterrupt):
            trained_in(tmp_path / "resumed", network, recipe, chips)
    # In a new process weights and optimiser would be those of a new network.
    network.load_weights(tmp_path / "first.weights.h5")
    network.set_weights([np.ones_like(weights) for weights in network.get_weights()])
    lines: list[str] = []
    state = trained_in(tmp_path / "resumed", network, recipe, chips, lines)
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


def test_the_figures_are_those_of_the_network_and_the_losses_fall(build, chips, tmp_path, monkeypatch):
    recipe = lively(epochs=3)
    network = build(recipe)
    lines: list[str] = []
    batches = fit.TrainingBatches
    made: list[Any] = []
    monkeypatch.setattr(fit, "TrainingBatches", lambda *arguments: made.append(batches(*arguments)) or made[-1])
    state = trained_in(tmp_path, network, recipe, chips, lines)
    assert state.history[-1].loss < state.history[0].loss
    assert [epoch.number for epoch in state.history] == [0, 1, 2]
    assert [(batches.epoch, set(batches.positions)) for batches in made] == [
        (number, set(chips.training)) for number in range(3)
    ]
    assert state.history[0].learning_rate == pytest.approx(0.02)
    heldout = Batches(chips.source, chips.heldout, chips.truth, 7)
    found = network.evaluate(heldout, verbose=0, return_dict=True)
    assert found["f_beta"] == pytest.approx(state.best_metric, abs=1e-5)
    assert found["loss"] == pytest.approx(state.history[state.best].heldout_loss, abs=1e-4)
    assert len(lines) == 3
    assert all(
        re.fullmatch(r"epoch +\d+/3  loss .*  F2 .*  held-out loss .*  F2 0\.\d{4}( \*|  )  rate .*  \d+ s", line)
        for line in lines
    )


def test_a_loss_that_is_no_number_is_named_with_what_mends_it(build, chips, tmp_path):
    recipe = lively(optimizer="sgd", learning_rate=1e30)
    command = r"python run\.py train --models tiny --learning-rate 1e\+29 --restart"
    with pytest.raises(UserError, match=rf'The loss became (nan|inf) in epoch 1\. .* than 1e\+30: run "{command}"\.$'):
        trained_in(folder := tmp_path / "tiny/fold1/head", build(recipe), recipe, chips)
    assert not checkpoints(folder)


# Training with made-up figures: epoch n leaves every weight at n


@pytest.fixture
def network() -> keras.Model:
    chips = keras.Input((2,))
    network = keras.Model(chips, keras.layers.Dense(2)(chips))
    network.compile(optimizer="sgd", loss="mse")
    network.optimizer.build(network.trainable_variables)
    return network


def weights_of(network: keras.Model) -> set[float]:
    return {float(value) for weights in network.get_weights() for value in weights.ravel()}


@pytest.fixture
def play(monkeypatch) -> Callable[..., list[int]]:
    """Make epochs give the held-out metrics named; return the list of those trained."""

    def play(*metrics: float, **losses: float) -> list[int]:
        played: list[int] = []

        def epoch(network: keras.Model, chips: Any, recipe: Recipe, number: int, size: int) -> Epoch:
            played.append(number)
            assert number == 0 or weights_of(network) == {number - 1}, "not the weights of the epoch before"
            network.set_weights([np.full_like(weights, number) for weights in network.get_weights()])
            loss, heldout_loss = losses.get("loss", 0.5), losses.get("heldout_loss", 0.5)
            return Epoch(number, loss, 0.5, heldout_loss, metrics[number], 0.1, 1.0, size)

        monkeypatch.setattr(fit, "_one_epoch", epoch)
        return played

    return play


def recipe_for(epochs: int, patience: int = 0) -> Recipe:
    return tiny_recipe(epochs=epochs, patience=patience)


def test_training_ends_with_the_weights_of_its_best_epoch(network, play, tmp_path):
    play(0.1, 0.5, 0.3, 0.5)
    state = trained_in(tmp_path, network, recipe_for(4))
    assert (state.best, state.best_metric) == (1, 0.5)
    assert weights_of(network) == {1.0}


def test_it_stops_when_patience_is_at_its_end_and_not_before(network, play, tmp_path):
    played = play(0.1, 0.5, 0.3, 0.4, 0.6, 0.2, 0.2, 0.2, 0.9)
    lines: list[str] = []
    state = trained_in(tmp_path, network, recipe_for(9, patience=3), lines=lines)
    assert played == [0, 1, 2, 3, 4, 5, 6, 7]
    assert (state.best, state.waited) == (4, 3)
    assert lines[-1] == "Stopped: no better F2 in 3 epochs."
    assert weights_of(network) == {4.0}


def test_without_patience_it_never_stops_early(network, play, tmp_path):
    played = play(0.9, 0.1, 0.1, 0.1)
    assert trained_in(tmp_path, network, recipe_for(4)).best == 0
    assert played == [0, 1, 2, 3]


def interrupt_saving(monkeypatch, at: int) -> None:
    """Make the kill come in the midst of writing checkpoint `at`, from 1."""
    save, calls = keras.Model.save_weights, []

    def killed(network: keras.Model, path: Path, **options: Any) -> None:
        calls.append(path)
        save(network, path, **options)
        if len(calls) == at:
            Path(path).write_bytes(Path(path).read_bytes()[:50])
            raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "save_weights", killed)


def interrupt_clearing(monkeypatch, at: int) -> None:
    """Make the kill come after checkpoint `at` is there, while the one before is removed."""
    remove, calls = shutil.rmtree, []

    def killed(path: Path, *arguments: Any, **options: Any) -> None:
        if not options and Path(path).name.startswith("epoch"):
            calls.append(path)
            if len(calls) == at - 1:
                (Path(path) / BEST).unlink()
                raise KeyboardInterrupt
        remove(path, *arguments, **options)

    monkeypatch.setattr(checkpoints_module.shutil, "rmtree", killed)


@pytest.mark.parametrize(
    ("interrupt", "kept"), [(interrupt_saving, 2), (interrupt_clearing, 3)], ids=["while saving", "while clearing"]
)
def test_a_kill_while_a_checkpoint_is_written_loses_nothing_before_it(
    network, play, tmp_path, monkeypatch, interrupt, kept
):
    metrics = (0.1, 0.5, 0.3, 0.4, 0.2, 0.9)
    played = play(*metrics)
    with monkeypatch.context() as context:
        interrupt(context, at=3)
        with pytest.raises(KeyboardInterrupt):
            trained_in(tmp_path, network, recipe_for(6, patience=3))
    assert TrainingState.read(checkpoints(tmp_path)[-1] / STATE).epochs == kept
    network.set_weights([np.full_like(weights, 77) for weights in network.get_weights()])
    state = trained_in(tmp_path, network, recipe_for(6, patience=3))
    assert played == [0, 1, 2, *range(kept, 5)]
    assert [epoch.heldout_metric for epoch in state.history] == list(metrics[:5])
    assert (state.best, state.waited) == (1, 3)
    assert weights_of(network) == {1.0}


def test_what_a_kill_left_half_written_is_no_checkpoint(network, play, tmp_path):
    play(0.1, 0.2)
    half = tmp_path / "checkpoints/.epoch00001.x"
    half.mkdir(parents=True)
    (half / LATEST).write_bytes(b"half")
    (tmp_path / "checkpoints/epoch00001").mkdir()
    assert trained_in(tmp_path, network, recipe_for(2)).epochs == 2


def test_one_checkpoint_lies_on_the_disk(network, play, tmp_path):
    play(0.1, 0.5, 0.3)
    trained_in(tmp_path, network, recipe_for(3))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch00003"]
    assert {path.name for path in checkpoints(tmp_path)[0].iterdir()} == {LATEST, BEST, STATE}


def test_a_disk_without_hard_links_will_do(network, play, tmp_path, monkeypatch):
    def refuse(*_: Any) -> None:
        raise OSError("Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    play(0.1, 0.5, 0.3)
    trained_in(tmp_path, network, recipe_for(3))
    assert weights_of(network) == {1.0}


def test_a_size_ends_without_its_best_weights_and_the_next_goes_on_from_its_last(network, play, tmp_path):
    played = play(0.5, 0.9, 0.4, 0.2, 0.3)
    recipe = recipe_for(5, patience=1)
    trained_in(tmp_path, network, recipe, size=8, until=3)
    assert played == [0, 1, 2]  # patience is for the last size
    assert weights_of(network) == {2.0}
    samples.fill_weights(network, 77)
    lines: list[str] = []
    state = trained_in(tmp_path, network, recipe, lines=lines, size=16)
    assert lines[0].startswith("epoch   4/5")  # a new size is no interruption
    assert played == [0, 1, 2, 3, 4]
    assert [epoch.input_size for epoch in state.history] == [8, 8, 8, 16, 16]
    assert (state.best, state.best_metric) == (4, 0.3)
    assert weights_of(network) == {4.0}


def test_training_that_is_over_trains_nothing_more(network, play, tmp_path):
    play(0.1, 0.5, 0.3)
    before = trained_in(tmp_path, network, recipe_for(3))
    played = play(0.1, 0.5, 0.3)
    network.set_weights([np.full_like(weights, 77) for weights in network.get_weights()])
    assert trained_in(tmp_path, network, recipe_for(3)) == before
    assert played == []
    assert weights_of(network) == {1.0}


@pytest.mark.parametrize("losses", [{"loss": float("nan")}, {"loss": float("inf")}, {"heldout_loss": float("nan")}])
def test_an_epoch_whose_loss_is_no_number_is_not_kept(network, play, tmp_path, losses):
    play(0.1)
    trained_in(folder := tmp_path / "tiny/fold0", network, recipe_for(1))
    play(0.1, 0.9, **losses)
    with pytest.raises(UserError, match=r"The loss became (nan|inf) in epoch 2\. Begin again with a lower"):
        trained_in(folder, network, recipe_for(2))
    assert TrainingState.read(checkpoints(folder)[-1] / STATE).epochs == 1


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


def test_the_prior_of_a_label_is_the_log_of_its_odds_among_the_training_chips_alone():
    truth = np.zeros((100, 3), dtype=bool)
    truth[:60, 0], truth[:3, 1], truth[80:] = True, True, True
    task = tiny_recipe().task(samples.PLANET)
    examples = Examples(samples.array_chips(100), truth, np.arange(80), np.arange(80, 100))
    priors = examples.priors(tiny_recipe(), task)
    assert priors.in_batches is None
    frequency = np.array([61, 4, 1]) / 82
    np.testing.assert_allclose(priors.among_chips, np.log(frequency / (1 - frequency)), rtol=1e-5)


def test_the_shift_of_balanced_batches_is_how_much_better_a_labels_odds_are_in_them():
    random = np.random.default_rng(0)
    truth = random.random((400, 4)) < [0.9, 0.5, 0.03, 0.0]
    source = samples.array_chips(400)
    examples = Examples(source, truth, np.arange(400), np.arange(0))
    recipe = tiny_recipe(sampling="balanced")
    shown = truth[fit.TrainingBatches(source, examples.training, truth, recipe, 0).positions]
    priors = examples.priors(recipe, tiny_recipe().task(samples.PLANET))
    shift = priors.shift
    frequency, share = (np.clip(part[:, :3].mean(axis=0), 1e-3, 1) for part in (truth, shown))
    expected = np.log(share / (1 - share)) - np.log(frequency / (1 - frequency))
    np.testing.assert_allclose(shift[:3], expected, atol=0.15)
    assert shift[2] > 1.5
    assert np.isfinite(shift).all()


def test_the_priors_of_labels_that_share_a_softmax_are_their_frequencies_in_it():
    random, labels = np.random.default_rng(0), samples.PLANET.labels
    columns = [labels.index(label) for label in samples.PLANET.exclusive[0]]
    truth = random.random((4000, len(labels))) < 0.01
    truth[:, columns] = random.multinomial(1, [0.7, 0.2, 0.07, 0.03], size=4000)
    examples = Examples(samples.array_chips(4000), truth, np.arange(4000), np.arange(0))
    recipe = tiny_recipe(sampling="balanced", groups="softmax")
    shown = truth[fit.TrainingBatches(examples.source, examples.training, truth, recipe, 0).positions]
    priors = examples.priors(recipe, recipe.task(samples.PLANET))
    for logits, carried in ((priors.among_chips, truth), (priors.in_batches, shown)):
        said = np.exp(logits[columns]) / np.exp(logits[columns]).sum()
        np.testing.assert_allclose(said, carried[:, columns].mean(axis=0), atol=2e-3)
