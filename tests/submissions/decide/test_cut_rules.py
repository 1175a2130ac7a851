"""The rules that decide by cuts."""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from competition.metrics.judge import measure
from competition.spec.metric import Metric
from competition.studies import open_studies
from submissions.decide.cut_rules import FixedRule, PerLabelRule, ShrunkRule, TunedRule, UniformRule
from submissions.decide.decisions import at_or_above
from submissions.decide.exact_cuts import CutSearch
from submissions.decide.studies import Tuning
from tests.submissions.samples import draw_scores, draw_truth, planet

METRICS = st.one_of(
    st.builds(
        Metric,
        average=st.sampled_from(["samples", "macro", "micro"]),
        beta=st.sampled_from([0.5, 1.0, 2.0]),
        empty=st.sampled_from([0, 1]),
    ),
    st.builds(Metric, name=st.just("accuracy"), average=st.sampled_from(["micro", "samples"])),
    st.just(Metric(name="exact_match")),
)


@st.composite
def problems(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Draw scores, many of them alike or on a step of the grid, and truth."""
    shape = draw(st.tuples(st.integers(1, 30), st.integers(1, 5)))
    value = st.one_of(st.sampled_from([0.0, 0.2, 0.29, 0.5, 0.57, 0.7, 1.0]), st.floats(0, 1, width=32))
    return draw(hnp.arrays(np.float32, shape, elements=value.map(np.float32))), draw(hnp.arrays(bool, shape))


@settings(max_examples=60, deadline=None)
@given(problems(), METRICS)
def test_the_uniform_cut_is_the_best_of_all_steps_and_ties_go_to_the_prior_cut(problem: Any, metric: Metric) -> None:
    scores, truth = problem
    steps = [step / 100 for step in range(101)]
    values = [measure(truth, scores >= np.float32(step), metric) for step in steps]
    best = [step for step, value in zip(steps, values, strict=True) if value > max(values) - 1e-12]
    nearest = min(best, key=lambda step: abs(step - metric.prior_cut))
    assert UniformRule(metric).fit(scores, truth).cuts.tolist() == [nearest] * scores.shape[1]


def test_a_stored_score_reaches_the_cut_of_the_same_number() -> None:
    numbers = np.arange(101) / 100
    scores = numbers.astype(np.float32)[:, None]
    for number in numbers:
        assert at_or_above(scores, number).sum() == 101 - round(number * 100)
        rule = FixedRule(float(number)).fit(scores, scores > 0)
        assert rule.predict(scores).sum() == 101 - round(number * 100)


@pytest.mark.parametrize(
    "metric",
    [
        *(Metric(average=average, beta=2) for average in ("samples", "macro", "micro")),
        Metric(beta=2, empty=1),
        Metric(average="macro", weights={label: number % 3 for number, label in enumerate(planet().labels)}),
        Metric(name="accuracy"),
        Metric(name="exact_match"),
    ],
    ids=str,
)
@pytest.mark.parametrize("signal", [0.0, 4.0])
def test_in_sample_the_exact_cuts_are_best_and_optuna_finds_no_worse_ones(metric: Metric, signal: float) -> None:
    truth = draw_truth(planet(), 200)
    scores = draw_scores(truth, 3, signal)
    rules = (FixedRule(metric.prior_cut), UniformRule(metric), PerLabelRule(metric))
    fixed, uniform, exact = (measure(truth, rule.fit(scores, truth).predict(scores), metric) for rule in rules)
    assert exact >= uniform >= fixed
    shrunk = ShrunkRule(metric).fit(scores, truth)
    assert measure(truth, shrunk.predict(scores), metric) >= fixed - 0.02
    for trials in (1, 30):
        tuned = TunedRule(metric, planet().labels, Tuning(trials)).fit(scores, truth)
        assert measure(truth, tuned.predict(scores), metric) >= exact


def test_cuts_by_label_find_what_one_cut_for_all_cannot_give() -> None:
    truth = draw_truth(planet(), 400)
    scores = draw_scores(truth, 3)
    scores[:, ::2] = 1 - (1 - scores[:, ::2]) ** 2  # every other label is scored too high
    metric = Metric(beta=2)
    search = CutSearch(scores, truth, metric)
    uniform, exact = (
        search.value(rule.fit(scores, truth).cuts) for rule in (UniformRule(metric), PerLabelRule(metric))
    )
    assert exact > uniform + 0.001


def test_a_uniform_cut_at_the_end_of_the_scale_can_be_a_start() -> None:
    truth = np.ones((20, 3), dtype=bool)
    scores = np.zeros((20, 3), dtype=np.float32)
    for rule in (PerLabelRule(Metric(beta=2)), ShrunkRule(Metric(beta=2)), TunedRule(Metric(beta=2), "abc", Tuning(9))):
        assert rule.fit(scores, truth).predict(scores).all()


def test_cuts_are_shrunk_to_the_prior_one_where_that_is_right_and_not_where_it_is_off_for_all() -> None:
    metric, random = Metric(beta=2), np.random.default_rng(0)
    strengths = []
    for _ in range(5):
        scores = random.beta(0.3, 0.7, size=(150, 6)).astype(np.float32)
        truth = random.random(scores.shape) < scores  # calibrated: the prior cut is nearly right
        strengths.append(ShrunkRule(metric).fit(scores, truth).strength)
    assert np.mean(strengths) < 0.5
    truth = random.random((3000, 6)) < 0.2
    low = np.where(truth, 0.1, 0.05) + random.normal(0, 0.02, truth.shape)  # every score is below the prior cut
    rule = ShrunkRule(metric).fit(np.clip(low, 0, 1).astype(np.float32), truth)
    assert rule.strength == 1
    assert (rule.cuts < 0.15).all()


def studies_in(path: Path) -> dict[str, int]:
    """Return the number of trials by study."""
    with open_studies(path) as storage:
        return {study.study_name: study.n_trials for study in optuna.get_all_study_summaries(storage)}


def test_a_study_is_topped_up_and_not_repeated(tmp_path: Path) -> None:
    truth = draw_truth(planet(), 100)[:, :4]
    scores, path, metric = draw_scores(truth), tmp_path / "optuna.db", Metric(beta=2)

    def tuned(trials: int) -> float:
        rule = TunedRule(metric, "abcd", Tuning(trials, path, "a")).fit(scores, truth)
        return CutSearch(scores, truth, metric).value(rule.cuts)

    first = tuned(12)
    assert list(studies_in(path).values()) == [12]
    assert tuned(30) >= first
    assert list(studies_in(path).values()) == [30]
    again = tuned(30)
    assert again == tuned(5)  # nothing is left to do, and the best of all trials counts
    assert list(studies_in(path).values()) == [30]


def test_a_study_of_other_scores_is_never_carried_on(tmp_path: Path) -> None:
    truth = draw_truth(planet(), 100)[:, :4]
    scores, path = draw_scores(truth), tmp_path / "optuna.db"
    changed_scores, changed_truth = scores.copy(), truth.copy()
    changed_scores[7, 3] += 1e-3
    changed_truth[7, 3] ^= True
    cases = [
        (scores, truth, Metric(beta=2)),
        (changed_scores, truth, Metric(beta=2)),
        (scores, changed_truth, Metric(beta=2)),
        (scores[:-1], truth[:-1], Metric(beta=2)),
        (scores, truth, Metric(beta=1)),
    ]
    for number, (values, labels, metric) in enumerate(cases):
        TunedRule(metric, "abcd", Tuning(3, path, "a")).fit(values, labels)
        assert list(studies_in(path).values()) == [3] * (number + 1)


def test_tuned_cuts_repeat_themselves() -> None:
    truth = draw_truth(planet(), 100)
    scores = draw_scores(truth)
    first, second = (TunedRule(Metric(beta=2), planet().labels, Tuning(25)).fit(scores, truth).cuts for _ in range(2))
    np.testing.assert_array_equal(first, second)
