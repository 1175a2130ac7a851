"""The submission file, checked before it takes its name, and beside it the recipe of how it was made."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import checked_name, digest_file, replace_atomically, write_json
from competition.common.text import first, now
from competition.labels import to_tags
from competition.spec import Competition
from competition.workspace import Workspace
from folds.scores import Scores
from submissions.decide.decisions import Obedient
from submissions.submit.validate import SubmissionReport, validate_submission


def write_submission(
    path: Path,
    names: Sequence[str],
    decisions: NDArray[np.bool_],
    competition: Competition,
    sample_names: Sequence[str],
    recipe: dict[str, Any],
    *,
    exclusive: bool = True,
) -> SubmissionReport:
    """Write a submission to `path`, and its recipe to the same name with the suffix `.json`.

    What is not valid does not take the name, and a file that is there stays.

    Args:
        path: the CSV file.
        names: ids of the chips decided, in any order.
        decisions: bool array (len(names), num_labels).
        competition: gives labels and columns.
        sample_names: the ids to write, in the sample submission's order.
        recipe: how the decisions were made, for the JSON; what `write_submission` knows itself is added.
        exclusive: require exactly one label of each exclusive group.

    Raises:
        UserError: if the file would not be valid.
        ValueError: if `names` and `decisions` do not fit.
    """
    if decisions.shape != (len(names), len(competition.labels)):
        raise ValueError(f"Decisions {decisions.shape} do not fit {len(names)} ids, {len(competition.labels)} labels.")
    with replace_atomically(path) as temporary:
        _write_table(temporary, *_in_order(names, decisions, sample_names), competition)
        found = validate_submission(temporary, competition, sample_names, exclusive=exclusive)
        report = replace(found, path=path)
        if not report.is_valid:
            raise report.error()
    known = {"rows": report.num_rows, "exclusive": exclusive, "sha256": digest_file(path), "made": now()}
    write_json(path.with_suffix(".json"), {"competition": competition.name, **recipe, **known})
    return report


def write_decided(
    name: str,
    test: Scores,
    rule: Obedient,
    workspace: Workspace,
    recipe: dict[str, Any],
) -> tuple[SubmissionReport, list[str]]:
    """Decide the chips to predict and write the submission `name` to the workspace.

    Args:
        name: of the submission.
        test: scores of chips to predict.
        rule: decides; fitted.
        workspace: of the competition.
        recipe: how the scores were made.

    Returns:
        The report on the file, and lines to show: how chips without scores were decided.

    Raises:
        UserError: if the file would not be valid.
        ValueError: if a chip that was not left out has no scores.
    """
    names, competition = workspace.test_names, workspace.competition
    scores, unscored = complete_scores(test, workspace, recipe.get("left_out", ()))
    decisions = rule.predict(scores)
    path = workspace.submissions / f"{checked_name('submission', name)}.csv"
    recipe = {"name": name, **recipe, "without_scores": list(unscored)}
    report = write_submission(path, names, decisions, competition, names, recipe, exclusive=rule.exclusive)
    notes = [
        f"{len(unscored)} of {len(names)} chips have no scores and are decided by the share of each label among the "
        f"labelled chips: {first(unscored)}."
    ]
    return report, notes if unscored else []


def complete_scores(
    test: Scores, workspace: Workspace, left_out: Sequence[str]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return scores (num_test, num_labels) of all chips to predict, and the ids that had none.

    Args:
        test: scores of chips to predict.
        workspace: of the competition.
        left_out: ids of broken chips; they get the share of each label among the labelled chips.

    Raises:
        ValueError: if a chip that is not in `left_out` has no scores.
    """
    names = workspace.test_names
    scores = test.aligned(names)
    lacking = np.asarray(np.isnan(scores).any(axis=1))
    unscored = tuple(names[i] for i in np.flatnonzero(lacking))
    if forgotten := sorted(set(unscored) - set(left_out)):
        raise ValueError(f"{len(forgotten)} of {len(names)} test chips have no scores: {first(forgotten)}.")
    if unscored:
        scores[lacking] = workspace.labelled.truth.mean(axis=0)
    return scores, unscored


def submission_path(name: str, workspace: Workspace) -> Path:
    """Return the path of a submission given by name, with or without `.csv`, or by the path of a `.csv` file."""
    if not name.endswith(".csv"):
        return workspace.submissions / f"{name}.csv"
    in_workspace = workspace.submissions / name
    return in_workspace if Path(name).name == name and not Path(name).exists() else Path(name)


def read_recipe(path: Path) -> dict[str, Any]:
    """Return the recipe beside a submission; empty if there is none.

    Raises:
        UserError: if it is damaged, or the submission was changed since.
    """
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return {}
    try:
        recipe: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
        changed = path.is_file() and digest_file(path) != recipe["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"The recipe {beside} is damaged. Write the submission again, or remove it.") from error
    if changed:
        raise UserError(f"{path} was changed after it was written. Write the submission again, or remove {beside}.")
    return recipe


def _in_order(
    names: Sequence[str], decisions: NDArray[np.bool_], sample_names: Sequence[str]
) -> tuple[list[str], NDArray[np.bool_]]:
    """Bring rows to the sample's order; ids it does not have come last, repeated ones together, for the validator."""
    place = {name: i for i, name in enumerate(sample_names)}
    order = sorted(range(len(names)), key=lambda i: place.get(names[i], len(place)))
    return [names[i] for i in order], decisions[order]


def _write_table(path: Path, names: list[str], decisions: NDArray[np.bool_], competition: Competition) -> None:
    tables = competition.tables
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if tables.tags_column:
            writer.writerow([tables.id_column, tables.tags_column])
            writer.writerows(zip(names, to_tags(decisions, competition), strict=True))
        else:
            writer.writerow([tables.id_column, *competition.labels])
            cells = decisions.astype(int).tolist()
            writer.writerows([name, *row] for name, row in zip(names, cells, strict=True))
