"""What labels of chips keep to: one sky for each, and clouds that hide the ground by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.common.errors import UserError
from competition.scene_chips.rules import HIDDEN, Rules
from competition.spec.load import load

PLANET = load("planet")
SKY = set(PLANET.exclusive[0])
SHARES = st.dictionaries(st.sampled_from(PLANET.labels), st.floats(0, 1))


@given(SHARES)
def test_a_chip_never_breaks_the_rules(shown):
    labels = Rules.of(PLANET, ["clear", "primary"]).labels(shown)
    assert len(SKY & set(labels)) == 1
    assert labels == ("cloudy",) or "cloudy" not in labels
    assert list(labels) == sorted(set(labels))
    assert set(shown) - SKY <= set(labels) or labels == ("cloudy",)


def test_the_sky_that_covers_most_is_carried():
    rules = Rules.of(PLANET, [])
    assert rules.labels({"haze": 0.3, "clear": 0.2, "partly_cloudy": 0.31, "road": 0.01}) == ("partly_cloudy", "road")
    assert rules.labels({"haze": 0.0, "clear": 0.0}) == ("clear",)  # points: the first of the group


def test_clouds_stand_alone_where_they_hide_the_ground_and_nowhere_else():
    rules = Rules.of(PLANET, ["primary"])
    assert rules.labels({"cloudy": HIDDEN, "clear": 0.2, "road": 0.01}) == ("cloudy",)
    assert rules.labels({"cloudy": HIDDEN - 0.01, "clear": 0.1, "road": 0.01}) == ("clear", "primary", "road")
    assert Rules.of(PLANET, []).labels({"cloudy": 0.1}) == ("cloudy",)


def test_what_every_chip_carries_gives_way_to_what_is_seen():
    rules = Rules.of(PLANET, ["clear", "primary"])
    assert rules.labels({}) == ("clear", "primary")
    assert rules.labels({"haze": 0.01}) == ("haze", "primary")


def test_without_a_competition_a_chip_carries_all_that_shows():
    assert Rules.of(None, ["x"]).labels({"cloudy": 1.0, "clear": 0.1}) == ("clear", "cloudy", "x")
    assert Rules.of(None, []).lacks(["cloudy"]) == ()


def test_a_group_of_which_a_chip_has_none_is_named():
    assert set(Rules.of(PLANET, []).lacks(["road"])) == SKY
    assert Rules.of(PLANET, []).lacks(["road", "haze"]) == ()


@pytest.mark.parametrize("always", [["clear", "haze"], ["cloudy", "primary"]])
def test_labels_that_no_chip_carries_together_are_refused(always):
    with pytest.raises(UserError, match=rf"--with {','.join(always)}: no chip of 'planet' carries all.* Leave out "):
        Rules.of(PLANET, always)
