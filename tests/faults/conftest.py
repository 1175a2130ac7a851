"""The chain as it is when nothing comes between, made once for all tests that disturb it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults import shim
from tests.faults.artefacts import digests_of
from tests.faults.chain import STEPS, Places, Step, make_shared
from tests.faults.kills import Undisturbed, undisturbed_chain
from tests.faults.processes import Ended, run, start_server

QUICK = STEPS[:3]  # without networks: a second in all
WITHOUT_NETWORKS = ("run", "tests.faults.kills", "competition.data.prepare", "competition.init.toml_file")
needs_shim = pytest.mark.skipif(shim.built() is None, reason="no C compiler, or not Linux")


@dataclass(frozen=True)
class Chain:
    """Verbs, what they make undisturbed, and where they are at work."""

    places: Places
    steps: Sequence[Step]
    expected: Sequence[Undisturbed]

    def begin(self) -> Path:
        """Return the workspace, emptied."""
        shutil.rmtree(self.places.workspace, ignore_errors=True)
        self.places.workspace.mkdir()
        return self.places.workspace

    def run(self, step: Step, environment: Mapping[str, str] | None = None) -> Ended:
        """Run a verb to its end."""
        return run(self.places.words(step), self.places.workspace, environment=environment)

    def check(self, step: Step) -> None:
        """Hold what is there after a step against what an undisturbed one made; nothing may be missing or differ."""
        expected = self.expected[self.steps.index(step)].digests
        now = digests_of(self.places.workspace)
        assert [name for name in expected if name not in now] == [], step.name
        assert [name for name in expected if now[name] != expected[name]] == [], step.name


def _made(folder: Path, steps: Sequence[Step], *, with_weights: bool) -> Chain:
    (folder / "shared").mkdir()
    make_shared(folder / "shared", with_weights=with_weights)
    places = Places(folder / "shared", folder / "workspace")
    places.workspace.mkdir()
    return Chain(places, steps, undisturbed_chain(places, steps))


@pytest.fixture(scope="session")
def quick_chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The verbs without networks."""
    start_server(*WITHOUT_NETWORKS)
    return _made(tmp_path_factory.mktemp("quick"), QUICK, with_weights=False)


@pytest.fixture(scope="session")
def whole_chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """All verbs; for slow tests."""
    start_server("tests.faults.imports")
    return _made(tmp_path_factory.mktemp("whole"), STEPS, with_weights=True)


def assert_is_one_line(ended: Ended, *words: str) -> None:
    """See that a verb has ended with one line that says what is wrong, with one of the words in it."""
    assert not ended.has_traceback, ended.output
    assert ended.code in (1, 2), ended.output
    lines = [line for line in ended.output.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, ended.output
    assert any(word in lines[0] for word in words), lines
