"""What a blend is made of: models, and other blends, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError, unknown_name
from competition.common.text import first
from competition.workspace import Workspace
from folds.dealing.table import FoldTable
from folds.store.score_store import ScoreStore
from folds.store.scores import Scores
from submissions.members.blend_files import blend_names, read_blend


@dataclass(frozen=True, eq=False)
class Member:
    """A model or a blend.

    Attributes:
        name: of the model or blend.
        folder: where its artefacts lie.
        oof: scores of labelled chips, each by networks that did not train on it.
        test: scores of the chips to predict.
        test_by_fold: test scores of each fold's network; of a blend, which has no folds, `test` alone.
        provenance: how it was made, for the records.
        left_out: labelled chips that were left out as broken.
        test_left_out: chips to predict that were.
    """

    name: str
    folder: Path
    oof: Scores
    test: Scores
    test_by_fold: dict[int, Scores]
    provenance: dict[str, Any]
    left_out: tuple[str, ...]
    test_left_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SharedChips:
    """The labelled chips that every member has scored.

    Attributes:
        names: ids of the chips, in the fold table's order.
        scores: float32 array (num_members, num_chips, num_labels); NaN for the labels that a member does not score.
        truth: bool array (num_chips, num_labels).
        folds: int array (num_chips,): the fold, of the first repeat, that holds each chip out.
        notes: lines that say which chips are missing.
        fold_digest: of the fold table.
        label_digest: of the labelled chips.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float32]
    truth: NDArray[np.bool_]
    folds: NDArray[np.int64]
    notes: tuple[str, ...]
    fold_digest: str
    label_digest: str = ""


def load_member(name: str, workspace: Workspace, store: ScoreStore) -> Member:
    """Load a model or a blend.

    Raises:
        UserError: if there is none of that name, or its scores do not fit the workspace.
    """
    if name in store.models():
        model = store.join(name)
        provenance = {
            "name": name,
            "kind": "model",
            "recipe_digest": model.recipe_digest,
            "folds": sorted(model.test_by_fold),
            "scored": [label for label, has in zip(store.labels, model.oof.scored, strict=True) if has],
        }
        broken = model.left_out, model.test_left_out
        return Member(name, workspace.runs / name, model.oof, model.test, model.test_by_fold, provenance, *broken)
    if name not in blend_names(workspace.blends):
        raise unknown_name("model or blend", name, [*store.models(), *blend_names(workspace.blends)])
    folder = workspace.blends / name
    oof, test, content = read_blend(folder, store.labels, store.table.digest, store.label_digest)
    kept = {key: content[key] for key in ("method", "union", "members", "files")}
    provenance = {"name": name, "kind": "blend", **kept}
    broken = tuple(content["left_out"]), tuple(content["test_left_out"])
    return Member(name, folder, oof, test, {0: test}, provenance, *broken)


def load_members(names: Sequence[str], workspace: Workspace, store: ScoreStore) -> tuple[Member, ...]:
    """Load the members of a blend.

    Raises:
        UserError: if there are none, one is named twice, or one cannot be loaded.
    """
    if not names:
        raise UserError("A blend needs at least one member.")
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise UserError(f"Members are named twice: {', '.join(repeated)}.")
    return tuple(load_member(name, workspace, store) for name in names)


def share(members: Sequence[Member], workspace: Workspace, table: FoldTable) -> SharedChips:
    """Bring the out-of-fold scores of members, their truth and folds to the same chips.

    Raises:
        UserError: if the members have no chip in common, or one has no label or no fold.
    """
    common = set.intersection(*(set(member.oof.names) for member in members))
    names = tuple(name for name in table.image_names if name in common)
    if not names:
        raise UserError(f"{names_of(members)} have no labelled chip in common.")
    row = {name: i for i, name in enumerate(workspace.labelled.image_names)}
    if unlabelled := [name for name in names if name not in row]:
        raise UserError(f"{len(unlabelled)} chips of the fold table have no labels: {first(unlabelled)}.")
    wanted = set(names)
    kept = np.array([name in wanted for name in table.image_names])
    return SharedChips(
        names=names,
        scores=np.stack([member.oof.aligned(names) for member in members]),
        truth=workspace.labelled.truth[[row[name] for name in names]],
        folds=table.folds[0][kept],
        notes=tuple(_missing(members, common, table)),
        fold_digest=table.digest,
        label_digest=workspace.labelled.digest,
    )


def on_shared(members: Sequence[Member], chips: SharedChips) -> tuple[Member, ...]:
    """Return the members, those that scored just the shared chips without a copy of their scores: it can be large."""
    pairs = zip(members, chips.scores, strict=True)
    return tuple(
        replace(member, oof=Scores(chips.names, own)) if member.oof.names == chips.names else member
        for member, own in pairs
    )


def _missing(members: Sequence[Member], common: set[str], table: FoldTable) -> list[str]:
    notes = []
    if lacking := [name for name in table.image_names if name not in common]:
        notes.append(
            f"{len(common)} of {len(table.image_names)} labelled chips have scores of every member and are used; "
            f"without: {first(lacking)}."
        )
    for member in members:
        if extra := len(member.oof.names) - len(common):
            notes.append(f"{extra} chips scored by '{member.name}' are not used, as another member lacks them.")
    return notes


def names_of(members: Sequence[Member]) -> str:
    """Return the members' names for a message."""
    return " and ".join(f"'{member.name}'" for member in members)
