"""The submission file, checked before it takes its name, and beside it how it was made."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import checked_name, replace_atomically
from competition.common.progress import reporter
from competition.common.text import first
from competition.spec.metric import DECISIONS
from competition.tables.csv_files import CsvFile
from competition.tables.write import write_table
from competition.workspace import Workspace
from folds.store.scores import Scores
from submissions.decide.decisions import Obedient
from submissions.submit.provenance import how_again, path_beside, read_provenance, write_provenance
from submissions.submit.validate import SubmissionReport, read_submission, validate_submission


def write_submission(
    path: Path,
    answers: NDArray[Any],
    workspace: Workspace,
    provenance: dict[str, Any],
    *,
    exclusive: bool = True,
) -> SubmissionReport:
    """Write a submission to `path`, and how it was made to the same name with the suffix `.json`.

    What is not valid does not take the name, and a file that is there stays.

    Args:
        path: the CSV file.
        answers: array (num_test, num_labels), of the chips to predict in the sample submission's order: bool
            decisions, or float scores where the competition's metric judges these.
        workspace: of the competition.
        provenance: how the decisions were made, for the JSON; what is known here is added.
        exclusive: of decisions, require exactly one label of each exclusive group.

    Raises:
        UserError: if the file would not be valid.
        ValueError: if the answers do not fit the chips to predict, or are not what the metric judges.
    """
    sample, competition = workspace.sample, workspace.competition
    if (answers.dtype == np.bool_) != (competition.metric.judges == DECISIONS):
        raise ValueError(f"{competition.metric.title} judges {competition.metric.judges}; received {answers.dtype}.")
    with replace_atomically(path) as temporary:
        write_table(
            temporary,
            sample.names,
            answers,
            competition.submission_form,
            competition.labels,
            decimals=competition.submission.decimals,
            columns=sample.columns,
            pairs=sample.pairs,
        )
        report = validate_submission(temporary, competition, sample, exclusive=exclusive)
        report = replace(report, path=path)
        if not report.is_valid:
            raise report.error()
    known = {"rows": report.num_rows, "exclusive": exclusive}
    write_provenance(path, {"competition": competition.name, **provenance, **known})
    return report


def write_decided(test: Scores, rule: Obedient, workspace: Workspace, provenance: dict[str, Any]) -> SubmissionReport:
    """Decide the chips to predict, and write the submission to the workspace under the name in its provenance.

    How chips without scores were decided is said. Where scores are judged, the rule gives scores.

    Args:
        test: scores of chips to predict.
        rule: decides; fitted.
        workspace: of the competition.
        provenance: how the scores were made: `name`, and `test_left_out`, ids of broken chips to predict, if any.

    Raises:
        UserError: if the file would not be valid.
        ValueError: if a chip that was not left out has no scores.
    """
    broken = provenance.get("test_left_out", provenance.get("left_out", ()))  # older ones have all in `left_out`
    scores, unscored = complete_scores(test, workspace, broken)
    path = workspace.submissions / f"{checked_name('submission', provenance['name'])}.csv"
    provenance = {**provenance, "without_scores": list(unscored)}
    report = write_submission(path, rule.predict(scores), workspace, provenance, exclusive=rule.exclusive)
    if unscored:
        by = "decided" if workspace.competition.metric.judges == DECISIONS else "scored"
        reporter.say(
            f"{len(unscored)} of {len(scores)} chips have no scores and are {by} by the share of each label among "
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
        left_out: ids of broken chips to predict; they get the share of each label among the labelled chips.

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
    """Return the path of a submission given by name, with or without `.csv`, or by the path of a `.csv` file.

    Raises:
        UserError: if there is none; it names those that there are.
    """
    path = workspace.submissions / (name if name.endswith(".csv") else f"{name}.csv")
    if name.endswith(".csv") and (Path(name).name != name or Path(name).exists()):
        path = Path(name)
    if not path.is_file():
        if path.parent == workspace.submissions and (path.exists() or path_beside(path).is_file()):  # it was one
            lost = f"{path} is no file. Move it away." if path.exists() else f"{path} is gone."
            raise UserError(lost, command=how_again(path))
        known = sorted(other.stem for other in workspace.submissions.glob("*.csv") if other.is_file())
        near = difflib.get_close_matches(path.stem, known, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise UserError(f"No submission {path}.{meant} In {workspace.submissions} there are: {first(known) or 'none'}.")
    return path


def sort_submission(report: SubmissionReport, workspace: Workspace, *, exclusive: bool = True) -> SubmissionReport:
    """Bring the rows of a submission into the sample submission's order.

    The record beside it, if there is one, is that of the new file then.

    Args:
        report: what was found in the file: the order is all that is wrong.
        workspace: of the competition.
        exclusive: as `validate_submission`.

    Returns:
        What was found in the new file.

    Raises:
        UserError: if more is wrong, or the file was changed after the record beside it was written.
    """
    path, competition = report.path, workspace.competition
    if not report.is_disordered:
        raise report.error()
    provenance = read_provenance(path)
    file = CsvFile.parse(path.read_bytes(), competition.submission_form, exact=True)
    rows = dict(zip(read_submission(path, competition).rows.keys, (row for _, row in file.rows()), strict=True))
    with replace_atomically(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as new:
            writer = csv.writer(new, delimiter=file.delimiter, lineterminator="\n")
            writer.writerow(file.header)
            writer.writerows(rows[key] for key in workspace.sample.keys)
        in_order = validate_submission(temporary, competition, workspace.sample, exclusive=exclusive)
        if not in_order.is_valid:
            raise in_order.error()
    if provenance:
        write_provenance(path, provenance)
    reporter.say(f"Brought {report.problems[0].count} of {report.num_rows} rows into the sample submission's order.")
    return replace(in_order, path=path)
