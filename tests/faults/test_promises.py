"""The promises of the threat model that no room has a test of."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import run
from competition.common.progress import Reporter
from competition.common.text import first
from competition.terminal.tables import table
from submissions.report import pages
from tests.test_rooms import ROOT, modules

RUNS_CODE = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib.load", "yaml"}
CALLS = {"eval", "exec", "compile", "__import__"}
SCREEN = "\x1b]0;owned\x07\x9b31m"
HTML = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("path", [*modules().values(), ROOT / "run.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_in_a_file_can_be_run(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
            assert not {name.split(".")[0] for name in names} & RUNS_CODE
        elif isinstance(node, ast.Call):
            assert not (isinstance(node.func, ast.Name) and node.func.id in CALLS)
            for flag in node.keywords:
                is_true = isinstance(flag.value, ast.Constant) and flag.value.value is True
                assert not (flag.arg in ("allow_pickle", "shell") and is_true)
                assert not (flag.arg == "safe_mode" and not is_true)


def test_what_a_file_says_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    Reporter().say(f"Read {SCREEN}.")
    shown = capsys.readouterr().out + first([SCREEN]) + table(["chip"], [[SCREEN]])
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)
    assert shown.count("owned") == 3


def test_a_command_shows_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    (folder := tmp_path / "a").mkdir()
    (folder / f"train_v2.csv{SCREEN}.zip").write_bytes(b"PK")
    done = CliRunner().invoke(run.main, ["data", "prepare", "--workspace", str(tmp_path / "w"), "--from", str(folder)])
    assert done.exit_code == 2
    assert not {"\x1b", "\x07", "\x9b"} & set(done.output)


def test_names_are_text_in_a_page() -> None:
    shown = pages._environment(pages.PACKAGE).from_string("{{ name }}").render(name=HTML)
    assert shown == HTML.replace("<", "&lt;").replace(">", "&gt;")


def test_every_promise_of_the_threat_model_names_tests_that_there_are() -> None:
    model = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Threat model")[1].split("\n## ")[0]
    there = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", model)
    assert len(named) > 15
    assert [name for name in named if f"def {name}(" not in there] == []
