"""Labels are drawn as often, and as often together, as in the real data."""

from __future__ import annotations

import numpy as np
import pytest

from competition.simulator.label_rates import RARE_LABELS, draw_labels
from competition.simulator.render import LABELS

WEATHER = [LABELS.index(label) for label in ("clear", "partly_cloudy", "haze", "cloudy")]

# Counts among the 40,479 labelled chips of the competition.
REAL_COUNTS = {
    "agriculture": 12315, "artisinal_mine": 339, "bare_ground": 862, "blooming": 332, "blow_down": 98,
    "clear": 28431, "cloudy": 2089, "conventional_mine": 100, "cultivation": 4547, "habitation": 3660,
    "haze": 2697, "partly_cloudy": 7261, "primary": 37513, "road": 8071, "selective_logging": 340,
    "slash_burn": 209, "water": 7411,
}  # fmt: skip


@pytest.fixture(scope="module")
def many_labels() -> np.ndarray:
    return draw_labels(20_000, np.random.default_rng(1))


def test_every_chip_has_exactly_one_weather_label(many_labels):
    assert (many_labels[:, WEATHER].sum(axis=1) == 1).all()


def test_cloudy_stands_alone(many_labels):
    cloudy = many_labels[:, LABELS.index("cloudy")]
    assert cloudy.any()
    assert (many_labels[cloudy].sum(axis=1) == 1).all()


@pytest.mark.parametrize("label", LABELS)
def test_labels_are_as_frequent_as_in_the_real_data(many_labels, label):
    expected = REAL_COUNTS[label] / 40_479
    # Four standard deviations of a draw of 20,000, and 3 % for rounded rates.
    tolerance = 4 * np.sqrt(expected * (1 - expected) / len(many_labels)) + 0.03 * expected
    assert many_labels[:, LABELS.index(label)].mean() == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("label", "given", "share"),
    [
        ("road", "agriculture", 0.491), ("road", "habitation", 0.766), ("agriculture", "cultivation", 0.753),
        ("water", "artisinal_mine", 0.877), ("primary", "selective_logging", 1.0), ("road", "water", 0.287),
    ],
)  # fmt: skip
def test_labels_come_together_as_in_the_real_data(many_labels, label, given, share):
    chips = many_labels[many_labels[:, LABELS.index(given)]]
    assert chips[:, LABELS.index(label)].mean() == pytest.approx(share, abs=0.09)


def test_rare_boost_multiplies_rare_labels_and_leaves_the_others(many_labels):
    boosted = draw_labels(20_000, np.random.default_rng(1), rare_boost=4.0)
    rare = np.isin(LABELS, RARE_LABELS)
    np.testing.assert_array_equal(boosted[:, ~rare], many_labels[:, ~rare])
    ratio = boosted[:, rare].sum(axis=0) / many_labels[:, rare].sum(axis=0)
    assert (ratio > 2.8).all()
    assert (ratio < 5.5).all()


def test_a_longer_draw_begins_with_the_shorter(many_labels):
    np.testing.assert_array_equal(draw_labels(50, np.random.default_rng(1)), many_labels[:50])
