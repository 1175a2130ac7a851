"""Scores as files that team mates exchange: out-of-fold and test scores of a model or blend, by id.

A CSV file has the competition's id column and one column per label, with six decimals; an `.npz` file the arrays
`names`, `scores` and `labels`, as exact as the scores are. What a row is, its id says: a labelled chip's scores are
out-of-fold, another's are test scores. Where ids name both a labelled chip and one to predict, each has a file of its
own.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import checked_name, replace_atomically
from competition.common.text import first
from competition.spec.competition import Competition
from competition.spec.tables import TableForm
from competition.tables.csv_files import CsvFile, content_of, header_of
from competition.tables.label_table import parse_rows
from competition.terminal.command_line import as_flags
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from folds.store.scores import Scores, read_arrays
from submissions.members.blend_files import IMPORTED, method_of, write_blend
from submissions.members.members import load_member

SUFFIXES = (".csv", ".npz")
TAGS = "tags"  # the column that `predict --tags` adds
SPARE = 1 << 26  # bytes that any `.npz` file may unpack to
LONGEST_NAME = 4 * 256  # bytes of a chip's name in such a file
EMPTY = {"", "nan"}  # cells of a label that is not scored, in lower case


def import_scores(
    name: str, paths: Sequence[Path], workspace: Workspace, *, test: Sequence[Path] = ()
) -> tuple[Scores, Scores]:
    """Keep scores from files as a member for blends.

    Labels that the files have no column for, or an empty one, count as not scored.

    Args:
        name: of the member.
        paths: `.csv` or `.npz` files, together one row per chip.
        workspace: of the competition.
        test: further files, of chips to predict; then `paths` are of labelled chips.

    Returns:
        The out-of-fold scores and the test scores.

    Raises:
        UserError: if a file cannot be read or does not fit the competition, or the name is taken.
    """
    known = len(ScoreStore.of(workspace).table.image_names) + len(_to_predict(workspace))
    most = SPARE + known * (8 * len(workspace.competition.labels) + LONGEST_NAME)
    read = {path: _read(path, workspace.competition, most) for path in (*paths, *test)}
    if len({tuple(scores.scored) for scores in read.values()}) > 1:
        raise UserError(f"{first(read)} have columns of different labels. Give files with the same.")
    scores, predicted = (_together([read[path] for path in some]) if some else None for some in (paths, test))
    if scores is None:
        raise UserError(f"'{name}' needs out-of-fold scores: give a file of labelled chips too.")
    return keep_scores(name, scores, workspace, test=predicted)


def _together(read: Sequence[Scores]) -> Scores:
    names = tuple(name for scores in read for name in scores.names)
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise UserError(f"Chips are scored twice: {first(repeated)}.")
    return Scores(names, np.concatenate([scores.values for scores in read]))


def keep_scores(
    name: str, scores: Scores, workspace: Workspace, *, test: Scores | None = None
) -> tuple[Scores, Scores]:
    """Keep scores of one's own as a member for blends.

    Args:
        name: of the member.
        scores: of labelled chips, made without their labels, and of chips to predict; the ids tell which is which.
        workspace: of the competition.
        test: of chips to predict, where the ids do not tell; then `scores` are of labelled chips.

    Returns:
        The out-of-fold scores and the test scores.

    Raises:
        UserError: if the scores do not fit the competition, or the name is taken.
    """
    store = ScoreStore.of(workspace)
    _check_name(name, workspace, store)
    labelled, to_predict = set(store.table.image_names), _to_predict(workspace)
    if test is None:
        if both := sorted(labelled & to_predict & set(scores.names)):
            raise UserError(
                f"Ids name both a labelled chip and one to predict, so scores cannot be told apart: {first(both)}. "
                "Give those of chips to predict in a file of their own: --test FILE."
            )
        _check_known(scores, labelled | to_predict, "neither of the fold table nor of the sample submission")
        oof, test = (_of_chips(scores, wanted) for wanted in (labelled, to_predict))
    else:
        _check_known(scores, labelled, "not of the fold table")
        _check_known(test, to_predict, "not of the sample submission")
        oof = scores
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
        "test_left_out": [],
    }
    write_blend(workspace.blends / name, oof, test, provenance)
    return oof, test


def export_scores(
    name: str, path: Path, workspace: Workspace, *, split: Literal["both", "train", "test"] = "both"
) -> Scores:
    """Write scores of a model or blend to one `.csv` or `.npz` file.

    Args:
        name: of the model or blend.
        path: the file.
        workspace: of the competition.
        split: which scores: the out-of-fold ones ("train"), those of chips to predict ("test"), or both.

    Returns:
        What was written.

    Raises:
        UserError: if there is no such model or blend, or the file's name ends in something else.
    """
    _check_suffix(path)
    member = load_member(name, workspace, ScoreStore.of(workspace))
    if split == "both" and (common := sorted(set(member.oof.names) & set(member.test.names))):
        raise UserError(
            f"Ids name both a labelled chip and one to predict, so one file cannot hold both: {first(common)}. "
            "Give the latter a file of their own: --test FILE."
        )
    parts = {"train": [member.oof], "test": [member.test]}.get(split, [member.oof, member.test])
    scores = Scores(tuple(chip for part in parts for chip in part.names), np.concatenate([of.values for of in parts]))
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


def _check_known(scores: Scores, known: set[str], lack: str) -> None:
    if unknown := [chip for chip in scores.names if chip not in known]:
        raise UserError(
            f"{len(unknown)} of {len(scores.names)} ids are {lack}: {first(unknown)}. "
            "Leave them out, or prepare the data they are of."
        )


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


def _read(path: Path, competition: Competition, most: int) -> Scores:
    """Read the scores of a file; labels without a column, or with an empty one, are NaN.

    Args:
        path: the file.
        competition: names the labels.
        most: bytes that an `.npz` file may unpack to.
    """
    _check_suffix(path)
    names, labels, scores = (
        _read_csv(path, competition) if path.suffix.lower() == ".csv" else _read_arrays(path, competition, most)
    )
    if scores.shape != (len(names), len(labels)) or not labels or not names:
        raise UserError(f"{path} holds {scores.shape} scores of {len(names)} ids and {len(labels)} labels.")
    scored = ~np.isnan(scores).all(axis=0)
    if not scored.any():
        raise UserError(f"{path} scores no label: its cells are empty.")
    wrong = ~((scores >= 0) & (scores <= 1))[:, scored].all(axis=1)
    if wrong.any():
        chips = first(np.array(names)[wrong])
        raise UserError(f"{path}: expected scores from 0 to 1, and none missing; see {int(wrong.sum())} rows: {chips}.")
    values = np.full((len(names), len(competition.labels)), np.nan, dtype=np.float32)
    values[:, [competition.label_index[label] for label in labels]] = scores
    if len(set(names)) < len(names):
        raise UserError(f"{path} scores a chip twice.")
    return Scores(tuple(names), values)


def _check_labels(path: Path, labels: Sequence[str], competition: Competition) -> None:
    if unknown := [label for label in labels if label not in competition.label_index]:
        raise UserError(
            f"{path} has columns of unknown labels: {first(map(repr, unknown), shown=3)}. "
            f"Known: {first(competition.labels)}."
        )
    if len(set(labels)) < len(labels):
        raise UserError(f"{path} has two columns of one label.")


def _read_csv(path: Path, competition: Competition) -> tuple[list[str], list[str], NDArray[np.float64]]:
    column = competition.tables.id_column
    form = TableForm(id_column=column)
    header = header_of(path, form)
    if column not in header:
        mark = CsvFile.parse(content_of(path), form).other_delimiter([column, *competition.labels])
        parted = f" Its cells are parted by {mark!r}: write it with {form.delimiter!r} between them." if mark else ""
        raise UserError(f"{path} lacks column {column!r} of the ids; it has {first(map(repr, header))}.{parted}")
    beside = {column, TAGS, competition.tables.tags_column} - competition.label_index.keys()
    labels = [name for name in header if name not in beside]
    if not labels:
        raise UserError(f"{path} has no column of a label. Known: {first(competition.labels)}.")
    _check_labels(path, labels, competition)
    content = content_of(path)
    empty = _empty_columns(CsvFile.parse(content, form)) & competition.label_index.keys()
    labels = [label for label in labels if label not in empty]
    if not labels:
        raise UserError(f"{path} scores no label: its cells are empty.")
    table = parse_rows(content, form, labels, scores=True)
    if table.problems:
        raise UserError(f"{path} cannot be used: {'; '.join(problem.text() for problem in table.problems)}.")
    return list(table.names), labels, np.asarray(table.scores, dtype=np.float64)


def _empty_columns(file: CsvFile) -> set[str]:
    """Return the columns that hold nothing in any row; none of a table without rows."""
    times = Counter(file.header)
    places = {name: place for place, name in enumerate(file.header) if times[name] == 1}
    has_rows = False
    with suppress(csv.Error):  # whoever reads the rows says what is wrong
        for _, row in file.rows():
            if len(row) == len(file.header):
                has_rows = True
                places = {name: place for name, place in places.items() if row[place].strip().lower() in EMPTY}
            if not places:
                break
    return set(places) if has_rows else set()


def _read_arrays(path: Path, competition: Competition, most: int) -> tuple[list[str], list[str], NDArray[np.float64]]:
    try:
        arrays = read_arrays(path, ("names", "scores", "labels"), most)
        labels = arrays["labels"].tolist() if "labels" in arrays else list(competition.labels)
        names, scores = arrays["names"].tolist(), arrays["scores"].astype(np.float64)
    except Exception as error:  # NumPy and zipfile raise whatever they like on a damaged file
        said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        reason = said.splitlines()[0] if said else type(error).__name__
        raise UserError(
            f"Cannot read {path}, which is damaged, or no file of scores: {reason}. Expected the arrays names, scores "
            "and labels.",
            command={"to write it again, where it was made": f"scores export NAME{as_flags({'output': path})}"},
        ) from error
    names, labels = list(map(str, names)), list(map(str, labels))
    _check_labels(path, labels, competition)
    return names, labels, scores
