from contextlib import ExitStack

import pytest

from competition.common.locks import BusyError
from competition.workspace import Workspace
from folds.store.alone import alone
from models.cluster import work
from models.cluster.work import do_step
from tests.models.cluster.samples import training_of


def test_a_step_waits_for_the_process_that_had_it_before_and_says_so_if_that_stays(workspace, monkeypatch) -> None:
    training = training_of(workspace, "one", no_test=True)
    (prepare,), folds = training.stages()[0]
    do_step(training, prepare)
    assert not (workspace.runs / "one").exists()
    with ExitStack() as held:
        (workspace.runs / "one").mkdir(parents=True)
        held.enter_context(alone(workspace.runs / "one" / "fold0"))
        monkeypatch.setattr(work, "PATIENCE", 0.0)
        with pytest.raises(BusyError, match="'one' fold 0"):
            do_step(training, folds[0])
        monkeypatch.setattr(work, "PATIENCE", 60.0)
        monkeypatch.setattr(work.time, "sleep", lambda _: held.close())
        assert do_step(training, folds[0]).seconds >= 0
    assert is_complete(workspace, 0)


def is_complete(workspace: Workspace, fold: int) -> bool:
    return (workspace.runs / "one" / f"fold{fold}" / "scores.json").is_file()
