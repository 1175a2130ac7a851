"""Decision rules by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.spec.competition import Competition
from submissions.decide.rules import default_rules, make_rule, numbers_fitted
from submissions.decide.studies import Tuning
from submissions.names import DECISION_RULES
from tests.submissions.samples import draw_scores, draw_truth, one_hot, planet


def test_rules_are_named_from_the_simplest_on() -> None:
    numbers = [numbers_fitted(name, 17) for name in DECISION_RULES]
    assert numbers == sorted(numbers) == [0, 1, 17, 17, 17, 34, 34]
    assert default_rules(planet()) == tuple(name for name in DECISION_RULES if name != "optuna")


def test_rules_that_take_minutes_are_not_usual_where_chips_and_labels_are_many() -> None:
    assert default_rules(planet(), 40_479) == default_rules(planet())
    assert default_rules(planet(), 10_000_000) == ("fixed", "uniform")


def test_cuts_make_no_difference_to_a_multi_class_competition() -> None:
    one_group = {"exclusive": (planet().labels,), "alone": (), "unlabelled": False, "metric": {"name": "accuracy"}}
    assert default_rules(Competition.model_validate({**planet().model_dump(), **one_group})) == ("fixed",)


def test_a_decoder_knows_what_an_empty_chip_is_worth() -> None:
    metric = {"name": "f_beta", "beta": 2, "empty": 1}
    competition = Competition.model_validate({**planet().model_dump(), "metric": metric})
    assert make_rule("expected", competition).empty == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", DECISION_RULES)
def test_every_rule_decides_better_than_the_cut_a_half(name: str) -> None:
    truth = draw_truth(planet(), 600)
    scores = draw_scores(truth, signal=2.0)
    rule = make_rule(name, planet(), Tuning(trials=3)).fit(scores[:300], truth[:300])
    decided = rule.predict(scores[300:])
    assert decided.shape == truth[300:].shape
    hits = (decided & truth[300:]).sum(axis=1)
    found = (5 * hits / (decided.sum(axis=1) + 4 * truth[300:].sum(axis=1))).mean()
    half = scores[300:] >= 0.5
    plain = (5 * (half & truth[300:]).sum(axis=1) / (half.sum(axis=1) + 4 * truth[300:].sum(axis=1))).mean()
    assert found > plain


def test_a_decoder_of_means_over_chips_is_not_for_other_metrics(tmp_path: Path) -> None:
    competition = one_hot(tmp_path)
    assert "expected" not in default_rules(competition)
    with pytest.raises(UserError, match=r"--rule expected maximises an F-beta's mean over chips, and .* is macro F1"):
        make_rule("expected", competition)


def test_an_unknown_rule_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"Unknown decision rule 'best'. Known: calibrated, expected, fixed"):
        make_rule("best", planet())
