"""Stages: a head on the bank is the head in the network, fine-tuning begins from it, sizes follow each other."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from competition.workspace import Workspace
from folds.dealing.table import FoldTable
from models.heads.group import HeadGroup
from models.inputs.examples import Examples
from models.inputs.sources import Sources
from models.recipes.recipe import Recipe
from models.runs.training_state import HEAD, TrainingState, state_of
from models.train import stages
from models.train.fit import train
from models.train.fit_heads import fit_head
from models.train.keras_heads import best_head
from models.train.stages import fit_network
from tests.models import samples
from tests.models.samples import frozen, interrupt_at, moved, output_of, tiny_recipe
from tests.models.train.conftest import interrupt_heads_after


class Fold:
    """A fold as a recipe takes it."""

    def __init__(self, workspace: Workspace, recipe: Recipe) -> None:
        self.sources = Sources(workspace, recipe)
        self.examples = Examples.of_fold(self.sources, FoldTable.read(workspace.fold_table), 0)
        self.heldout = self.sources.chips("train").read(self.examples.heldout).astype(np.float32)

    def fit(self, folder: Path) -> keras.Model:
        """Return the network, trained in a folder."""
        return fit_network(self.sources.recipe, self.examples, self.sources, folder)


@pytest.fixture
def fold_of(workspace, tiny_net) -> Callable[[Recipe], Fold]:
    return functools.partial(Fold, workspace)


def layer_weights(network: keras.Model) -> dict[str, list[np.ndarray]]:
    backbone = network.get_layer("backbone")
    return {name: backbone.get_layer(name).get_weights() for name in ("conv", "norm", "last")}


# What is held out


def test_judged_by_chips_set_aside_a_network_knows_nothing_of_those_held_out(fold_of, tiny_weights, tmp_path, lines):
    recipe = tiny_recipe(**frozen(tiny_weights, train="finetune", head_epochs=1, epochs=3, monitor="inner"))
    fold = fold_of(recipe)
    networks = [fold.fit(tmp_path / "one")]
    truth, held = fold.examples.truth.copy(), fold.examples.heldout
    truth[held] ^= True
    fold.examples = dataclasses.replace(fold.examples, truth=truth)
    networks.append(fold.fit(tmp_path / "other"))
    for one, other in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(one, other)
    assert state_of(tmp_path / "one").best == state_of(tmp_path / "other").best
    assert sum("  inner loss 0." in line for line in lines) == 8


# The head


@pytest.mark.usefixtures("checkpoint_each_epoch")
def test_a_head_on_the_bank_is_the_head_trained_in_the_whole_network(fold_of, tiny_weights, tmp_path):
    recipe = tiny_recipe(**frozen(tiny_weights, dropout=0.0, augment=(), epochs=3, learning_rate=0.02))
    fold = fold_of(recipe)
    bank = fold.sources.bank("train", ("identity",))
    examples = dataclasses.replace(fold.examples, source=bank)
    on_bank = fit_head(recipe, examples, tmp_path / "bank")
    assert on_bank.name == "head"
    same_start = best_head(HeadGroup(recipe, examples), 0)
    whole = stages._fit_whole(recipe, fold.examples, fold.sources.inputs, tmp_path / "whole", same_start)
    from_features = output_of(on_bank, bank.read(examples.heldout))
    from_chips = output_of(whole, fold.heldout)
    np.testing.assert_allclose(from_features, from_chips, atol=1e-3)
    untrained = output_of(same_start, bank.read(examples.heldout))
    assert np.abs(from_features - untrained).max() > 0.01
    for one, other in zip(state_of(tmp_path / "bank").history, state_of(tmp_path / "whole").history, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-3)
        assert one.heldout_loss == pytest.approx(other.heldout_loss, abs=1e-3)


# Fine-tuning


@pytest.fixture
def starts(monkeypatch) -> list[dict[str, list[np.ndarray]]]:
    """The weights with which the head ended, and with which the whole started."""
    found: list[dict[str, list[np.ndarray]]] = []
    train, fit_head = stages.train, stages.fit_head

    def remember_head(*given: Any) -> keras.Model:
        head = fit_head(*given)
        found.append({"head": head.get_weights()})
        return head

    def remember(network: keras.Model, *others: Any) -> TrainingState:
        found.append({"head": network.get_layer("head").get_weights(), **layer_weights(network)})
        return train(network, *others)

    monkeypatch.setattr(stages, "fit_head", remember_head)
    monkeypatch.setattr(stages, "train", remember)
    return found


def finetuned(tiny_weights: str, **values: Any) -> Recipe:
    quick = {"head_epochs": 2, "epochs": 2, "learning_rate": 0.01, "batch_size": 16}
    return tiny_recipe(**frozen(tiny_weights, train="finetune"), **{**quick, **values})


def test_fine_tuning_begins_from_the_heads_best_weights_and_the_pretrained_backbone(
    fold_of, tiny_weights, tmp_path, starts, workspace
):
    recipe = finetuned(tiny_weights, unfrozen=0.34)  # of three layers with weights the last
    fold = fold_of(recipe)
    network = fold.fit(tmp_path)
    head_last, whole_first = starts
    bank = fold.sources.bank("train", ("identity",))
    group = HeadGroup(stages.head_first(recipe), dataclasses.replace(fold.examples, source=bank))
    assert all(moved(best_head(group, 0).get_weights(), head_last["head"]))
    assert not any(moved(head_last["head"], whole_first["head"]))
    donor = samples.TinyNet()
    donor.load_weights(tiny_weights)
    for name in ("conv", "norm", "last"):
        assert not any(moved(donor.get_layer(name).get_weights(), whole_first[name]))
    after = layer_weights(network)
    assert {name: any(moved(whole_first[name], after[name])) for name in after} == {
        "conv": False, "norm": False, "last": True,
    }  # fmt: skip
    assert (state_of(tmp_path / HEAD).epochs, state_of(tmp_path).epochs) == (2, 2)
    # One view is all that the head needs.
    assert [path.name for path in (workspace.cache / "features").glob("*/*.npy")] == ["identity.npy"]


def test_without_head_epochs_it_begins_at_once(fold_of, tiny_weights, tmp_path, starts, workspace):
    recipe = finetuned(tiny_weights, head_epochs=0, epochs=1)
    fold_of(recipe).fit(tmp_path)
    assert len(starts) == 1
    assert not (workspace.cache / "features").exists()


@pytest.mark.usefixtures("built_once", "checkpoint_each_epoch")
def test_interrupted_anywhere_fine_tuning_is_the_uninterrupted_one(fold_of, tiny_weights, tmp_path, monkeypatch, lines):
    recipe = finetuned(tiny_weights)
    fold = fold_of(recipe)
    expected = output_of(fold.fit(tmp_path / "whole"), fold.heldout)
    steps = fold.examples.steps_per_epoch(recipe)
    interrupts = [(interrupt_heads_after, 1), (interrupt_at, 2), (interrupt_at, steps + 1)]
    for interrupt, count in interrupts:  # after the head's first epoch, in the whole's first, in the whole's second
        with monkeypatch.context() as context:
            interrupt(context, count)
            with pytest.raises(KeyboardInterrupt):
                fold.fit(tmp_path / "parts")
        assert state_of(tmp_path / "parts" / HEAD).epochs == (1 if interrupt is interrupt_heads_after else 2)
    lines.clear()
    network = fold.fit(tmp_path / "parts")
    assert not any("head first" in line for line in lines)
    assert any(line.startswith("Going on after epoch 1;") for line in lines)
    np.testing.assert_allclose(output_of(network, fold.heldout), expected, atol=1e-4)


# Sizes


def sizes_of(folder: Path) -> list[int]:
    return [epoch.input_size for epoch in state_of(folder).history]


def size_in(network: keras.Model) -> int:
    return network.get_layer("backbone").input_shape[1]


@pytest.mark.usefixtures("built_once")
def test_sizes_follow_each_other_and_interrupted_it_goes_on_at_the_size_it_was_at(
    fold_of, tmp_path, monkeypatch, lines
):
    kinds = {"backbone": "TinyNet", "pooling": ("avg",), "augment": (), "progressive": (8,), "epochs": 4}
    recipe = tiny_recipe(**kinds, learning_rate=0.02, schedule="cosine")
    fold, whole, parts = fold_of(recipe), tmp_path / "whole", tmp_path / "parts"
    with monkeypatch.context() as context:
        seen: list[int] = []
        context.setattr(
            stages, "train", lambda *given, **options: seen.append(size_in(given[0])) or train(*given, **options)
        )
        network = fold.fit(whole)
    assert seen == [8, 16]
    assert sizes_of(whole) == [8, 8, 16, 16]
    assert state_of(whole).best in (2, 3)
    assert [line.split(" weights at ")[1][:5] for line in lines if " weights at " in line] == ["8 px,", "16 px"]
    rates = [epoch.learning_rate for epoch in state_of(whole).history]
    np.testing.assert_allclose(rates, 0.01 * (1 + np.cos(np.pi * np.arange(4) / 4)), rtol=1e-3)
    assert network.input_shape == (None, 16, 16, 3)  # chips of the last size, made smaller in the network

    steps = fold.examples.steps_per_epoch(recipe)
    for step, done in ((2 * steps + 1, [8, 8]), (steps + 1, [8, 8, 16])):
        with monkeypatch.context() as context:
            interrupt_at(context, step)
            with pytest.raises(KeyboardInterrupt):
                fold.fit(parts)
        assert sizes_of(parts) == done
    lines.clear()
    fold.fit(parts)
    assert not any("at 8 px" in line for line in lines)
    assert sizes_of(parts) == sizes_of(whole)
    for one, other in zip(state_of(parts).history, state_of(whole).history, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-3)
        assert one.heldout_metric == pytest.approx(other.heldout_metric, abs=1e-3)
