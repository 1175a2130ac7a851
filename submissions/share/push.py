"""Bringing a workspace's finished work to a place: what is there already is not sent again, the record comes last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from competition.common.errors import as_command, command_at_work
from competition.common.interrupts import heeded
from competition.common.progress import reporter
from competition.remote.copies import Content, OnBytes, put
from competition.remote.places import Place
from competition.workspace import Workspace
from submissions.share.artefacts import BEGUN, OF_FOLDS, Artefact, Choice, artefacts_in
from submissions.share.moved import Moved
from submissions.share.pushed import FOLDER, Files, at_once, lacking_in, read_pushed, write_pushed
from submissions.share.sides import (
    Look,
    alone,
    check_apart,
    check_same_folds,
    damage_of,
    damaged_of,
    differing_of,
    fold_digest_of,
)


def push(
    workspace: Workspace, url: str, choice: Choice, *, force: bool = False, look: Look = lambda path, model: None
) -> Moved:
    """Bring artefacts of a workspace to a place, but for damaged ones.

    Interrupted, the next call sends what is not there yet. Several people may push at once.

    Args:
        workspace: whose they are.
        url: of the place.
        choice: which of them.
        force: replace what is there and differs, and send again what is there.
        look: as of `damage_of`.

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
            _remove_parts(place, files)
        there = {artefact: pushed.artefacts.get(artefact.key) for artefact in chosen}
        there |= {a: files[a] for a in chosen if a.kind is OF_FOLDS and there[a]}  # their digests were compared
        differing = differing_of(chosen, lambda artefact: there[artefact] not in (None, files[artefact]))
        left = [] if force else differing
        new = [a for a in chosen if a.key not in left and (force or a in lacking or there[a] != files[a])]
        num_there = len(chosen) - len(new) - len(left)
        new, unsent = _whole_of(workspace.root, new, look)
        size = sum(content.size for artefact in new for content in files[artefact].values())
        with reporter.bar(size, "pushing", "B") as bar:
            at_once(lambda a: _send(place, workspace.root, a, files[a], bar.update, again=force), new)
        if new:
            brought = {artefact.key: files[artefact] for artefact in new}
            write_pushed(place, workspace.competition, brought, fold_digest, pushed.number + 1)
    moved, damaged = tuple(artefact.key for artefact in new), damaged_of(workspace.root, left)
    return Moved("push", place.url, moved, num_there, tuple(left), size, damaged, unsent)


def _whole_of(root: Path, artefacts: Sequence[Artefact], look: Look) -> tuple[list[Artefact], dict[str, str]]:
    """Return the artefacts that are not damaged, and what is said of the others, by their keys.

    A model whose recipe is damaged is left out with its folds.
    """
    called = command_at_work()

    def damage(artefact: Artefact) -> str:
        with as_command(called):  # which threads do not know, and the commands that are said repeat its flags
            return damage_of(root, artefact, look)

    damages = zip(artefacts, at_once(damage, artefacts), strict=True)
    said = {artefact.key: damage for artefact, damage in damages if damage}
    unsent = {a.key: said.get(a.key) or said[a.model] for a in artefacts if {a.key, a.model} & said.keys()}
    return [artefact for artefact in artefacts if artefact.key not in unsent], unsent


def _remove_parts(place: Place, files: Mapping[Artefact, Files]) -> None:
    """Remove what a push that was killed left half sent, in the folders of what is pushed and of the records."""
    paths = (artefact.path(name) for artefact, held in files.items() for name in held)
    at_once(place.remove_parts, sorted({FOLDER, *(path.rpartition("/")[0] for path in paths)}))


def contents(root: Path, artefact: Artefact) -> Files:
    """Return what the files of an artefact of the workspace at `root` hold."""
    return {name: Content.of(root / artefact.path(name)) for name in artefact.files(root)}


def _send(place: Place, root: Path, artefact: Artefact, files: Files, on_bytes: OnBytes, *, again: bool) -> None:
    for name, content in files.items():
        path = artefact.path(name)
        put(place, root / path, path, content, on_bytes, again=again)
