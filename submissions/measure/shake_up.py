"""The shake-up between the public and the private leaderboard, simulated on labelled chips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.metrics.bootstrap import metric_of_draws
from competition.spec.metric import Metric
from submissions.measure.fast_metric import SAME

SPLITS = 1000


@dataclass(frozen=True, eq=False)
class ShakeUp:
    """What random splits of the chips into a public and a private part show.

    Attributes:
        public: share of the chips in the public part.
        chosen: mean private metric of the chosen answers.
        leader: mean private metric of the answers that lead on the public part, whichever these are in each split.
        best: share of the splits in which the chosen ones are best, or equal to the best, on the private part.
        beats: float array (num_answers,): share of the splits in which the chosen ones beat each of the answers on
            the private part; equal ones count half.
    """

    public: float
    chosen: float
    leader: float
    best: float
    beats: NDArray[np.float64]

    def text(self) -> str:
        """Return what they show, below a table with `beats`, by percent, in a column "beaten"."""
        return (
            f"Shake-up: {SPLITS:,} random splits, {self.public:.0%} of the chips public and the rest private. "
            f"In private the chosen one is the best in {self.best:.0%} of them, {self.chosen:.4f} in the mean; "
            f"what leads in public gets {self.leader:.4f}. `beaten`: how often the chosen one beats a row in private."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same, for JSON."""
        return {**vars(self), "beats": self.beats.tolist()}


def public_chips(public: float, total: int, chips: str = "chips to predict") -> int:
    """Return how many chips a share of them is.

    Args:
        public: share of the chips in the public part.
        total: number of chips.
        chips: what they are called.

    Raises:
        UserError: if no chip would be public, or none private.
    """
    num_public = round(public * total)
    if not 0 < num_public < total:
        raise UserError(f"--public {public:g} of {total:,} {chips} leaves a part of them empty.")
    return num_public


def shake_up(
    truth: NDArray[np.bool_],
    answers: Sequence[NDArray[Any]],
    chosen: int,
    metric: Metric,
    public: float,
    *,
    splits: int = SPLITS,
    seed: int = 0,
) -> ShakeUp:
    """Split the chips at random, again and again, and compare what leads in public with what is chosen.

    Args:
        truth: bool array (num_chips, num_labels).
        answers: arrays (num_chips, num_labels), cross-fitted.
        chosen: which of them is chosen.
        metric: what is measured.
        public: share of the chips in the public part, between 0 and 1.
        splits: how many to draw.
        seed: of the draws.

    Raises:
        UserError: if a part would have no chip.

    Example:
        >>> truth = np.array([[True, False], [False, True], [True, True]])
        >>> shaken = shake_up(truth, [truth, ~truth], 0, Metric(beta=2), 0.34, splits=9)
        >>> shaken.chosen, shaken.best, shaken.beats
        (1.0, 1.0, array([0.5, 1. ]))
    """
    num_public = public_chips(public, len(truth), "labelled chips")
    random = np.random.default_rng(seed)
    shown = np.zeros((splits, len(truth)), dtype=np.uint8)
    for row in shown:
        row[random.permutation(len(truth))[:num_public]] = 1
    seen = metric_of_draws(shown, num_public, truth, answers, metric)
    kept = metric_of_draws(1 - shown, len(truth) - num_public, truth, answers, metric)
    lag = metric.sign * (kept[:, [chosen]] - kept)
    return ShakeUp(
        public=public,
        chosen=float(kept[:, chosen].mean()),
        leader=float(kept[np.arange(splits), (metric.sign * seen).argmax(axis=1)].mean()),
        best=float((lag >= -SAME).all(axis=1).mean()),
        beats=np.asarray(((lag > SAME) + 0.5 * (np.abs(lag) <= SAME)).mean(axis=0)),
    )
