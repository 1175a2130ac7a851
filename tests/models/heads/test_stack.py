"""Heads in one flat buffer: laid out without gaps, begun as Keras begins them, each as if it were alone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from models.heads import stack
from models.heads.stack import HeadShape
from models.heads.tabm import TabmShape

SHAPES = pytest.mark.parametrize("units", [(17,), (5, 17), (6, 4, 17)], ids=str)
NUM_FEATURES, NUM_CHIPS = 9, 11


def drawn(shape: HeadShape) -> np.ndarray:
    """Return weights of which none is special."""
    return np.random.default_rng(0).normal(size=shape.num_weights).astype(np.float32)


def features() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(NUM_CHIPS, NUM_FEATURES)).astype(np.float32)


@SHAPES
@pytest.mark.parametrize("num_heads", [1, 3])
def test_every_weight_belongs_to_one_array_of_one_head_and_kernels_come_first(units, num_heads):
    shape = HeadShape(NUM_FEATURES, units, num_heads)
    values = np.zeros(shape.num_weights, np.float32)
    sizes = (NUM_FEATURES, *units)
    for number in range(num_heads):
        layers = shape.layers(values, number)
        assert [kernel.shape for kernel, _ in layers] == list(itertools.pairwise(sizes))
        assert [bias.shape for _, bias in layers] == [(size,) for size in units]
        for kernel, bias in layers:
            kernel[...] += 1
            bias[...] += 2
    assert set(values[: shape.num_decayed]) == {1}
    assert set(values[shape.num_decayed :]) == {2}


@SHAPES
def test_heads_begin_as_keras_draws_them_whatever_is_beside_them(units):
    bias, alone = np.arange(17), HeadShape(NUM_FEATURES, units)
    several = HeadShape(NUM_FEATURES, units, 3)
    values = several.begin(bias, [4, 5, 6])
    for number, seed in enumerate((4, 5, 6)):
        layers = several.layers(values, number)
        for pair, own in zip(layers, alone.layers(alone.begin(bias, [seed]), 0), strict=True):
            assert all(np.array_equal(*arrays) for arrays in zip(pair, own, strict=True))
        for kernel, _ in layers:
            limit = math.sqrt(6 / sum(kernel.shape))
            assert np.abs(kernel).max() <= limit
            assert kernel.std() == pytest.approx(limit / math.sqrt(3), rel=0.3)
        assert not any(shift.any() for _, shift in layers[:-1])
        assert np.array_equal(layers[-1][1], bias)
    assert len({layer[0][0].tobytes() for number in range(3) for layer in several.layers(values, number)}) == 3 * len(
        units
    )


@SHAPES
def test_a_head_has_the_logits_and_gradients_that_it_has_alone(units):
    several, alone = HeadShape(NUM_FEATURES, units, 3), HeadShape(NUM_FEATURES, units)
    values, by_logits = drawn(several), np.random.default_rng(2).normal(size=(3, NUM_CHIPS, 17)).astype(np.float32)
    masks = [np.random.default_rng(3).random(sizes) < 0.7 for sizes in several.mask_shapes(NUM_CHIPS)]
    heads, gradients = several.stack(values), np.empty_like(values)
    logits = heads.logits(features(), masks, 1.5).copy()
    heads.gradients(by_logits, gradients)
    for number in range(3):
        own = np.empty(alone.num_weights, np.float32)
        for pair, arrays in zip(alone.layers(own, 0), several.layers(values, number), strict=True):
            for to, given in zip(pair, arrays, strict=True):
                to[...] = given
        head, found = alone.stack(own), np.empty_like(own)
        mine = [mask[:, number : number + 1] for mask in masks]
        np.testing.assert_allclose(head.logits(features(), mine, 1.5)[0], logits[number], rtol=1e-5, atol=1e-5)
        head.gradients(by_logits[number : number + 1], found)
        for pair, arrays in zip(alone.layers(found, 0), several.layers(gradients, number), strict=True):
            for one, other in zip(pair, arrays, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("members", [1, 3])
def test_logits_change_as_the_gradient_says_where_units_are_dropped_too(members):
    units = (6, 4, 17)
    shape = TabmShape(NUM_FEATURES, units, 2, members) if members > 1 else HeadShape(NUM_FEATURES, units, 2)
    values, random = drawn(shape), np.random.default_rng(6)
    masks = [random.random(sizes) < 0.7 for sizes in shape.mask_shapes(NUM_CHIPS)]
    by_logits = random.normal(size=(2 * members, NUM_CHIPS, 17)).astype(np.float32)
    heads, gradients = shape.stack(values), np.empty_like(values)

    def total(changed: np.ndarray) -> float:
        return float((shape.stack(changed).logits(features(), masks, 1.5) * by_logits).sum(dtype=np.float64))

    heads.logits(features(), masks, 1.5)
    heads.gradients(by_logits, gradients)
    for _ in range(5):
        way = random.normal(size=len(values)).astype(np.float32) * np.float32(2e-4)
        change = total(values + way) - total(values - way)
        assert change == pytest.approx(2 * float(gradients @ way), rel=0.02, abs=0.01)


def test_a_smaller_batch_after_a_larger_one_has_its_own_logits():
    shape = HeadShape(NUM_FEATURES, (5, 17), 2)
    heads = shape.stack(drawn(shape))
    expected = heads.logits(features()).copy()
    np.testing.assert_allclose(heads.logits(features()[:4]), expected[:, :4], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(heads.logits(features()), expected, rtol=1e-6)


@pytest.mark.parametrize("columns", [1, 3, 256])
def test_a_product_is_whole_however_its_columns_are_shared(columns, monkeypatch):
    monkeypatch.setattr(stack, "COLUMNS", columns)
    left, right = features(), np.random.default_rng(4).normal(size=(NUM_FEATURES, 10)).astype(np.float32)
    out, starts = np.full((NUM_CHIPS, 10), np.nan, np.float32), []

    def backwards(work, things) -> None:
        starts.extend(things)
        stack.one_by_one(work, reversed(things))

    stack.product(left, right, out, backwards)
    assert len(starts) == -(-10 // columns)
    np.testing.assert_allclose(out, left @ right, rtol=1e-5, atol=1e-6)
