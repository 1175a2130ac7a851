"""Records in a place: what workspaces have as small JSON files, written and read where the files lie elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from competition.common.errors import UserError
from competition.common.files import scratch_folder
from competition.common.records import DamagedError, read_record, write_record
from competition.remote.places import Place

LARGEST = 2**26  # bytes
T = TypeVar("T")


def write_note(place: Place, name: str, content: Mapping[str, Any], *, version: int) -> None:
    """Write a record to a place, whole or not at all; see `write_record`."""
    with scratch_folder() as folder:
        write_record(folder / "record.json", content, version=version)
        place.send(folder / "record.json", name)


def read_note(place: Place, name: str, parse: Callable[[dict[str, Any]], T], *, version: int) -> T:
    """Read a record of a place; see `read_record`.

    Raises:
        DamagedError: if it is damaged, or of another format.
        UserError: if it is not there, or the place fails.
    """
    shown = f"{place.url}/{name}"
    with scratch_folder() as folder:
        path, size = folder / "record.json", 0
        with path.open("wb") as file:
            for chunk in place.chunks(name):
                size += len(chunk)
                if size > LARGEST:
                    raise UserError(f"{shown} is too large to be a record. Take it away.")
                file.write(chunk)
        try:
            return read_record(path, parse, version=version)
        except DamagedError as error:
            raise DamagedError(str(error).replace(str(path), shown)) from error
