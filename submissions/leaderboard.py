"""The ledger as people read it, and how far cross-fitted scores and the leaderboard agree."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats
from tabulate import tabulate

from competition.kaggle_errors import clean
from competition.labels import counted
from submissions.ledger import Entry
from submissions.upload import day

FEWEST = 3
WIDTH = 40  # of a message in the table


@dataclass(frozen=True)
class Correlation:
    """How far cross-fitted scores foretell those of the leaderboard.

    Attributes:
        count: submissions that have both.
        pearson: correlation of the scores; None if there are fewer than three, or all are alike.
        low: lower end of its 95 % interval, by Fisher's transformation; None for fewer than four.
        high: upper end of it.
        spearman: correlation of the ranks.
        gap: mean of leaderboard less cross-fitted.
        gap_error: standard deviation of that difference among submissions.
    """

    count: int
    pearson: float | None = None
    low: float | None = None
    high: float | None = None
    spearman: float | None = None
    gap: float | None = None
    gap_error: float | None = None

    def text(self, board: str) -> str:
        """Return the correlation as one line.

        Args:
            board: which leaderboard, such as "public".
        """
        begin = f"Cross-fitted and {board} scores of {counted(self.count, 'submission')}: "
        if self.gap is None or self.gap_error is None:
            return f"{begin}{FEWEST} are needed to compare them."
        apart = f"{board} is {abs(self.gap):.4f} {'lower' if self.gap < 0 else 'higher'} (spread {self.gap_error:.4f})"
        if self.pearson is None or self.spearman is None:
            return f"{begin}{apart}; all alike in one of them, so no correlation."
        interval = "" if self.low is None or self.high is None else f" ({self.low:.2f} to {self.high:.2f})"
        return f"{begin}Pearson {self.pearson:.2f}{interval}, Spearman {self.spearman:.2f}; {apart}."


def correlate(entries: Sequence[Entry], board: str) -> Correlation:
    """Compare the cross-fitted scores of submissions with those of a leaderboard.

    Args:
        entries: of the ledger; a file that was submitted several times counts once.
        board: "public" or "private".
    """
    both = {
        entry.marker or str(entry.ref): (entry.cross_fitted, getattr(entry, board))
        for entry in entries
        if entry.cross_fitted is not None and getattr(entry, board) is not None
    }
    if len(both) < FEWEST:
        return Correlation(len(both))
    ours, theirs = np.array(list(both.values()), dtype=float).T
    gaps = theirs - ours
    apart = {"gap": float(gaps.mean()), "gap_error": float(gaps.std(ddof=1))}
    if min(np.ptp(ours), np.ptp(theirs)) == 0:
        return Correlation(len(both), **apart)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        found = stats.pearsonr(ours, theirs)
        interval = found.confidence_interval() if len(both) > FEWEST else (None, None)
        low, high = (None if end is None else float(end) for end in interval)
        spearman = float(stats.spearmanr(ours, theirs).statistic)
    return Correlation(len(both), float(found.statistic), low, high, spearman, **apart)


def ledger_text(entries: Sequence[Entry]) -> str:
    """Return the table of all submissions, the first one first, and the correlations."""
    if not entries:
        return 'No submissions yet. "submissions sync" pulls those that were made elsewhere.'
    rows = [_cells(entry) for entry in entries]
    header = ["UTC", "name", "ref", "cross-fitted", "public", "private", "state", "message"]
    table = tabulate(rows, header, disable_numparse=True)
    lines = [correlate(entries, "public").text("public")]
    if any(entry.stage == "unconfirmed" for entry in entries):
        lines.insert(
            0, "Of what is unconfirmed Kaggle gave no number; `submissions sync` and `submit` ask whether it is there."
        )
    if any(entry.private is not None for entry in entries):
        lines.append(correlate(entries, "private").text("private"))
    return "\n".join([table, "", *lines])


def ledger_json(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return all submissions and the correlations for a JSON file."""
    boards = {board: asdict(correlate(entries, board)) for board in ("public", "private")}
    return {"submissions": [entry.as_dict() for entry in entries], "correlation": boards}


def score_text(entry: Entry) -> str:
    """Return the scores of one submission beside the cross-fitted one."""
    scores = [f"{board} {value:.5f}" for board in ("public", "private") if (value := getattr(entry, board)) is not None]
    if entry.cross_fitted is not None:
        interval = "" if entry.low is None else f" ({entry.low:.4f} to {entry.high:.4f})"
        scores.append(f"cross-fitted {entry.metric} {entry.cross_fitted:.4f}{interval}")
    return ", ".join(scores) or "no score"


def _cells(entry: Entry) -> list[str]:
    interval = "" if entry.low is None else f" ({entry.low:.4f} to {entry.high:.4f})"
    ours = "" if entry.cross_fitted is None else f"{entry.cross_fitted:.4f}{interval}"
    public, private = ("" if value is None else f"{value:.5f}" for value in (entry.public, entry.private))
    state = entry.state if entry.stage != "ended" else f"not submitted: {clean(entry.error, WIDTH)}"
    return [
        day(entry.when),
        clean(entry.name, WIDTH),
        "" if entry.ref is None else str(entry.ref),
        ours,
        public,
        private,
        state,
        clean(entry.message, WIDTH),
    ]
