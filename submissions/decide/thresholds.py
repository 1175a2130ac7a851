"""Cuts: the rules that find them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.metrics import f_beta
from competition.spec import Metric
from submissions.decide.decisions import at_or_above
from submissions.decide.exact_cuts import CutSearch
from submissions.decide.log_odds import logit
from submissions.decide.studies import name_study, tune
from submissions.measure.fast_metric import SAME

TRIALS = 200
REACH = 1.0  # in log odds, how far Optuna looks beyond where it starts
INNER_FOLDS = 3
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


class CutRule:
    """A decision rule made of one cut a label.

    Attributes:
        cuts: float array (num_labels,), once fitted.
    """

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


class FixedCut(CutRule):
    """One given cut for all labels."""

    def __init__(self, value: float) -> None:
        self.value = value

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.full(scores.shape[1], self.value)


class UniformCut(CutRule):
    """The best of the cuts .00, .01, ..., 1.00 for all labels, the paper's search.

    Ties go to the cut nearest to the metric's prior cut.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        return _uniform(CutSearch(scores, truth, self.metric))


class PerLabelCuts(CutRule):
    """One cut a label, by exact coordinate ascent from several starts (see `submissions/exact_cuts.py`)."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        search = CutSearch(scores, truth, self.metric)
        prior = np.full(scores.shape[1], self.metric.prior_cut)
        return search.ascend([prior, _uniform(search), *(_moved(prior, np.log(odds)) for odds in (0.5, 2))])


class ShrunkCuts(CutRule):
    """Per-label cuts drawn towards the prior cut, as far as that raises the metric of chips they were not made for.

    Log odds are drawn; how far is found by cross-fitting within the chips fitted to.

    Attributes:
        strength: share of the way from the prior cut to the per-label one, once fitted.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        parts = np.random.default_rng(0).permutation(len(truth)) % INNER_FOLDS
        values = np.zeros(len(STRENGTHS))
        decided = np.zeros((len(STRENGTHS), *truth.shape), dtype=bool)
        for part in np.unique(parts):
            out = parts == part
            # From one start: this is to find how far to go, not where to.
            search = CutSearch(scores[~out], truth[~out], self.metric)
            found = search.ascend([np.full(scores.shape[1], self.metric.prior_cut)])
            for number, strength in enumerate(STRENGTHS):
                decided[number, out] = at_or_above(scores[out], self._drawn(found, strength))
        values = np.array([f_beta(truth, each, self.metric) for each in decided])
        self.strength = STRENGTHS[int(np.argmax(values >= values.max() - SAME))]  # the weakest of equals
        return self._drawn(PerLabelCuts(self.metric).fit(scores, truth).cuts, self.strength)

    def _drawn(self, cuts: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
        prior = np.full(len(cuts), self.metric.prior_cut)
        return cuts if strength == 1 else _moved(prior, strength * (logit(cuts) - logit(prior)))


class TunedCuts(CutRule):
    """One cut a label, tuned by Optuna from the exact ones on, and not far from them.

    For what no exact search is known for; here it shows that there is nothing left to find.

    Args:
        metric: what to raise.
        labels: names of the labels, under which the study keeps the cuts.
        trials: size of the study; a study on disk is topped up to it.
        seed: of Optuna's sampler.
        studies: the SQLite file that keeps the study; None keeps it in memory.
        title: how the study's name begins. It ends in a digest of scores, truth, metric and seed, so that a study
            is never carried on with other scores.
    """

    def __init__(
        self,
        metric: Metric,
        labels: Sequence[str],
        *,
        trials: int = TRIALS,
        seed: int = 0,
        studies: Path | None = None,
        title: str = "cuts",
    ) -> None:
        self.metric = metric
        self.labels = tuple(labels)
        self.trials = trials
        self.seed = seed
        self.studies = studies
        self.title = title

    def _find(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
        objective, exact = CutSearch(scores, truth, self.metric), PerLabelCuts(self.metric).fit(scores, truth).cuts
        starts = [exact, np.full(len(self.labels), self.metric.prior_cut)]
        return tune(
            objective.value,
            self.labels,
            starts,
            low=float(_moved(np.min(starts), -REACH)),
            high=float(_moved(np.max(starts), REACH)),
            trials=self.trials,
            seed=self.seed,
            study_name=name_study(self.title, self.metric, self.labels, self.seed, scores, truth),
            path=self.studies,
        )


def _uniform(search: CutSearch) -> NDArray[np.float64]:
    values, prior = search.uniform(), search.metric.prior_cut
    best = np.flatnonzero(values >= values.max() - SAME) / (len(values) - 1)
    return np.full(search.num_labels, best[np.abs(best - prior).argmin()])


def _moved(cuts: ArrayLike, log_odds: ArrayLike) -> NDArray[np.float64]:
    """Return cuts whose log odds are higher by `log_odds`; 0 and 1 stay."""
    cuts, factor = np.asarray(cuts, dtype=np.float64), np.exp(log_odds)
    return np.asarray(cuts * factor / (1 - cuts + cuts * factor))
