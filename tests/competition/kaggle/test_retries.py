"""Asking again: the waits, and when it ends."""

from __future__ import annotations

import time

import pytest
import requests

from competition.common.errors import UserError
from competition.kaggle.errors import ATTEMPTS, MalformedError, StorageError
from competition.kaggle.retries import is_transient, persist, was_not_begun


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds waited, without waiting."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def busy(status: int = 503, **headers: str) -> requests.HTTPError:
    response = requests.Response()
    response.status_code, response._content = status, b""
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return requests.HTTPError(response=response)


class Failing:
    """Fails with each of `errors` in turn, then returns how often it was called."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def test_waits_double_until_it_succeeds(waits: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    assert persist(Failing(*[busy()] * 4), is_transient) == ATTEMPTS
    assert waits == [1, 2, 4, 8]
    assert capsys.readouterr().err.splitlines()[1] == f"Kaggle answers 503; next attempt in 2 s (3 of {ATTEMPTS})."


def test_after_the_last_attempt_the_error_comes_through(waits: list[float]) -> None:
    failing = Failing(*[busy()] * 9)
    with pytest.raises(requests.HTTPError):
        persist(failing, is_transient)
    assert (failing.calls, len(waits)) == (ATTEMPTS, ATTEMPTS - 1)


def test_what_kaggle_asks_for_is_kept_to(waits: list[float]) -> None:
    assert persist(Failing(busy(429, Retry_After="7"), busy(429, Retry_After="60"), busy()), is_transient) == 4
    assert waits == [7, 60, 4]


def test_a_wait_beyond_a_minute_ends_the_attempts(waits: list[float]) -> None:
    failing = Failing(busy(429, Retry_After="61"))
    with pytest.raises(requests.HTTPError):
        persist(failing, is_transient)
    assert (failing.calls, waits) == (1, [])


@pytest.mark.parametrize(
    ("error", "may_pass"),
    [
        (busy(500), True),
        (busy(404), False),
        (requests.ConnectionError(), True),
        (requests.exceptions.SSLError(), False),
        (StorageError(403), True),
        (MalformedError(), True),
        (UserError("refused"), False),
        (KeyError("a"), False),
    ],
)
def test_only_what_may_pass_is_tried_again(waits: list[float], error: Exception, may_pass: bool) -> None:
    assert is_transient(error) == may_pass
    failing = Failing(error)
    if may_pass:
        assert persist(failing, is_transient) == 2
    else:
        with pytest.raises(type(error)):
            persist(failing, is_transient)
        assert waits == []


def test_what_may_have_begun_is_not_called_not_begun() -> None:
    assert was_not_begun(busy(429))
    assert was_not_begun(requests.ConnectTimeout())
    for error in (busy(503), requests.ReadTimeout(), requests.ConnectionError()):
        assert not was_not_begun(error)
