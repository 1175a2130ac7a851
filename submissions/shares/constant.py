"""Submissions that answer the same for every chip: written, and found again in the ledger with their scores."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import checked_name, digest_file
from competition.spec.competition import Competition
from competition.spec.metric import DECISIONS
from competition.tables.labels import to_multi_hot
from competition.workspace import Workspace
from submissions.measure.shake_up import public_chips
from submissions.shares.probes import Explained, check_by_chips, explain_score
from submissions.submit.entry import Entry
from submissions.submit.provenance import CONSTANT
from submissions.submit.validate import SubmissionReport, read_submission
from submissions.submit.write import submission_path, write_submission


def write_probe(labels: Sequence[str], name: str, workspace: Workspace) -> SubmissionReport:
    """Write a submission that answers some labels for every chip; its record says so, and goes with it to the ledger.

    Args:
        labels: of every chip.
        name: of the submission.
        workspace: of the competition.

    Raises:
        UserError: if there is no such label, the name is taken, or the competition's metric judges scores.
    """
    competition = workspace.competition
    _check_metric(competition)
    (answer,) = to_multi_hot([labels], competition)
    path = workspace.submissions / f"{checked_name('submission', name)}.csv"
    if path.exists():
        raise UserError(f"There is a submission {path} already. Give the probe another --name.")
    answers = np.tile(answer, (len(workspace.test_names), 1))
    return write_submission(path, answers, workspace, {"name": name, CONSTANT: list(labels)}, exclusive=False)


def explain(name: str, entries: Sequence[Entry], workspace: Workspace, public: float) -> Explained:
    """Say what the public score of a constant answer means.

    Args:
        name: of the submission, its file, or its number on Kaggle.
        entries: of the ledger.
        workspace: of the competition.
        public: share of the chips to predict behind a public score.

    Raises:
        UserError: if it is not in the ledger, has no public score, or does not answer the same for every chip.
    """
    competition, truth = workspace.competition, workspace.labelled.truth
    _check_metric(competition)
    found = [entry for entry in entries if name in (entry.name, f"{entry.name}.csv", str(entry.ref))]
    if not found:
        if (workspace.submissions / f"{name.removesuffix('.csv')}.csv").is_file():
            text = f"'{name}' is written, and was not submitted yet."
            raise UserError(text, command=f"submit {shlex.quote(name)} --wait")
        text = f"The ledger has no submission '{name}'."
        raise UserError(text, command={"to see those that it has": "submissions list"})
    scored = [entry for entry in found if entry.public is not None]
    if not scored or scored[-1].public is None:
        raise UserError(f"'{name}' has no public score yet.", command={"to ask for it": "submissions sync"})
    if not competition.metric.can_be(scored[-1].public):
        raise UserError(
            f"'{name}' has the public score {scored[-1].public:g}, which {competition.metric.title} cannot be."
        )
    answer = _answer_of(scored[-1], workspace)
    if not answer.any():
        raise UserError(f"'{name}' answers no label for any chip: what it scores says nothing of the share of one.")
    num_public = public_chips(public, len(workspace.test_names))
    labels = tuple(label for label, has in zip(competition.labels, answer, strict=True) if has)
    expected, shares = explain_score(answer, scored[-1].public, truth, num_public, competition)
    return Explained(scored[-1].name, labels, competition.metric.title, scored[-1].public, expected, shares)


def probes_in(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Return the scored probes of a single label, by that label; of several the latest."""
    made = [(entry, _labels_of(entry)) for entry in entries if entry.public is not None]
    return {labels[0]: entry for entry, labels in made if labels is not None and len(labels) == 1}


def _labels_of(entry: Entry) -> list[str] | None:
    """Return the labels that a submission answers for every chip, by its record; None if that says nothing of it."""
    labels = (entry.provenance or {}).get(CONSTANT)
    return labels if isinstance(labels, list) and all(isinstance(label, str) for label in labels) else None


def _check_metric(competition: Competition) -> None:
    if competition.metric.judges != DECISIONS:
        raise UserError(
            f"{competition.metric.title} judges scores: what a constant answer scores says nothing of shares."
        )
    check_by_chips(competition.metric)


def _answer_of(entry: Entry, workspace: Workspace) -> NDArray[np.bool_]:
    """Return the answer (num_labels,) that a submission gives for every chip, by its record, or else by its file."""
    competition, labels = workspace.competition, _labels_of(entry)
    if labels is not None:
        return to_multi_hot([labels], competition)[0]
    if entry.is_of_notebook:
        raise UserError(f"{entry.ref} is of a notebook: what that has answered is not known here.")
    if Path(entry.name).name != entry.name:  # Kaggle says what a file made elsewhere is called
        raise UserError(f"{entry.name!r} is no submission in {workspace.submissions}, so what it answers is not known.")
    path = submission_path(entry.name.removesuffix(".csv"), workspace)
    if not digest_file(path).startswith(entry.digest or entry.marker or ""):  # which begins it, of one made elsewhere
        raise UserError(f"{path} is not the file that was submitted as {entry.ref}, so what it answers is not known.")
    answers = set(map(frozenset, read_submission(path, competition).tags))
    if len(answers) != 1:
        raise UserError(
            f"{path} answers {len(answers):,} different label sets. What a score means for shares is known of a "
            "constant answer alone, which `submissions probe` writes."
        )
    return to_multi_hot(answers, competition)[0]
