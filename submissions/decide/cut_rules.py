"""The rules that decide by cuts: how each finds its cuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.metrics.judge import measure
from competition.spec.metric import Metric
from submissions.decide.decisions import at_or_above
from submissions.decide.exact_cuts import CutSearch
from submissions.decide.log_odds import log_odds
from submissions.decide.studies import Tuning, tune
from submissions.measure.fast_metric import SAME

REACH = 1.0  # in log odds, how far Optuna looks beyond where it starts
INNER_FOLDS = 3
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


class CutRule:
    """A decision rule made of one cut per label.

    Attributes:
        learns: whether the cuts depend on what it is fitted to.
        cuts: float array (num_labels,), once fitted.
    """

    learns = True
    cuts: NDArray[np.float64]

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Find the cuts for scores (num_chips, num_labels)."""
        self.cuts = self._find(scores, truth)
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.bool_]:
        """Return `score >= cut`, (num_chips, num_labels)."""
        return at_or_above(scores, self.cuts)

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        raise NotImplementedError


class FixedRule(CutRule):
    """One given cut for all labels.

    Example:
        >>> rule = FixedRule(0.2).fit(np.zeros((1, 3)), np.zeros((1, 3), dtype=bool))
        >>> rule.predict(np.array([[0.1, 0.2, 0.7]]))
        array([[False,  True,  True]])
    """

    learns = False

    def __init__(self, value: float) -> None:
        self.value = value

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.full(scores.shape[1], self.value)


class UniformRule(CutRule):
    """The best of the cuts .00, .01, ..., 1.00 for all labels, the paper's search.

    Ties go to the cut nearest to the metric's prior cut.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        return _uniform(CutSearch(scores, truth, self.metric))


class PerLabelRule(CutRule):
    """One cut per label, by exact coordinate ascent from several starts, see `CutSearch`.

    Example:
        >>> scores = np.array([[0.1, 0.9], [0.3, 0.5], [0.4, 0.2]])
        >>> truth = np.array([[False, True], [True, False], [True, False]])
        >>> PerLabelRule(Metric(beta=2)).fit(scores, truth).cuts.round(3)  # half-way between the scores they part
        array([0.2, 0.7])
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        search = CutSearch(scores, truth, self.metric)
        prior = np.full(scores.shape[1], self.metric.prior_cut)
        return search.ascend([prior, _uniform(search), *(_moved(prior, np.log(odds)) for odds in (0.5, 2))])


class ShrunkRule(CutRule):
    """Per-label cuts drawn towards the prior cut, as far as that raises the metric of chips they were not made for.

    Log odds are drawn; how far is found by cross-fitting within the chips fitted to.

    Attributes:
        strength: share of the way from the prior cut to the per-label one, once fitted.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        parts = np.random.default_rng(0).permutation(len(truth)) % INNER_FOLDS
        cuts_of = {}
        for part in np.unique(parts).tolist():
            kept = parts != part
            # From one start: this is to find how far to go, not where to.
            search = CutSearch(scores[kept], truth[kept], self.metric)
            cuts_of[part] = search.ascend([np.full(scores.shape[1], self.metric.prior_cut)])
        decided, values = np.empty(truth.shape, dtype=bool), []
        for strength in STRENGTHS:
            for part, cuts in cuts_of.items():
                decided[parts == part] = at_or_above(scores[parts == part], self._drawn(cuts, strength))
            values.append(measure(truth, decided, self.metric))
        self.strength = STRENGTHS[int(np.argmax(np.array(values) >= max(values) - SAME))]  # the weakest of equals
        return self._drawn(PerLabelRule(self.metric).fit(scores, truth).cuts, self.strength)

    def _drawn(self, cuts: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
        prior = np.full(len(cuts), self.metric.prior_cut)
        return cuts if strength == 1 else _moved(prior, strength * (log_odds(cuts) - log_odds(prior)))


class PrecisionRule(CutRule):
    """The lowest cut of each label at which the share of right decisions is as wanted; none where there is no such cut.

    Args:
        wanted: precision, in (0, 1].

    Example:
        >>> scores, truth = np.array([[0.9], [0.7], [0.6], [0.2]]), np.array([[True], [False], [True], [False]])
        >>> PrecisionRule(0.6).fit(scores, truth).cuts, PrecisionRule(0.7).fit(scores, truth).cuts
        (array([0.6]), array([0.9]))
    """

    def __init__(self, wanted: float) -> None:
        self.wanted = wanted

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.array([self._of_label(*columns) for columns in zip(scores.T, truth.T, strict=True)])

    def _of_label(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> float:
        order = np.argsort(-scores, kind="stable")
        ranked, right = scores[order], truth[order]
        is_last = np.append(ranked[1:] != ranked[:-1], True)  # of equal scores, all are decided or none
        precise = np.flatnonzero(is_last & (np.cumsum(right) >= self.wanted * np.arange(1, len(right) + 1)))
        return float(ranked[precise[-1]]) if len(precise) else np.inf


class TunedRule(CutRule):
    """One cut per label, tuned by Optuna from the exact ones on, and not far from them.

    For what no exact search is known for; here it shows that there is nothing left to find.

    Args:
        metric: what to raise.
        labels: names of the labels, under which the study keeps the cuts.
        tuning: how Optuna tunes.
    """

    def __init__(self, metric: Metric, labels: Sequence[str], tuning: Tuning) -> None:
        self.metric, self.labels, self.tuning = metric, tuple(labels), tuning

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        search, exact = CutSearch(scores, truth, self.metric), PerLabelRule(self.metric).fit(scores, truth).cuts
        starts = [exact, np.full(len(self.labels), self.metric.prior_cut)]
        return tune(
            search.value,
            self.labels,
            starts,
            self.tuning,
            low=float(_moved(np.min(starts), -REACH)),
            high=float(_moved(np.max(starts), REACH)),
            study_name=self.tuning.name_study(self.metric, self.labels, scores, truth),
        )


def _uniform(search: CutSearch) -> NDArray[np.float64]:
    values, prior = search.uniform(), search.metric.prior_cut
    best = np.flatnonzero(values >= values.max() - SAME) / (len(values) - 1)
    return np.full(search.num_labels, best[np.abs(best - prior).argmin()])


def _moved(cuts: ArrayLike, by: ArrayLike) -> NDArray[np.float64]:
    """Return cuts whose log odds are higher by `by`; 0 and 1 stay.

    Not by `expit` of `logit`, which may differ in the last digit: Optuna tunes a study on disk further only within the
    very bounds that it was begun with.
    """
    cuts, factor = np.asarray(cuts, dtype=np.float64), np.exp(by)
    return np.asarray(cuts * factor / (1 - cuts + cuts * factor))
