"""Whether the public scores of a ledger are further from the cross-fitted ones than chance brings them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from competition.common.errors import UserError, spelled
from competition.common.progress import reporter
from competition.common.text import counted
from competition.workspace import Workspace
from submissions.final.agreeing import chips_of, variance_of
from submissions.measure.shake_up import public_chips
from submissions.shift.expected import NOTABLE, Expected, expect
from submissions.submit.entry import Entry
from submissions.submit.ledger import Ledger


@dataclass(frozen=True)
class Disagreement:
    """How far public scores are from cross-fitted ones.

    Attributes:
        submissions: with both scores, and a known error of the cross-fitted one.
        gap: median of public less cross-fitted.
        noise: median of the standard error of that, if nothing but chance parts them: of the labelled chips, and of
            the public ones.
        expected: what the weights of the workspace say of it; None where it keeps none.
    """

    submissions: int
    gap: float
    noise: float
    expected: Expected | None = None

    @property
    def is_more_than_chance(self) -> bool:
        """Whether chance alone seldom parts scores so far; what submissions share moves all of them together."""
        return abs(self.gap) > NOTABLE * self.noise

    def text(self) -> str:
        """Return it for a terminal."""
        how = "higher" if self.gap > 0 else "lower"
        line = (
            f"Public scores are {abs(self.gap):.4f} {how} than cross-fitted ones (the median of "
            f"{counted(self.submissions, 'submission')}), where chance alone has ± {self.noise:.4f}: they disagree."
        )
        if self.expected is None:
            return f"{line} `{spelled('adversarial MODEL')}` says whether chips to predict look otherwise."
        value, error = self.expected.difference
        return (
            f"{line} Weighed to look like the chips to predict, the labelled ones give {value:+.4f} ± {error:.4f} "
            f"({self.expected.name})."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same, for JSON."""
        expected = self.expected.as_dict() if self.expected else None
        return {**asdict(self), "expected": expected, "more_than_chance": self.is_more_than_chance}


def disagreement(entries: Sequence[Entry], workspace: Workspace, public: float) -> Disagreement | None:
    """Return how far public scores are from cross-fitted ones; None where that is no more than chance, or not known.

    Args:
        entries: of the ledger.
        workspace: of the competition.
        public: share of the chips to predict behind a public score.
    """
    gaps, noises = [], []
    with suppress(UserError):  # without data, or by a share of no chip, nobody knows how many chips are public
        num_public = public_chips(public, len(workspace.test_names))
        for entry in entries:
            variance = variance_of(entry)
            if entry.metric != workspace.competition.metric.title or np.isnan(variance):
                continue
            if entry.public is not None and entry.cross_fitted is not None:
                gaps.append(entry.public - entry.cross_fitted)
                noises.append(np.sqrt(variance * (1 / chips_of(entry) + 1 / num_public)))
    if not gaps:
        return None
    found = Disagreement(len(gaps), float(np.median(gaps)), float(np.median(noises)))
    if not found.is_more_than_chance:
        return None
    with suppress(UserError):  # no weights yet, or of something else
        expected = expect(workspace, public)
        if isinstance(expected, Expected):
            return Disagreement(found.submissions, found.gap, found.noise, expected)
    return found


def disagreement_in(workspace: Workspace, public: float) -> Disagreement | None:
    """Return what `disagreement` finds in a workspace's ledger; that this cannot be read is said, and stops nobody.

    Args:
        workspace: of the competition.
        public: share of the chips to predict behind a public score.
    """
    try:
        entries = Ledger.of(workspace).entries()
    except UserError as error:
        reporter.note(f"Whether public scores agree is not known: {error}")
        return None
    return disagreement(entries, workspace, public)
