"""How far public scores will be from cross-fitted ones: by the shift that weights show, and by chance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.metrics.bootstrap import bootstrap
from competition.terminal.output import Found, Remark
from competition.workspace import Workspace
from submissions.choose.candidates import make_candidates
from submissions.choose.compare import compare, known_members
from submissions.measure.evaluation import Difference
from submissions.measure.shake_up import public_chips
from submissions.shift.weighed import Weighing

NOTABLE = 2.0  # standard errors of one difference, beyond which scores are said to disagree


@dataclass(frozen=True)
class Expected:
    """What public scores are to be expected.

    Attributes:
        name: of the best single model.
        metric: title of the metric.
        cross_fitted: the metric on the labelled chips.
        weighed: the same, with chips weighed to look like those to predict.
        difference: of the two, weighed less plain, with its standard error.
        chance: standard error of a public score, as it is of some of the chips to predict.
        public: number of these.
    """

    name: str
    metric: str
    cross_fitted: float
    weighed: float
    difference: Difference
    chance: float
    public: int

    @property
    def disagrees(self) -> bool:
        """Whether the weights move the metric by more than chance does, among labelled and among public chips."""
        return abs(self.difference.value) > max(NOTABLE * self.difference.error, self.chance)

    def text(self) -> str:
        """Return it for a terminal."""
        value, error = self.difference
        lines = (
            f"{self.metric} of {self.name}, the best model by itself: {self.cross_fitted:.4f} on the labelled chips, "
            f"{self.weighed:.4f} weighed to look like those to predict: {value:+.4f} ± {error:.4f}."
        )
        noise = f"A public score, of {self.public:,} chips, is ± {self.chance:.4f} off by chance alone."
        if not self.disagrees:
            return f"{lines} {noise} Nothing says that the public leaderboard will not agree with cross-validation."
        how = "higher" if value > 0 else "lower"
        return (
            f"{lines} {noise} The public leaderboard will not agree with cross-validation: expect scores about "
            f"{abs(value):.4f} {how} there, as chips to predict look otherwise in the ways above. (That is a rough "
            "guess: of made-up shifts, weights foretold .4 to .8 of what haze and clouds cost, and of brightness the "
            "wrong sign.)"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same, for JSON."""
        return {**asdict(self), "difference": self.difference._asdict(), "disagrees": self.disagrees}


def expect(workspace: Workspace, public: float) -> Found:
    """Say how far public scores will be from cross-fitted ones, or why that is not known.

    Args:
        workspace: which keeps weights.
        public: share of the chips to predict behind a public score.
    """
    try:
        return _expected(workspace, public)
    except UserError as error:  # no scores or weights yet, or they are of other chips
        return Remark(f"What the weights make of scores is not known yet: {error}")


def _expected(workspace: Workspace, public: float) -> Expected:
    num_public = public_chips(public, len(workspace.test_names))
    with reporter.silent():
        names = known_members(workspace)
    with reporter.busy("weighing scores"):
        candidates = make_candidates(names, workspace)
        if not candidates.whole:
            raise UserError("No model scores every label by itself.")
        comparison = compare(candidates, (), [candidates.simplest_rule])
        weighing, best = Weighing.of(comparison, workspace), comparison.best.evaluation
        value, resampled = weighing.value(best), weighing.resampled(best)
        moved = Difference(value - best.cross_fitted, float(np.std(resampled - best.resampled, ddof=1)))
        spread = float(np.std(bootstrap(weighing.truth, [best.answers], best.metric), ddof=1))
    return Expected(
        name=best.name,
        metric=best.metric.title,
        cross_fitted=best.cross_fitted,
        weighed=value,
        difference=moved,
        chance=spread * float(np.sqrt(len(weighing.weights) / num_public)),
        public=num_public,
    )
