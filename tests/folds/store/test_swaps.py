"""Finished work takes the place of other, and a kill at any moment leaves one of both in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.workspace import Workspace
from folds.store.swaps import bring_back, swap
from tests.models.samples import content_of

PLACES = ["m", "m/fold1"]


def filled(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "scores").write_text(text)
    return folder


@pytest.fixture
def both(workspace: Workspace, request: pytest.FixtureRequest) -> tuple[Workspace, Path, Path]:
    new = filled(workspace.restarted.runs / request.param, "new")
    return workspace, new, filled(workspace.runs / request.param, "old")


@pytest.mark.parametrize("both", PLACES, indirect=True)
def test_the_new_takes_the_place_of_the_old_and_leaves_nothing_aside(both):
    workspace, new, place = both
    swap(workspace, new, place)
    assert content_of(place) == {"scores": b"new"}
    assert not new.exists()
    assert {path.name for path in workspace.restarted.runs.iterdir()} <= {".swap.lock", "m"}


@pytest.mark.parametrize("both", PLACES, indirect=True)
@pytest.mark.parametrize("renames", [0, 1, 2])
def test_killed_at_any_moment_one_of_both_is_in_place(both, monkeypatch, renames):
    """A kill leaves no time to tidy up."""
    workspace, new, place = both
    real, counted = Path.rename, []

    def rename(path: Path, target: Path) -> Path:
        counted.append(path)
        if len(counted) > renames:
            raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as context:
        context.setattr(Path, "rename", rename)
        context.setattr("folds.store.swaps.shutil.rmtree", lambda *_, **__: None)
        if renames < 2:
            with pytest.raises(KeyboardInterrupt):
                swap(workspace, new, place)
        else:
            swap(workspace, new, place)
    assert place.exists() == (renames != 1)
    bring_back(workspace)
    assert content_of(place) == {"scores": b"new" if renames == 2 else b"old"}
    assert new.exists() == (renames < 2)
    swap(workspace, new, place) if renames < 2 else None
    assert content_of(place) == {"scores": b"new"}
    assert {path.name for path in workspace.restarted.runs.iterdir()} <= {".swap.lock", "m"}
