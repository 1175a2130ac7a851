"""Cuts: the rules that find them, and which of them to believe."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.errors import unknown_name
from competition.files import digest_json
from competition.metrics import f_beta
from competition.spec import Competition, Metric
from folds.chip_scores import scored_labels
from submissions.decoding import at_or_above
from submissions.evaluate import Evaluation, evaluate
from submissions.exact_cuts import SAME, CutSearch
from submissions.means import logit
from submissions.specialists import labels_of, metric_of
from submissions.studies import tune

TRIALS = 200
REACH = 1.0  # in log odds, how far Optuna looks beyond where it starts
INNER_FOLDS = 5
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
AUTO = "auto"
TUNED = "optuna"


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


# Makes a new rule for the labels that a bool array (num_labels,) marks; it takes the columns of these.
MakeRule = Callable[[NDArray[np.bool_]], CutRule]


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
            found = PerLabelCuts(self.metric).fit(scores[~out], truth[~out]).cuts
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
            study_name=self.study_name(scores, truth),
            path=self.studies,
        )

    def study_name(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> str:
        """Return the name of the study for these scores and truth."""
        content = hashlib.sha256(scores.astype(np.float32).tobytes())
        content.update(np.packbits(truth).tobytes())
        settings = [list(truth.shape), self.metric.name, list(self.labels), self.seed]
        return f"{self.title} {self.metric.name} {digest_json([content.hexdigest(), settings])[:16]}"


def _uniform(search: CutSearch) -> NDArray[np.float64]:
    values, prior = search.uniform(), search.metric.prior_cut
    best = np.flatnonzero(values >= values.max() - SAME) / (len(values) - 1)
    return np.full(search.num_labels, best[np.abs(best - prior).argmin()])


def _moved(cuts: ArrayLike, log_odds: ArrayLike) -> NDArray[np.float64]:
    """Return cuts whose log odds are higher by `log_odds`; 0 and 1 stay."""
    cuts, factor = np.asarray(cuts, dtype=np.float64), np.exp(log_odds)
    return np.asarray(cuts * factor / (1 - cuts + cuts * factor))


def cut_rules(
    competition: Competition, *, trials: int = TRIALS, studies: Path | None = None, title: str = "cuts"
) -> dict[str, MakeRule]:
    """Return what makes the cut rules, by the name that `--cuts` gives them, the prior cut first."""

    def tuned(scored: NDArray[np.bool_]) -> CutRule:
        metric, labels = metric_of(competition, scored), labels_of(competition, scored)
        return TunedCuts(metric, labels, trials=trials, studies=studies, title=title)

    return {
        "fixed": lambda _: FixedCut(competition.metric.prior_cut),
        "uniform": lambda scored: UniformCut(metric_of(competition, scored)),
        "shrunk": lambda scored: ShrunkCuts(metric_of(competition, scored)),
        "per-label": lambda scored: PerLabelCuts(metric_of(competition, scored)),
        TUNED: tuned,
    }


def cut_options() -> tuple[str, ...]:
    """Return what `--cuts` takes."""
    return (AUTO, "fixed", "uniform", "shrunk", "per-label", TUNED)


def selected(rules: dict[str, MakeRule], cuts: str) -> dict[str, MakeRule]:
    """Return the rules that `--cuts` asks for; the prior cut is always the first.

    It may be one, or all to choose from: those of Optuna are left out then, which finds what the exact search finds.

    Raises:
        UserError: if there is no such rule.
    """
    if cuts not in (AUTO, *rules):
        raise unknown_name("rule for cuts", cuts, [AUTO, *rules])
    chosen = [name for name in rules if name != TUNED] if cuts == AUTO else ["fixed", cuts]
    return {name: rules[name] for name in chosen}


def compare_cuts(
    scores: NDArray[Any],
    truth: NDArray[np.bool_],
    folds: NDArray[np.integer],
    competition: Competition,
    *,
    trials: int = TRIALS,
    studies: Path | None = None,
    title: str = "cuts",
) -> dict[str, Evaluation]:
    """Evaluate every cut rule and the cut 0.5 on one model's scores; cuts alone, without the competition's rules.

    The study of all chips is kept in `studies`; those without one fold are made anew in memory, which is quicker than
    keeping them.

    Args:
        scores: float array (num_chips, num_labels); labels without scores, NaN for every chip, play no part.
        truth: bool array (num_chips, num_labels).
        folds: int array (num_chips,).
        competition: gives labels and metric.
        trials: size of every Optuna study.
        studies: the SQLite file that keeps the study.
        title: how the study's name begins.

    Returns:
        Evaluations of the labels scored by rule, the prior cut first; differences are to it.
    """
    scored = scored_labels(scores)
    metric, scores, truth = metric_of(competition, scored), scores[:, scored], truth[:, scored]
    rules = cut_rules(competition, trials=trials)
    final = cut_rules(competition, trials=trials, studies=studies, title=title)
    if metric.prior_cut != 0.5:
        rules["fixed 0.5"] = final["fixed 0.5"] = lambda _: FixedCut(0.5)
    reference = at_or_above(scores, metric.prior_cut)
    return {
        name: evaluate(
            display_name(name, metric),
            partial(rules[name], scored),
            scores,
            truth,
            folds,
            metric,
            reference=reference,
            final=final[name](scored),
        )
        for name in ("fixed", "fixed 0.5", "uniform", "shrunk", "per-label", TUNED)
        if name in rules
    }


def display_name(name: str, metric: Metric) -> str:
    """Return what is shown for a cut rule."""
    return f"fixed {metric.prior_cut:.3g}" if name == "fixed" else name


def choose(evaluations: dict[str, Evaluation]) -> str:
    """Return the rule to use: the first, unless another beats it cross-fitted by more than one standard error.

    Of several that do, the best. Differences must be to the first.
    """
    first = next(iter(evaluations))
    better = {
        name: evaluation.difference
        for name, evaluation in evaluations.items()
        if name != first
        and evaluation.difference is not None
        and evaluation.standard_error is not None
        and evaluation.difference > max(evaluation.standard_error, SAME)
    }
    return max(better, key=lambda name: better[name]) if better else first
