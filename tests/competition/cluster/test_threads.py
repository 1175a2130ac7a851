import os

import pytest

from competition.cluster import threads


@pytest.fixture
def environment(monkeypatch) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in threads.LIMITS}
    monkeypatch.setattr(os, "environ", kept)
    monkeypatch.setattr("threadpoolctl.threadpool_limits", lambda _: None)
    return kept


def test_every_library_is_told_the_number(environment) -> None:
    threads.limit_threads(3)
    assert {environment[name] for name in threads.LIMITS} == {"3"}
    assert threads.limit() == threads.threads_here() == 3


def test_a_process_that_was_told_nothing_has_its_cores_and_no_limit(environment) -> None:
    assert threads.limit() is None
    assert threads.threads_here() >= 1


def test_what_tensorflow_was_told_counts(environment) -> None:
    environment["TF_NUM_INTRAOP_THREADS"] = "5"
    assert threads.threads_here() == 5
