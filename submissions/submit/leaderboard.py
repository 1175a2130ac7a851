"""The submissions as people read them, and how far cross-fitted scores foretell the leaderboard."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from competition.common.errors import spelled
from competition.common.text import counted, day
from competition.kaggle.errors import clean
from competition.terminal.tables import table
from submissions.submit.entry import Entry

BOARDS = ("public", "private")
FEWEST = 3  # submissions, to compare their scores with a leaderboard
LINE = 1e-9  # of a correlation, to that of a line
INTERVAL = "95 % interval"
WIDTH = 24  # of a name or a message in the table


@dataclass(frozen=True)
class Correlation:
    """How far cross-fitted scores foretell those of the leaderboard.

    Attributes:
        count: submissions that have both.
        pearson: correlation of the scores; None if there are fewer than three, or all are alike.
        low: lower end of its 95 % interval, by Fisher's transformation, as if the submissions shared neither chips nor
            models; None for fewer than four, or where they lie on a line.
        high: upper end of it.
        spearman: correlation of the ranks.
        gap: mean of leaderboard less cross-fitted.
        gap_spread: standard deviation of that difference among submissions.
    """

    count: int
    pearson: float | None = None
    low: float | None = None
    high: float | None = None
    spearman: float | None = None
    gap: float | None = None
    gap_spread: float | None = None

    def text(self, board: str) -> str:
        """Return the correlation as one line.

        Args:
            board: which leaderboard, such as "public".
        """
        begin = f"Cross-fitted against {board} score, {counted(self.count, 'different file')} with both: "
        if self.gap is None or self.gap_spread is None:
            return f"{begin}{FEWEST} are needed to compare them."
        apart = (
            f"{board} is {abs(self.gap):.4f} {'lower' if self.gap < 0 else 'higher'} on average "
            f"(standard deviation {self.gap_spread:.4f})"
        )
        if self.pearson is None or self.spearman is None:
            return f"{begin}all alike in one of them, so no correlation; {apart}."
        if self.low is None or self.high is None:
            interval = "too few for an interval"
        else:
            interval = f"95 %, were they independent: {self.low:.2f} to {self.high:.2f}"
        return f"{begin}Pearson {self.pearson:.2f} ({interval}), Spearman {self.spearman:.2f}; {apart}."


def correlate(entries: Sequence[Entry], board: str) -> Correlation:
    """Compare the cross-fitted scores of submissions with those of a leaderboard, in the metric of the latest.

    Args:
        entries: of the ledger; a file that was submitted several times counts once.
        board: "public" or "private".
    """
    known = [entry for entry in entries if entry.cross_fitted is not None and getattr(entry, board) is not None]
    both = {
        entry.marker or str(entry.ref): (entry.cross_fitted, getattr(entry, board))
        for entry in known
        if entry.metric == known[-1].metric
    }
    if len(both) < FEWEST:
        return Correlation(len(both))
    ours, theirs = np.array(list(both.values()), dtype=float).T
    gaps = theirs - ours
    apart = {"gap": float(gaps.mean()), "gap_spread": float(gaps.std(ddof=1))}
    if min(np.ptp(ours), np.ptp(theirs)) == 0:
        return Correlation(len(both), **apart)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        pearson = stats.pearsonr(ours, theirs)
        is_open = len(both) > FEWEST and abs(pearson.statistic) < 1 - LINE
        interval = pearson.confidence_interval() if is_open else (None, None)
        low, high = (None if end is None else float(end) for end in interval)
        spearman = float(stats.spearmanr(ours, theirs).statistic)
    return Correlation(len(both), float(pearson.statistic), low, high, spearman, **apart)


@dataclass(frozen=True)
class Standings:
    """All submissions of a competition.

    Attributes:
        entries: of the ledger, the first one first.
        is_on_kaggle: whether Kaggle's name of the competition is known.
    """

    entries: Sequence[Entry]
    is_on_kaggle: bool = True

    def text(self) -> str:
        """Return the table of the submissions, and the correlations."""
        if not self.entries and not self.is_on_kaggle:
            return "No submissions: without a slug in the competition file, none can be made or seen from here."
        if not self.entries:
            return f'No submissions yet. "{spelled("submissions sync")}" pulls those that were made elsewhere.'
        headers = ["UTC", "name", "ref", "cross-fitted", INTERVAL, "public", "private", "state", "message"]
        ledger = table(headers, map(_cells, self.entries), "llrrrrrll", spare=[INTERVAL, "ref", "message"])
        lines = [_why(entry) for entry in self.entries if entry.error]
        sync = spelled("submissions sync")
        if any(entry.stage == "unconfirmed" for entry in self.entries):
            lines.append(f"Of what is unconfirmed Kaggle gave no number; `{sync}` asks for it.")
        if pending := sum(entry.state == "pending" for entry in self.entries):
            lines.append(f"{counted(pending, 'submission')} not scored when last seen; `{sync}` asks again.")
        lines.append(correlate(self.entries, "public").text("public"))
        if any(entry.private is not None for entry in self.entries):
            lines.append(correlate(self.entries, "private").text("private"))
        return "\n".join([ledger, "", *lines])

    def as_dict(self) -> dict[str, Any]:
        """Return all submissions and the correlations, for JSON."""
        boards = {board: asdict(correlate(self.entries, board)) for board in BOARDS}
        return {"submissions": [entry.as_dict() for entry in self.entries], "correlation": boards}


def _why(entry: Entry) -> str:
    """Return why an entry was not submitted or not scored, as a line."""
    what = "was not submitted" if entry.stage == "ended" else "was not scored"
    return f"{clean(entry.name, WIDTH)} of {day(entry.when)} {what}: {clean(entry.error)}"


def _cells(entry: Entry) -> list[str]:
    interval = "" if entry.low is None else f"{entry.low:.4f} to {entry.high:.4f}"
    ours = "" if entry.cross_fitted is None else f"{entry.cross_fitted:.4f}"
    public, private = ("" if value is None else f"{value:.5f}" for value in (entry.public, entry.private))
    state = entry.state if entry.stage != "ended" else "not submitted"
    return [
        day(entry.when),
        clean(entry.name, WIDTH),
        "" if entry.ref is None else str(entry.ref),
        ours,
        interval,
        public,
        private,
        state,
        clean(entry.message, WIDTH),
    ]
