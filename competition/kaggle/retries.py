"""Asking Kaggle again: which failures pass, how long to wait before the next attempt, and when to give up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential
from tenacity.stop import stop_base

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.kaggle.errors import ATTEMPTS, MalformedError, StorageError, never_connected, retry_after, status_of

LONGEST_WAIT = 60.0  # seconds
DOUBLING = wait_exponential(multiplier=1.0, max=LONGEST_WAIT)  # 1, 2, 4 ... seconds
BUSY = (429, 500, 502, 503, 504)
T = TypeVar("T")


def persist(function: Callable[[], T], may_repeat: Callable[[BaseException], bool]) -> T:
    """Call `function` until it succeeds, several times at most, and return its result.

    The waits double; what Kaggle asks for in `Retry-After` is kept to, and beyond a minute ends the attempts.

    Args:
        function: what to call.
        may_repeat: whether an error can pass, and a further call does no harm.
    """
    return Retrying(
        retry=retry_if_exception(may_repeat),
        stop=stop_after_attempt(ATTEMPTS) | _AskedForTooLong(),
        wait=_wait,
        before_sleep=_announce,
        reraise=True,
    )(function)


def is_transient(error: BaseException) -> bool:
    """Whether an error may pass; what was asked for may have been done."""
    if isinstance(error, UserError):
        return False
    if isinstance(error, requests.HTTPError):
        return status_of(error) in BUSY
    if isinstance(error, requests.exceptions.SSLError):
        return False
    return isinstance(error, (StorageError, MalformedError, requests.RequestException, ValueError, ConnectionError))


def was_not_begun(error: BaseException) -> bool:
    """Whether an error may pass and Kaggle cannot have begun with what it was asked."""
    if isinstance(error, requests.HTTPError):
        return status_of(error) == 429
    return never_connected(error)


def _asked(state: RetryCallState) -> float:
    """Return the seconds that Kaggle asks to wait, 0 if it does not."""
    return retry_after(_error(state))


def _wait(state: RetryCallState) -> float:
    return _asked(state) or DOUBLING(state)


class _AskedForTooLong(stop_base):
    def __call__(self, retry_state: RetryCallState) -> bool:
        return _asked(retry_state) > LONGEST_WAIT


def _announce(state: RetryCallState) -> None:
    error = _error(state)
    if isinstance(error, requests.HTTPError):
        why = f"answers {status_of(error)}"
    elif isinstance(error, StorageError):
        why = f"answers {error.status} where the file is kept"
    elif isinstance(error, requests.exceptions.ChunkedEncodingError):
        why = "breaks off"
    elif isinstance(error, (requests.ConnectionError, requests.Timeout)):
        why = "is not reached"
    else:
        why = "gives no readable answer"
    wait = state.next_action.sleep if state.next_action else 0.0
    reporter.note(f"Kaggle {why}; next attempt in {wait:.0f} s ({state.attempt_number + 1} of {ATTEMPTS}).")


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
