"""Comparing every model, blend and stack by every rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.metrics import f_beta
from competition.spec import Metric
from competition.workspace import Workspace
from folds.score_store import ScoreStore
from submissions.choose.blending import make_bench, make_best
from submissions.choose.candidates import Bench
from submissions.choose.compare import QUICK, compare, known_members
from submissions.choose.report import comparison_text
from submissions.combine.methods import METHODS, VOTE
from submissions.combine.stack_columns import EXTRAS
from submissions.decide.rules import CUTS, RULES, default_rules
from submissions.measure.shake_up import shake_up
from tests.benchmarks.bench_compare import bench_of
from tests.submissions.samples import add_model, draw_scores, draw_truth, make_workspace, one_hot, planet


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def on_noise(seed: int) -> Bench:
    """Return a bench of three members that know how often labels come, and nothing of a chip."""
    random = np.random.default_rng(seed)
    share = np.linspace(0.05, 0.7, 17)
    truth = random.random((240, 17)) < share
    logits = np.log(share / (1 - share)) + random.normal(scale=0.5, size=(3, 240, 17))
    bench = bench_of((1 / (1 + np.exp(-logits))).astype(np.float32), truth, planet())
    return replace(bench, setting=replace(bench.setting, trials=10))


@pytest.fixture(scope="module")
def of_noise() -> list[dict[tuple[str, str], tuple[float, float, float]]]:
    """Cross-fitted and in-sample metric on noise, and chance, for two draws.

    The mean meets every rule; every other method, whose cost is its own fit, those that cut at once.
    """
    found = []
    for seed in range(2):
        bench = on_noise(seed)
        truth, metric = bench.chips.truth, bench.setting.competition.metric
        constant = np.broadcast_to(truth.mean(axis=0), truth.shape)
        chance = max(f_beta(truth, constant >= cut, metric) for cut in np.linspace(0, 1, 101))
        made = {}
        for method in METHODS:
            for each in bench.blends(method, RULES if method == "mean" else CUTS[:-1]):
                made[method, each.rule] = (each.evaluation.cross_fitted, each.evaluation.in_sample, chance)
        found.append(made)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_on_noise_nothing_cross_fitted_is_above_chance(method: str, of_noise: list) -> None:
    for rule in RULES:
        draws = [made[method, rule] for made in of_noise if (method, rule) in made]
        lead = np.mean([cross_fitted - chance for cross_fitted, _, chance in draws] or [0])
        assert lead < 0.01, rule


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].numbers(3, 17) > 0])
def test_on_noise_what_is_fitted_looks_better_than_it_is(method: str, of_noise: list) -> None:
    gaps = [made[method, "per-label"][1] - made[method, "per-label"][0] for made in of_noise]
    assert np.mean(gaps) > 0.005


def test_every_model_and_method_meets_every_rule(workspace: Workspace) -> None:
    bench = make_bench(["a", "b"], workspace, trials=3)
    compared = compare(bench)
    names = {each.evaluation.name for each in compared.candidates}
    rules = ["fixed 0.2", *default_rules(planet())[1:]]
    titles = [method for method in QUICK if method != VOTE] + ["a alone", "b alone"]
    assert names == {f"{title}, {rule}" for title in titles for rule in rules} | {"vote, fixed 0.2", "vote, uniform"}
    simplicity = [each.simplicity for each in compared.candidates]
    assert simplicity == sorted(simplicity)
    lag = compared.best.evaluation.over(compared.chosen.evaluation)
    assert 0 <= lag.value <= max(lag.error, 1e-12)
    assert compared.reference.name == "mean, fixed 0.2"
    text = comparison_text(compared, compared.shake_up(0.34), top=5)
    assert f"Chosen: {compared.chosen.evaluation.name}" in text
    assert "mean, fixed 0.2" in text
    assert "worse ones are not shown" in text


def test_a_comparison_repeats_itself(workspace: Workspace) -> None:
    first, second = (compare(make_bench(["a", "b"], workspace, trials=3), ["greedy", "optuna"]) for _ in range(2))
    assert [each.evaluation.cross_fitted for each in first.candidates] == [
        each.evaluation.cross_fitted for each in second.candidates
    ]


def test_the_simplest_is_chosen_where_nothing_is_gained() -> None:
    compared = compare(on_noise(0), ["mean", "ridge"], ["uniform", "per-label"])
    assert compared.chosen.simplicity[0] <= 1
    assert compared.choosing()[0] < compared.best.evaluation.cross_fitted + 1e-12


def test_what_cannot_be_compared_is_named(workspace: Workspace, tmp_path: Path) -> None:
    bench = make_bench(["a", "b"], workspace)
    with pytest.raises(UserError, match=r"Unknown method of blending 'meen'. Known: all, geometric"):
        compare(bench, ["meen"])
    with pytest.raises(UserError, match="Unknown decision rule 'best'"):
        compare(bench, ["mean"], ["best"])
    with pytest.raises(UserError, match="Unknown extra column 'wether'"):
        make_bench(["a", "b"], workspace, extras=["wether"])
    other = make_workspace(tmp_path / "other", competition=one_hot(tmp_path))
    assert {each.rule for each in compare(make_bench(["a", "b"], other), ["mean"]).candidates} <= set(CUTS)


def test_models_without_all_folds_are_left_out_with_a_line(workspace: Workspace) -> None:
    add_model(ScoreStore.of(workspace), "half", workspace.labelled.truth, folds=[0])
    said: list[str] = []
    assert known_members(workspace, said.append) == ("a", "b")
    assert len(said) == 1
    assert "'half' lacks folds 1, 2 of 3" in said[0]


def test_the_best_is_written_as_a_blend(workspace: Workspace) -> None:
    bench = make_bench(["a", "b"], workspace, trials=3)
    blend, compared = make_best("best", bench, workspace, methods=["mean", "ridge"])
    assert blend.evaluation is compared.chosen.evaluation
    assert (workspace.blends / "best" / "blend.json").is_file()
    assert blend.about["method"] == compared.chosen.method
    assert len(blend.test.names) == len(workspace.test_names)


@pytest.mark.parametrize("average", ["samples", "macro", "micro"])
def test_a_shake_up_is_that_of_plain_splits(average: str) -> None:
    metric = Metric(average=average, beta=2)
    truth = draw_truth(planet(), 200)
    decisions = [draw_scores(truth, seed, 1.5) >= 0.3 for seed in range(3)]
    found = shake_up(truth, decisions, 0, metric, 0.34, splits=50, seed=3)
    random = np.random.default_rng(3)
    beats, leader = np.zeros(3), []
    for _ in range(50):
        shown = np.zeros(200, dtype=bool)
        shown[random.permutation(200)[:68]] = True
        public = [f_beta(truth[shown], decided[shown], metric) for decided in decisions]
        private = [f_beta(truth[~shown], decided[~shown], metric) for decided in decisions]
        beats += [private[0] > other for other in private]
        leader.append(private[int(np.argmax(public))])
    assert found.leader == pytest.approx(np.mean(leader))
    np.testing.assert_allclose(found.beats[1:], beats[1:] / 50)
    assert found.beats[0] == 0.5
    with pytest.raises(ValueError, match="leaves a part of the split empty"):
        shake_up(truth, decisions, 0, metric, 0.001)


@pytest.mark.parametrize("method", METHODS)
def test_specialists_constant_members_and_labels_nobody_carries_are_taken_as_they_come(method: str) -> None:
    truth = draw_truth(planet(), 150)
    truth[:, 0], truth[:, 2] = False, True  # a label of no chip, and one of every chip
    truth[:, 3] = np.arange(150) == 4  # one chip, so that a fold learns from none
    scores = np.stack([draw_scores(truth, 0), np.full(truth.shape, 0.3, dtype=np.float32), draw_scores(truth, 2)])
    scores[0, :, 1] = 0  # never
    scores[2, :, 4:] = np.nan  # a specialist
    bench = bench_of(scores, truth, planet())
    bench = replace(bench, setting=replace(bench.setting, trials=3, extras=EXTRAS))
    for each in bench.blends(method, RULES):
        assert np.isfinite(each.combined.scores).all()
        assert 0 < each.evaluation.cross_fitted <= 1
