"""What a feature bank's folder says of itself, read without Keras: how far each view has come, and its checksum."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from competition.arrays import opened
from competition.common.records import DamagedError, read_record

FORMAT = 1


def rows_in(folder: Path, num_chips: int | None, say: Callable[[str], None] = lambda line: None) -> dict[str, int]:
    """Return how many rows of each view are made; a view whose file is not as it should be counts as not begun.

    Args:
        folder: of the bank.
        num_chips: of its cache; None: any.
        say: is told what is damaged.
    """

    def is_whole(view: str) -> bool:
        path = folder / f"{view}.npy"
        if opened(path, (num_chips, None), np.dtype(np.float16)) is not None:
            return True
        if path.exists():
            say(f"{path} is damaged: its features are made again.")
        return False

    def parse(content: dict[str, Any]) -> dict[str, int]:
        return {view: int(rows) for view, rows in content.items() if is_whole(view)}

    try:
        return read_record(folder / "done.json", parse, version=FORMAT)
    except DamagedError as error:
        if (folder / "done.json").exists():
            say(f"{error} Its features are made again.")
    return {}


def sums_in(folder: Path) -> dict[str, int]:
    """Return the checksums of the views that are complete, as far as they are known."""
    with suppress(DamagedError):
        return read_record(folder / "sums.json", lambda sums: {view: int(sums[view]) for view in sums}, version=FORMAT)
    return {}
