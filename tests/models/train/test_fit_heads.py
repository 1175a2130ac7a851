"""Heads of a model's folds, fitted and written: each seed's best epoch, found again and not trained again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from competition.common.errors import UserError
from models.linear.fit import fit_linear
from models.networks.heads import build_head
from models.runs.folders import HISTORY, NETWORK
from models.runs.training_state import checkpoints, state_of
from models.train.fit_heads import FoldOfHeads, fit_head, fit_heads
from tests.models.heads.samples import NUM_CHIPS, NUM_FEATURES, NUM_FOLDS, bank_of, examples_of, recipe_for
from tests.models.samples import output_of
from tests.models.train.conftest import interrupt_heads_after, no_head_is_to_be_trained

FOLD_OF = np.arange(NUM_CHIPS) % NUM_FOLDS


def folds_in(root: Path, recipe) -> list[FoldOfHeads]:
    bank = bank_of()
    return [FoldOfHeads(fold, examples_of(recipe, fold, bank), root / f"tiny/fold{fold}") for fold in range(NUM_FOLDS)]


def kept_in(folder: Path, recipe) -> keras.Model:
    head = build_head(recipe, NUM_FEATURES, examples_of(recipe).task)
    head.load_weights(folder / NETWORK)
    return head


def loss_of(head: keras.Model, fold: FoldOfHeads) -> float:
    """Return the mean cross-entropy of the chips held out."""
    positions = fold.examples.heldout
    truth, scores = fold.examples.truth[positions], output_of(head, fold.examples.source.read(positions))
    return float(-np.log(np.where(truth, scores, 1 - scores)).mean())


@pytest.mark.parametrize("values", [{"seeds": 2}, {"members": 3, "seeds": 1}], ids=str)
def test_each_seed_of_each_fold_is_written_with_its_history_and_the_weights_of_its_best_epoch(tmp_path, values):
    recipe = recipe_for(learning_rate=0.1, **values)
    folds = folds_in(tmp_path, recipe)
    fit_heads(recipe, folds, FOLD_OF)
    losses = []
    for fold in folds:
        for folder in [fold.folder, *([fold.folder / "seed1"] if recipe.seeds > 1 else [])]:
            state = state_of(folder)
            assert (folder / HISTORY).is_file()
            losses.append(loss_of(kept_in(folder, recipe), fold))
            assert losses[-1] == pytest.approx(state.history[state.best].heldout_loss, abs=1e-5)
    assert len(set(losses)) == len(losses)


@pytest.mark.parametrize("values", [{}, {"ema": 0.9, "seeds": 2}], ids=str)
@pytest.mark.parametrize("solver", ["ridge", "logistic"])
def test_a_solvers_heads_are_written_as_those_of_one_epoch(tmp_path, lines, solver, values):
    recipe = recipe_for(solver=solver, dense=(), head_norm="none", **values)
    folds = folds_in(tmp_path, recipe)
    fit_heads(recipe, folds[1:], FOLD_OF)
    seeded = dataclasses.replace(recipe, seed=recipe.seed + recipe.seeds - 1)
    fitted = fit_linear(folds[0].examples.source, folds[0].examples.truth, FOLD_OF, [1, 2], seeded)
    for fold, (kernel, bias) in zip(folds[1:], fitted, strict=True):
        folder = fold.folder / "seed1" if recipe.seeds > 1 else fold.folder
        head, state = kept_in(folder, recipe), state_of(folder)
        for one, other in zip(head.get_layer("logits").get_weights(), (kernel, bias), strict=True):
            np.testing.assert_array_equal(one, other)
        assert (state.epochs, state.best) == (1, 0)
        assert loss_of(head, fold) == pytest.approx(state.history[0].heldout_loss, abs=1e-5)
        assert state.history[0].loss < state.history[0].heldout_loss + 0.1
        assert not checkpoints(folder)
    assert not folds[0].folder.exists()
    assert len(lines) == 2 * recipe.seeds
    assert all(line.startswith(f"Fold {1 + n % 2} fitted by {solver} in ") for n, line in enumerate(lines))


def test_one_head_is_found_again_and_not_trained_again(tmp_path, monkeypatch):
    recipe = recipe_for(seeds=1)
    head = fit_head(recipe, examples_of(recipe), tmp_path)
    assert state_of(tmp_path).epochs == 4
    no_head_is_to_be_trained(monkeypatch)
    again = fit_head(recipe, examples_of(recipe), tmp_path)
    for one, other in zip(head.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_loss_that_is_no_number_is_named_with_what_mends_it(tmp_path):
    recipe = recipe_for(optimizer="sgd", learning_rate=1e30)
    command = r"python run\.py train --models tiny --learning-rate 0\.001 --restart"
    line = rf'^.* has diverged: The loss became (nan|inf) in epoch 1, .* of 1e\+30\. To begin again, run "{command}"\.$'
    with pytest.raises(UserError, match=line):
        fit_heads(recipe, folds_in(tmp_path, recipe), FOLD_OF)
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.usefixtures("checkpoint_each_epoch")
def test_interrupted_between_writing_two_heads_the_others_are_written_without_training(tmp_path, monkeypatch):
    recipe = recipe_for(seeds=2)
    folds, written = folds_in(tmp_path, recipe), []

    def stop(head: keras.Model, path: Path) -> None:
        written.append(path)
        if len(written) == 4:
            raise KeyboardInterrupt
        head.save_weights(path)

    with monkeypatch.context() as context:
        context.setattr("models.train.fit_heads.write_network", stop)
        with pytest.raises(KeyboardInterrupt):
            fit_heads(recipe, folds, FOLD_OF)
    no_head_is_to_be_trained(monkeypatch)
    fit_heads(recipe, folds[1:], FOLD_OF)
    assert all((fold.folder / name / NETWORK).is_file() for fold in folds for name in ("", "seed1"))


@pytest.mark.usefixtures("checkpoint_each_epoch")
def test_folds_that_came_to_different_epochs_go_on_as_if_they_had_not_been_interrupted(tmp_path, monkeypatch):
    recipe = recipe_for()
    with monkeypatch.context() as context:
        interrupt_heads_after(context, 5)
        with pytest.raises(KeyboardInterrupt):
            fit_heads(recipe, folds_in(tmp_path / "resumed", recipe), FOLD_OF)
    for name in ("resumed", "whole"):
        fit_heads(recipe, folds_in(tmp_path / name, recipe), FOLD_OF)
    for fold in range(NUM_FOLDS):
        one, other = (kept_in(tmp_path / name / f"tiny/fold{fold}", recipe) for name in ("resumed", "whole"))
        assert all(np.array_equal(*pair) for pair in zip(one.get_weights(), other.get_weights(), strict=True))
