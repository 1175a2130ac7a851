"""Bringing one large file over a connection that may break: what has come stays, and the rest is asked for later."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from tqdm import tqdm

from competition.files import write_json
from competition.kaggle_errors import CONNECT, READ, MalformedError, StorageError

MARKER = ".partial"  # suffix of the note, beside a file on its way, of which file it is
CHUNK = 2**16  # bytes; where a connection breaks, what has come of the last one is lost


def receive(response: requests.Response, folder: Path, *, progress: bool) -> None:
    """Write the body of an answer to a folder, going on after what is there of the same file.

    Which file it is, is told by its ETag, or the time of its last change, and its size.

    Args:
        response: to a plain GET, streamed, not read yet; its address may be asked for a part.
        folder: receives the file, under the last name in the address, and a note beside it.
        progress: show a bar.

    Raises:
        StorageError: if the rest is refused.
        requests.RequestException: if the connection breaks; what has come is kept.
        MalformedError: if the answer is none to what was asked.
    """
    path = folder / _name(response)
    headers = response.headers
    length = "" if "Content-Encoding" in headers else headers.get("Content-Length", "")
    size = int(length) if length.isdecimal() else None
    tag = headers.get("ETag", "")
    # A weak one does not tell one version of the bytes from another.
    identity: dict[str, object] = {
        "validator": tag if tag.startswith('"') else headers.get("Last-Modified"),
        "size": size,
    }
    begun = _begun(path, identity)
    if begun and begun == size:
        response.close()
        return
    if begun:
        response.close()
        response = _rest(response.url, begun, str(identity["validator"]))
        begun = begun if response.status_code == requests.codes.partial_content else 0
    folder.mkdir(parents=True, exist_ok=True)
    write_json(_marker(path), identity)
    bar: dict[str, Any] = {
        "total": size,
        "initial": begun,
        "unit": "B",
        "unit_scale": True,
        "desc": path.name,
        "leave": False,
    }
    with closing(response), path.open("ab" if begun else "wb") as file, tqdm(disable=not progress, **bar) as shown:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            shown.update(len(chunk))
    if size is not None and size != path.stat().st_size:
        raise requests.ConnectionError("The answer ended early.")


def begun_in(folder: Path) -> int:
    """Return how many bytes have come to a folder of what is not complete."""
    files = [path.with_name(path.name.removesuffix(MARKER)) for path in folder.glob(f"*{MARKER}")]
    return sum(path.stat().st_size for path in files if path.is_file())


def received_in(folder: Path) -> list[Path]:
    """Return the files in a folder, without the notes."""
    return [path for path in folder.iterdir() if path.suffix != MARKER] if folder.is_dir() else []


def _rest(address: str, begun: int, validator: str) -> requests.Response:
    headers = {"Range": f"bytes={begun}-", "If-Range": validator, "Accept-Encoding": "identity"}
    # The address is signed: nothing of ~/.netrc belongs to it.
    response = requests.get(
        address, headers=headers, stream=True, timeout=(CONNECT, READ), auth=lambda request: request
    )
    if response.status_code not in (requests.codes.ok, requests.codes.partial_content):
        response.close()
        raise StorageError(response.status_code)
    came = response.headers.get("Content-Range", "")
    if response.status_code == requests.codes.partial_content and not came.startswith(f"bytes {begun}-"):
        response.close()
        raise MalformedError
    return response


def _begun(path: Path, identity: dict[str, object]) -> int:
    """Return how many bytes are there of this very file."""
    with suppress(OSError, ValueError):
        if identity["validator"] and json.loads(_marker(path).read_text(encoding="utf-8")) == identity:
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
