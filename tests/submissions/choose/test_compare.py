"""Comparing every model, blend and stack by every rule."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from competition.common.errors import UserError
from competition.metrics.judge import measure
from competition.spec.competition import Competition
from competition.spec.metric import Metric
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.choose.blending import make_best
from submissions.choose.candidates import Candidates, make_candidates
from submissions.choose.compare import Comparison, compare, known_members
from submissions.combine.methods import METHODS
from submissions.decide.rules import default_rules
from submissions.decide.studies import Tuning
from submissions.names import CUT_RULES, DECISION_RULES, EXTRAS, QUICK, VOTE
from tests.benchmarks.bench_compare import candidates_of
from tests.submissions.samples import add_model, draw_scores, draw_truth, make_workspace, one_hot, planet


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def on_noise(seed: int) -> Candidates:
    """Return candidates of three members that know how often labels come, and nothing of a chip; in three folds."""
    random = np.random.default_rng(seed)
    share = np.linspace(0.05, 0.7, 17)
    truth = random.random((240, 17)) < share
    logits = np.log(share / (1 - share)) + random.normal(scale=0.5, size=(3, 240, 17))
    candidates = candidates_of((1 / (1 + np.exp(-logits))).astype(np.float32), truth, planet(), k=3)
    return replace(candidates, setting=replace(candidates.setting, tuning=Tuning(trials=10)))


@pytest.fixture(scope="module")
def of_noise() -> list[dict[tuple[str, str], tuple[float, float, float]]]:
    """Cross-fitted and in-sample metric on noise, and chance, for two draws.

    The mean meets every rule; every other method, whose cost is its own fit, those that cut at once.
    """
    draws = []
    for seed in range(2):
        candidates = on_noise(seed)
        truth, metric = candidates.chips.truth, candidates.setting.competition.metric
        constant = np.broadcast_to(truth.mean(axis=0), truth.shape)
        chance = max(measure(truth, constant >= cut, metric) for cut in np.linspace(0, 1, 101))
        figures = {}
        for method in METHODS:
            with threadpool_limits(1):
                measured = candidates.blends(method, DECISION_RULES if method == "mean" else CUT_RULES[:-1])
            for candidate in measured:
                evaluation = candidate.evaluation
                figures[method, candidate.rule] = (evaluation.cross_fitted, evaluation.in_sample, chance)
        draws.append(figures)
    return draws


@pytest.mark.parametrize("method", METHODS)
def test_on_noise_nothing_cross_fitted_is_above_chance(method: str, of_noise: list) -> None:
    for rule in DECISION_RULES:
        draws = [draw[method, rule] for draw in of_noise if (method, rule) in draw]
        lead = np.mean([cross_fitted - chance for cross_fitted, _, chance in draws] or [0])
        assert lead < 0.01, rule


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].numbers(3, 17) > 0])
def test_on_noise_what_is_fitted_looks_better_than_it_is(method: str, of_noise: list) -> None:
    gaps = [draw[method, "per-label"][1] - draw[method, "per-label"][0] for draw in of_noise]
    assert np.mean(gaps) > 0.005


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Two models, compared by every quick method and rule."""
    return compare(candidates_in(make_workspace(tmp_path_factory.mktemp("compared"), num_chips=150)))


def candidates_in(workspace: Workspace) -> Candidates:
    return make_candidates(["a", "b"], workspace, tuning=Tuning(trials=3))


def test_every_model_and_method_meets_every_rule(compared: Comparison) -> None:
    names = {candidate.evaluation.name for candidate in compared.candidates}
    rules = ["fixed 0.2", *default_rules(planet())[1:]]
    titles = [method for method in QUICK if method != VOTE] + ["a alone", "b alone"]
    assert names == {f"{title}, {rule}" for title in titles for rule in rules} | {"vote, fixed 0.2", "vote, uniform"}
    simplicity = [candidate.simplicity for candidate in compared.candidates]
    assert simplicity == sorted(simplicity)
    lag = compared.best.evaluation.over(compared.chosen.evaluation)
    assert 0 <= lag.value <= max(lag.error, 1e-12)
    assert compared.reference.name == "mean, fixed 0.2"


def test_the_table_shows_the_best_and_always_the_chosen_one_and_the_reference(compared: Comparison) -> None:
    text = compared.text(top=5, shaken=compared.shake_up(0.34))
    table, advice = text.split("\n\n")
    rows = [line.removeprefix("*").strip().split("  ")[0] for line in table.splitlines()[2:]]
    by_value = sorted(compared.candidates, key=lambda candidate: -candidate.evaluation.cross_fitted)
    assert rows[:5] == [candidate.evaluation.name for candidate in by_value[:5]]
    assert set(rows[5:]) <= {compared.chosen.evaluation.name, "mean, fixed 0.2"}
    assert {compared.chosen.evaluation.name, "mean, fixed 0.2"} <= set(rows)
    assert [line for line in table.splitlines() if line.startswith("* ")] == [
        line for line in table.splitlines() if f" {compared.chosen.evaluation.name} " in line
    ]
    assert f"{len(compared.candidates) - len(rows)} worse ones are not shown; --top 0 shows all." in advice
    assert f"Chosen: {compared.chosen.evaluation.name}, the simplest within one standard error of the best." in advice
    assert "beaten" in table.splitlines()[0]
    assert "not shown" not in compared.text()


def test_a_comparison_is_a_record_of_all_candidates(compared: Comparison) -> None:
    record = json.loads(json.dumps(compared.as_dict(), allow_nan=False))
    assert record["chosen"] in {candidate["name"] for candidate in record["candidates"]}
    assert len(record["candidates"]) == len(compared.candidates)
    assert record["choosing"]["cross_fitted"] == compared.choosing()[0]


def test_a_comparison_repeats_itself(workspace: Workspace) -> None:
    first, second = (compare(candidates_in(workspace), ["greedy", "optuna"], ["uniform"]) for _ in range(2))
    assert [candidate.evaluation.cross_fitted for candidate in first.candidates] == [
        candidate.evaluation.cross_fitted for candidate in second.candidates
    ]


def test_the_simplest_is_chosen_where_nothing_is_gained() -> None:
    compared = compare(on_noise(0), ["mean", "ridge"], ["uniform", "per-label"])
    assert compared.chosen.simplicity[0] <= 1
    assert compared.choosing()[0] < compared.best.evaluation.cross_fitted + 1e-12


def test_what_cannot_be_compared_is_named(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Unknown method of blending 'meen'. Known: all, geometric"):
        compare(candidates_in(workspace), ["meen"])
    with pytest.raises(UserError, match="Unknown decision rule 'best'"):
        compare(candidates_in(workspace), ["mean"], ["best"])
    other = make_workspace(tmp_path / "other", competition=one_hot(tmp_path))
    assert {candidate.rule for candidate in compare(candidates_in(other), ["mean"]).candidates} <= set(CUT_RULES)


def test_models_without_all_folds_are_left_out_with_a_line(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    add_model(ScoreStore.of(workspace), "half", workspace.labelled.truth, folds=[0])
    assert known_members(workspace) == ("a", "b")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Left out: 'half' lacks folds 1, 2 of 3.")


def test_the_best_is_written_as_a_blend(workspace: Workspace) -> None:
    blend = make_best("best", candidates_in(workspace), workspace, methods=["mean", "ridge"])
    assert blend.comparison
    assert blend.evaluation is blend.comparison.chosen.evaluation
    assert blend.text().startswith(blend.comparison.text(top=10))
    assert (workspace.blends / "best" / "blend.json").is_file()
    assert blend.provenance["method"] == blend.comparison.chosen.method
    assert len(blend.test.names) == len(workspace.test_names)


@pytest.mark.parametrize("method", METHODS)
def test_specialists_constant_members_and_labels_nobody_carries_are_taken_as_they_come(method: str) -> None:
    truth = draw_truth(planet(), 150)
    truth[:, 0], truth[:, 2] = False, True  # a label of no chip, and one of every chip
    truth[:, 3] = np.arange(150) == 4  # one chip, so that a fold learns from none
    scores = np.stack([draw_scores(truth, 0), np.full(truth.shape, 0.3, dtype=np.float32), draw_scores(truth, 2)])
    scores[0, :, 1] = 0  # never
    scores[2, :, 4:] = np.nan  # a specialist
    candidates = candidates_of(scores, truth, planet(), k=3)
    setting = replace(candidates.setting, tuning=Tuning(trials=3), extras=EXTRAS)
    with threadpool_limits(1):
        measured = replace(candidates, setting=setting).blends(method, DECISION_RULES)
    for candidate in measured:
        assert np.isfinite(candidate.combined.scores).all()
        assert 0 < candidate.evaluation.cross_fitted <= 1


JUDGING_SCORES = [
    Metric(name="roc_auc"),
    Metric(name="average_precision", average="micro"),
    Metric(name="label_ranking"),
    Metric(name="log_loss", weights={"cloudy": 2.0}),
]


@pytest.mark.parametrize(
    "metric",
    [*JUDGING_SCORES[:2], *(pytest.param(metric, marks=pytest.mark.slow) for metric in JUDGING_SCORES[2:])],
    ids=lambda metric: metric.title,
)
def test_where_scores_are_judged_they_are_compared_by_the_metric_and_nothing_is_decided(metric: Metric) -> None:
    competition = Competition.model_validate({**planet().model_dump(), "metric": metric})
    truth = draw_truth(competition, 240)
    scores = np.stack([draw_scores(truth, seed, signal) for seed, signal in enumerate((1.0, 2.0, 4.0))])
    candidates = candidates_of(scores, truth, competition, k=3)
    comparison = compare(candidates, ["mean", "rank", "greedy", "optuna", "log-loss"])
    for candidate in comparison.candidates:
        evaluation = candidate.evaluation
        assert candidate.rule in ("plain", "calibrated")
        assert evaluation.answers.dtype == np.float32
        assert evaluation.cross_fitted == pytest.approx(measure(truth, evaluation.answers, competition.metric))
    assert comparison.reference.name == "mean, plain"
    gains = [candidate.evaluation.gain for candidate in comparison.candidates]
    assert comparison.best.evaluation.gain == max(gains)
    weak = next(each for each in comparison.candidates if each.evaluation.name == "m0 alone, plain")
    others = [each.evaluation.gain for each in comparison.candidates if "m0 alone" not in each.evaluation.name]
    assert weak.evaluation.gain < min(others)
    assert comparison.chosen.evaluation.gain > weak.evaluation.gain
    text = comparison.text(shaken=comparison.shake_up(0.3))
    assert metric.title in text
    assert ("Less is better." in text) == (metric.name == "log_loss")
    assert "scored by what was fitted without its fold" in text
    with pytest.raises(UserError, match=r"--method vote makes decisions, and .* judges scores. Give one of"):
        compare(candidates, ["vote"])
    with pytest.raises(
        UserError, match=rf"--rule uniform makes decisions, and {metric.title} judges scores. Give one of"
    ):
        compare(candidates, ["mean"], ["uniform"])


def test_a_log_loss_prefers_calibrated_scores_and_less_of_it() -> None:
    competition = Competition.model_validate({**planet().model_dump(), "metric": {"name": "log_loss"}})
    truth = draw_truth(competition, 600)
    scores = draw_scores(truth, 0, 3.0)[None] ** 4  # ranks as before, and says other shares
    comparison = compare(candidates_of(scores, truth, competition, k=3), [])
    assert comparison.chosen.rule == "calibrated"
    assert comparison.chosen.evaluation.cross_fitted < comparison.reference.cross_fitted
    assert comparison.chosen.evaluation.optimism > 0
    assert comparison.choosing()[1].value < 0


def test_members_by_themselves_may_be_measured_by_fewer_rules(workspace: Workspace) -> None:
    candidates = make_candidates(["a", "b"], workspace)
    comparison = compare(candidates, ["mean"], ["fixed", "uniform"], rules_alone=["fixed"])
    rules = {(len(one.members), one.rule) for one in comparison.candidates}
    assert rules == {(1, "fixed"), (2, "fixed"), (2, "uniform")}
    alone = compare(make_candidates(["a"], workspace), ["mean"], ["fixed", "uniform"], rules_alone=["fixed"])
    assert {one.rule for one in alone.candidates} == {"fixed", "uniform"}
