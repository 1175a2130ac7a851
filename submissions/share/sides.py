"""How the two sides, a workspace and a place, compare: the same folds, and what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from competition.common.errors import UserError
from competition.common.locks import lock_of, locked
from competition.common.text import short
from competition.remote.places import Place
from competition.workspace import Workspace
from folds.alone import alone_with_seeds
from folds.kept import KeptFolds
from submissions.share.artefacts import Artefact
from submissions.share.pushed import Pushed


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
