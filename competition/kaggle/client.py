"""The one door to a competition on Kaggle: its files, and submissions to it.

The official client signs in, makes every call of Kaggle's API and reads the answers. The files themselves are sent and
received by `requests`: the client's `competition_submit` has no time limit, retries in silence for six minutes, prints
signed addresses, takes a redirected upload for a successful one, and returns after a failed upload as after a good one;
its `competition_download_file` throws away what has come when the rest is refused once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.kaggle.answers import Limits, RemoteFile, RemoteSubmission, is_ref, is_size
from competition.kaggle.connection import PAGE, Connection
from competition.kaggle.errors import AGAIN, MalformedError, UnansweredError, UnservedError, clean
from competition.kaggle.retries import was_not_begun
from competition.kaggle.transfer import begun_in, receive

SERVICE = "competitions.competition_api_client"
NOTEBOOKS_OUTPUT = "submission.csv"  # what a notebook writes that takes part in a competition


class Kaggle(Connection):
    """A connection to one competition; `slug` is its name in its address."""

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
        return self._ask(
            f"show submission {ref}", lambda: RemoteSubmission.of(self._call(f"{SERVICE}.get_submission", request))
        )

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

        return self._bring(f"{SERVICE}.start_submission_upload", request, name, content)

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

        return self._accepted(f"{SERVICE}.create_submission", request, announce)

    def create_of_notebook(self, kernel: str, version: int, message: str, announce: Callable[[], None]) -> int:
        """Submit what a version of a notebook makes, and return the submission's ref; else as `create`.

        Args:
            kernel: the notebook, as "owner/name".
            version: of it; it has run to its end.
            message: shown beside the submission.
            announce: called before every attempt.
        """
        from kagglesdk.competitions.types.competition_api_service import ApiCreateCodeSubmissionRequest

        request = ApiCreateCodeSubmissionRequest()
        request.competition_name, request.file_name = self.slug, NOTEBOOKS_OUTPUT
        request.kernel_owner, request.kernel_slug = kernel.split("/")
        request.kernel_version, request.submission_description = version, message
        return self._accepted(f"{SERVICE}.create_code_submission", request, announce)

    def takes_notebooks_only(self) -> bool:
        """Return whether it is a code competition, which takes no files."""
        from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

        request = ApiGetCompetitionRequest()
        request.competition_name = self.slug
        answer = self._ask("describe the competition", lambda: self._call(f"{SERVICE}.get_competition", request))
        return bool(answer.is_kernels_submissions_only)

    def _accepted(self, method: str, request: Any, announce: Callable[[], None]) -> int:
        """Submit, and return the ref."""

        def ask() -> Any:
            announce()
            return self._call(method, request)

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
        page = self._call(f"{SERVICE}.list_submissions", request)
        listed = {submission.ref: RemoteSubmission.of(submission) for submission in page.submissions or []}
        return listed, page.next_page_token or ""
