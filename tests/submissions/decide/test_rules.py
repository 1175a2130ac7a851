"""Decision rules by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.errors import UserError
from submissions.decide.rules import default_rules, make_rule, numbers_fitted
from submissions.decide.studies import Tuning
from submissions.names import RULES
from tests.submissions.samples import draw_scores, draw_truth, one_hot, planet


def test_rules_are_named_from_the_simplest_on() -> None:
    numbers = [numbers_fitted(name, 17) for name in RULES]
    assert numbers == sorted(numbers) == [0, 1, 17, 17, 17, 34, 34]
    assert default_rules(planet()) == tuple(name for name in RULES if name != "optuna")


@pytest.mark.parametrize("name", RULES)
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
    with pytest.raises(UserError, match=r"--rule expected maximises a mean over chips, and .* metric is a macro mean"):
        make_rule("expected", competition)


def test_an_unknown_rule_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"Unknown decision rule 'best'. Known: expected, fixed"):
        make_rule("best", planet())
