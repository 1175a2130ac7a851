"""`auto` through the command line, as a user runs it, on tiny networks."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import pytest

from tests.models import samples
from tests.test_chain import run, run_json


@pytest.fixture
def tiny(simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """The flags of a prepared workspace, and of a tiny network whose weights lie in a folder."""
    monkeypatch.setattr(keras.applications, "TinyNet", samples.TinyNet, raising=False)
    monkeypatch.setattr("models.plan.worth.SIZES", (16, 24, 32))
    monkeypatch.setattr("models.plan.measure.ENOUGH", 0.01)
    samples.TinyNet().save_weights(tmp_path / "tinynet_notop.weights.h5")
    recipes = tmp_path / "recipes.toml"
    recipes.write_text('[tiny]\nbackbone = "TinyNet"\ntrain = "head"\ndense = [8]\nepochs = 2\nlearning_rate = 0.01\n')
    here = ("--workspace", tmp_path / "workspace")
    run("data", "prepare", "--from", simulated, *here)
    run("folds", "--k", 2, *here)
    return ("auto", "--recipes", recipes, "--models", "tiny", "--weights", tmp_path, *here)


def test_from_a_prepared_workspace_to_a_checked_submission(tiny: tuple[object, ...], tmp_path: Path) -> None:
    plan = run_json(*tiny, "--minutes", 0.4, "--plan-only")
    assert plan["steps"]
    assert not (tmp_path / "workspace" / "auto").exists()
    shown = run(*tiny, "--minutes", 0.4)
    assert re.search(r"^model +features +training, scores +choosing +done at$", shown, re.M)
    assert "best.csv is valid: 24 rows" in shown
    assert re.search(r"^best-tinynet-\S+ +\d+:\d\d +\d+:\d\d +0\.\d{4} +\+0\.\d{4} ± 0\.\d{4}$", shown, re.M)
    assert "Next: python run.py submit best --message best --workspace" in shown.splitlines()[-1]
    assert "best-tinynet-" in run("status", *tiny[-2:])
    assert "best.csv is valid" in run("validate", "best", *tiny[-2:])
    assert "was begun with no --no-test; received --no-test" in run(*tiny, "--minutes", 0.4, "--no-test", code=2)


@pytest.mark.slow
def test_without_chips_to_predict_there_are_figures_alone(tiny: tuple[object, ...], tmp_path: Path) -> None:
    shown = run_json(*tiny, "--minutes", 0.15, "--name", "mine", "--no-test")
    assert shown["metric"] == "F2"
    assert all(step["model"].startswith("mine-tinynet-") for step in shown["steps"])
    assert not (tmp_path / "workspace" / "submissions").exists()


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--minutes", "0"], "--minutes must be above 0, received 0."),
        (["--minutes", "nan"], "--minutes must be above 0"),
        (["--minutes", "1", "--name", "../x"], "cannot name a run"),
        (["--minutes", "1", "--weights", "/nowhere"], "Cannot look for weights in /nowhere"),
        (["--minutes", "1", "--models", "unheard_of"], "Unknown recipe 'unheard_of'"),
        (["--minutes", "1", "--bands", "XY"], 'Give "--bands RGB", or --images'),
        (["--minutes", "1", "--recipes", "none.toml"], "Cannot read the recipe file none.toml"),
        (["--minutes", "1", "--images", "png"], "png"),
    ],
)
def test_a_mistake_is_one_line(flags: list[str], line: str, tiny: tuple[object, ...]) -> None:
    shown = run(*tiny, *flags, code=2)
    errors = [each for each in shown.splitlines() if each.startswith("Error: ")]
    assert len(errors) == 1
    assert line in errors[0]
    assert shown.splitlines()[-1] == errors[0]
