"""What made-up chips carry: what the competition allows, and every label where there are enough chips."""

from __future__ import annotations

import numpy as np
import pytest

from competition.layouts.truth import SURE, draw_truth
from competition.spec.load import built_in_names, load
from tests.competition.layouts.samples import fungi


def draw(competition, num_chips=400, seed=1, union=None):
    return draw_truth(competition, num_chips, np.random.default_rng(seed), union)


@pytest.mark.parametrize("name", built_in_names())
def test_every_competition_gets_what_its_rules_allow(name):
    competition = load(name)
    truth = draw(competition)
    assert truth.shape == (400, len(competition.labels))
    for group in competition.exclusive_columns:
        np.testing.assert_array_equal(truth[:, list(group)].sum(axis=1), 1)
    for label in competition.alone:
        assert truth[truth[:, competition.label_index[label]]].sum(axis=1).max() == 1
    assert truth.any(axis=1).all() != competition.unlabelled


def test_every_label_is_carried_sometimes_and_missing_more_often():
    competition = load("human-protein-atlas-2018")
    counts = draw(competition, 28 * SURE).sum(axis=0)
    assert counts.min() >= SURE
    assert counts.max() < 28 * SURE


def test_few_chips_of_many_labels_are_drawn_too():
    assert draw(load("imet-2019"), 5).any(axis=1).all()


def test_a_label_that_stands_alone_and_a_group_of_one_hold_together():
    truth = draw(fungi())
    assert set(truth.sum(axis=1)) >= {1, 2}
    np.testing.assert_array_equal(truth[:, :2].sum(axis=1) + truth[:, 3], 1)


def test_a_union_is_there_wherever_any_other_is():
    competition = load("rsna-hemorrhage-2019")
    truth = draw(competition, union="any")
    np.testing.assert_array_equal(truth[:, -1], truth[:, :-1].any(axis=1))
    assert 0 < truth[:, -1].sum() < len(truth)
