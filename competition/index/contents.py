"""What the files of an unpacked folder hold, so that one that was lost or has changed is noticed and unpacked again."""

from __future__ import annotations

import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.common.records import read_record, write_record

CHUNK, AT_ONCE, FORMAT = 1 << 20, 8, 1


def kept_beside(folder: Path) -> Path:
    """Return the path of the record of what the files of a folder hold."""
    return folder.with_name(f"{folder.name}.sums.json")


def note_contents(folder: Path) -> None:
    """Write down what every file of a folder and below it holds, but for hidden ones: a CRC-32 each."""
    write_record(kept_beside(folder), {"files": _sums(folder)}, version=FORMAT)


def changed_since(folder: Path) -> list[str] | None:
    """Return the files, by their paths in the folder, that are gone, new or hold something else than was noted.

    None where nothing is known, as of folders that earlier versions have unpacked.
    """
    try:
        before = read_record(kept_beside(folder), lambda kept: dict(kept["files"]), version=FORMAT)
    except UserError:
        return None
    now = _sums(folder)
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _sums(folder: Path) -> dict[str, int | None]:
    """Return the checksum of each file; None of one that cannot be read."""
    paths = [Path(place, name) for place, _, names in os.walk(folder) for name in names if not name.startswith(".")]
    with ThreadPoolExecutor(AT_ONCE) as pool, reporter.bar(len(paths), f"reading {folder.name}", "file") as bar:
        found: dict[str, int | None] = {}
        for path, value in zip(paths, pool.map(_sum, paths), strict=True):
            found[path.relative_to(folder).as_posix()] = value
            bar.update(1)
    return found


def _sum(path: Path) -> int | None:
    value = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                value = zlib.crc32(chunk, value)
    except OSError:
        return None
    return value
