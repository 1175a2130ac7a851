"""The one door to Kaggle: the official client, with time limits, bounded retries and one clear line for each failure.

The client signs in, makes every call of Kaggle's API and reads the answers. The files themselves are sent and received
by `requests`: the client's `competition_submit` has no time limit, retries in silence for six minutes, prints signed
addresses, takes a redirected upload for a successful one, and returns after a failed upload as after a good one; its
`competition_download_file` throws away what has come when the rest is refused once.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.kaggle.answers import Limits, RemoteFile, RemoteSubmission, is_ref, is_size
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
    clean,
    no_connection,
    not_accepted,
    refusal,
    status_of,
    unreadable,
)
from competition.kaggle.retries import is_transient, persist, was_not_begun
from competition.kaggle.transfer import begun_in, receive, send

PAGE = 100  # items of a list
ODD = (ValueError, LookupError, TypeError, AttributeError, RecursionError)  # what reading an odd answer raises
T = TypeVar("T")


class Kaggle:
    """A connection to one competition. Every method raises UserError, one line, where Kaggle does not do as asked.

    Args:
        slug: the competition's name in its address.

    Raises:
        UserError: if there are no credentials, or they are not accepted.
    """

    def __init__(self, slug: str) -> None:
        self.slug = slug
        self._credentials = find_credentials()
        if warning := self._credentials.warning():
            reporter.note(warning)
        self._api = self._connect()

    def files(self) -> list[RemoteFile]:
        """Return the competition's files, in Kaggle's order."""
        listed: dict[str, RemoteFile] = {}
        token: str | None = None
        while True:
            page, token = self._ask("list the files", partial(self._files_of_page, token))
            is_new = bool(page.keys() - listed.keys())
            listed |= page
            if not token or not is_new:
                return list(listed.values())

    def download(self, file: RemoteFile, folder: Path) -> None:
        """Bring a file to a folder of its own, going on where an earlier call was interrupted.

        Args:
            file: the file; that its size is the listed one is for the caller to check.
            folder: receives it, under the name it is served by, and a note beside it.
        """
        from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFileRequest

        request = ApiDownloadDataFileRequest()
        request.competition_name, request.file_name = self.slug, file.name

        def bring() -> None:
            with self._api.build_kaggle_client() as client:
                answer = client.competitions.competition_api_client.download_data_file(request)
                receive(answer, folder)

        there = begun_in(folder)
        try:
            while True:
                try:
                    self._ask(f"send {clean(file.name)}", bring)
                    return
                except (UnansweredError, UnservedError):
                    if begun_in(folder) <= there:  # attempts count anew where something has come
                        raise
                    there = begun_in(folder)
        except OSError as error:
            raise UserError(
                f"Cannot write {clean(file.name)} to {folder}: {error.strerror}. What came is kept. {AGAIN} when there "
                "is room."
            ) from error

    def submissions(self) -> list[RemoteSubmission]:
        """Return every submission of the team, in Kaggle's order, the latest first."""
        from kagglesdk.competitions.types.competition_api_service import ApiListSubmissionsRequest

        listed: dict[int, RemoteSubmission] = {}
        request = ApiListSubmissionsRequest()
        request.competition_name, request.page_size, request.page = self.slug, PAGE, 1
        while True:
            page, following = self._ask("list the submissions", partial(self._submissions_of_page, request))
            is_new = bool(page.keys() - listed.keys())
            listed |= page
            if not is_new or not (following or len(page) >= PAGE):
                return list(listed.values())
            request.page += 1
            request.page_token = following

    def submission(self, ref: int) -> RemoteSubmission:
        """Return one submission."""
        from kagglesdk.competitions.types.competition_api_service import ApiGetSubmissionRequest

        request = ApiGetSubmissionRequest()
        request.ref = ref
        return self._ask(f"show submission {ref}", lambda: RemoteSubmission.of(self._call("get_submission", request)))

    def limits(self) -> Limits:
        """Return how many submissions were made today and are left."""
        call = self._api.competition_get_submission_limits
        limits = self._ask("say how many submissions are left", lambda: call(self.slug))
        return Limits(limits.num_today, limits.num_allowed_now, bool(limits.limited_by_total))

    def upload(self, name: str, content: bytes, modified: int) -> str:
        """Bring a file to where submissions are made from, and return its token; this submits nothing.

        Args:
            name: of the file, as Kaggle is to show it.
            content: of the file.
            modified: when it was last changed, in seconds since 1970.
        """
        from kagglesdk.competitions.types.competition_api_service import ApiStartSubmissionUploadRequest

        request = ApiStartSubmissionUploadRequest()
        request.competition_name, request.file_name = self.slug, name
        request.content_length, request.last_modified_epoch_seconds = len(content), modified

        def bring() -> str:
            start = self._call("start_submission_upload", request)
            if not start.token or not start.create_url:
                raise MalformedError
            send(start.create_url, name, content)
            return str(start.token)

        return self._ask(f"take the file {name}", bring)

    def create(self, token: str, message: str, announce: Callable[[], None]) -> int:
        """Submit the file that was uploaded, and return the submission's ref.

        It is tried again only where Kaggle cannot have begun with it.

        Args:
            token: what `upload` returned.
            message: shown beside the submission.
            announce: called before every attempt.

        Raises:
            UnansweredError: if there is no answer with a ref; the submission may have been accepted.
            UserError: if it was not accepted.
        """
        from kagglesdk.competitions.types.competition_api_service import ApiCreateSubmissionRequest

        request = ApiCreateSubmissionRequest()
        request.competition_name, request.blob_file_tokens = self.slug, token
        request.submission_description = message

        def ask() -> Any:
            announce()
            return self._call("create_submission", request)

        answer = self._ask("accept the submission", ask, was_not_begun)
        if not is_ref(answer.ref):
            said = f", but says {clean(answer.message)!r}" if answer.message else ""
            raise UnansweredError(f"Kaggle's answer names no submission{said}.")
        return int(answer.ref)

    def _files_of_page(self, token: str | None) -> tuple[dict[str, RemoteFile], str | None]:
        """Return the files of a page, by name, and the token of the next one."""
        page = self._api.competition_list_files(self.slug, token, PAGE)
        files = {file.name: RemoteFile(file.name, file.total_bytes or 0) for file in page.files or []}
        if not all(isinstance(file.name, str) and is_size(file.size) for file in files.values()):
            raise MalformedError
        return files, page.next_page_token

    def _submissions_of_page(self, request: Any) -> tuple[dict[int, RemoteSubmission], str]:
        """Return the submissions of a page, by ref, and the token of the next one."""
        page = self._call("list_submissions", request)
        listed = {submission.ref: RemoteSubmission.of(submission) for submission in page.submissions or []}
        return listed, page.next_page_token or ""

    def _call(self, method: str, request: Any) -> Any:
        with self._api.build_kaggle_client() as client:
            return getattr(client.competitions.competition_api_client, method)(request)

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
