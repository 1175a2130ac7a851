"""Scores as files that team mates exchange: out-of-fold and test scores of a model or blend, by id.

A CSV file has the competition's id column and one column per label; an `.npz` file the arrays `names`, `scores` and
`labels`. What a row is, its id says: a labelled chip's scores are out-of-fold, another's are test scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError, unknown_name
from competition.common.files import checked_name, replace_atomically
from competition.common.text import first
from competition.spec.competition import Competition
from competition.tables.labels import read_table
from competition.workspace import Workspace
from folds.score_store import ScoreStore
from folds.scores import Scores
from submissions.members.blend_files import IMPORTED, method_of, write_blend
from submissions.members.members import load_member

SUFFIXES = (".csv", ".npz")


def import_scores(name: str, paths: Sequence[Path], workspace: Workspace) -> tuple[Scores, Scores]:
    """Keep scores from files as a member for blends.

    Labels that the files have no column for count as not scored.

    Args:
        name: of the member.
        paths: `.csv` or `.npz` files, together one row per chip.
        workspace: of the competition.

    Returns:
        The out-of-fold scores and the test scores.

    Raises:
        UserError: if a file cannot be read or does not fit the competition, or the name is taken.
    """
    read = [_read(path, workspace.competition) for path in paths]
    if len({tuple(scores.scored) for scores in read}) > 1:
        raise UserError(f"{first(paths)} have columns of different labels. Give files with the same.")
    names = tuple(name for scores in read for name in scores.names)
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise UserError(f"Chips are scored twice: {first(repeated)}.")
    return keep_scores(name, Scores(names, np.concatenate([scores.values for scores in read])), workspace)


def keep_scores(name: str, scores: Scores, workspace: Workspace) -> tuple[Scores, Scores]:
    """Keep scores of one's own as a member for blends.

    Args:
        name: of the member.
        scores: of labelled chips, made without their labels, and of chips to predict; the ids tell which is which.
        workspace: of the competition.

    Returns:
        The out-of-fold scores and the test scores.

    Raises:
        UserError: if the scores do not fit the competition, or the name is taken.
    """
    store = ScoreStore.of(workspace)
    _check_name(name, workspace, store)
    labelled, to_predict = set(store.table.image_names), _to_predict(workspace)
    if both := labelled & to_predict & set(scores.names):
        raise UserError(
            f"Ids name both a labelled chip and one to predict, so scores cannot be told apart: {first(both)}."
        )
    if unknown := [chip for chip in scores.names if chip not in labelled | to_predict]:
        raise UserError(
            f"{len(unknown)} of {len(scores.names)} ids are neither of the fold table nor of the sample submission: "
            f"{first(unknown)}. Leave them out, or prepare the data they are of."
        )
    oof, test = (_of_chips(scores, wanted) for wanted in (labelled, to_predict))
    if not oof.names:
        raise UserError(f"No labelled chip is scored by '{name}': a member needs out-of-fold scores.")
    provenance = {
        "name": name,
        "method": IMPORTED,
        "union": [],
        "members": [],
        "labels": list(store.labels),
        "fold_digest": None,  # a team mate's folds are not known, and need not be ours
        "left_out": [],
    }
    write_blend(workspace.blends / name, oof, test, provenance)
    return oof, test


def export_scores(name: str, path: Path, workspace: Workspace) -> Scores:
    """Write the out-of-fold and test scores of a model or blend to one `.csv` or `.npz` file.

    Returns:
        What was written.

    Raises:
        UserError: if there is no such model or blend, or the file's name ends in something else.
    """
    _check_suffix(path)
    member = load_member(name, workspace, ScoreStore.of(workspace))
    if common := set(member.oof.names) & set(member.test.names):
        raise UserError(
            f"Ids name both a labelled chip and one to predict, so one file cannot hold both: {first(common)}."
        )
    scores = Scores(member.oof.names + member.test.names, np.concatenate([member.oof.values, member.test.values]))
    if path.suffix.lower() == ".csv":
        scores.write_table(path, workspace.competition)
        return scores
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        labels, scored = np.array(workspace.competition.labels), scores.scored
        np.savez_compressed(
            file, names=np.array(scores.names, dtype=np.str_), scores=scores.values[:, scored], labels=labels[scored]
        )
    return scores


def _check_name(name: str, workspace: Workspace, store: ScoreStore) -> None:
    if checked_name("member", name).endswith(SUFFIXES):
        raise UserError(f"{name!r} would be taken for a file. Give the scores a --name without a suffix.")
    if name in store.models() or method_of(workspace.blends / name) not in (None, IMPORTED):
        raise UserError(f"'{name}' is a model or blend of this workspace. Give the scores another --name.")


def _to_predict(workspace: Workspace) -> set[str]:
    try:
        return set(workspace.test_names)
    except UserError:  # there may be none
        return set()


def _of_chips(scores: Scores, wanted: set[str]) -> Scores:
    rows = [number for number, name in enumerate(scores.names) if name in wanted]
    return Scores(tuple(scores.names[row] for row in rows), scores.values[rows])


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: expected a file that ends in .csv or .npz.")


def _read(path: Path, competition: Competition) -> Scores:
    """Read the scores of a file; labels without a column are NaN."""
    _check_suffix(path)
    names, labels, scores = (_read_csv if path.suffix.lower() == ".csv" else _read_arrays)(path, competition)
    for label in labels:
        if label not in competition.labels:
            raise unknown_name(f"label in {path}:", label, list(competition.labels))
    if len(set(labels)) < len(labels):
        raise UserError(f"{path} has two columns of one label.")
    if scores.shape != (len(names), len(labels)) or not labels or not names:
        raise UserError(f"{path} holds {scores.shape} scores of {len(names)} ids and {len(labels)} labels.")
    wrong = ~((scores >= 0) & (scores <= 1)).all(axis=1)
    if wrong.any():
        chips = first(np.array(names)[wrong])
        raise UserError(f"{path}: expected scores from 0 to 1, and none missing; see {int(wrong.sum())} rows: {chips}.")
    values = np.full((len(names), len(competition.labels)), np.nan, dtype=np.float32)
    values[:, [competition.label_index[label] for label in labels]] = scores
    if len(set(names)) < len(names):
        raise UserError(f"{path} scores a chip twice.")
    return Scores(tuple(names), values)


def _read_csv(path: Path, competition: Competition) -> tuple[list[str], list[str], NDArray[np.float64]]:
    column = competition.tables.id_column
    table = read_table(path, [column])
    labels = [name for name in table.columns if name not in (column, competition.tables.tags_column)]
    try:
        scores = table[labels].to_numpy(dtype=np.float64)
    except ValueError as error:
        raise UserError(f"{path}: {error}; expected a number in every label's column.") from error
    return table[column].tolist(), labels, scores


def _read_arrays(path: Path, competition: Competition) -> tuple[list[str], list[str], NDArray[np.float64]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            labels = arrays["labels"].tolist() if "labels" in arrays else list(competition.labels)
            return [str(name) for name in arrays["names"]], labels, arrays["scores"].astype(np.float64)
    except Exception as error:  # NumPy and zipfile raise whatever they like on a damaged file
        raise UserError(f"Cannot read {path}: {error}. Expected the arrays names, scores and labels.") from error
