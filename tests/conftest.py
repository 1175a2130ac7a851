"""Fixtures of every room: one tiny simulated competition, made once a session."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from tenacity import wait_exponential

from competition.common.progress import reporter
from competition.data.prepare import prepare
from competition.simulator.simulate import simulate
from competition.spec.load import load
from competition.workspace import Workspace
from folds.dealing.table import FoldTable, make_table
from folds.store.score_store import ScoreStore
from tests import kaggle_server

gc.disable()  # until all tests are imported: most of that stays
hypothesis.settings.register_profile("busy", deadline=None)  # a machine that others use too is no fault
hypothesis.settings.load_profile("busy")

NUM_TRAIN, NUM_TEST, CHIP_SIZE, K = 60, 24, 32, 3
# What takes longest begins first, or at the end one process would be at it alone. `--durations=100` tells which.
LONGEST = (
    "models/train/test_job.py",
    "models/predict/test_occlusion.py",
    "models/export/test_predict_with_file.py",
    "submissions/choose/test_compare.py",
    "models/tune/test_tune.py",
    "models/export/test_formats.py",
    "test_chain.py",
    "test_auto.py",
    "submissions/test_best_so_far.py",
    "submissions/evidence/test_evidence.py",
    "models/train/test_train_folds.py",
    "submissions/report/test_browser.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each file to one process, as otherwise every process would make what the tests of a file share."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # those of the most tests first, many of which take no time
    return LoadFileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes longest."""
    ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def pytest_collection_finish() -> None:
    """Leave what was imported out of garbage collections: to go through it each time took a sixth of all time."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _wide() -> Iterator[None]:
    """Tables are as wide as they want to be, whatever the terminal of whoever tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        yield


def prepared_in(root: Path, source: Path) -> Workspace:
    """Return a new workspace at `root` with the data of `source`, used in place, and K folds."""
    workspace = Workspace(root, load("planet"))
    prepare(workspace, source)
    labelled = workspace.labelled
    make_table(labelled.image_names, labelled.truth, k=K, seed=0).write(workspace.fold_table)
    return workspace


def prepared_again(workspace: Workspace) -> Workspace:
    """Return a workspace anew whose tables, used in place, were changed on purpose."""
    prepare(workspace, next(iter(workspace.layout.tables.values())).parent)
    return Workspace(workspace.root, workspace.competition)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> Path:
    """Kaggle's files: NUM_TRAIN labelled and NUM_TEST other chips, as JPEG and as GeoTIFF. Not to be changed."""
    root = tmp_path_factory.mktemp("simulated") / "kaggle"
    simulate(root, num_train=NUM_TRAIN, num_test=NUM_TEST, size=CHIP_SIZE, tif=True, rare_boost=8.0)
    return root


@pytest.fixture(scope="session")
def prepared(simulated, tmp_path_factory) -> Path:
    """A workspace with folds. Not to be changed: tests that write take `workspace`."""
    return prepared_in(tmp_path_factory.mktemp("prepared") / "workspace", simulated).root


@pytest.fixture
def workspace(prepared, tmp_path) -> Workspace:
    """A workspace to write to; its chips are those of `simulated`, and not to be changed."""
    shutil.copytree(prepared, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace", load("planet"))


@pytest.fixture
def workspace_of_own_chips(simulated, tmp_path) -> Workspace:
    """A workspace to write to, with chips and tables to change in `tmp_path / "kaggle"`."""
    shutil.copytree(simulated, tmp_path / "kaggle")
    return prepared_in(tmp_path / "workspace", tmp_path / "kaggle")


def store_of(workspace: Workspace) -> ScoreStore:
    """Return the score store of a workspace."""
    return ScoreStore(workspace.runs, workspace.competition.labels, FoldTable.read(workspace.fold_table))


@pytest.fixture
def store(workspace) -> ScoreStore:
    return store_of(workspace)


@pytest.fixture
def kaggle(monkeypatch, tmp_path) -> Iterator[kaggle_server.KaggleServer]:
    """A Kaggle on the loopback, to which the official client of this process talks, signed in and impatient."""
    from kagglesdk import kaggle_env

    from competition.kaggle import connection, retries, transfer
    from submissions.submit import upload

    for name in [name for name in os.environ if name.startswith("KAGGLE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_API_TOKEN", kaggle_server.TOKEN)
    for module, name, seconds in [
        (connection, "READ", 1.0),
        (transfer, "READ", 1.0),
        (upload, "SETTLED", 1.5),  # longer than READ, as in earnest
        (upload, "POLL", 0.1),
        (upload, "FIRST_LOOK", 0.01),
    ]:
        monkeypatch.setattr(module, name, seconds)
    monkeypatch.setattr(retries, "DOUBLING", wait_exponential(0.01, retries.LONGEST_WAIT))
    with kaggle_server.KaggleServer().running() as server:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.url)
        yield server


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the reporter is given to say, as long as the test runs."""
    said: list[str] = []
    monkeypatch.setattr(reporter, "say", said.append)
    return said
