"""Optuna studies on disk."""

import gc
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.studies import open_studies
from submissions.decide.studies import KEPT_AT_ONCE, Tuning, tune

NAMES = ("a", "b")
COMMON: dict[str, Any] = {"low": 0.0, "high": 1.0, "study_name": "s"}
STARTS = [np.array([0.2, 0.2]), np.array([0.4, 0.4])]


def bowl(cuts: NDArray[np.float64]) -> float:
    return -float(((cuts - 0.3) ** 2).sum())


def tune_in_another_process(path: str) -> None:
    tune(bowl, NAMES, STARTS, Tuning(60, Path(path)), **COMMON)


def tune_and_be_killed(path: str, after: int) -> None:
    calls: list[Any] = []

    def objective(numbers: NDArray[np.float64]) -> float:
        if len(calls) == after:
            os.kill(os.getpid(), signal.SIGKILL)
        calls.append(numbers)
        return bowl(numbers)

    tune(objective, NAMES, STARTS, Tuning(60, Path(path)), **COMMON)


def kept(path: Path) -> list[Any]:
    with open_studies(path) as storage:
        return optuna.load_study(study_name="s", storage=storage).get_trials()


def test_the_starts_come_first_and_the_earlier_wins_a_tie(tmp_path: Path) -> None:
    best = tune(lambda cuts: 1.0, NAMES, STARTS, Tuning(8, tmp_path / "optuna.db"), **COMMON)
    assert best.tolist() == [0.2, 0.2]
    assert [trial.params for trial in kept(tmp_path / "optuna.db")[:2]] == [{"a": 0.2, "b": 0.2}, {"a": 0.4, "b": 0.4}]


@pytest.mark.parametrize("after", [5, KEPT_AT_ONCE + 5])
def test_an_interrupt_keeps_the_trials_done(tmp_path: Path, after: int) -> None:
    path, calls = tmp_path / "optuna.db", []

    def interrupted(cuts: NDArray[np.float64]) -> float:
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(cuts)
        return bowl(cuts)

    with pytest.raises(KeyboardInterrupt):
        tune(interrupted, NAMES, STARTS, Tuning(35, path), **COMMON)
    assert len(kept(path)) == after
    more: list[Any] = []
    tune(lambda cuts: more.append(cuts) or bowl(cuts), NAMES, STARTS, Tuning(35, path), **COMMON)  # type: ignore[func-returns-value]
    assert len(more) == 35 - after
    assert len(kept(path)) == 35
    assert not {tuple(cuts) for cuts in more} & {tuple(cuts) for cuts in calls}


def test_optuna_stays_quiet_and_leaves_nothing_open(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    tune(bowl, NAMES, STARTS, Tuning(5, tmp_path / "optuna.db"), **COMMON)
    gc.collect()  # where Python warns of connections left open, it would do so here
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before


def test_a_study_that_ends_leaves_another_one_quiet() -> None:
    begun, verbosity = threading.Event(), []
    with ThreadPoolExecutor() as pool:

        def short(cuts: NDArray[np.float64]) -> float:
            assert begun.wait(30)
            return 0.0

        ending = pool.submit(tune, short, NAMES, STARTS[:1], Tuning(1), **COMMON)

        def long(cuts: NDArray[np.float64]) -> float:
            begun.set()
            ending.result(30)
            verbosity.append(optuna.logging.get_verbosity())
            return 0.0

        pool.submit(tune, long, NAMES, STARTS[:1], Tuning(1), **COMMON).result(30)
    assert verbosity == [optuna.logging.ERROR]


def params(path: Path) -> list[dict[str, float]]:
    """Return what the trials of a study drew, in their order."""
    return [trial.params for trial in kept(path)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """What the trials of a study of 60 draw."""
    path = tmp_path_factory.mktemp("undisturbed") / "optuna.db"
    tune(bowl, NAMES, STARTS, Tuning(60, path), **COMMON)
    return params(path)


def test_two_processes_at_one_study_have_the_trials_of_one(tmp_path: Path, undisturbed: list[dict[str, float]]) -> None:
    path = tmp_path / "optuna.db"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=tune_in_another_process, args=(str(path),)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert params(path) == undisturbed


@pytest.mark.parametrize("after", [7, pytest.param(KEPT_AT_ONCE + 7, marks=pytest.mark.slow)])
def test_a_study_killed_at_any_trial_ends_with_the_trials_of_one_that_was_not(
    tmp_path: Path, undisturbed: list[dict[str, float]], after: int
) -> None:
    path = tmp_path / "optuna.db"
    killed = multiprocessing.get_context("spawn").Process(target=tune_and_be_killed, args=(str(path), after))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    with open_studies(path) as storage:  # one that another version left half done
        optuna.create_study(study_name="s", storage=storage, direction="maximize", load_if_exists=True).ask()
    tune(bowl, NAMES, STARTS, Tuning(45, path), **COMMON)
    tune(bowl, NAMES, STARTS, Tuning(60, path), **COMMON)  # and is topped up
    assert [drawn for drawn in params(path) if drawn] == undisturbed


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(UserError, match=r"Cannot use the studies in .*optuna.db: .*not a database.*Move the file away"):
        tune(bowl, NAMES, STARTS, Tuning(3, path), **COMMON)


def test_an_error_in_the_objective_is_not_taken_for_one_of_the_file(tmp_path: Path) -> None:
    def broken(cuts: NDArray[np.float64]) -> float:
        raise RuntimeError("a mistake in the code")

    with pytest.raises(RuntimeError, match="a mistake in the code") as caught:
        tune(broken, NAMES, STARTS, Tuning(3, tmp_path / "optuna.db"), **COMMON)
    assert not isinstance(caught.value, UserError)
