"""What the files of an unpacked folder hold, so that one that was lost or has changed is noticed and unpacked again."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.common.records import read_record, write_record

CHUNK, AT_ONCE, FORMAT = 1 << 20, 8, 1


class Noted(NamedTuple):
    """What is noted of a file.

    Attributes:
        sum: CRC-32 of its content; None of one that cannot be read.
        size: in bytes; None of earlier versions.
        modified_ns: when it was written last; None of earlier versions.
        changed_ns: when anything was done to it last, be it that its time was put back or reading was forbidden.
    """

    sum: int | None
    size: int | None = None
    modified_ns: int | None = None
    changed_ns: int | None = None


def kept_beside(folder: Path) -> Path:
    """Return the path of the record of what the files of a folder hold."""
    return folder.with_name(f"{folder.name}.sums.json")


def note_contents(folder: Path) -> None:
    """Write down what every file of a folder and below it holds, but for hidden ones."""
    _write(folder, _look(folder, {}))


def changed_since(folder: Path, *, by_reading: bool = False) -> list[str] | None:
    """Return the files, by their paths in the folder, that are gone, new or hold something else than was noted.

    Args:
        folder: that was unpacked.
        by_reading: read every file, and write nothing; else those alone whose size or times are others, and where they
            hold what they held, note that.

    Returns:
        None where nothing is known, as of folders that earlier versions have unpacked.
    """
    try:
        before = read_record(kept_beside(folder), _parse, version=FORMAT)
    except UserError:
        return None
    now = _look(folder, {} if by_reading else before)
    changed = _differing(before, now)
    if not (changed or by_reading or now == before):
        with suppress(OSError):  # where nothing can be written, they are read again the next time
            _write(folder, now)
    return changed


class Unpacked:
    """What was noted of files, whichever unpacked folders they lie in."""

    def __init__(self) -> None:
        self._folders: dict[Path, tuple[Path, dict[str, Noted]] | None] = {}

    def is_changed(self, path: Path) -> bool:
        """Whether a file lies in a folder that was unpacked, and holds something else than then.

        Raises:
            OSError: if it cannot be read.
        """
        if not (known := self._noted_of(path.parent)):
            return False
        noted = known[1].get(path.relative_to(known[0]).as_posix())
        return noted is not None and noted.sum is not None and noted.sum != _sum_of(path)

    def _noted_of(self, folder: Path) -> tuple[Path, dict[str, Noted]] | None:
        if folder not in self._folders:
            found = None
            if folder.name and kept_beside(folder).is_file():
                with suppress(UserError):  # a damaged record says nothing
                    found = folder, read_record(kept_beside(folder), _parse, version=FORMAT)
            elif folder.name:
                found = self._noted_of(folder.parent)
            self._folders[folder] = found
        return self._folders[folder]


def _differing(before: Mapping[str, Noted], now: Mapping[str, Noted]) -> list[str]:
    return sorted(
        name
        for name in before.keys() | now.keys()
        if name not in before or name not in now or before[name].sum != now[name].sum
    )


def _write(folder: Path, noted: Mapping[str, Noted]) -> None:
    sums = {name: each.sum for name, each in noted.items()}
    stamps = {name: each[1:] for name, each in noted.items()}
    write_record(kept_beside(folder), {"files": sums, "mtime": stamps}, version=FORMAT)


def _parse(content: dict[str, Any]) -> dict[str, Noted]:
    stamps = content.get("mtime", {})  # which earlier versions did not note
    return {name: Noted(value, *stamps.get(name, ())) for name, value in content["files"].items()}


def _look(folder: Path, before: Mapping[str, Noted]) -> dict[str, Noted]:
    """Return what there is to note of each file; one that is as it was noted before is not read."""
    paths = [Path(place, name) for place, _, names in os.walk(folder) for name in names if not name.startswith(".")]
    names = [path.relative_to(folder).as_posix() for path in paths]
    with ThreadPoolExecutor(AT_ONCE) as pool, reporter.bar(len(paths), f"looking at {folder.name}", "file") as bar:
        found: dict[str, Noted] = {}
        noted: Iterable[Noted] = pool.map(_look_at, paths, map(before.get, names))
        for name, each in zip(names, noted, strict=True):
            found[name] = each
            bar.update(1)
    return found


def _look_at(path: Path, before: Noted | None) -> Noted:
    try:
        state = path.stat()
        stamp = state.st_size, state.st_mtime_ns, state.st_ctime_ns
        return before if before is not None and before[1:] == stamp else Noted(_sum_of(path), *stamp)
    except OSError:
        return Noted(None)


def _sum_of(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            value = zlib.crc32(chunk, value)
    return value
