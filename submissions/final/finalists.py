"""The submissions that can be selected, once each, with what is known of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from competition.common.text import first
from competition.kaggle.errors import clean
from competition.spec.metric import Metric
from submissions.submit.entry import Entry

FAR = 30  # standard errors of a public score: so far below the best, a submission tells nothing of how others spread
WIDTH = 24  # of a name, where it is shown


@dataclass(frozen=True)
class Finalists:
    """Submissions to select from.

    Attributes:
        entries: each with a cross-fitted score in the competition's metric, a public score, or both.
        notes: lines that say which entries of the ledger are not among them.
    """

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]

    def scores(self, metric: Metric) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return cross-fitted and public scores (num_finalists,), of which more is better; NaN where there is none."""
        both = [(entry.cross_fitted, entry.public) for entry in self.entries]
        ours, public = np.array(both, dtype=float).reshape(-1, 2).T
        return metric.sign * ours, metric.sign * public

    @property
    def names(self) -> list[str]:
        """What they are called: by name, and number where several have the same."""
        names = [clean(entry.name, WIDTH) for entry in self.entries]
        times = Counter(names)
        refs = [f" ({entry.ref})" if times[name] > 1 else "" for name, entry in zip(names, self.entries, strict=True)]
        return [f"{name}{ref}" for name, ref in zip(names, refs, strict=True)]


def find_finalists(entries: Sequence[Entry], metric: Metric) -> Finalists:
    """Return the submissions of a ledger that Kaggle has and that can be selected.

    Args:
        entries: of the ledger, the first one first.
        metric: the competition's; cross-fitted scores in another one do not count.
    """
    at_kaggle = [entry for entry in entries if entry.stage == "confirmed" and entry.status != "error"]
    ours = [_in_metric(entry, metric) for entry in at_kaggle]
    scored = [entry for entry in ours if _scores(entry)]
    known = [entry for entry in scored if all(map(metric.can_be, _scores(entry)))]
    once: dict[str, Entry] = {}
    for entry in known:  # a score stays known where the same file was submitted again and is not scored yet
        key = entry.marker or str(entry.ref)
        if key not in once or entry.public is not None:
            once[key] = entry
    left_out = {
        "that Kaggle did not take, or could not score": len(entries) - len(at_kaggle),
        "without any score": len(at_kaggle) - len(scored),
        f"with a score that {metric.title} cannot be": len(scored) - len(known),
        "whose file was submitted again": len(known) - len(once),
    }
    notes = [f"Left out: {count} {why}." for why, count in left_out.items() if count]
    if other := sum(mine.cross_fitted != entry.cross_fitted for mine, entry in zip(ours, at_kaggle, strict=True)):
        notes.append(f"{other} cross-fitted in another metric than {metric.title}: only their public scores count.")
    return Finalists(tuple(once.values()), tuple(notes))


def without_far(finalists: Finalists, metric: Metric, error: float) -> Finalists:
    """Leave out submissions that are far below the best, such as probes: they would say that all others are alike.

    Args:
        finalists: to select from.
        metric: the competition's.
        error: standard error of a public score.
    """
    scores = np.stack(finalists.scores(metric))
    behind = np.max(scores, axis=1, keepdims=True, where=~np.isnan(scores), initial=-np.inf) - scores
    is_far = np.nanmin(behind, axis=0) > FAR * error
    if not is_far.any() or (~is_far).sum() < 2:
        return finalists
    entries = finalists.entries
    names = [name for name, far in zip(finalists.names, is_far, strict=True) if far]
    kept = tuple(entry for entry, far in zip(entries, is_far, strict=True) if not far)
    note = f"Left out: {len(names)} that cannot win, over {FAR * error:.3g} behind: {first(names)}."
    return Finalists(kept, (*finalists.notes, note))


def _scores(entry: Entry) -> list[float]:
    return [score for score in (entry.cross_fitted, entry.public) if score is not None]


def _in_metric(entry: Entry, metric: Metric) -> Entry:
    if entry.cross_fitted is None or entry.metric == metric.title:
        return entry
    return replace(entry, cross_fitted=None, low=None, high=None)
