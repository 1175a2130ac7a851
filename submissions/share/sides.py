"""How the two sides, a workspace and a place, compare: apart, of the same folds, what differs, and what is damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from competition.artefacts.looked import Looked
from competition.common.errors import UnreadableError, UserError
from competition.common.locks import lock_of, locked
from competition.common.text import short
from competition.remote.places import Place
from competition.workspace import Workspace
from folds.store.alone import alone_with_seeds
from folds.store.chip_weights import weights_in
from folds.store.kept import KeptFolds
from folds.store.pseudo_labels import check_pseudo
from folds.store.score_store import check_kept
from submissions.members.blend_files import check_files
from submissions.share.artefacts import OF_BLEND, OF_FOLD, OF_PSEUDO, OF_SHIFT, Artefact, Kind, artefacts_in
from submissions.share.pushed import Pushed

Look = Callable[[Path, str], Looked | None]
# What reads a whole artefact, given its folder, and raises UserError if it is not as it was written.
CHECKS: dict[Kind, Callable[[Path], object]] = {
    OF_SHIFT: weights_in,
    OF_PSEUDO: check_pseudo,
    OF_FOLD: check_kept,
    OF_BLEND: check_files,
}


def check_apart(workspace: Workspace, place: Place) -> None:
    """Refuse to push into a workspace, where what is pushed would count as its own.

    Raises:
        UserError: if the place is this workspace, a folder in it, or another workspace.
    """
    if not place.is_local:
        return
    folder, own = Path(place.root).resolve(), workspace.root.resolve()
    has_data = (folder / "data/layout.json").is_file()
    # What was pushed has digests in its names, those that say that something is whole too.
    if folder.is_relative_to(own) or has_data or any(found.kind.marker for found in artefacts_in(folder)):
        which = "lies in this workspace" if folder.is_relative_to(own) else "is a workspace"
        raise UserError(f"{place.url} {which}: what is pushed there would count as its own. Give another folder.")


def fold_digest_of(workspace: Workspace) -> str | None:
    """Return the digest of a workspace's fold table; None if it has none.

    Raises:
        UserError: if it is damaged, or lost.
    """
    folds = KeptFolds(workspace)
    return folds.read().digest if folds.is_bound else None


def check_same_folds(digest: str | None, pushed: Pushed, place: Place) -> None:
    """Refuse a place that holds what was made with other folds.

    Args:
        digest: of the workspace's fold table; None if it has none.
        pushed: what is there.
        place: where.

    Raises:
        UserError: if it does.
    """
    if None not in (digest, pushed.fold_digest) and digest != pushed.fold_digest:
        assert digest is not None
        assert pushed.fold_digest is not None
        raise UserError(
            f"{place.url} holds what was made with another fold table: expected {short(digest)}, received "
            f"{short(pushed.fold_digest)}. Scores of several tables cannot be blended: give another place, or another "
            "--workspace."
        )


def differing_of(chosen: Sequence[Artefact], differs: Callable[[Artefact], bool]) -> list[str]:
    """Return the keys of the artefacts that differ, or that are part of a model whose recipe does."""
    keys = {artefact.key for artefact in chosen if differs(artefact)}
    return [artefact.key for artefact in chosen if artefact.key in keys or artefact.model in keys]


def damaged_of(root: Path, keys: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of the artefacts that are not as they were written to the workspace at `root`, as far as known.

    Raises:
        UnreadableError: if a file is there and cannot be read.
    """
    return tuple(key for key in keys if (artefact := Artefact.of(key)) and damage_of(root, artefact))


def damage_of(root: Path, artefact: Artefact, look: Look = lambda path, model: None) -> str:
    """Return what is damaged of an artefact of a workspace, and what mends it; "" if nothing is known to be.

    Args:
        root: of the workspace.
        artefact: of it.
        look: at a file of a model, given its name, besides what `CHECKS` read.

    Raises:
        UnreadableError: if a file is there and cannot be read.
    """
    folder, kind = root / artefact.folder, artefact.kind
    try:
        if kind in CHECKS and (folder / kind.marker).is_file():  # or nothing says that it was whole
            CHECKS[kind](folder)
    except UnreadableError:
        raise
    except UserError as error:
        return str(error)
    found = (look(folder / name, artefact.name) for name in artefact.files(root) if artefact.model)
    return next((looked.said for looked in found if looked and looked.state == "damaged"), "")


@contextmanager
def alone(root: Path, artefact: Artefact) -> Iterator[None]:
    """Keep other processes from an artefact that is a folder: the locks are those that training and blending take.

    Raises:
        BusyError: if another process is at it.
    """
    folder = root / artefact.folder
    is_fold = artefact.kind.what == "runs"
    with alone_with_seeds(folder) if is_fold else locked(lock_of(folder), busy=artefact.folder):
        yield
