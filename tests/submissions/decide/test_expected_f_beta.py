"""The most expected F-beta: as good as the best of all label sets, tried one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from submissions.decide import expected_f_beta as decoder
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


def expected_f_beta(odds: np.ndarray, beta: float, empty: float = 0) -> np.ndarray:
    """Return the expected F-beta of deciding each of `SETS`."""
    hits = (SETS[:, None] & SETS).sum(axis=2)
    size = SETS.sum(axis=1)
    weights = np.maximum(size + beta**2 * size[:, None], 1)  # (carried, decided)
    worth = (1 + beta**2) * hits / weights
    worth[0, 0] = empty
    return odds @ worth


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
def test_nothing_is_decided_where_that_is_expected_to_be_best(structure):
    chips = np.random.default_rng(4).random((40, 8)) ** np.linspace(1, 12, 40)[:, None]
    decided = most_expected(chips, 1, structure, empty=1)
    for marginal, chosen in zip(chips, decided, strict=True):
        expected = expected_f_beta(odds_of_sets(marginal, structure), 1, empty=1)
        assert expected[(chosen == SETS).all(axis=1)][0] == pytest.approx(expected.max(), abs=1e-12)
    assert most_expected(chips, 1, structure).any(axis=1).all()
    assert decided.any(axis=1).all() == bool(structure.groups)


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
@pytest.mark.parametrize("empty", [0, 1])
def test_of_too_many_labels_the_most_likely_are_chosen_from_and_all_are_counted(structure, empty, monkeypatch):
    monkeypatch.setattr(decoder, "EXACT", 3)
    chips = np.random.default_rng(5).random((30, 8)) ** np.linspace(0.3, 8, 30)[:, None]
    for marginal, chosen in zip(chips, most_expected(chips, 1.5, structure, empty), strict=True):
        odds = odds_of_sets(marginal, structure)
        likely = np.argsort(-(odds @ SETS), kind="stable")[:3]
        possible = ~SETS[:, np.setdiff1d(np.arange(8), likely)].any(axis=1)
        expected = expected_f_beta(odds, 1.5, empty)
        assert expected[(chosen == SETS).all(axis=1)][0] == pytest.approx(expected[possible].max(), abs=1e-12)


def test_the_most_likely_of_many_labels_are_those_that_all_would_give(monkeypatch):
    chips = np.random.default_rng(6).beta(0.1, 1.5, size=(40, 90))
    structure = Structure(groups=(tuple(range(20)), tuple(range(20, 24))), alone=(3, 50))
    of_likely = [most_expected(chips, 2, each) for each in (Structure(), structure)]
    monkeypatch.setattr(decoder, "EXACT", 90)
    for found, each in zip(of_likely, (Structure(), structure), strict=True):
        np.testing.assert_array_equal(found, most_expected(chips, 2, each))


def test_more_others_than_are_counted_apart_are_taken_together():
    count = count_distribution(np.full((1, 10), 0.5), most=4)
    whole = count_distribution(np.full((1, 10), 0.5))
    np.testing.assert_allclose(count[0], [*whole[0, :4], whole[0, 4:].sum()])


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
