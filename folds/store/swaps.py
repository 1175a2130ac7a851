"""Finished work takes the place of other, which lies aside until it is there.

    restarted/.models/<model>       a model that is being replaced as a whole
    restarted/.folds/<model>/fold<k>  one of its folds

Both are there for a moment only; a process that is killed in it leaves them, and the next one brings them back.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from competition.common.locks import locked
from competition.workspace import RUNS, Workspace

MODELS, FOLDS = ".models", ".folds"
LOCK = ".swap.lock"


def swap(workspace: Workspace, new: Path, place: Path) -> None:
    """Put a folder, a model's or a fold's, in its place, and remove what was there; one process at a time.

    Args:
        workspace: of both.
        new: the folder that is complete.
        place: within the runs.
    """
    root, within = workspace.restarted.runs, place.relative_to(workspace.runs)
    aside = root / (FOLDS if len(within.parts) > 1 else MODELS) / within
    with locked(root / LOCK):
        _bring_back(workspace)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            aside.parent.mkdir(parents=True, exist_ok=True)
            place.rename(aside)
        try:
            new.rename(place)
        finally:
            _bring_back(workspace)


def bring_back(workspace: Workspace) -> None:
    """Bring back what a killed process had moved aside, or remove it where the new is in its place."""
    if any(_aside(workspace)):
        with locked(workspace.restarted.runs / LOCK):
            _bring_back(workspace)


def _bring_back(workspace: Workspace) -> None:
    root = workspace.restarted.runs
    for aside, place in _aside(workspace):
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            aside.rename(place)
        shutil.rmtree(aside, ignore_errors=True)
    for folder in (*(root / FOLDS).glob("*"), root / FOLDS, root / MODELS):
        with suppress(OSError):  # there is none, or something in it
            folder.rmdir()


def _aside(workspace: Workspace) -> Iterator[tuple[Path, Path]]:
    """Yield what lies aside, and where it belongs."""
    for name, pattern in ((MODELS, "*"), (FOLDS, "*/fold*")):
        base = workspace.restarted.runs / name
        yield from ((path, workspace.root / RUNS / path.relative_to(base)) for path in sorted(base.glob(pattern)))
