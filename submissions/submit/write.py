"""The submission file, checked before it takes its name, and beside it how it was made."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.files import checked_name, replace_atomically
from competition.common.progress import reporter
from competition.common.text import first
from competition.spec.competition import Competition
from competition.tables.labels import to_tags
from competition.workspace import Workspace
from folds.scores import Scores
from submissions.decide.decisions import Obedient
from submissions.submit.provenance import write_provenance
from submissions.submit.validate import SubmissionReport, validate_submission


def write_submission(
    path: Path,
    decisions: NDArray[np.bool_],
    workspace: Workspace,
    provenance: dict[str, Any],
    *,
    exclusive: bool = True,
) -> SubmissionReport:
    """Write a submission to `path`, and how it was made to the same name with the suffix `.json`.

    What is not valid does not take the name, and a file that is there stays.

    Args:
        path: the CSV file.
        decisions: bool array (num_test, num_labels), of the chips to predict in the sample submission's order.
        workspace: of the competition.
        provenance: how the decisions were made, for the JSON; what is known here is added.
        exclusive: require exactly one label of each exclusive group.

    Raises:
        UserError: if the file would not be valid.
        ValueError: if the decisions do not fit the chips to predict.
    """
    names, competition = workspace.test_names, workspace.competition
    if decisions.shape != (len(names), len(competition.labels)):
        raise ValueError(f"Decisions {decisions.shape} do not fit {len(names)} ids, {len(competition.labels)} labels.")
    with replace_atomically(path) as temporary:
        _write_table(temporary, names, decisions, competition)
        report = validate_submission(temporary, competition, names, exclusive=exclusive)
        report = replace(report, path=path)
        if not report.is_valid:
            raise report.error()
    known = {"rows": report.num_rows, "exclusive": exclusive}
    write_provenance(path, {"competition": competition.name, **provenance, **known})
    return report


def write_decided(test: Scores, rule: Obedient, workspace: Workspace, provenance: dict[str, Any]) -> SubmissionReport:
    """Decide the chips to predict, and write the submission to the workspace under the name in its provenance.

    How chips without scores were decided is said.

    Args:
        test: scores of chips to predict.
        rule: decides; fitted.
        workspace: of the competition.
        provenance: how the scores were made: `name`, and `left_out`, ids of broken chips, if there are such.

    Raises:
        UserError: if the file would not be valid.
        ValueError: if a chip that was not left out has no scores.
    """
    scores, unscored = complete_scores(test, workspace, provenance.get("left_out", ()))
    path = workspace.submissions / f"{checked_name('submission', provenance['name'])}.csv"
    provenance = {**provenance, "without_scores": list(unscored)}
    report = write_submission(path, rule.predict(scores), workspace, provenance, exclusive=rule.exclusive)
    if unscored:
        reporter.say(
            f"{len(unscored)} of {len(scores)} chips have no scores and are decided by the share of each label among "
            f"the labelled chips: {first(unscored)}."
        )
    return report


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


def _write_table(path: Path, names: Sequence[str], decisions: NDArray[np.bool_], competition: Competition) -> None:
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
