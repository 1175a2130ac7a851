"""Where scores are judged, scores are submitted."""

import numpy as np
import pytest

from competition.spec.competition import Competition
from submissions.decide.rules import default_rules, make_rule
from submissions.decide.score_rules import CalibratedRule, ScoreRule
from tests.submissions.samples import draw_scores, draw_truth, planet


def judged_by(**metric: object) -> Competition:
    return Competition.model_validate({**planet().model_dump(), "metric": metric})


def test_calibrated_scores_keep_the_order_of_the_chips() -> None:
    truth = draw_truth(planet(), 200)
    scores = draw_scores(truth) ** 3
    plain, calibrated = (rule.fit(scores, truth).predict(scores) for rule in (ScoreRule(), CalibratedRule()))
    np.testing.assert_array_equal(plain, scores)
    assert (np.argsort(plain, axis=0) == np.argsort(calibrated, axis=0)).mean() > 0.99
    assert abs(calibrated.mean() - truth.mean()) < 0.01 < abs(plain.mean() - truth.mean())


@pytest.mark.parametrize("name", ["plain", "calibrated"])
def test_a_log_loss_never_meets_a_sure_score(name: str) -> None:
    truth = np.eye(17, dtype=bool)[np.arange(170) % 17]
    rule = make_rule(name, judged_by(name="log_loss")).fit(truth.astype(np.float32), truth)
    scores = rule.predict(truth.astype(np.float32))
    assert 0 < scores.min() < 1e-3
    assert 1 - 1e-3 < scores.max() < 1
    assert make_rule("plain", judged_by(name="roc_auc")).predict(np.array([[0.0, 1.0]])).tolist() == [[0, 1]]


def test_a_margin_survives_the_decimals_of_the_file() -> None:
    content = {**judged_by(name="log_loss").model_dump(), "submission": {"decimals": 3}}
    rule = make_rule("plain", Competition.model_validate(content))
    np.testing.assert_allclose(rule.predict(np.array([[0.0, 1.0]])).round(3), [[0.001, 0.999]])


@pytest.mark.parametrize(
    ("metric", "rules"),
    [
        ({"name": "roc_auc"}, ("plain",)),
        ({"name": "average_precision"}, ("plain",)),
        ({"name": "average_precision", "average": "micro"}, ("plain", "calibrated")),
        ({"name": "label_ranking"}, ("plain", "calibrated")),
        ({"name": "log_loss"}, ("plain", "calibrated")),
    ],
)
def test_calibration_is_compared_where_it_can_matter(metric: dict[str, str], rules: tuple[str, ...]) -> None:
    assert default_rules(judged_by(**metric)) == rules
