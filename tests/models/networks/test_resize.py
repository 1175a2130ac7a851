"""Resizing within networks: as Pillow does it, on every backend."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.networks.layers import Resize, bicubic
from tests.models.samples import output_of

SIZES = st.integers(1, 40)


def by_pillow(chips: np.ndarray, size: int) -> np.ndarray:
    def one(plane: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC))

    return np.stack([np.stack([one(chip[..., band]) for band in range(chip.shape[-1])], -1) for chip in chips])


@pytest.mark.parametrize(("size", "new_size"), [(16, 40), (40, 16), (16, 16), (13, 29), (29, 13), (64, 7)])
def test_it_resizes_as_pillow_does(size, new_size):
    chips = np.random.default_rng(0).uniform(0, 255, (2, size, size, 4)).astype(np.float32)
    layer = Resize(new_size)
    made = keras.ops.convert_to_numpy(layer(chips))
    np.testing.assert_allclose(made, by_pillow(chips, new_size), atol=1e-3)
    assert layer.compute_output_shape(chips.shape) == made.shape


@given(SIZES, SIZES)
def test_an_even_chip_stays_even(size, new_size):
    matrix = bicubic(size, new_size)
    assert matrix.shape == (new_size, size)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)


@given(SIZES, SIZES)
def test_no_side_is_preferred(size, new_size):
    matrix = bicubic(size, new_size)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-5)


@given(SIZES)
def test_the_same_size_leaves_a_chip_as_it_is(size):
    np.testing.assert_allclose(bicubic(size, size), np.eye(size), atol=1e-6)


def test_a_network_with_it_is_rebuilt_from_its_description():
    chips = keras.Input((8, 8, 3))
    network = keras.Model(chips, Resize(12)(chips))
    seen = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    again = keras.Model.from_config(network.get_config())
    np.testing.assert_array_equal(output_of(again, seen), output_of(network, seen))
