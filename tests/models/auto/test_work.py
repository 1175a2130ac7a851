"""Carrying out steps, on tiny networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from competition.workspace import Workspace
from models.auto.work import Work, write_recipes
from models.plan.candidates import Candidate, Settings
from models.plan.steps import Bank, Step, same_views
from models.plan.worth import DENSE, JOINT, VIEWS
from models.recipes.named import resolve
from models.runs.model_recipe import read_recipe
from tests.conftest import NUM_TEST, NUM_TRAIN, K, store_of
from tests.models.graphs.samples import graph_recipe, saved
from tests.models.samples import frozen

TINY, OTHER = Bank("tiny", "tiny", 16, VIEWS[1]), Bank("tiny", "tiny", 24, VIEWS[0])


@pytest.fixture
def work(workspace: Workspace, tiny_net: str, tiny_weights: str, tmp_path: Path) -> Work:
    path = tmp_path / "own.toml"
    values = {**frozen(tiny_weights), "dense": [4], "epochs": 1, "levels": 1}
    write_recipes(path, {"tiny": values})
    recipe = resolve("tiny", {}, path)
    settings = Settings(recipes=path)
    return Work(workspace, "best", workspace.auto / "best", settings, {"tiny": Candidate("tiny", "tiny", recipe)})


def test_a_step_becomes_a_model_of_the_workspace_that_says_what_it_is(work: Work) -> None:
    step = Step((TINY,), DENSE)
    work.fill(step)
    made = work.made(TINY)
    assert made == TINY.rows(NUM_TRAIN, NUM_TEST)
    seconds, is_whole = work.train(step)
    assert is_whole
    assert seconds > 0
    assert store_of(work.workspace).folds_of("best-tiny-16px-flips-1") == list(range(K))
    recipe = read_recipe(work.workspace, "best-tiny-16px-flips-1")
    assert (recipe.input_size, recipe.augment, recipe.views) == (16, ("flips",), "identity")
    assert work.made(TINY) == made
    assert work.train(step) == (0.0, True)  # what was there tells nothing of what training takes


def test_a_joint_head_stands_on_the_banks_that_are_made(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Step(same_views([TINY, OTHER]), JOINT)
    for bank in (TINY, OTHER):
        work.fill(Step((bank,), DENSE))
    monkeypatch.setattr("models.inputs.feature_bank._Builder._compute", None)  # nothing is left to compute
    work.fill(step)
    _, is_whole = work.train(step)
    assert is_whole
    recipe = read_recipe(work.workspace, work.model(step))
    assert [part.input_size for part in recipe.of_parts] == [16, 24]
    assert recipe.dense == (4,)


def test_a_joint_head_may_stand_on_a_network_of_others(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.graphs.running.SECONDS", 0.01)
    net = graph_recipe(saved(tmp_path / "net.onnx"), mean="own", deviation=(), outputs=("map",), input_size=24)
    work.candidates = {**work.candidates, "net": Candidate("net", "net", net)}
    bank = Bank("net", "net", 24, VIEWS[0])
    step = Step(same_views([TINY, bank]), JOINT)
    work.fill(step)
    assert work.made(bank) == bank.rows(NUM_TRAIN, NUM_TEST)
    monkeypatch.setattr("models.inputs.feature_bank._Builder._compute", None)  # nothing is left to compute
    _, is_whole = work.train(step)
    assert is_whole
    _, part = read_recipe(work.workspace, work.model(step)).of_parts
    assert (part.weights, part.mean, part.outputs) == (str(tmp_path / "net.onnx"), "own", ("map",))


def test_facts_are_those_of_the_workspace(work: Work, tmp_path: Path) -> None:
    facts = work.facts()
    assert (facts.num_train, facts.num_test, facts.num_labels) == (NUM_TRAIN, NUM_TEST, 17)
    assert (facts.num_folds, facts.share_held_out, facts.chip_size) == (K, 1 / K, 32)
    work.settings = replace(work.settings, no_test=True)
    assert work.facts().num_test == 0
    work.workspace.fold_table.unlink()
    assert work.facts().num_folds == 5  # that will be made
    assert work.room > 0


def test_recipes_are_written_as_they_are_read(tmp_path: Path) -> None:
    recipe = resolve("densenet121_levels", {"weights": 'a "quoted" \\ näme.h5', "learning_rate": 1e-05})
    write_recipes(tmp_path / "recipes.toml", {"my-own.64px": recipe.to_dict()})
    assert resolve("my-own.64px", {}, tmp_path / "recipes.toml") == recipe
