"""Rows of any parts, standardised: by the rows alone, whether they are few or many."""

from __future__ import annotations

import numpy as np
import pytest

from models.linear import rows as rows_module
from models.linear.plan import Plan
from models.linear.rows import Head, Rows
from tests.models.linear.samples import VIEWS, bank_of, labels_of, uneven_features

COUNT = 90
TRAINING = (0, 2)


def rows_of(num_features: int, drawn: np.ndarray) -> Rows:
    wide = np.random.default_rng(0).normal(size=(COUNT, max(0, num_features - 6))) * 3 + 1
    features = np.concatenate([uneven_features(COUNT), wide], axis=1)
    plan = Plan.of(np.arange(COUNT) % 3, seed=0)
    return Rows(bank_of(features), labels_of(features), plan, VIEWS, drawn)


EVERY = np.repeat(np.arange(4)[:, None], COUNT, axis=1)
ONE = np.random.default_rng(5).integers(4, size=(1, COUNT))


@pytest.fixture(
    params=[(6, EVERY), (6, ONE), (800, EVERY), (200, ONE)], ids=["all", "drawn", "few of all", "few drawn"]
)
def rows(request, monkeypatch) -> Rows:
    monkeypatch.setattr(rows_module, "AT_ONCE", 16)
    rows = rows_of(*request.param)
    rows.prepare(TRAINING)
    return rows


def read_by_hand(rows: Rows) -> np.ndarray:
    parts = [
        np.stack(
            [rows.bank.under(VIEWS[view], np.array([chip]))[0] for chip, view in zip(part, drawn[part], strict=True)]
        )
        for part in (rows.plan.parts[number] for number in TRAINING)
        for drawn in rows.drawn
    ]
    return np.concatenate(parts).astype(np.float64)


def test_rows_are_standardised_by_their_own_moments(rows):
    onto, raw = rows.standardized(TRAINING), read_by_hand(rows)
    assert onto.count == len(raw)
    np.testing.assert_allclose(onto.mean, raw.mean(axis=0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(onto.scale, raw.std(axis=0) + 1e-3, rtol=1e-4)
    features = rows.features(TRAINING, onto)
    wide = features if onto.basis is None else features @ onto.basis.T
    np.testing.assert_allclose(wide, (raw - raw.mean(axis=0)) / (raw.std(axis=0) + 1e-3), atol=2e-3)
    np.testing.assert_allclose(onto.products, features.T @ features / len(features), atol=1e-3)
    np.testing.assert_allclose(onto.answers, features.T @ rows.labels(TRAINING) / len(features), atol=1e-3)


def test_a_head_says_the_same_of_features_as_they_are(rows):
    onto, random = rows.standardized(TRAINING), np.random.default_rng(0)
    features = rows.features(TRAINING, onto)
    kernel, bias = random.normal(size=(features.shape[1], 3)).astype(np.float32), random.normal(size=3)
    head = onto.head(kernel, bias)
    expected = features @ kernel + bias
    np.testing.assert_allclose(head.of(read_by_hand(rows).astype(np.float32)), expected, atol=2e-2 * expected.std())


def test_weights_are_those_of_the_head(rows):
    onto, random = rows.standardized(TRAINING), np.random.default_rng(0)
    kernel, bias = random.normal(size=(len(onto.products), 3)), random.normal(size=3)
    again, offset = onto.weights(onto.head(kernel, bias))
    np.testing.assert_allclose(again, kernel, atol=1e-4)
    np.testing.assert_allclose(offset, bias, atol=1e-4)


def test_what_is_said_of_a_part_is_said_of_its_chips_as_they_are(rows):
    size = rows.bank.num_features
    head = Head(np.eye(size, 2, dtype=np.float32), np.array([0.0, 1.0]))
    expected = rows.bank.read(rows.plan.parts[1])[:, :2] + [0, 1]
    np.testing.assert_allclose(rows.said(head, 1), expected)


def test_few_rows_are_not_summed():
    few, many = rows_of(800, EVERY), rows_of(6, EVERY)
    few.prepare([0, 1])
    many.prepare([0, 1])
    assert (set(few.sums), set(many.sums)) == (set(), {0, 1})
