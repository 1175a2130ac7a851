"""Loading Keras with the backend that is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import run
from competition.common.errors import UserError
from models.backend import load


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The backends that pass for installed; none is asked for, and Keras, which is not loaded yet, is not imported."""
    names: list[str] = []
    monkeypatch.setattr(load, "find_spec", lambda name: name if name in names else None)
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(load, "importlib", SimpleNamespace(import_module=lambda name: None))
    monkeypatch.setenv("KERAS_BACKEND", "")  # so that what is set is undone
    monkeypatch.delenv("KERAS_BACKEND")
    return names


BEGINNINGS = (
    "models.verbs",
    "models.recipes.named",
    "models.runs.status",
    "models.train.train_folds",
    "models.inputs.fill_banks",
    "models.predict.trained_model",
    "models.export.export",
    "models.export.predict_with_file",
)
SCRIPT = f"""
import importlib, sys

sys.modules["keras"] = None  # whoever imports it fails
for name in {BEGINNINGS!r}:
    importlib.import_module(name)
"""


def test_no_verb_imports_keras_before_it_is_loaded() -> None:
    root = Path(run.__file__).parent
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_a_backend_one_line_says_which_extra_to_install(installed: list[str]) -> None:
    with pytest.raises(UserError, match=r"none is installed.*pip install -e \"\.\[tensorflow\]\"', or jax or torch"):
        load.load_backend()


def test_a_backend_that_is_asked_for_and_not_there_is_named(
    installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.append("tensorflow")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(UserError, match=r"backend torch is not installed.*\[torch\]"):
        load.load_backend()


@pytest.mark.parametrize(
    ("there", "chosen"),
    [(["tensorflow"], None), (["tensorflow", "jax"], None), (["jax"], "jax"), (["torch"], "torch")],
)
def test_the_one_that_is_installed_is_taken(installed: list[str], there: list[str], chosen: str | None) -> None:
    installed += there
    load.load_backend()
    assert os.environ.get("KERAS_BACKEND") == chosen
