"""Chips by the million, in the order of their ids: sorted on the disk, so that memory does not grow with them."""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby, islice
from operator import itemgetter
from typing import IO

from competition.index.chip_index import Naming, two_files

AT_ONCE = 100_000  # files that are sorted in memory

Found = tuple[str, int, str]  # id, band by its position, and path of a file


def listed(paths: Iterable[str], naming: Naming, where: str) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    """Yield by id, in the order of the ids, the path of each chip's file, or those of its bands; None where one lacks.

    Args:
        paths: of files of chips, within a folder or another place.
        naming: how they are called.
        where: the place, for an error.

    Raises:
        UserError: if two files are of one chip and band.
    """
    num_files = len(naming.images.bands) if naming.images.is_split else 1
    found = ((*key, path) for path in paths if (key := naming.read(path)) is not None)
    for name, files in groupby(_in_order(found), key=itemgetter(0)):
        by_band: list[str | None] = [None] * num_files
        for _, band, path in files:
            if (other := by_band[band]) is not None:
                raise two_files((name, band), f"{where}/{other}", f"{where}/{path}", naming)
            by_band[band] = path
        yield name, tuple(by_band)


def _in_order(found: Iterator[Found]) -> Iterator[Found]:
    """Yield files sorted: some at a time are, and are put aside, from where they are merged."""
    with ExitStack() as files:
        runs: list[Iterator[Found]] = []
        while run := sorted(islice(found, AT_ONCE)):
            if not runs and len(run) < AT_ONCE:
                runs.append(iter(run))
            else:
                aside = files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
                runs.append(_put_aside(run, aside))
        yield from heapq.merge(*runs)


def _put_aside(run: list[Found], file: IO[str]) -> Iterator[Found]:
    file.writelines(json.dumps(each) + "\n" for each in run)
    file.seek(0)
    return ((name, band, path) for name, band, path in map(json.loads, file))
