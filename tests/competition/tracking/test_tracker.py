"""Bringing results into line with MLflow: each once, and no failure costs a result."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from competition.common.errors import UserError
from competition.tracking import mlflow_store
from competition.tracking.entry import Entry, Figure
from competition.tracking.flag import MLFLOW
from competition.tracking.tracker import Tracker
from competition.workspace import Workspace


def entries(*names: str) -> Callable[[], dict[str, Callable[[], Entry]]]:
    return lambda: {name: lambda name=name: Entry(name, 1.0, 2.0, figures=[Figure("F2", 0.5)]) for name in names}


def names_of(workspace: Workspace) -> list[str]:
    """Return the names of the runs that MLflow's folder holds."""
    store = mlflow_store.MlflowStore(workspace.tracked, workspace.competition.name, "")
    return sorted(run.info.run_name for run in store._client.search_runs([store._experiment]))


def test_without_the_flag_nothing_is_looked_at(workspace) -> None:
    tracker = Tracker(workspace, None)
    tracker.keep("m", lambda: pytest.fail("made"))
    tracker.end()
    assert not workspace.tracked.exists()


@pytest.fixture
def mlflow() -> None:
    pytest.importorskip("mlflow", reason='MLflow is not installed: pip install -e ".[mlflow]"')


@pytest.mark.usefixtures("mlflow")
def test_each_result_is_kept_once_whoever_asks_and_however_often(workspace, lines) -> None:
    Tracker(workspace, MLFLOW).keep("m", entries("one"))
    for _ in range(2):
        tracker = Tracker(workspace, MLFLOW)
        tracker.keep("m", entries("one", "two"))
        tracker.end()
    assert names_of(workspace) == ["one", "two"]
    assert lines == [f"Tracked 1 result of 'm' in MLflow, at {workspace.tracked.as_uri()}."] * 2


@pytest.mark.usefixtures("mlflow")
def test_killed_while_it_writes_the_next_one_writes_it_whole(workspace, monkeypatch) -> None:
    with monkeypatch.context() as context:
        tracker = Tracker(workspace, MLFLOW)

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        context.setattr(tracker._store._client, "log_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            tracker.keep("m", entries("one"))
    Tracker(workspace, MLFLOW).keep("m", entries("one"))
    assert names_of(workspace) == ["one"]


@pytest.mark.usefixtures("mlflow")
def test_a_failure_lets_the_work_go_on_and_is_said_at_its_end(workspace, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    tracker = Tracker(workspace, MLFLOW)
    with monkeypatch.context() as context:
        context.setattr(tracker._store._client, "log_batch", full)
        tracker.keep("m", entries("one"))
        with pytest.raises(UserError, match=r"No space left on device\. All results are in .*, and the same command"):
            tracker.end()
        tracker.keep("other", dict)
        with pytest.raises(UserError, match="No space left"):  # of "m", whatever came after it
            tracker.end()
    tracker.keep("m", entries("one"))
    tracker.end()
    assert names_of(workspace) == ["one"]
