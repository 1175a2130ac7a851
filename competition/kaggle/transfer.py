"""Sending one file, and bringing one over a connection that may break: what has come stays, the rest follows."""

from __future__ import annotations

import io
from contextlib import ExitStack, closing, suppress
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from tqdm.utils import CallbackIOWrapper

from competition.common.progress import reporter
from competition.common.records import DamagedError, read_record, write_record
from competition.kaggle.errors import CONNECT, READ, MalformedError, StorageError

MARKER = ".partial"  # suffix of the note, beside a file on its way, of which file it is
FORMAT = 1  # of the note
CHUNK = 2**16  # bytes; where a connection breaks, what has come of the last one is lost


def receive(response: requests.Response, folder: Path) -> None:
    """Write the body of an answer to a folder, going on after what is there of the same file.

    Which file it is, is told by its ETag, or the time of its last change, and its size.

    Args:
        response: to a plain GET, streamed, not read yet; its address may be asked for a part.
        folder: receives the file, under the last name in the address, and a note beside it.

    Raises:
        StorageError: if the rest is refused.
        requests.RequestException: if the connection breaks; what has come is kept.
        MalformedError: if the answer is none to what was asked.
    """
    with ExitStack() as answers:
        answers.enter_context(closing(response))
        path = folder / _name(response)
        identity = _identity(response)
        begun, size = _begun(path, identity), identity["size"]
        if begun and begun == size:
            return
        if begun:
            rest = _rest(response.url, begun, str(identity["validator"]))
            if rest is None:
                begun = 0
            else:
                response.close()
                response = answers.enter_context(closing(rest))
                begun = begun if rest.status_code == requests.codes.partial_content else 0
        folder.mkdir(parents=True, exist_ok=True)
        if not begun:  # before the note says what the bytes are
            path.unlink(missing_ok=True)
        write_record(_marker(path), identity, version=FORMAT)
        _write(response, path, begun, size)
    if size is not None and size != path.stat().st_size:
        raise requests.ConnectionError("The answer ended early.")


def send(url: str, name: str, content: bytes | Path) -> None:
    """Send bytes, or a file, to the address that Kaggle named; whatever is not a clear success is a StorageError."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    with (
        io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file,
        reporter.bar(size, name, "B") as bar,
    ):
        body = CallbackIOWrapper(bar.update, file, "read")
        # A redirect followed as a GET would answer 200, and nothing would be there.
        # Nothing of ~/.netrc belongs to an address that is signed.
        limits: dict[str, Any] = {"timeout": (CONNECT, READ), "allow_redirects": False}
        answer = requests.put(url, data=body, auth=lambda request: request, **limits)
    if answer.status_code not in (200, 201):
        raise StorageError(answer.status_code)


def begun_in(folder: Path) -> int:
    """Return how many bytes have come to a folder of what is not complete."""
    files = [path.with_name(path.name.removesuffix(MARKER)) for path in folder.glob(f"*{MARKER}")]
    return sum(path.stat().st_size for path in files if path.is_file())


def received_in(folder: Path) -> list[Path]:
    """Return the files in a folder, without the notes."""
    return [path for path in folder.iterdir() if path.suffix != MARKER] if folder.is_dir() else []


def _write(response: requests.Response, path: Path, begun: int, size: int | None) -> None:
    with path.open("ab" if begun else "wb") as file, reporter.bar(size, path.name, "B") as bar:
        bar.update(begun)
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))


def _identity(response: requests.Response) -> dict[str, Any]:
    """Return what tells one version of a file from another, None where the answer does not say."""
    headers = response.headers
    length = "" if "Content-Encoding" in headers else headers.get("Content-Length", "")
    tag = headers.get("ETag", "")  # a weak one does not tell bytes apart
    return {
        "validator": tag if tag.startswith('"') else headers.get("Last-Modified"),
        "size": int(length) if length.isdecimal() else None,
    }


def _rest(address: str, begun: int, validator: str) -> requests.Response | None:
    """Return the answer to a request for the rest, None if parts are not given here.

    Raises:
        StorageError: if the file is refused for now.
    """
    headers = {"Range": f"bytes={begun}-", "If-Range": validator, "Accept-Encoding": "identity"}
    # The address is signed: nothing of ~/.netrc belongs to it.
    response = requests.get(
        address, headers=headers, stream=True, timeout=(CONNECT, READ), auth=lambda request: request
    )
    came = response.headers.get("Content-Range", "")
    is_part = response.status_code == requests.codes.partial_content and came.startswith(f"bytes {begun}-")
    if is_part or response.status_code == requests.codes.ok:
        return response
    response.close()
    if response.status_code in (requests.codes.requested_range_not_satisfiable, requests.codes.partial_content):
        return None
    raise StorageError(response.status_code)


def _begun(path: Path, identity: dict[str, Any]) -> int:
    """Return how many bytes are there of this very file."""
    with suppress(OSError, DamagedError):
        if identity["validator"] and read_record(_marker(path), dict, version=FORMAT) == identity:
            begun, size = path.stat().st_size, identity["size"]
            return 0 if isinstance(size, int) and begun > size else begun
    return 0


def _marker(path: Path) -> Path:
    return path.with_name(path.name + MARKER)


def _name(response: requests.Response) -> str:
    name = PurePosixPath(unquote(urlsplit(response.url).path)).name
    if not name or name.startswith(".") or set(name) & set("\\:\0") or name.endswith(MARKER):
        raise MalformedError
    return name
