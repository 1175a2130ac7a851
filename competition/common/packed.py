"""Archives of every format: their names, and the one member of a 7z as a stream."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, cast

import py7zr
import py7zr.io

from competition.common.folders import is_junk

FORMATS = (".tar.7z", ".7z", ".zip", ".tar", ".tar.gz", ".tgz")  # the longest first, of those with one end

LISTED = (".zip", ".tar", ".7z")  # whose list is at hand: of others, all must be unpacked for it
Reader = Callable[[], IO[bytes]]


def stem_of(name: str) -> str:
    """Return the name of an archive without the suffix of its format."""
    suffix = next((end for end in FORMATS if name.lower().endswith(end)), "")
    return name[: len(name) - len(suffix)]


class Writer(py7zr.io.NullIO):
    """Passes what py7zr unpacks to an open file, or nowhere; py7zr only ever writes."""

    def __init__(self, file: IO[bytes] | None, bar: Any = None) -> None:
        self._file = file
        self._bar = bar

    def write(self, data: bytes | bytearray) -> int:
        """Write it, and show on the bar that it was."""
        if self._bar is not None:
            self._bar.update(len(data))
        return self._file.write(data) if self._file else len(data)


class _IntoPipe(py7zr.WriterFactory):
    """Sends the one member of a 7z into a pipe."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    def create(self, filename: str) -> py7zr.Py7zIO:
        return Writer(self._pipe)


@contextmanager
def streamed(file: py7zr.SevenZipFile) -> Iterator[IO[bytes]]:
    """Yield the one member of a 7z, a tar, as it is unpacked, so that it takes no room; the block may leave it early.

    Raises:
        Exception: what stopped the unpacking, and not what the block made of a stream that ended for it.
    """
    reading, writing = os.pipe()

    def push() -> None:
        with os.fdopen(writing, "wb") as pipe:
            file.extractall(factory=_IntoPipe(pipe))

    with ThreadPoolExecutor(1) as pool, os.fdopen(reading, "rb") as stream:
        pushed = pool.submit(push)
        failure: Exception | None = None
        try:
            yield stream
        except Exception as error:
            failure = error
        finally:
            stream.close()  # ends a push that is still under way with BrokenPipeError
        cause = pushed.exception()
        if cause is not None and not isinstance(cause, BrokenPipeError):
            raise cause from None
        if failure is not None:
            raise failure


def members(file: IO[bytes], name: str) -> list[tuple[str, Reader | None]]:
    """Return the path of each file in an archive, as its list has it, and what opens that; None in a 7z.

    Args:
        file: the archive, open.
        name: its name, which says the format; of one whose list is not at hand, nothing is returned.

    Raises:
        Exception: whatever the decoders raise on a damaged file.
    """
    found: list[tuple[str, Reader | None]] = []
    if name.lower().endswith(".zip"):
        zipped = zipfile.ZipFile(file)
        found = [(each.filename, partial(zipped.open, each)) for each in zipped.infolist() if not each.is_dir()]
    elif name.lower().endswith(".tar"):
        tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 (the file is the caller's)
        found = [
            (each.name, cast("Reader", partial(tar.extractfile, each))) for each in tar.getmembers() if each.isreg()
        ]
    elif name.lower().endswith(".7z"):
        with py7zr.SevenZipFile(file) as packed:
            found = [(each.filename, None) for each in packed.list() if not each.is_directory]
    paths = ((path.replace("\\", "/").removeprefix("./"), reader) for path, reader in found)
    return [(path, reader) for path, reader in paths if not is_junk(path)]
