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
from tabulate import tabulate

from competition.common.errors import UserError
from competition.common.text import first
from competition.metrics.f_beta import f_beta_per_chip
from competition.spec.competition import Competition
from competition.tables.labels import to_multi_hot
from submissions.submit.validate import read_submission

GAP = 0.1  # in mean F-beta, below the prefix that agrees best; a mix-up costs .35
SIGMAS = 3.0
SHOWN = 10


@dataclass(frozen=True)
class PrefixAgreement:
    """How far two submissions agree on the ids of one prefix.

    Attributes:
        prefix: the id up to its last "_" and number; the whole table of ids that have none is "".
        num_rows: ids compared.
        identical: share of the rows with the same labels.
        f_beta: mean F-beta of the first submission, if the second were the truth.
        jaccard: mean share of common labels among those of either.
        error: standard error of `f_beta`.
    """

    prefix: str
    num_rows: int
    identical: float
    f_beta: float
    jaccard: float
    error: float

    @property
    def shares(self) -> tuple[float, float, float]:
        """The three measures of agreement."""
        return self.identical, self.f_beta, self.jaccard


@dataclass(frozen=True)
class Agreement:
    """How far two submissions agree.

    Attributes:
        prefixes: by prefix of the ids, the least agreement first.
        metric: name of the F-beta.
        not_common: ids that only one of them has.
    """

    prefixes: tuple[PrefixAgreement, ...]
    metric: str
    not_common: int

    @property
    def warnings(self) -> list[str]:
        """One line for every prefix that agrees far less than the best."""
        best = max(self.prefixes, key=lambda prefix: prefix.f_beta)
        return [
            f"Warning: the submissions agree far less on {low.prefix}_* ({self.metric} {low.f_beta:.3f}) than on "
            f"{best.prefix}_* ({best.f_beta:.3f}). Their chips or rows may be mixed up there."
            for low in self.prefixes
            if best.f_beta - low.f_beta > max(GAP, SIGMAS * np.hypot(low.error, best.error))
        ]

    def text(self) -> str:
        """Return the agreement for a terminal."""
        headers = ["ids", "rows", "identical", self.metric, "Jaccard"]
        rows = [
            [f"{of.prefix}_*" if of.prefix else "all", of.num_rows, *(f"{share:.3f}" for share in of.shares)]
            for of in self.prefixes[:SHOWN]
        ]
        lines = [tabulate(rows, headers, disable_numparse=True, colalign=["left"] + ["right"] * 4)]
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

    Raises:
        UserError: if one cannot be read as a submission, has an unknown tag, or they have no id in common.
    """
    ours, theirs = _read(path, competition), _read(other, competition)
    names = [name for name in ours if name in theirs]
    if not names:
        raise UserError(f"{path} and {other} have no id in common; the first has {first(ours)}.")
    decided = to_multi_hot((ours[name] for name in names), competition)
    reference = to_multi_hot((theirs[name] for name in names), competition)
    prefixes = np.array([_prefix(name) for name in names])
    metric = competition.metric
    by_prefix = [
        _compare(str(prefix), decided[prefixes == prefix], reference[prefixes == prefix], metric.beta)
        for prefix in np.unique(prefixes)
    ]
    not_common = len(ours) + len(theirs) - 2 * len(names)
    return Agreement(tuple(sorted(by_prefix, key=lambda of: of.f_beta)), f"F{metric.beta:g}", not_common)


def _read(path: Path, competition: Competition) -> dict[str, tuple[str, ...]]:
    table = read_submission(path, competition)
    if not table.is_table:
        raise UserError(f"{path} cannot be compared: {'; '.join(problem.text() for problem in table.problems)}.")
    return dict(zip(table.names, table.tags, strict=True))


def _prefix(name: str) -> str:
    match = re.fullmatch(r"(.+)_[0-9]+", name)
    return match[1] if match else ""


def _compare(prefix: str, decided: NDArray[np.bool_], reference: NDArray[np.bool_], beta: float) -> PrefixAgreement:
    identical = (decided == reference).all(axis=1)
    f_beta = np.where(identical, 1.0, f_beta_per_chip(reference, decided, beta))  # two empty rows agree
    either = np.maximum((decided | reference).sum(axis=1), 1)
    jaccard = np.where(identical, 1.0, (decided & reference).sum(axis=1) / either)
    error = float(f_beta.std() / np.sqrt(len(f_beta)))
    return PrefixAgreement(
        prefix, len(decided), float(identical.mean()), float(f_beta.mean()), float(jaccard.mean()), error
    )
