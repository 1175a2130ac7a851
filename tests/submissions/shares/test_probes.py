"""What the score of a constant answer says of a label's share."""

from __future__ import annotations

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.metrics.f_beta import f_beta_per_chip
from submissions.shares.probes import ALL_OR_NONE, NONE_FITS, SAME, Explained, explain_score
from tests.submissions.samples import draw_truth, planet

PLANET = planet()
PUBLIC = 4000


def answer(*labels: str) -> np.ndarray:
    return np.isin(PLANET.labels, labels)


def score(of: np.ndarray, truth: np.ndarray) -> float:
    return round(float(f_beta_per_chip(truth, np.broadcast_to(of, truth.shape), 2).mean()), 5)


def moved(truth: np.ndarray, label: str, share: float, seed: int) -> np.ndarray:
    """Chips of which another share carries a label, and that are otherwise alike."""
    random, carried = np.random.default_rng(seed), truth[:, PLANET.label_index[label]]
    has = random.random(PUBLIC) < share
    rows = np.where(has, *(random.choice(np.flatnonzero(kind), PUBLIC) for kind in (carried, ~carried)))
    return truth[rows]


@pytest.mark.parametrize("share", [0.1, 0.25, 0.6])
@pytest.mark.parametrize("labels", [("road",), ("road", "water")])
def test_the_share_of_a_label_that_alone_has_moved_is_found(labels: tuple[str, ...], share: float) -> None:
    truth = draw_truth(PLANET, 6000)
    public = moved(truth, "road", share, 1)
    _, found = explain_score(answer(*labels), score(answer(*labels), public), truth, PUBLIC, PLANET)
    road = next(each for each in found if each.label == "road")
    assert road.estimate == pytest.approx(share, abs=0.06)
    assert road.low <= public[:, PLANET.label_index["road"]].mean() <= road.high
    assert road.least <= public[:, PLANET.label_index["road"]].mean() <= road.most


def test_the_interval_holds_the_share_about_as_often_as_it_says() -> None:
    truth, held = draw_truth(PLANET, 4000), []
    for seed in range(25):
        public = moved(truth, "road", 0.4, seed)
        _, (road,) = explain_score(answer("road"), score(answer("road"), public), truth, PUBLIC, PLANET)
        held.append(road.low <= public[:, PLANET.label_index["road"]].mean() <= road.high)
    assert np.mean(held) >= 0.85


def test_a_label_that_stands_alone_is_told_exactly() -> None:
    truth = np.zeros((100, len(PLANET.labels)), dtype=bool)
    truth[:30, PLANET.label_index["cloudy"]] = True
    truth[30:, [PLANET.label_index["clear"], PLANET.label_index["primary"]]] = True
    _, (cloudy,) = explain_score(answer("cloudy"), 0.2, truth, PUBLIC, PLANET)
    assert (cloudy.estimate, cloudy.least, cloudy.most) == pytest.approx((0.2, 0.2, 0.2), abs=2e-5)


def test_a_score_that_no_mix_of_label_sets_gives_is_told() -> None:
    truth = draw_truth(PLANET, 500)
    expected, (road,) = explain_score(answer("road"), 0.999, truth, PUBLIC, PLANET)
    assert (road.estimate, road.least) == (None, None)
    explained = Explained("p", ("road",), "F2", 0.999, expected, (road,))
    assert road.why == NONE_FITS
    assert NONE_FITS in explained.text()
    assert explained.as_dict()["shares"][0]["most"] is None


def test_a_label_of_which_no_score_says_anything_is_not_called_one_that_none_fits() -> None:
    truth = draw_truth(PLANET, 500)
    truth[:, PLANET.label_index["conventional_mine"]] = False
    _, (mine,) = explain_score(answer("conventional_mine"), 0.3, truth, PUBLIC, PLANET)
    assert (mine.estimate, mine.why) == (None, ALL_OR_NONE)
    two = np.zeros((100, len(PLANET.labels)), dtype=bool)
    two[:, PLANET.label_index["water"]] = True
    two[:50, PLANET.label_index["road"]], two[50:, PLANET.label_index["habitation"]] = True, True
    both = answer("road", "habitation")
    _, found = explain_score(both, 0.9, two, PUBLIC, PLANET)
    assert {each.why for each in found} == {SAME}


def test_a_metric_that_is_no_mean_over_chips_is_refused() -> None:
    competition = PLANET.model_copy(update={"metric": PLANET.metric.model_copy(update={"average": "macro"})})
    size = len(competition.labels)
    with pytest.raises(UserError, match="no mean over chips"):
        explain_score(np.ones(size, dtype=bool), 0.5, np.ones((4, size), dtype=bool), 3, competition)
