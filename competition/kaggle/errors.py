"""What can go wrong between here and Kaggle, and the one line to show for it."""

from __future__ import annotations

import email.utils
import re
import time
from contextlib import suppress

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from competition.common.errors import UserError
from competition.kaggle.credentials import TOKEN_PAGE, redact

ATTEMPTS = 5
CONNECT, READ = 10.0, 60.0  # seconds until a connection, and until the next bytes of an answer, are given up
REFUSED = (400, 401, 403, 404, 413, 422, 429)  # nothing was done; others do not say so
AGAIN = "Run the same command again"
SHOWN = 200  # characters of what Kaggle says


class RefusedError(UserError):
    """Kaggle has answered that it does not do what it was asked; `status` is that of its answer, where it was bare."""

    status = 0


class UnansweredError(UserError):
    """It is not known whether Kaggle did what it was asked."""


class StorageError(Exception):
    """The place that Kaggle named for a file did not take or give it.

    Args:
        status: of the HTTP answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class UnservedError(UserError):
    """A file was not taken or given."""


class MalformedError(Exception):
    """Kaggle's answer lacks what it must have."""


def status_of(error: requests.HTTPError) -> int:
    """Return the status of an answer: that in its JSON, which the client believes first, or else that of HTTP."""
    code = _json_of(error.response).get("code")
    return code if isinstance(code, int) and code >= 400 else getattr(error.response, "status_code", 0)


def refusal(what: str, error: requests.HTTPError, slug: str, source: str) -> UserError:
    """Return the line for an answer that is an error.

    Args:
        what: what Kaggle was asked to do.
        error: of the client.
        slug: name in its address of the competition that it is about; "" if it is about none.
        source: where the credentials come from.
    """
    status, said = status_of(error), clean(str(_json_of(error.response).get("message") or ""))
    because = f" Kaggle says: {said.rstrip('.')}." if said else ""
    if status == 401:
        return not_accepted(source)
    if slug and status == 403 and (not said or re.search("rule|permission|particip", said, re.IGNORECASE)):
        return RefusedError(
            f"Kaggle refuses to {what} (403): are the competition's rules accepted?{because} Open "
            f"https://www.kaggle.com/competitions/{slug}/rules, accept them, and run the same command again. If there "
            "is no such page, correct `slug` in the competition file."
        )
    if slug and status == 404:
        return RefusedError(
            f"Kaggle answers that there is no such thing (404), asked to {what}.{because} Is there a competition "
            f"https://www.kaggle.com/competitions/{slug}? If not, correct `slug` in the competition file."
        )
    if status == 429:
        asked = retry_after(error)
        until = f"in {asked:.0f} s" if asked else "in some minutes"
        return RefusedError(f"Kaggle asks for fewer calls (429), unable to {what}. {AGAIN} {until}.")
    if status < 500:
        refused = RefusedError(f"Kaggle refuses to {what} ({status}).{because}")
        refused.status = status
        return refused
    return UserError(f"Kaggle could not {what} ({status}), {ATTEMPTS} times at most.{because} {AGAIN} later.")


def not_accepted(source: str) -> UserError:
    """Return the line for credentials that Kaggle does not accept."""
    return RefusedError(
        f"Kaggle does not accept the credentials in {source}: expired, revoked or mistyped. "
        f'Get a new token at {TOKEN_PAGE}, or run "kaggle auth login".'
    )


def no_connection(what: str, error: BaseException) -> UserError:
    """Return the line for a connection that could not be made, or broke."""
    if isinstance(error, requests.exceptions.SSLError):
        why = "the certificate is not accepted"
    elif isinstance(error, requests.exceptions.ProxyError):
        why = "the proxy does not answer"
    elif never_connected(error):
        why = "it cannot be reached"
    elif isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        why = "it does not answer"
    else:
        why = "the connection broke"
    return UserError(f"No connection to Kaggle, asked to {what}: {why}. Check the network. {AGAIN}.")


def unreadable(what: str, error: BaseException) -> UserError:
    """Return the line for an answer that is not what the client expects."""
    document = getattr(error, "doc", None)
    received = f"{clean(str(document), 40)!r}" if document else clean(f"{type(error).__name__}", 40)
    return UserError(
        f"Kaggle's answer cannot be read: asked to {what}, expected JSON, received {received}. "
        f"Is there a proxy or a login page between? {AGAIN}."
    )


def clean(text: str, longest: int = SHOWN) -> str:
    """Return a text from outside as one printable line without secrets."""
    line = " ".join("".join(c if c.isprintable() else " " for c in redact(text)).split())
    return line if len(line) <= longest else line[:longest] + "..."


def _json_of(response: requests.Response | None) -> dict[str, object]:
    if response is not None:
        with suppress(ValueError, RuntimeError):
            content = response.json()
            return content if isinstance(content, dict) else {}
    return {}


def never_connected(error: BaseException) -> bool:
    """Whether no connection was made, so that nothing was sent."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    for name in ("reason", "original_error"):  # of MaxRetryError and ProxyError
        inner = getattr(cause, name, None)
        cause = inner if isinstance(inner, HTTPError) else cause
    return isinstance(cause, (NewConnectionError, ConnectTimeoutError))


def retry_after(error: BaseException | None) -> float:
    """Return the seconds that an answer asks to wait, 0 if it does not."""
    response = getattr(error, "response", None)
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    with suppress(ValueError):
        return max(0.0, float(asked))
    with suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
    return 0.0
