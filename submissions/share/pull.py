"""Bringing finished work from a place into a workspace: checked as it comes, and seen only once it is whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from competition.common.errors import UserError
from competition.common.files import replace_folder, temporary_folder
from competition.common.folders import check_room
from competition.common.interrupts import heeded
from competition.common.locks import lock_of, locked
from competition.common.progress import reporter
from competition.remote.copies import OnBytes, fetch
from competition.remote.places import Place
from competition.workspace import Workspace
from folds.store.swaps import swap
from submissions.share.artefacts import BEGUN, OF_FOLDS, UNFINISHED, Artefact, Choice
from submissions.share.moved import Moved
from submissions.share.pushed import Files, at_once, read_pushed
from submissions.share.sides import alone, check_same_folds, damaged_of, differing_of, fold_digest_of

_placing = Lock()  # one of these threads at a time, lest one be told to wait for its own process


def pull(workspace: Workspace, url: str, choice: Choice, *, force: bool = False) -> Moved:
    """Bring artefacts of a place into a workspace.

    Interrupted, the next call brings what is not there yet. What is there and differs stays, unless it is forced.

    Args:
        workspace: that gets them.
        url: of the place.
        choice: which of them.
        force: replace what is there and differs.

    Raises:
        UserError: if the place cannot be used, is of another competition or fold table, holds nothing, or a file of it
            is damaged.
    """
    place = Place.of(url)
    pushed = read_pushed(place, workspace.competition)
    if not pushed.artefacts:
        raise UserError(f"Nothing was pushed to {place.url}.", command=f"workspace push {place.url}")
    check_same_folds(fold_digest_of(workspace), pushed, place)
    root, files = workspace.root, pushed.artefacts
    chosen = list(_unsurpassed(choice.of(_known(files)), files, root))
    with locked(lock_of(workspace.pulled)), heeded():
        with reporter.busy("looking at what there is"):
            states = at_once(lambda artefact: _differs(root, artefact, files[artefact.key]), chosen)
        state = dict(zip(chosen, states, strict=True))
        left = [] if force else differing_of(chosen, lambda artefact: state[artefact] is True)
        new = [a for a in chosen if a.key not in left and (state[a] is None or (force and state[a]))]
        size = sum(content.size for artefact in new for content in files[artefact.key].values())
        check_room(size, root, "What is pulled")
        with reporter.bar(size, "pulling", "B") as bar:
            for kind in dict.fromkeys(artefact.kind for artefact in new):  # recipes before the folds made with them
                some = [artefact for artefact in new if artefact.kind is kind]
                at_once(lambda artefact: _bring(place, workspace, artefact, files[artefact.key], bar.update), some)
        shutil.rmtree(workspace.pulled, ignore_errors=True)
    moved = tuple(artefact.key for artefact in new)
    num_there = len(chosen) - len(new) - len(left)
    return Moved("pull", place.url, moved, num_there, tuple(left), size, damaged_of(root, left))


def _known(keys: Iterable[str]) -> Iterable[Artefact]:
    return (artefact for key in keys if (artefact := Artefact.of(key)) is not None)


def _unsurpassed(chosen: Iterable[Artefact], files: Iterable[str], root: Path) -> Iterable[Artefact]:
    """Yield artefacts without the unfinished folds that are finished by now, there or here."""
    for artefact in chosen:
        finished = Artefact.of(artefact.key.removesuffix(f"/{UNFINISHED}"))
        if artefact.kind is not BEGUN or not finished or not (finished.key in files or finished.files(root)):
            yield artefact


def _differs(root: Path, artefact: Artefact, files: Files) -> bool | None:
    """Return whether what a workspace has of an artefact differs from some files; None where it lacks some of them."""
    if artefact.kind is OF_FOLDS:  # their digests were compared; without the table, the file beside it binds to nothing
        return False if (root / artefact.path(artefact.kind.marker)).is_file() else None
    held = {name: content.is_in(root / artefact.path(name)) for name, content in files.items()}
    if all(held.values()):
        return False
    folder = root / artefact.folder
    if artefact.kind.is_folder:
        return True if folder.is_dir() and any(path.is_file() for path in folder.rglob("*")) else None
    return True if any((root / artefact.path(name)).exists() for name, same in held.items() if not same) else None


def _bring(place: Place, workspace: Workspace, artefact: Artefact, files: Files, on_bytes: OnBytes) -> None:
    """Fetch an artefact beside its place, and put it there once all of it has come."""
    root, stage = workspace.root, workspace.pulled / artefact.key
    for name, content in files.items():
        if content.is_in(stage / name):
            on_bytes(content.size)
        else:
            fetch(place, artefact.path(name), content, stage / name, on_bytes)
    names = artefact.in_order(files)
    if not artefact.kind.is_folder:
        _move(stage, root / artefact.folder, names)
        return
    with _placing, alone(root, artefact):
        if artefact.kind.what == "runs":
            new = temporary_folder(stage)
            with suppress(OSError):  # a file system with modes of its own refuses
                new.chmod(stage.stat().st_mode)  # temporary folders are private
            _move(stage, new, names)
            swap(workspace, new, root / artefact.folder)
        else:
            with replace_folder(root / artefact.folder) as new:
                _move(stage, new, names)


def _move(stage: Path, folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).replace(folder / name)
