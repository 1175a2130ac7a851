"""How far two submissions agree, by the prefix of the ids.

A submission that agrees well with a strong one on `test_*` and badly on `file_*` has its files mixed up.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from competition.metrics.f_beta import f_beta_per_chip
from competition.spec.competition import Competition
from competition.tables.label_table import LabelRows
from competition.tables.labels import to_multi_hot
from competition.terminal.tables import table
from submissions.submit.validate import read_submission

GAP = 0.1  # in mean F-beta or correlation, below the prefix that agrees best; a mix-up costs .35 of F2
SIGMAS = 3.0
SHOWN = 10
DIFFERENCE, CORRELATION = "mean difference", "rank correlation"


@dataclass(frozen=True)
class PrefixAgreement:
    """How far two submissions agree on the ids of one prefix.

    Attributes:
        prefix: the id up to its last "_" and number; the whole table of ids that have none is "".
        num_rows: ids compared.
        measures: by name. Of decisions: the share of the rows with the same labels, the mean F-beta of the first
            submission if the second were the truth, and the mean share of common labels among those of either. Of
            scores: the mean absolute difference, and the mean over labels of Spearman's rank correlation, NaN where
            none has two different scores.
        error: standard error of the measure that judges.
    """

    prefix: str
    num_rows: int
    measures: dict[str, float]
    error: float


@dataclass(frozen=True)
class Agreement:
    """How far two submissions agree.

    Attributes:
        prefixes: by prefix of the ids, the least agreement first.
        judge: the name of the measure that says which prefix agrees less.
        not_common: ids that only one of them has.
    """

    prefixes: tuple[PrefixAgreement, ...]
    judge: str
    not_common: int

    @property
    def warnings(self) -> list[str]:
        """One line for every prefix that agrees far less than the best."""
        judged = [prefix for prefix in self.prefixes if not np.isnan(prefix.measures[self.judge])]
        if not judged:
            return []
        best = max(judged, key=lambda prefix: prefix.measures[self.judge])
        gaps = [(low, best.measures[self.judge] - low.measures[self.judge]) for low in judged]
        return [
            f"Warning: the submissions agree far less on {low.prefix}_* ({self.judge} {low.measures[self.judge]:.3f}) "
            f"than on {best.prefix}_* ({best.measures[self.judge]:.3f}). Their chips or rows may be mixed up there."
            for low, gap in gaps
            if gap > max(GAP, SIGMAS * np.hypot(low.error, best.error))
        ]

    def text(self) -> str:
        """Return the agreement for a terminal."""
        names = list(self.prefixes[0].measures)
        rows = [
            [f"{of.prefix}_*" if of.prefix else "all", of.num_rows, *(f"{of.measures[name]:.3f}" for name in names)]
            for of in self.prefixes[:SHOWN]
        ]
        lines = [table(["ids", "rows", *names], rows)]
        if len(self.prefixes) > SHOWN:
            lines.append(f"and {len(self.prefixes) - SHOWN} more prefixes that agree better.")
        if self.not_common:
            lines.append(f"{self.not_common} ids are in one of the files only and are not compared.")
        return "\n".join([*lines, *self.warnings])

    def as_dict(self) -> dict[str, Any]:
        """Return the agreement, for JSON."""
        return {**asdict(self), "warnings": self.warnings}


def agreement(path: Path, other: Path, competition: Competition) -> Agreement:
    """Compare two submissions.

    Args:
        path: the submission in question.
        other: the one it is held against.
        competition: gives the form of a submission, and the weight of recall.

    Raises:
        UserError: if a file cannot be read, or they have no id in common.
    """
    tables = [_read(file, competition) for file in (path, other)]
    ours, theirs = ({name: row for row, name in enumerate(table.names)} for table in tables)
    names = [name for name in ours if name in theirs]
    if not names:
        raise UserError(f"{path} and {other} have no id in common; the first has {first(ours)}.")
    answers = [
        _answers(table, [row[name] for name in names], competition)
        for table, row in zip(tables, (ours, theirs), strict=True)
    ]
    prefixes, metric = np.array([_prefix(name) for name in names]), competition.metric
    judge = CORRELATION if tables[0].scores is not None else f"F{metric.beta:g}"
    by_prefix = []
    for prefix in np.unique(prefixes):
        one, two = (of[prefixes == prefix] for of in answers)
        measures, error = _compare_scores(one, two) if judge == CORRELATION else _compare(one, two, metric.beta)
        by_prefix.append(PrefixAgreement(str(prefix), len(one), measures, error))
    not_common = len(ours) + len(theirs) - 2 * len(names)
    return Agreement(
        tuple(sorted(by_prefix, key=lambda of: np.nan_to_num(of.measures[judge], nan=2.0))), judge, not_common
    )


def _read(path: Path, competition: Competition) -> LabelRows:
    table = read_submission(path, competition)
    if table.is_table:
        unknown = [problem for problem in table.problems if problem.kind == "tags"]
        if not unknown:
            return table
    raise UserError(f"{path} cannot be compared: {'; '.join(problem.text() for problem in table.problems)}.")


def _answers(table: LabelRows, rows: list[int], competition: Competition) -> NDArray[Any]:
    """Return what a submission says of the chips in some rows, array (num_rows, num_labels)."""
    if table.scores is not None:
        return table.scores[rows]
    return to_multi_hot((table.tags[row] for row in rows), competition)


def _prefix(name: str) -> str:
    match = re.fullmatch(r"(.+)_[0-9]+", name)
    return match[1] if match else ""


def _compare(decided: NDArray[np.bool_], reference: NDArray[np.bool_], beta: float) -> tuple[dict[str, float], float]:
    """Return how far decisions agree, and the standard error of F-beta."""
    identical = (decided == reference).all(axis=1)
    f_beta = np.where(identical, 1.0, f_beta_per_chip(reference, decided, beta))  # two empty rows agree
    either = np.maximum((decided | reference).sum(axis=1), 1)
    jaccard = np.where(identical, 1.0, (decided & reference).sum(axis=1) / either)
    measures = {
        "identical": float(identical.mean()),
        f"F{beta:g}": float(f_beta.mean()),
        "Jaccard": float(jaccard.mean()),
    }
    return measures, float(f_beta.std() / np.sqrt(len(f_beta)))


def _compare_scores(scores: NDArray[np.float32], reference: NDArray[np.float32]) -> tuple[dict[str, float], float]:
    """Return how far scores agree, and about the standard error of the rank correlation."""
    from scipy.stats import rankdata

    both = ~np.isnan(scores) & ~np.isnan(reference)
    difference = np.abs(scores.astype(np.float64) - reference)[both]
    correlations = []
    for column in range(scores.shape[1]):
        ranks = [rankdata(of[both[:, column], column]) for of in (scores, reference)]
        if all(len(set(of)) > 1 for of in ranks):
            correlations.append(np.corrcoef(*ranks)[0, 1])
    measures = {
        DIFFERENCE: float(difference.mean()) if len(difference) else float("nan"),
        CORRELATION: float(np.mean(correlations)) if correlations else float("nan"),
    }
    return measures, 1 / np.sqrt(max(len(scores) - 1, 1))  # of one label, where nothing agrees
