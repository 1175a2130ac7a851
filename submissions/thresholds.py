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
from competition.metrics import f_beta_of_counts
from competition.spec import Competition, Metric
from folds.chip_scores import scored_labels
from submissions.decoding import at_or_above
from submissions.evaluate import Evaluation, evaluate
from submissions.specialists import labels_of, metric_of
from submissions.studies import tune

STEPS = 100  # of the uniform search: cuts .00, .01, ..., 1.00
TRIALS = 200
REACH = np.e  # tuned cuts have up to this many times the odds of where they start, or as little as one such part
SAME = 1e-12  # metrics this close differ by rounding only
AUTO = "auto"


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
        grid = np.arange(STEPS + 1) / STEPS
        objective = CutObjective(scores, truth, self.metric)
        values = np.array([objective(cut) for cut in grid])
        best = grid[values >= values.max() - SAME]
        return np.full(scores.shape[1], best[np.abs(best - self.metric.prior_cut).argmin()])


class PerLabelCuts(CutRule):
    """One cut a label, tuned by Optuna from the prior cut and the best uniform cut, and not far from them.

    Searching all of [0, 1] was tried: on real scores of Planet, 200 trials then found nothing better than the starts.
    With the odds of a cut held within a factor of e they found .0008 to .0013 F2 (in-sample).

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
        uniform = UniformCut(self.metric).fit(scores, truth).cuts
        starts = [np.full(len(self.labels), self.metric.prior_cut), uniform]
        return tune(
            CutObjective(scores, truth, self.metric),
            self.labels,
            starts,
            low=_with_odds(np.min(starts), 1 / REACH),
            high=_with_odds(np.max(starts), REACH),
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


class CutObjective:
    """The metric as a function of the cuts, fast enough for thousands of calls.

    Equals `competition.metrics.f_beta` of the decisions. The matrices lie with the chips last, because adding up 17
    long rows of bytes is ten times faster than adding up 40,000 short ones.
    """

    def __init__(self, scores: NDArray[Any], truth: NDArray[np.bool_], metric: Metric) -> None:
        if scores.shape != truth.shape:
            raise ValueError(f"Scores {scores.shape} and truth {truth.shape} differ in shape.")
        self.metric = metric
        self.scores = np.ascontiguousarray(scores.T, dtype=np.float32)
        self.truth = np.ascontiguousarray(truth.T, dtype=bool)
        self.carried = self._count(self.truth)

    def __call__(self, cuts: ArrayLike) -> float:
        """Return the metric of `score >= cut`, for one cut or one a label."""
        cuts = np.broadcast_to(np.asarray(cuts, dtype=np.float32), len(self.scores))
        decided = self.scores >= cuts[:, None]
        counts = self._count(decided & self.truth), self._count(decided), self.carried
        return float(np.mean(f_beta_of_counts(*counts, self.metric.beta)))

    def _count(self, matrix: NDArray[np.bool_]) -> NDArray[Any]:
        if self.metric.average == "samples":
            return matrix.view(np.uint8).sum(axis=0, dtype=np.uint8 if len(matrix) < 256 else np.int64)
        by_label = np.count_nonzero(matrix, axis=1)
        return by_label if self.metric.average == "macro" else by_label.sum()


def _with_odds(cut: float, factor: float) -> float:
    """Return the cut of `factor` times the odds; 0 and 1 stay."""
    return float(cut * factor / (1 - cut + cut * factor))


def cut_rules(
    competition: Competition, *, trials: int = TRIALS, studies: Path | None = None, title: str = "cuts"
) -> dict[str, MakeRule]:
    """Return what makes the cut rules, by the name that `--cuts` gives them, the prior cut first."""

    def per_label(scored: NDArray[np.bool_]) -> CutRule:
        metric, labels = metric_of(competition, scored), labels_of(competition, scored)
        return PerLabelCuts(metric, labels, trials=trials, studies=studies, title=title)

    return {
        "fixed": lambda _: FixedCut(competition.metric.prior_cut),
        "uniform": lambda scored: UniformCut(metric_of(competition, scored)),
        "per-label": per_label,
    }


def cut_options() -> tuple[str, ...]:
    """Return what `--cuts` takes."""
    return (AUTO, "fixed", "uniform", "per-label")


def selected(rules: dict[str, MakeRule], cuts: str) -> dict[str, MakeRule]:
    """Return the rules that `--cuts` asks for: one, or all to choose from; the prior cut is always the first.

    Raises:
        UserError: if there is no such rule.
    """
    if cuts not in (AUTO, *rules):
        raise unknown_name("rule for cuts", cuts, [AUTO, *rules])
    return rules if cuts == AUTO else {"fixed": rules["fixed"], cuts: rules[cuts]}


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
        for name in ("fixed", "fixed 0.5", "uniform", "per-label")
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
