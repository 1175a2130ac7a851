"""Tuning through the command line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.runs.model_recipe import read_recipe
from models.runs.status import status_of
from models.runs.training_state import state_of
from models.tune.figures import _trained
from models.tune.request import TuneRequest, start_of
from models.tune.work import Tuning
from tests.conftest import K
from tests.test_chain import run, run_json

QUICK = ("--input-size", "16", "--epochs", "3", "--batch-size", "16", "--views", "identity", "--augment", "none")
GRID = ("--grid", "--learning-rate", ".0001,.03", "--dense", "none", "--dense", "8,4")


@pytest.fixture
def recipes(tiny_net: str, tiny_weights: str, tmp_path: Path) -> Path:
    """A file with a recipe whose head learns on a bank, badly."""
    path = tmp_path / "recipes.toml"
    path.write_text(f"""[tiny]
backbone = "{tiny_net}"
weights = "{tiny_weights}"
train = "head"
dense = [8]
learning_rate = 1e-5
""")
    return path


def test_a_search_ends_with_a_model_of_an_ordinary_kind_and_what_it_is_worth(
    workspace: Workspace, recipes: Path, tmp_path: Path
) -> None:
    here = ("--workspace", workspace.root, "--recipes", recipes)
    said = run("tune", "--model", "tiny", *QUICK, *GRID, "--no-test", *here)
    assert "Trial 5 of 5: loss " in said
    assert re.search(
        r"F2, out-of-fold: 'tiny' as it is 0\.\d{4}; 'tiny-tuned' 0\.\d{4}, [+-]0\.\d{4} ± 0\.\d{4}\.", said
    )
    assert said.splitlines()[-1].startswith("Next: python run.py compare")
    (model,) = status_of(workspace).models
    assert (model.model, model.scored) == ("tiny-tuned", K)
    recipe = read_recipe(workspace, "tiny-tuned")
    assert (recipe.learning_rate, recipe.epochs) == (0.03, 3)
    content = run_json("tune", "--model", "tiny", *QUICK, *GRID, "--no-test", *here)
    assert content["winner"]["learning_rate"] == 0.03
    assert len(content["trials"]) == 5
    # Where the studies are lost, the same trials are drawn again, and the model is seen to be of this search.
    (studies := workspace.studies).rename(studies.with_name("lost.db"))
    again = run_json("tune", "--model", "tiny", *QUICK, *GRID, "--no-test", *here)
    assert again["winner"] == content["winner"]
    assert [trial["loss"] for trial in again["trials"]] == [trial["loss"] for trial in content["trials"]]
    ((chips,), *_) = workspace.layout.folders.values()
    assert "tiny-tuned" in run("compare", *here[:2])
    run("predict", "--model", "tiny-tuned", "--images", chips, "--output", tmp_path / "scores.csv", *here[:2])
    assert (tmp_path / "scores.csv").is_file()
    # A tuned model is a model to tune; its own settings are the first trial.
    said = run("tune", "--model", "tiny-tuned", "--trials", 2, "--name", "further", "--epochs", 1, *here)
    assert "2 trials" in said
    # The search replaces what it made itself, and nothing else.
    refused = run("tune", "--model", "tiny", *QUICK, "--dropout", ".1,.2", "--grid", *here, code=2)
    assert "Error: 'tiny-tuned' is there already, and not by this search" in refused
    assert f"tune --model tiny --name tiny-tuned-2 --recipes {recipes} --grid --input-size 16" in refused
    assert "--dropout 0.1 --dropout 0.2" in refused


def test_what_was_best_before_makes_room_for_what_is_better(workspace: Workspace, recipes: Path) -> None:
    here = ("--workspace", workspace.root, "--recipes", recipes, "--no-test")
    fixed = ("--weight-decay", "0", "--mixup", 0, "--ema", 0, "--label-smoothing", 0, "--dropout", 0, "--dense", "none")
    few = run("tune", "--model", "tiny", *QUICK, *fixed, "--name", "best", "--trials", 2, *here)
    before = read_recipe(workspace, "best")
    more = run("tune", "--model", "tiny", *QUICK, *fixed, "--name", "best", "--trials", 6, *here)
    assert "Trial 2 of 2" in few
    assert "Trial 6 of 6" in more
    after = read_recipe(workspace, "best")
    assert (after != before) == ("'best' was made with what was best before: it begins again." in more)
    assert after.learning_rate > before.learning_rate
    assert ScoreStore.of(workspace).folds_of("best") == list(range(K))


def test_where_nothing_is_better_no_model_is_made(workspace: Workspace, recipes: Path) -> None:
    worse = ("--grid", "--learning-rate", "1e-9,1e-8", "--epochs", 3, "--input-size", 16, "--views", "identity")
    said = run("tune", "--model", "tiny", *worse, "--workspace", workspace.root, "--recipes", recipes)
    assert "Nothing is better than 'tiny' as it is: no model is made." in said
    assert "Next: python run.py train --models tiny" in said
    assert not workspace.runs.exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--model", "baseline"), "'baseline' does not learn from features: it has train full"),
        (("--model", "tiny", "--minutes", "0"), "--minutes must be above 0, received 0."),
        (("--model", "tiny", "--dropout", ".2,1.5"), "dropout must be in [0, 1), received 1.5."),
        (("--model", "tini"), "Unknown recipe 'tini'"),
    ],
)
def test_errors_are_one_line(workspace: Workspace, recipes: Path, flags: tuple[str, ...], said: str) -> None:
    small = ("--input-size", 16, "--workspace", workspace.root, "--recipes", recipes)
    refused = run("tune", *flags, *small, code=2)
    assert said in refused
    assert len(refused.strip().splitlines()) == 1
    assert not (workspace.runs / "tiny-tuned").exists()


def test_figures_are_of_the_heads_that_training_makes(workspace: Workspace, recipes: Path) -> None:
    flags = (*QUICK, "--views", "flips", "--epochs", 8, "--learning-rate", 0.3)
    run("train", "--models", "tiny", *flags, "--no-test", "--workspace", workspace.root, "--recipes", recipes)
    store, request = ScoreStore.of(workspace), TuneRequest("tiny", recipes=recipes)
    states = [state_of(store.folder("tiny", fold)) for fold in range(K)]
    assert any(state.best < state.epochs - 1 for state in states)
    tuning = Tuning(workspace, request, store, start_of(workspace, request))
    stored = tuning._stored("tiny")
    assert [fold for _, fold in stored] == list(range(K))
    for key, scores in _trained(list(stored), tuning.outer).items():
        np.testing.assert_allclose(scores, stored[key], atol=1e-5)
