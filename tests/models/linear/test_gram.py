"""Sums of parts: as exact as those of all rows, and systems of them, solved."""

from __future__ import annotations

import numpy as np
import pytest

from models.linear.gram import added, each, narrowed, solved, summed
from tests.models.linear.samples import labels_of, uneven_features

COUNT = 400


def expected_sums(features: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    deviations = features - features.mean(axis=0)
    return deviations.T @ deviations, deviations.T @ (truth - truth.mean(axis=0))


@pytest.mark.parametrize("far", [0.0, 3e4])
def test_sums_of_parts_are_those_of_all_rows_at_once(far):
    """Far from 0 too, where float32 products about 0 would keep nothing of the deviations."""
    features = (uneven_features(COUNT) + far).astype(np.float32)
    truth = labels_of(uneven_features(COUNT))
    pieces = [(0, 10), (10, 130), (130, 131), (131, COUNT)]
    parts = [summed([(features[a:b], truth[a:b])]) for a, b in pieces[:2]]
    parts.append(summed((features[a:b], truth[a:b]) for a, b in pieces[2:]))
    sums = added(parts)
    products, answers = expected_sums(features.astype(np.float64), truth)
    sizes = np.sqrt(np.diagonal(products)) + 1e-6
    assert sums.count == COUNT
    np.testing.assert_allclose(sums.mean, features.mean(axis=0, dtype=np.float64), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(sums.frequency, truth.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(sums.products / sizes / sizes[:, None], products / sizes / sizes[:, None], atol=1e-5)
    np.testing.assert_allclose(sums.answers / sizes[:, None], answers / sizes[:, None], atol=1e-4)


def test_nothing_cannot_be_summed():
    with pytest.raises(ValueError, match="no rows"):
        summed([])


def test_few_rows_are_told_by_as_many_features():
    rows = np.random.default_rng(0).normal(size=(7, 30)).astype(np.float32)
    rows -= rows.mean(axis=0)
    few, basis = narrowed(rows)
    assert few.shape == (7, 7)
    np.testing.assert_allclose(few @ basis.T, rows, atol=1e-5)
    np.testing.assert_allclose(basis.T @ basis, np.eye(7), atol=1e-5)


@pytest.mark.parametrize("weakest", [10.0, 1e-2, 1e-7], ids=str)
def test_products_too_close_to_singular_for_float32_are_solved_too(weakest):
    random = np.random.default_rng(5)
    directions = np.linalg.qr(random.normal(size=(50, 50)))[0]
    products = (directions * np.geomspace(weakest, 1e4, 50)) @ directions.T
    answers, penalty = random.normal(size=(50, 3)), 1e-6
    found = solved(products, penalty, answers)
    expected = np.linalg.solve(products + penalty * np.eye(50), answers)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_each_item_has_its_result_in_order():
    assert each(lambda number: number**2, range(20)) == [number**2 for number in range(20)]
