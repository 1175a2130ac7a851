"""Bringing a workspace's finished work to a place: what is there already is not sent again, the record comes last."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from competition.common.interrupts import heeded
from competition.common.progress import reporter
from competition.remote.copies import Content, OnBytes, put
from competition.remote.places import Place
from competition.workspace import Workspace
from submissions.share.artefacts import BEGUN, OF_FOLDS, Artefact, Choice, artefacts_in
from submissions.share.moved import Moved
from submissions.share.pushed import Files, at_once, lacking_in, read_pushed, write_pushed
from submissions.share.sides import alone, check_apart, check_same_folds, damaged_of, differing_of, fold_digest_of


def push(workspace: Workspace, url: str, choice: Choice, *, force: bool = False) -> Moved:
    """Bring artefacts of a workspace to a place.

    Interrupted, the next call sends what is not there yet. Several people may push at once.

    Args:
        workspace: whose they are.
        url: of the place.
        choice: which of them.
        force: replace what is there and differs, and send again what is there.

    Raises:
        UserError: if the place cannot be used, is a workspace, or is of another competition or fold table.
    """
    place = Place.of(url)
    check_apart(workspace, place)
    chosen, fold_digest = choice.of(artefacts_in(workspace.root)), fold_digest_of(workspace)
    pushed = read_pushed(place, workspace.competition)
    check_same_folds(fold_digest, pushed, place)
    with ExitStack() as locks, heeded():
        for artefact in chosen:
            if artefact.kind is BEGUN:  # or training would change it on the way
                locks.enter_context(alone(workspace.root, artefact))
        with reporter.busy("looking at what there is"):
            files = dict(zip(chosen, at_once(lambda artefact: contents(workspace.root, artefact), chosen), strict=True))
            lacking = lacking_in(place, pushed, chosen)
        there = {artefact: pushed.artefacts.get(artefact.key) for artefact in chosen}
        there |= {a: files[a] for a in chosen if a.kind is OF_FOLDS and there[a]}  # their digests were compared
        differing = differing_of(chosen, lambda artefact: there[artefact] not in (None, files[artefact]))
        left = [] if force else differing
        new = [a for a in chosen if a.key not in left and (force or a in lacking or there[a] != files[a])]
        size = sum(content.size for artefact in new for content in files[artefact].values())
        with reporter.bar(size, "pushing", "B") as bar:
            at_once(lambda a: _send(place, workspace.root, a, files[a], bar.update, again=force), new)
        if new:
            brought = {artefact.key: files[artefact] for artefact in new}
            write_pushed(place, workspace.competition, brought, fold_digest, pushed.number + 1)
    moved, num_there = tuple(artefact.key for artefact in new), len(chosen) - len(new) - len(left)
    return Moved("push", place.url, moved, num_there, tuple(left), size, damaged_of(workspace.root, left))


def contents(root: Path, artefact: Artefact) -> Files:
    """Return what the files of an artefact of the workspace at `root` hold."""
    return {name: Content.of(root / artefact.path(name)) for name in artefact.files(root)}


def _send(place: Place, root: Path, artefact: Artefact, files: Files, on_bytes: OnBytes, *, again: bool) -> None:
    for name, content in files.items():
        path = artefact.path(name)
        put(place, root / path, path, content, on_bytes, again=again)
