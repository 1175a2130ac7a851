"""The most expected F-beta: as good as the best of all label sets, tried one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from submissions.decide.expected_f_beta import (
    Structure,
    count_distribution,
    joint_with_count,
    most_expected,
    without_each,
)

STRUCTURES = {
    "independent": Structure(),
    "a group": Structure(groups=((0, 1, 2),)),
    "a group with a label that stands alone": Structure(groups=((0, 1, 2),), alone=(0,)),
    "two groups": Structure(groups=((0, 1), (4, 5, 6)), alone=(1,)),
    "a label that stands alone, of no group": Structure(alone=(3,)),
}
SETS = np.array(list(product([False, True], repeat=8)))


def odds_of_sets(marginal: np.ndarray, structure: Structure) -> np.ndarray:
    """Return the probability of each of `SETS`, straight from what a structure means."""
    marginal = marginal.copy()
    for group in structure.groups:
        marginal[list(group)] /= marginal[list(group)].sum()
    alone = list(structure.alone)
    company = 1 - marginal[alone].sum()
    odds = np.empty(len(SETS))
    for number, carried in enumerate(SETS):
        if carried[alone].any():
            odds[number] = marginal[carried].sum() if carried.sum() == 1 else 0
            continue
        odds[number], free = company, set(range(8)) - set(alone)
        for group in structure.groups:
            members = [label for label in group if label not in alone]
            share = marginal[members] / marginal[members].sum()
            odds[number] *= share[carried[members]].sum() if carried[members].sum() == 1 else 0
            free -= set(group)
        for label in free:
            given = min(1, marginal[label] / company)
            odds[number] *= given if carried[label] else 1 - given
    assert odds.sum() == pytest.approx(1)
    return odds


def expected_f_beta(odds: np.ndarray, beta: float) -> np.ndarray:
    """Return the expected F-beta of deciding each of `SETS`."""
    hits = (SETS[:, None] & SETS).sum(axis=2)
    size = SETS.sum(axis=1)
    weights = np.maximum(size + beta**2 * size[:, None], 1)  # (carried, decided)
    return odds @ ((1 + beta**2) * hits / weights)


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
@pytest.mark.parametrize("beta", [0.5, 1.0, 1.3, 2.0])
def test_no_label_set_has_a_higher_expected_f_beta(structure, beta):
    random = np.random.default_rng(0)
    chips = random.random((25, 8)) ** random.choice([0.3, 1, 4], size=(25, 1))
    chips[:3, [2, 5]], chips[3] = [0.0, 1.0], 0.5
    decided = most_expected(chips, beta, structure)
    for marginal, chosen in zip(chips, decided, strict=True):
        expected = expected_f_beta(odds_of_sets(marginal, structure), beta)
        assert expected[(chosen == SETS).all(axis=1)][0] == pytest.approx(expected.max(), abs=1e-12)


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_the_joint_distribution_is_that_of_the_sets(structure):
    marginal = np.random.default_rng(1).random((1, 8))
    odds, size = odds_of_sets(marginal[0], structure), SETS.sum(axis=1)
    joint = joint_with_count(marginal, structure)[0]
    for label in range(8):
        for count in range(1, 9):
            assert joint[label, count - 1] == pytest.approx(odds[SETS[:, label] & (size == count)].sum(), abs=1e-12)


def test_a_label_is_divided_out_without_loss_even_where_it_is_certain_or_a_toss():
    random = np.random.default_rng(2)
    for marginal in (random.random((50, 30)), random.choice([0.0, 1e-9, 0.5, 1 - 1e-9, 1.0], size=(50, 30))):
        others = without_each(count_distribution(marginal), marginal)
        for label in range(30):
            expected = count_distribution(np.delete(marginal, label, axis=1))
            np.testing.assert_allclose(others[:, label], expected, atol=1e-12)


def test_many_chips_are_decided_as_each_alone():
    chips = np.random.default_rng(3).random((5000, 6)) ** 2
    structure = Structure(groups=((0, 1),))
    whole = most_expected(chips, 2, structure)
    for row in (0, 2047, 2048, 4999):
        np.testing.assert_array_equal(whole[row], most_expected(chips[row : row + 1], 2, structure)[0])


def test_what_is_certain_is_decided():
    chips = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(most_expected(chips, 2, Structure()), chips > 0)
