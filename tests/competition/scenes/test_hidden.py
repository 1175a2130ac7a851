"""Which windows show the ground."""

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.scenes.hidden import hide, hiding_labels, shows_ground
from competition.spec.load import load

PLANET = load("planet")
WEATHER = ("clear", "partly_cloudy", "haze", "cloudy")


def test_a_window_without_data_is_not_scored() -> None:
    valid = np.ones((3, 10, 10), dtype=bool)
    valid[1, :2] = False
    valid[2, :3] = False
    assert shows_ground(valid).tolist() == [True, True, False]
    assert shows_ground(valid, 0.0).tolist() == [True, False, False]


def test_clouds_hide_all_labels_but_themselves() -> None:
    labels = ("road", *WEATHER)
    scores = np.array([[0.9, 0.8, 0.0, 0.1, 0.1], [0.9, 0.1, 0.0, 0.2, 0.7], [0.9, 0.3, 0.0, 0.4, 0.3]], np.float32)
    seen = hide(scores, labels, ("haze", "cloudy"), PLANET.exclusive, [0.2] * 5)
    assert np.isnan(seen[:, :3]).all(axis=1).tolist() == [False, True, True]
    np.testing.assert_array_equal(seen[0], scores[0])
    np.testing.assert_array_equal(seen[:, 3:], scores[:, 3:])
    assert not np.isnan(scores).any()


def test_a_label_beside_no_group_hides_from_its_cut() -> None:
    scores = np.array([[0.9, 0.3], [0.9, 0.2], [np.nan, np.nan]], np.float32)
    seen = hide(scores, ("road", "cloudy"), ("cloudy",), PLANET.exclusive, [0.2, 0.25])
    assert np.isnan(seen[:, 0]).tolist() == [True, False, True]


def test_labels_that_stand_alone_and_haze_hide_unless_others_are_named() -> None:
    assert hiding_labels(PLANET, PLANET.labels, None) == ("cloudy", "haze")
    assert hiding_labels(PLANET, ("road", "haze"), None) == ("haze",)
    assert hiding_labels(PLANET, PLANET.labels, ()) == ()
    with pytest.raises(UserError, match="Unknown label to hide by 'fog'"):
        hiding_labels(PLANET, PLANET.labels, ("fog",))
