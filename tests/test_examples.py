"""The examples in docstrings and in the README run as they stand there."""

import doctest
import importlib
import os
import re
from pathlib import Path

import pytest

from tests.submissions.samples import make_workspace
from tests.test_rooms import ROOT, modules

WITH_EXAMPLES = sorted(module for module, path in modules().items() if ">>>" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("room", ["submissions.decide", "submissions.measure"])
def test_the_rooms_to_begin_with_have_examples(room: str) -> None:
    assert sum(name.startswith(f"{room}.") for name in WITH_EXAMPLES) >= 3


def test_the_readmes_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_workspace(tmp_path, ["resnet50", "densenet121"])
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) >= 5
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "README.md", "README.md", 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert runner.run(examples).failed == 0, f"in {os.getcwd()}"
