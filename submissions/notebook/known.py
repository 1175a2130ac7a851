"""What was packed of a blend, held against the submission that `blend` has written, before anybody relies on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_file, scratch_folder
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.members.blend_files import again
from submissions.members.members import load_members
from submissions.notebook.answers import Answers
from submissions.submit.provenance import read_provenance


@dataclass
class Known:
    """What a model has said of the chips to predict, as its scores on disk say; see `Said`.

    Attributes:
        counts: int array (num_chips,): 1 for each chip that it has scored.
        broken: bool array (num_chips,): which it could not read.
        folds: by fold, scores (num_chips, num_labels).
    """

    counts: NDArray[np.int64]
    broken: NDArray[np.bool_]
    folds: dict[int, NDArray[np.float32]]

    def by_fold(self) -> dict[int, NDArray[np.float32]]:
        """Return by fold the scores (num_chips, num_labels); NaN where there are none."""
        return self.folds


def known_of(workspace: Workspace, models: tuple[str, ...]) -> dict[str, Known]:
    """Return what models have said of the chips to predict, by their names."""
    names, known = workspace.sample.names, dict[str, Known]()
    for member in load_members(models, workspace, ScoreStore.of(workspace)):
        folds = {fold: scores.aligned(names) for fold, scores in member.test_by_fold.items()}
        scored, broken = np.isin(names, member.test.names), np.isin(names, member.test_left_out)
        known[member.name] = Known(scored.astype(np.int64), broken, folds)
    return known


def check_known(name: str, folder: Path, workspace: Workspace) -> None:
    """Refuse what was packed of a blend if, of the chips known here, it answers otherwise than the blend's submission.

    Args:
        name: of the blend, or of a model, which has no submission.
        folder: that `write_answers` was given.
        workspace: of the competition.

    Raises:
        UserError: if it does, or that submission was changed after it was written.
    """
    path = workspace.submissions / f"{name}.csv"
    if not path.is_file() or not (expected := read_provenance(path).get("sha256")):
        return
    answers = Answers.read(folder)
    with scratch_folder() as scratch:
        answers.write(scratch / path.name, workspace.sample, known_of(workspace, answers.models))
        if digest_file(scratch / path.name) != expected:
            of_blend = again(workspace.blends / name)
            raise UserError(f"A notebook of '{name}' would write another file than {path} is.", command=of_blend)
