"""The verb `adversarial`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

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
