"""Progress, shown on a terminal only."""

from __future__ import annotations

from typing import Any


def progress_bar(total: int, title: str) -> Any:
    """Return a progress bar over chips, shown on a terminal only."""
    from tqdm import tqdm

    return tqdm(total=total, desc=title, unit="chip", disable=None, leave=False)
