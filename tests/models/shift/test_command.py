"""The verb `adversarial`, as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

import run
from competition.workspace import Workspace
from run import main
from tests.models.shift.test_adversarial import MODEL, begun, filled, in_pairs

__all__ = ["begun"]  # a fixture


def test_the_verb_shows_what_is_found_and_what_comes_next(begun: Workspace, tiny_weights: str, tmp_path: Path) -> None:
    words = ["adversarial", MODEL, "--workspace", str(begun.root)]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert len(refused.stderr.strip().splitlines()) >= 1
    assert "Traceback" not in refused.output
    filled(begun, tiny_weights)
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    assert "What the weights make of scores is not known yet" in shown.output
    assert "compare --weighted-to test" in shown.output
    as_json = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert {"area", "verdict", "effective", "origins", "expected"} <= set(as_json)
    in_pairs(begun, tmp_path / "groups.csv")
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    assert "No weights" in shown.output
    assert "submissions shares" in shown.output


REFUSING = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        assert name not in ("keras", "tensorflow", "jax", "torch"), f"{name} is imported before it is loaded quietly"
sys.meta_path.insert(0, Refuse())
import models.backend.load
models.backend.load.load_backend = lambda: sys.exit(7)
import run
run.main(sys.argv[1:])
"""


def test_keras_is_loaded_quietly_and_only_for_a_model_that_is_there(begun: Workspace) -> None:
    (begun.blends / "best").mkdir(parents=True)
    (begun.blends / "best/blend.json").write_text('{"members": [{"name": "small"}, {"name": "other"}]}')

    def said(name: str) -> tuple[int, str]:
        words = [sys.executable, "-c", REFUSING, "adversarial", name, "--workspace", str(begun.root)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(run.__file__).parent)
        return done.returncode, done.stderr

    assert said(MODEL) == (7, "")
    assert said("nosuch") == (2, f"Error: Unknown model 'nosuch'. Known: {MODEL}.\n")
    assert said("best")[1].endswith("Name one of its members: small, other.\n")
