"""How far submissions are right and wrong on the same chips: the covariance of what a chip adds to their scores."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.metrics.bootstrap import bootstrap
from competition.spec.metric import DECISIONS
from competition.workspace import Workspace
from folds.store.scores import Scores
from submissions.decide.decisions import Obedient, decide
from submissions.decide.rules import make_rule
from submissions.members.blend_files import Written
from submissions.submit.entry import Entry

USUAL = 0.8  # correlation of what chips are worth to two submissions: six real networks of Planet had .81 to .89
DEVIATION = 0.14  # standard deviation of what a chip is worth: F2 of networks on Planet had .13
OOF = "oof.npz"
NORMAL = 2 * 1.959964  # standard errors in a 95 % interval


class _Made(Written):
    """How a submission was made, as its blend's record says."""

    name: str
    files: dict[str, str]
    cuts: dict[str, float] | None = None


class _Answers(NamedTuple):
    """Ids of labelled chips, and what is answered of them (num_chips, num_labels): decisions or scores."""

    names: tuple[str, ...]
    values: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Agreeing:
    """How far submissions agree.

    Attributes:
        per_chip: float array (num_submissions, num_submissions): covariance of what a chip adds to their scores.
        labelled: chips behind their cross-fitted scores.
        measured: bool array (num_submissions,): those whose agreement is measured, not supposed.
    """

    per_chip: NDArray[np.float64]
    labelled: int
    measured: NDArray[np.bool_]


def measure_agreement(entries: Sequence[Entry], workspace: Workspace) -> Agreeing:
    """Measure on labelled chips how far submissions agree; of those made elsewhere, suppose it.

    A submission is measured while the out-of-fold scores that it was made of are there, as they were.

    Args:
        entries: of the ledger.
        workspace: of the competition.
    """
    count = len(entries)
    answers = {number: answered for number, entry in enumerate(entries) if (answered := _answers(entry, workspace))}
    measured = sorted(answers)
    correlation = np.full((count, count), USUAL)
    variance = np.array([variance_of(entry) for entry in entries])
    labelled = max((chips_of(entry) for entry in entries), default=0) or len(workspace.labelled.image_names)
    if measured:
        found = _covariance([answers[number] for number in measured], workspace)
        deviation = np.sqrt(found.diagonal())
        variance[measured] = found.diagonal()
        between = found / np.maximum(np.outer(deviation, deviation), np.finfo(float).tiny)
        if len(measured) > 1:
            correlation[:] = min(USUAL, between.min())
        correlation[np.ix_(measured, measured)] = between
    usual = np.nanmedian(variance) if not np.isnan(variance).all() else DEVIATION**2
    deviation = np.sqrt(np.where(np.isnan(variance), usual, variance))
    np.fill_diagonal(correlation, 1.0)
    per_chip = _possible(correlation) * np.outer(deviation, deviation)
    return Agreeing(per_chip, labelled, np.isin(np.arange(count), measured))


def _answers(entry: Entry, workspace: Workspace) -> _Answers | None:
    """Return what a submission's rule answers on the out-of-fold scores it was made of; None if these are not known."""
    with suppress(UserError, LookupError, ValueError, OSError):  # made elsewhere, by hand, or from what is gone since
        made, competition = _Made.model_validate(entry.provenance), workspace.competition
        path = workspace.blends / made.name / OOF
        if digest_file(path) != made.files[OOF]:
            return None
        oof = Scores.read(path)
        if made.cuts is not None and competition.metric.judges == DECISIONS:
            cuts = np.array([made.cuts[label] for label in competition.labels])
            how = {"exclusive": made.exclusive, "alone": made.alone}
            return _Answers(oof.names, decide(oof.values, cuts, competition, **how))
        rule = make_rule(made.rule, competition, calibration=made.calibration)
        if competition.metric.judges == DECISIONS:
            rule = Obedient(rule, competition, exclusive=made.exclusive, alone=made.alone)
        rule.fit(oof.values, workspace.labelled.truth[_rows(oof.names, workspace)])
        return _Answers(oof.names, rule.predict(oof.values))
    return None


def _covariance(answers: Sequence[_Answers], workspace: Workspace) -> NDArray[np.float64]:
    """Return the covariance of what a chip adds, by the bootstrap over the chips that all have."""
    common = set.intersection(*(set(answered.names) for answered in answers))
    names = [name for name in answers[0].names if name in common]
    aligned = []
    for answered in answers:
        row = {name: number for number, name in enumerate(answered.names)}
        aligned.append(answered.values[[row[name] for name in names]])
    truth, metric = workspace.labelled.truth[_rows(names, workspace)], workspace.competition.metric
    drawn = bootstrap(truth, aligned, metric)
    return np.atleast_2d(np.cov(drawn, rowvar=False)) * len(names)


def _rows(names: Sequence[str], workspace: Workspace) -> list[int]:
    row = {name: number for number, name in enumerate(workspace.labelled.image_names)}
    return [row[name] for name in names]


def variance_of(entry: Entry) -> float:
    """Return the variance of what a chip adds, by the interval of the cross-fitted score; NaN if there is none."""
    if entry.low is None or entry.high is None or entry.high <= entry.low:
        return float("nan")
    return ((entry.high - entry.low) / NORMAL) ** 2 * chips_of(entry) or float("nan")


def chips_of(entry: Entry) -> int:
    """Return how many labelled chips are behind the cross-fitted score of an entry; 0 if that is not known."""
    chips = (entry.provenance or {}).get("chips")
    return chips if isinstance(chips, int) and chips > 0 else 0


def _possible(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nearest correlations that can be: measured and supposed ones together may contradict each other."""
    values, vectors = np.linalg.eigh(correlation)
    nearest = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    deviation = np.sqrt(nearest.diagonal())
    return np.asarray(nearest / np.outer(deviation, deviation))
