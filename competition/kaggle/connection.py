"""A connection to Kaggle: the official client, signed in, with time limits, and one clear line for each failure."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.metadata import version
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.kaggle.credentials import find_credentials
from competition.kaggle.errors import (
    AGAIN,
    CONNECT,
    READ,
    REFUSED,
    MalformedError,
    StorageError,
    UnansweredError,
    UnservedError,
    no_connection,
    not_accepted,
    refusal,
    status_of,
    unreadable,
)
from competition.kaggle.retries import is_transient, persist, was_not_begun
from competition.kaggle.transfer import send

PAGE = 100  # items of a list
ODD = (ValueError, LookupError, TypeError, AttributeError, RecursionError)  # what reading an odd answer raises
T = TypeVar("T")


class Connection:
    """A connection to Kaggle. Every method of what builds on it raises UserError, one line, where Kaggle refuses.

    Args:
        slug: name in its address of the competition that it is about; "" if it is about none.

    Raises:
        UserError: if there are no credentials, or they are not accepted.
    """

    def __init__(self, slug: str = "") -> None:
        self.slug = slug
        self._credentials = find_credentials()
        if warning := self._credentials.warning():
            reporter.note(warning)
        self._api = self._connect()

    def _call(self, method: str, request: Any) -> Any:
        """Call a method of the client, such as "competitions.competition_api_client.get_submission"."""
        with self._api.build_kaggle_client() as client:
            return attrgetter(method)(client)(request)

    def _bring(self, method: str, request: Any, name: str, content: bytes | Path) -> str:
        """Ask for a place for a file, send the file there, and return its token.

        Args:
            method: of the client, that names the place.
            request: for it.
            name: of the file.
            content: of the file, or where it is.
        """

        def bring() -> str:
            start = self._call(method, request)
            if not start.token or not start.create_url:
                raise MalformedError
            send(start.create_url, name, content)
            return str(start.token)

        return self._ask(f"take the file {name}", bring)

    def _ask(
        self, what: str, function: Callable[[], T], may_repeat: Callable[[BaseException], bool] = is_transient
    ) -> T:
        """Call `function`, again where `may_repeat` allows; an error becomes one line, without its trace.

        What the client prints is not shown, nor is the trace: they may hold signed addresses.
        """
        unknown, cause = False, None  # whether it may have been done; what may be shown of where
        try:
            with redirect_stdout(io.StringIO()):
                return persist(function, may_repeat)
        except UserError:
            raise
        except requests.HTTPError as error:
            line = refusal(what, error, self.slug, self._credentials.source)
            unknown = status_of(error) not in REFUSED
        except StorageError as error:
            line = UnservedError(f"Kaggle's storage answers {error.status}, asked to {what}. {AGAIN} later.")
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            line, unknown = no_connection(what, error), not was_not_begun(error)
        except (MalformedError, requests.RequestException, *ODD) as error:
            line, unknown = unreadable(what, error), True
            cause = None if isinstance(error, requests.RequestException) else error
        raise UnansweredError(str(line)) if unknown else line from cause

    def _connect(self) -> Any:
        """Return the client, signed in."""
        logging.getLogger("urllib3").setLevel(logging.WARNING)  # VERBOSE=1 would log addresses that are signed
        _skip_sign_in()
        from kaggle.api.kaggle_api_extended import KaggleApi

        class Client(KaggleApi):
            """The official client, with time limits."""

            def build_kaggle_client(self) -> Any:
                client = super().build_kaggle_client()
                http = client.http_client().__enter__()
                for scheme in ("https://", "http://"):
                    http._session.mount(scheme, _TimeLimits())
                return client

        client = Client()
        # It would read downloads into memory to print them, and print the token.
        client.args = [arg for arg in client.args if arg != "--verbose"]
        try:
            self._ask("sign in", client.authenticate)
        except SystemExit:
            raise not_accepted(self._credentials.source) from None
        except OSError as error:  # which may name the token as a file
            raise UserError(f"The kaggle client cannot read {self._credentials.source}: {error.strerror}.") from None
        return client


def _skip_sign_in() -> None:
    """Let the client's package be empty: importing it signs in, without a time limit, and hides whether it could."""
    if "kaggle" not in sys.modules and (spec := find_spec("kaggle")):
        package = ModuleType("kaggle")
        package.__path__ = list(spec.submodule_search_locations or ())
        package.__spec__ = spec
        package.__version__ = version("kaggle")  # type: ignore[attr-defined]
        sys.modules["kaggle"] = package


class _TimeLimits(HTTPAdapter):
    """Gives up what takes too long, and what is to be told a second time; the client itself would wait for ever."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = kwargs.get("timeout") or (CONNECT, READ)
        answer = super().send(request, *args, **kwargs)
        # The same call would be made again, be it done already or not.
        if request.method == "POST" and answer.status_code in (307, 308):
            raise requests.HTTPError("redirected", response=answer)
        return answer
