"""Constant answers, which probe the leaderboard: every chip the same labels; and what the score of one says of shares.

A chip's worth depends on the label set that it carries, so the score of a constant answer is a mean over the label sets
of the public part. Of single labels that says nothing without a supposition, as one number cannot tell how many chips
carry a label from how many others these carry beside it. Two are made, and shown apart: nothing but label sets that
labelled chips carry occurs (bounds, by linear programming); and chips with the label are as those among the labelled
ones, and chips without it too, so that only their share is another (an estimate, with an interval).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.metrics.counts import counted_by, of_decisions
from competition.spec.competition import Competition
from competition.spec.metric import DECISIONS, Metric
from competition.terminal.tables import table

ROUNDED = 5e-6  # of a score on the leaderboard, which has five decimals
NORMAL = 1.959964
NONE_FITS, ALL_OR_NONE, SAME = "none fits", "all or no labelled chips carry it", "worth the same with it and without"


class ShareByProbe(NamedTuple):
    """What the score of a constant answer says of how many public chips carry a label.

    Attributes:
        label: of the answer.
        labelled: its share among the labelled chips.
        estimate: among the public ones, if chips with it, and chips without it, are as the labelled ones are; None if
            there is none.
        low, high: 95 % interval of that.
        why: there is none; "" if there is one.
        least, most: bounds, if only label sets occur that labelled chips carry; None if no mix of them gives the score.
    """

    label: str
    labelled: float
    estimate: float | None
    low: float | None
    high: float | None
    why: str
    least: float | None
    most: float | None


@dataclass(frozen=True)
class Explained:
    """What the public score of a constant answer says.

    Attributes:
        name: of the submission.
        labels: that it answers for every chip.
        metric: title of the metric.
        score: on the public leaderboard.
        expected: the score of the answer on the labelled chips.
        shares: of each of its labels.
    """

    name: str
    labels: tuple[str, ...]
    metric: str
    score: float
    expected: float
    shares: tuple[ShareByProbe, ...]

    def text(self) -> str:
        """Return it for a terminal."""
        rows = [
            [
                share.label,
                f"{share.labelled:.4f}",
                share.why if share.estimate is None else f"{share.estimate:.4f}",
                _between(share.low, share.high),
                _between(share.least, share.most),
            ]
            for share in self.shares
        ]
        lines = [
            f"{self.name} answers {' '.join(self.labels)} for every chip: public {self.metric} {self.score:.5f}; "
            f"on the labelled chips it has {self.expected:.5f}.",
            table(["label", "labelled", "public", "95 % interval", "bounds"], rows),
            "`public`: the share that gives the score if chips with the label, and chips without it, are as among the "
            f"labelled ones; `{NONE_FITS}`: none does. `bounds`: whatever mix of the label sets that labelled chips "
            "carry gives it.",
        ]
        if len(self.labels) > 1:
            lines.append("Of several labels each is taken alone to have moved: one number cannot say which has.")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return it, for JSON."""
        return {**asdict(self), "shares": [share._asdict() for share in self.shares]}


def check_by_chips(metric: Metric) -> None:
    """Refuse a metric that is no mean over chips of what is decided of each.

    Raises:
        UserError: if it is none.
    """
    if metric.judges != DECISIONS or counted_by(metric) != "samples":
        raise UserError(
            f"{metric.title} is no mean over chips of what is decided: what a constant answer scores is not solved."
        )


def explain_score(
    answer: NDArray[np.bool_], score: float, truth: NDArray[np.bool_], num_public: int, competition: Competition
) -> tuple[float, tuple[ShareByProbe, ...]]:
    """Return the score of an answer on the labelled chips, and what its public score says of each of its labels.

    Args:
        answer: bool array (num_labels,), the same for every chip.
        score: of it on the public part.
        truth: bool array (num_chips, num_labels) of the labelled chips.
        num_public: chips in the public part.
        competition: gives the labels and the metric.

    Raises:
        UserError: if the metric is no mean over chips of decisions.
    """
    metric = competition.metric
    check_by_chips(metric)
    worth = of_decisions(truth, np.broadcast_to(answer, truth.shape), metric)
    shares = []
    for column in np.flatnonzero(answer):
        carried = truth[:, column]
        found = (*_estimate(worth, carried, score, num_public), *_bounds(worth, carried, score))
        shares.append(ShareByProbe(competition.labels[column], float(carried.mean()), *found))
    return float(worth.mean()), tuple(shares)


def _estimate(
    worth: NDArray[np.float64], carried: NDArray[np.bool_], score: float, num_public: int
) -> tuple[float | None, float | None, float | None, str]:
    """Return the share that gives the score and its 95 % interval, by how what chips are worth is spread; or why not.

    A share that does not fit is told from one that could not be asked for: of a label that all or no labelled chips
    carry, or where the answer is worth as much without it, no score says anything.
    """
    if carried.all() or not carried.any():
        return None, None, None, ALL_OR_NONE
    with_it, without = worth[carried], worth[~carried]
    gain = with_it.mean() - without.mean()
    if abs(gain) < ROUNDED:
        return None, None, None, SAME
    share = float((score - without.mean()) / gain)
    inside = min(max(share, 0.0), 1.0)
    noise = sum(
        part**2 * of.var() * (1 / len(of) + 1 / max(part * num_public, 1))
        for part, of in ((inside, with_it), (1 - inside, without))
    )
    error = NORMAL * float(np.sqrt(noise)) / abs(gain)
    if not -error <= share <= 1 + error:
        return None, None, None, NONE_FITS
    return inside, max(share - error, 0.0), min(share + error, 1.0), ""


def _bounds(worth: NDArray[np.float64], carried: NDArray[np.bool_], score: float) -> tuple[float | None, float | None]:
    """Return the least and the greatest share that a mix of the label sets of labelled chips can have at a score."""
    from scipy.optimize import linprog

    kinds = np.unique(np.stack([worth, carried], axis=1), axis=0)
    ends = []
    for sign in (1, -1):
        found = linprog(
            sign * kinds[:, 1],
            A_ub=np.stack([kinds[:, 0], -kinds[:, 0]]),
            b_ub=[score + ROUNDED, ROUNDED - score],
            A_eq=np.ones((1, len(kinds))),
            b_eq=[1],
        )
        if not found.success:
            return None, None
        ends.append(float(np.clip(sign * found.fun, 0, 1)))
    return ends[0], ends[1]


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4f} to {high:.4f}"
