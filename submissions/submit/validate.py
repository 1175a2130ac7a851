"""Is a submission file what Kaggle expects? Every fault is counted, and shown by its first rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.spec.competition import Competition
from competition.tables.label_table import LabelRows, Problem, parse_rows, problems_of


@dataclass(frozen=True, eq=False)
class SubmissionReport:
    """What was found in a submission file.

    Attributes:
        path: the file.
        problems: the faults; none if the file may be submitted.
        num_rows: rows below the header.
        labels: the competition's labels.
        shares: float array (num_labels,): share of the rows that carry each label.
        mean_tags: mean number of labels per row.
    """

    path: Path
    problems: tuple[Problem, ...]
    num_rows: int
    labels: tuple[str, ...]
    shares: NDArray[np.float64]
    mean_tags: float

    @property
    def is_valid(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def error(self) -> UserError:
        """Return the error that names every problem in one line."""
        return UserError(
            f"{self.path.name} is not a valid submission. {'. '.join(problem.text() for problem in self.problems)}."
        )

    def text(self) -> str:
        """Return the report for a terminal."""
        if self.problems:
            return "\n".join([f"{self.path} is not valid:", *(f"  {problem.text()}" for problem in self.problems)])
        order = np.argsort(-self.shares, kind="stable")
        shares = ", ".join(f"{self.labels[i]} {self.shares[i]:.2%}" for i in order)
        return f"{self.path} is valid: {self.num_rows} rows, {self.mean_tags:.2f} labels per row.\n  {shares}"

    def as_dict(self) -> dict[str, Any]:
        """Return what was found, for JSON."""
        return {
            "path": str(self.path),
            "problems": [asdict(problem) for problem in self.problems],
            "rows": self.num_rows,
            "shares": dict(zip(self.labels, self.shares.tolist(), strict=True)),
            "mean_tags": self.mean_tags,
        }


def validate_submission(
    path: Path, competition: Competition, sample_names: Sequence[str], *, exclusive: bool = True
) -> SubmissionReport:
    """Check a submission file against what the competition expects.

    Args:
        path: the CSV file.
        competition: gives labels, columns and exclusive groups.
        sample_names: the ids, in the sample submission's order.
        exclusive: count it a fault if a row has none or several of an exclusive group.

    Raises:
        UserError: if there is no such file.
    """
    table = read_submission(path, competition)
    num_labels, problems = len(competition.labels), [*table.problems, *table.oddities]
    if not table.is_table:
        return SubmissionReport(path, tuple(problems), 0, competition.labels, np.zeros(num_labels), 0.0)
    problems += [*_check_ids(table, sample_names), *_check_tags(table, competition, exclusive)]
    carried = Counter(tag for tags in table.tags for tag in set(tags))
    num_rows = len(table.names)
    shares = np.array([carried[label] for label in competition.labels]) / max(num_rows, 1)
    return SubmissionReport(path, tuple(problems), num_rows, competition.labels, shares, float(shares.sum()))


def read_submission(path: Path, competition: Competition) -> LabelRows:
    """Read the rows of a submission file.

    Raises:
        UserError: if there is no such file.
    """
    try:
        return parse_rows(path.read_bytes(), competition)
    except OSError as error:
        raise UserError(f"Cannot read the submission {path}: {error.strerror}.") from error


def _check_ids(table: LabelRows, sample_names: Sequence[str]) -> list[Problem]:
    place = {name: i for i, name in enumerate(sample_names)}
    row_of: dict[str, int] = {}
    disordered, furthest = [], -1
    for row, name in enumerate(table.names):
        if row_of.setdefault(name, row) != row:
            continue
        at = place.get(name)
        if at is not None and at < furthest:
            disordered.append(row)
        furthest = max(furthest, -1 if at is None else at)
    unknown = [row for name, row in row_of.items() if name not in place]
    return [
        *problems_of("missing ids", [name for name in sample_names if name not in row_of]),
        *table.problems_of("ids that are not in the sample submission", unknown),
        *table.repeated_ids(),
        *table.problems_of("ids out of the sample submission's order", disordered),
    ]


def _check_tags(table: LabelRows, competition: Competition, exclusive: bool) -> list[Problem]:
    rows = list(enumerate(table.tags))
    bare = [row for row, tags in rows if not tags and not competition.unlabelled]
    problems = [
        *table.problems_of("rows without a label", bare),
        *table.unknown_tags(competition),
        *table.problems_of("rows that repeat a tag", [row for row, tags in rows if len(set(tags)) < len(tags)]),
    ]
    for group in map(frozenset, competition.exclusive if exclusive else ()):
        names = ", ".join(label for label in competition.labels if label in group)
        carried = [(row, len(group.intersection(tags))) for row, tags in rows]
        problems += table.problems_of(f"rows with none of {names}", [row for row, number in carried if number == 0])
        problems += table.problems_of(
            f"rows with more than one of {names}", [row for row, number in carried if number > 1]
        )
    return problems
