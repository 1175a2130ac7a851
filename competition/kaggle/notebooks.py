"""The one door to notebooks on Kaggle, and to the data sets that they read.

The official client signs in, makes every call and reads the answers. Its `dataset_create_new` and
`dataset_create_version` are not used: they tell Kaggle up to ten times to make a version, be it made already or not,
and send files without a time limit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import requests

from competition.kaggle.answers import PushedNotebook, RemoteDataset, RemoteNotebook, RemoteOutput, RemoteRun, is_size
from competition.kaggle.connection import PAGE, Connection
from competition.kaggle.errors import CONNECT, READ, RefusedError, clean, status_of
from competition.kaggle.retries import was_not_begun
from competition.kaggle.transfer import receive, received_in

DATASETS, NOTEBOOKS = "datasets.dataset_api_client", "kernels.kernels_api_client"
UNKNOWN = (403, 404)  # what is not there, or not ours, which Kaggle does not tell apart
T = TypeVar("T")


class Notebooks(Connection):
    """A connection to the notebooks and data sets of a user; each is named as "owner/name"."""

    @property
    def user(self) -> str:
        """Who has signed in; "" if the credentials do not say."""
        return str(self._api.get_config_value("username") or "")

    def dataset(self, ref: str) -> RemoteDataset | None:
        """Return a data set; None if there is none of ours."""
        from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest, ApiGetDatasetStatusRequest

        def ask() -> RemoteDataset:
            status = self._call(f"{DATASETS}.get_dataset_status", _of_dataset(ApiGetDatasetStatusRequest(), ref))
            shown = self._call(f"{DATASETS}.get_dataset", _of_dataset(ApiGetDatasetRequest(), ref))
            version = shown.current_version_number
            return RemoteDataset(version if is_size(version) else 0, status.status.name.lower())

        return self._ask(f"show the data set {ref}", partial(_if_there, ask))

    def is_in_dataset(self, ref: str, name: str) -> bool:
        """Return whether a file is in the latest version of a data set."""
        from kagglesdk.datasets.types.dataset_api_service import ApiListDatasetFilesRequest

        request = _of_dataset(ApiListDatasetFilesRequest(), ref)
        request.page_size = PAGE

        def ask() -> tuple[list[str], str]:
            page = self._call(f"{DATASETS}.list_dataset_files", request)
            return [file.name for file in page.dataset_files or []], page.next_page_token or ""

        seen = set[str]()
        while True:
            listed = self._ask(f"list the files of the data set {ref}", partial(_if_there, ask))
            names, request.page_token = listed or ([], "")
            if name in names:
                return True
            if not request.page_token or request.page_token in seen:
                return False
            seen.add(request.page_token)

    def upload(self, path: Path) -> str:
        """Bring a file to where data sets are made from, and return its token; this makes none."""
        from kagglesdk.blobs.types.blob_api_service import ApiBlobType, ApiStartBlobUploadRequest

        request = ApiStartBlobUploadRequest()
        request.type, request.name = ApiBlobType.DATASET, path.name
        request.content_length, request.last_modified_epoch_seconds = path.stat().st_size, int(path.stat().st_mtime)
        return self._bring("blobs.blob_api_client.start_blob_upload", request, path.name, path)

    def create_dataset(self, ref: str, title: str, license_name: str, tokens: list[str]) -> None:
        """Make a private data set of files that were uploaded.

        It is tried again only where Kaggle cannot have begun with it.

        Raises:
            UnansweredError: if there is no answer; it may have been made.
            UserError: if it was not.
        """
        from kagglesdk.datasets.types.dataset_api_service import ApiCreateDatasetRequest

        request = ApiCreateDatasetRequest()
        request.owner_slug, request.slug = ref.split("/")
        request.title, request.license_name, request.is_private = title, license_name, True
        request.files = _files(tokens)
        self._make(f"make the data set {ref}", f"{DATASETS}.create_dataset", request)

    def version_dataset(self, ref: str, notes: str, tokens: list[str]) -> None:
        """Make a new version of a data set of files that were uploaded; else as `create_dataset`."""
        from kagglesdk.datasets.types.dataset_api_service import (
            ApiCreateDatasetVersionRequest,
            ApiCreateDatasetVersionRequestBody,
        )

        body = ApiCreateDatasetVersionRequestBody()
        body.version_notes, body.delete_old_versions, body.files = notes, False, _files(tokens)
        request = _of_dataset(ApiCreateDatasetVersionRequest(), ref)
        request.body = body
        self._make(f"make a version of the data set {ref}", f"{DATASETS}.create_dataset_version", request)

    def notebook(self, ref: str) -> RemoteNotebook | None:
        """Return a notebook; None if there is none of ours."""
        from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelRequest

        def ask() -> RemoteNotebook:
            shown = self._call(f"{NOTEBOOKS}.get_kernel", _of_notebook(ApiGetKernelRequest(), ref))
            return RemoteNotebook(int(shown.metadata.current_version_number), str(shown.blob.source))

        return self._ask(f"show the notebook {ref}", partial(_if_there, ask))

    def push(self, ref: str, folder: Path) -> PushedNotebook:
        """Make a version of a notebook, which Kaggle runs at once; tried again as `create_dataset` is.

        Args:
            ref: of the notebook.
            folder: with the notebook and kernel-metadata.json.

        Raises:
            UnansweredError: if there is no answer; it may have been made.
            UserError: if it was not.
        """

        def ask() -> PushedNotebook:
            answer = self._api.kernels_push(str(folder))
            if answer.error:
                raise RefusedError(f"Kaggle refuses to take the notebook {ref}: {clean(answer.error).rstrip('.')}.")
            return PushedNotebook.of(answer)

        return self._ask(f"take the notebook {ref}", ask, was_not_begun)

    def run(self, ref: str, version: int) -> RemoteRun | None:
        """Return how far a version of a notebook has run, 0 for the latest; None if there is none of ours."""
        from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest

        request = _of_notebook(ApiGetKernelSessionStatusRequest(), ref, version)

        def ask() -> RemoteRun:
            return RemoteRun.of(self._call(f"{NOTEBOOKS}.get_kernel_session_status", request))

        return self._ask(f"say how far the notebook {ref} has run", partial(_if_there, ask))

    def output(self, ref: str, version: int) -> RemoteOutput:
        """Return what a version of a notebook has left, 0 for the latest; nothing, where Kaggle knows of none."""
        from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

        request = _of_notebook(ApiListKernelSessionOutputRequest(), ref, version)
        request.page_size = PAGE
        addresses, log = dict[str, str](), ""

        def ask() -> Any:
            return self._call(f"{NOTEBOOKS}.list_kernel_session_output", request)

        while True:
            page = self._ask(f"list what the notebook {ref} has left", partial(_if_there, ask))
            if page is None:
                return RemoteOutput(addresses, log)
            new = {file.file_name: file.url for file in page.files or [] if file.file_name not in addresses}
            addresses, log = addresses | new, log or page.log or ""
            if not (new and page.next_page_token):
                return RemoteOutput(addresses, log)
            request.page_token = page.next_page_token

    def fetch(self, name: str, address: str, folder: Path) -> Path:
        """Bring a file that a notebook has left to an empty folder, and return where it is.

        Args:
            name: of the file, for people.
            address: of it.
            folder: receives it, under the last name in the address.
        """

        def bring() -> None:
            # The address is signed: nothing of ~/.netrc belongs to it.
            limits: dict[str, Any] = {"stream": True, "timeout": (CONNECT, READ), "auth": lambda request: request}
            answer = requests.get(address, **limits)
            answer.raise_for_status()
            receive(answer, folder)

        self._ask(f"send {name}", bring)
        (path,) = received_in(folder)
        return path

    def _make(self, what: str, method: str, request: Any) -> None:
        def ask() -> None:
            answer = self._call(method, request)
            if answer.error:
                raise RefusedError(f"Kaggle refuses to {what}: {clean(answer.error).rstrip('.')}.")

        self._ask(what, ask, was_not_begun)


def _if_there(ask: Callable[[], T]) -> T | None:
    """Ask; return None if Kaggle knows no such thing."""
    try:
        return ask()
    except requests.HTTPError as error:
        if status_of(error) in UNKNOWN:
            return None
        raise


def _of_dataset(request: Any, ref: str) -> Any:
    """Return a request that names a data set."""
    request.owner_slug, request.dataset_slug = ref.split("/")
    return request


def _of_notebook(request: Any, ref: str, version: int = 0) -> Any:
    """Return a request that names a notebook, and the version of it; 0 for the latest."""
    request.user_name, request.kernel_slug = ref.split("/")
    if version:
        request.version_label = f"v{version}"  # of a bare number, Kaggle knows no such version
    return request


def _files(tokens: list[str]) -> list[Any]:
    from kagglesdk.datasets.types.dataset_api_service import ApiDatasetNewFile

    files = [ApiDatasetNewFile() for _ in tokens]
    for file, token in zip(files, tokens, strict=True):
        file.token = token
    return files
