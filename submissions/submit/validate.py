"""Is a submission file what Kaggle expects? Every fault is counted, and shown by its first rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import open_ordinary
from competition.spec.competition import Competition
from competition.spec.metric import SCORES
from competition.tables.csv_files import LARGEST
from competition.tables.label_table import LabelRows, parse_rows
from competition.tables.problems import Problem, problems_of
from competition.tables.sample import SampleSubmission

SHOWN = 20  # labels
SAME = 1e-4  # scores that differ by less between all chips are one answer


@dataclass(frozen=True, eq=False)
class SubmissionReport:
    """What was found in a submission file.

    Attributes:
        path: the file.
        problems: the faults; none if the file may be submitted.
        num_rows: rows below the header.
        labels: the competition's labels.
        shares: float array (num_labels,): share of the chips that carry each label, or its mean score.
        mean_tags: mean number of labels per chip; of scores, what they add up to.
        scores: of a submission of scores, their mean, least and greatest.
        is_uniform: whether every chip, of several, gets the same answer.
    """

    path: Path
    problems: tuple[Problem, ...]
    num_rows: int
    labels: tuple[str, ...]
    shares: NDArray[np.float64]
    mean_tags: float
    scores: tuple[float, float, float] | None = None
    is_uniform: bool = False

    @property
    def is_valid(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    @property
    def is_disordered(self) -> bool:
        """Whether the order of the rows is all that is wrong."""
        return len(self.problems) == 1 and self.problems[0].kind == "order"

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
        shares = ", ".join(f"{self.labels[i]} {self._share(self.shares[i])}" for i in order[:SHOWN])
        more = f" and {len(order) - SHOWN} more labels" if len(order) > SHOWN else ""
        what = f"{self.mean_tags:.2f} labels per row"
        if self.scores is not None:
            what = "scores from {1:.4g} to {2:.4g}, {0:.4g} in the mean".format(*self.scores)
        warning = "\nWarning: every chip gets the same answer." if self.is_uniform else ""
        return f"{self.path} is valid: {self.num_rows} rows, {what}.\n  {shares}{more}{warning}"

    def as_dict(self) -> dict[str, Any]:
        """Return what was found, for JSON."""
        return {
            "path": str(self.path),
            "problems": [asdict(problem) for problem in self.problems],
            "rows": self.num_rows,
            "shares": dict(zip(self.labels, self.shares.tolist(), strict=True)),
            "mean_tags": self.mean_tags,
            "scores": self.scores,
            "is_uniform": self.is_uniform,
        }

    def _share(self, share: float) -> str:
        return f"{share:.2%}" if self.scores is None else f"{share:.4f}"


def validate_submission(
    path: Path, competition: Competition, sample: SampleSubmission, *, exclusive: bool = True
) -> SubmissionReport:
    """Check a submission file against what the competition expects.

    Args:
        path: the CSV file.
        competition: gives labels, the form of a submission, and exclusive groups.
        sample: the columns and rows expected.
        exclusive: of decisions, count it a fault if a chip has none or several of an exclusive group.

    Raises:
        UserError: if there is no such file.
    """
    table = read_submission(path, competition)
    num_labels, problems = len(competition.labels), [*table.problems, *table.oddities]
    if not table.is_table:
        return SubmissionReport(path, tuple(problems), 0, competition.labels, np.zeros(num_labels), 0.0)
    problems += _check_rows(table, sample, competition)
    scores = None
    if table.scores is None:
        problems += _check_tags(table, competition, exclusive)
        carried = Counter(tag for tags in table.tags for tag in set(tags))
        shares = np.array([carried[label] for label in competition.labels]) / max(len(table.names), 1)
    else:
        # NaN are cells with a fault, and of some rows per chip and label those that are not asked for.
        shares, known = np.zeros(num_labels), table.scores[~np.isnan(table.scores)]
        scored = ~np.isnan(table.scores).all(axis=0) if len(table.scores) else np.zeros(num_labels, dtype=bool)
        shares[scored] = np.nanmean(table.scores[:, scored], axis=0, dtype=np.float64)
        scores = (float(known.mean(dtype=np.float64)), float(known.min()), float(known.max())) if len(known) else None
    return SubmissionReport(
        path,
        tuple(problems),
        len(table.rows.keys),
        competition.labels,
        shares,
        float(shares.sum()),
        scores,
        _is_uniform(table),
    )


def _is_uniform(table: LabelRows) -> bool:
    """Return whether all of several chips get the same labels, or the same scores."""
    if len(table.names) < 2:
        return False
    if table.scores is None:
        return len(set(map(frozenset, table.tags))) == 1
    known = table.scores[:, ~np.isnan(table.scores).all(axis=0)]
    spread = np.nanmax(known, axis=0) - np.nanmin(known, axis=0)
    return bool(len(spread)) and bool((spread < SAME).all())


def content_of_submission(path: Path) -> bytes:
    """Return the content of a submission file.

    Raises:
        UserError: if there is no such file, or it is too large for a table.
    """
    try:
        with open_ordinary(path, LARGEST) as file:
            return file.read()
    except OSError as error:
        raise UserError(f"Cannot read the submission {path}: {error.strerror}.") from error


def read_submission(path: Path, competition: Competition) -> LabelRows:
    """Read the rows of a submission file.

    Raises:
        UserError: as of `content_of_submission`.
    """
    content = content_of_submission(path)
    scores = competition.metric.judges == SCORES
    return parse_rows(content, competition.submission_form, competition.labels, scores=scores, exact=True)


def _check_rows(table: LabelRows, sample: SampleSubmission, competition: Competition) -> Iterator[Problem]:
    """Find rows that are missing, not asked for, or out of order."""
    place = {key: i for i, key in enumerate(sample.keys)}
    row_of: dict[Any, int] = {}
    disordered, furthest = [], -1
    for row, key in enumerate(table.rows.keys):
        if row_of.setdefault(key, row) != row:
            continue
        at = place.get(key)
        if at is not None and at < furthest:
            disordered.append(row)
        furthest = max(furthest, -1 if at is None else at)
    missing = [key for key in sample.keys if key not in row_of]
    what, form = "ids" if sample.pairs is None else "rows", competition.submission_form

    def shown(key: Any) -> str:
        return key if sample.pairs is None else form.row_id_of(*key) if form.row_id else form.delimiter.join(key)

    yield from problems_of(f"missing {what}", map(shown, missing))
    unknown = [row for key, row in row_of.items() if key not in place]
    expected = f"expected such as {shown(sample.keys[0])!r}" if sample.keys else ""
    yield from table.rows.problems_of(f"{what} that are not in the sample submission", unknown, expected)
    yield from table.rows.problems_of(f"{what} out of the sample submission's order", disordered, kind="order")


def _check_tags(table: LabelRows, competition: Competition, exclusive: bool) -> Iterator[Problem]:
    """Find chips that carry what the competition does not allow; what is wrong with one already is not looked at."""
    known = frozenset(competition.labels)
    sound = [(row, tags) for row, tags in enumerate(table.tags) if row not in table.faulty and known.issuperset(tags)]
    if not competition.unlabelled:
        yield from table.chips.problems_of("rows without a label", [row for row, tags in sound if not tags])
        sound = [(row, tags) for row, tags in sound if tags]
    again = [row for row, tags in sound if len(set(tags)) < len(tags)]
    yield from table.chips.problems_of("rows that repeat a tag", again)
    for group in map(frozenset, competition.exclusive if exclusive else ()):
        names = ", ".join(label for label in competition.labels if label in group)
        carried = [(row, len(group.intersection(tags))) for row, tags in sound]
        none, several = ([row for row, n in carried if n == 0], [row for row, n in carried if n > 1])
        yield from table.chips.problems_of(f"rows with none of {names}", none)
        yield from table.chips.problems_of(f"rows with more than one of {names}", several)
