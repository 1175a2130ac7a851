"""Spectral indices as further bands: they forget illumination, and nothing divides by zero."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from competition.common.errors import UserError
from competition.data.chips import read_chip
from competition.spec import load
from models.networks.layers import SpectralIndices

SHARED = Path(os.environ.get("PLANET_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
BANDS = "BGRN"
DIGITAL_NUMBERS = arrays(np.float32, (1, 2, 3, 4), elements=st.integers(0, 65535).map(np.float32))


def indices_of(chips: np.ndarray, bands: str, *indices: str) -> np.ndarray:
    """Return the appended bands alone, in [-1, 1]."""
    made = keras.ops.convert_to_numpy(SpectralIndices(bands, indices)(chips))
    np.testing.assert_array_equal(made[..., : len(bands)], chips)
    return made[..., len(bands) :] / 127.5 - 1


def pixel(**values: float) -> np.ndarray:
    return np.float32([values[band] for band in BANDS]).reshape(1, 1, 1, 4)


@pytest.mark.parametrize(
    ("values", "ndvi", "ndwi"),
    [
        ({"B": 0, "G": 30, "R": 20, "N": 180}, 0.8, -5 / 7),
        ({"B": 0, "G": 9, "R": 3, "N": 1}, -0.5, 0.8),
        ({"B": 9, "G": 0, "R": 0, "N": 7}, 1, -1),
        ({"B": 9, "G": 0, "R": 0, "N": 0}, 0, 0),
    ],
)
def test_indices_are_those_of_their_papers_in_the_order_asked_for(values, ndvi, ndwi):
    np.testing.assert_allclose(indices_of(pixel(**values), BANDS, "ndvi", "ndwi").ravel(), [ndvi, ndwi], atol=1e-6)
    np.testing.assert_allclose(indices_of(pixel(**values), BANDS, "ndwi", "ndvi").ravel(), [ndwi, ndvi], atol=1e-6)


@given(chips=DIGITAL_NUMBERS, bands=st.permutations(BANDS), gain=st.sampled_from([0.25, 0.5, 2.0]))
@settings(max_examples=30, deadline=None)
def test_indices_stay_in_range_whatever_the_illumination_and_the_order_of_bands(chips, bands, gain):
    found = indices_of(chips, BANDS, "ndvi", "ndwi")
    assert (np.abs(found) <= 1 + 1e-6).all()
    moved = np.float32(gain) * chips[..., [BANDS.index(band) for band in bands]]
    np.testing.assert_array_equal(indices_of(moved, "".join(bands), "ndvi", "ndwi"), found)


def test_close_16_bit_values_are_told_apart_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = indices_of(pixel(B=0, G=0, R=30000, N=30010), BANDS, "ndvi")
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_allclose(found.ravel(), 10 / 60010, rtol=1e-2)


def test_without_indices_chips_pass_as_they_are():
    assert indices_of(pixel(B=1, G=2, R=3, N=4), BANDS).shape == (1, 1, 1, 0)


def test_a_black_pixel_does_not_spoil_what_is_learnt():
    chips = keras.Input((2, 2, 4))
    hidden = keras.layers.Conv2D(4, 1)(chips)
    network = keras.Model(chips, keras.layers.Flatten()(SpectralIndices(BANDS, ["ndvi"])(hidden)))
    network.compile("sgd", "mse")
    network.fit(np.zeros((2, 2, 2, 4), np.float32), np.zeros((2, 20), np.float32), verbose=0)
    assert all(np.isfinite(weights).all() for weights in network.get_weights())


def test_the_layer_comes_back_from_a_keras_file(tmp_path):
    chips = keras.Input((2, 3, 4))
    network = keras.Model(chips, SpectralIndices(BANDS, ("ndwi", "ndvi"))(chips))
    assert network.output_shape == (None, 2, 3, 6)
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    given_chips = np.random.default_rng(0).integers(0, 65536, (2, 2, 3, 4)).astype(np.float32)
    found, expected = (keras.ops.convert_to_numpy(model(given_chips)) for model in (again, network))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("bands", "index", "line"),
    [
        ("RGB", "ndvi", "indices ndvi needs bands R and N, received RGB. Give --images tif --bands RGBN."),
        ("RGB", "ndwi", "indices ndwi needs bands G and N, received RGB. Give --images tif --bands RGBN."),
        ("NB", "ndvi", "indices ndvi needs bands R and N, received NB. Give --images tif --bands NBR."),
        ("B", "ndwi", "indices ndwi needs bands G and N, received B. Give --images tif --bands BGN."),
        ("RGBN", "evi", "Unknown index 'evi'. Known: ndvi, ndwi."),
    ],
)
def test_an_index_that_the_bands_do_not_give_is_refused(bands, index, line):
    with pytest.raises(UserError) as caught:
        SpectralIndices(bands, (index,))
    assert str(caught.value) == line


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data in {SHARED}; name their folder in PLANET_SHARED_DATA")
def test_forest_of_the_real_chips_has_the_ndvi_of_forest():
    images = load("planet").image_set("tif")
    low, high = np.float32([images.range[band] for band in BANDS]).T
    medians = []
    for path in sorted((SHARED / "planet256" / "train-tif-v2").glob("*.tif")):
        chip = read_chip(path, images)[None].astype(np.float32)
        raw, stretched = (
            indices_of(c, images.bands, "ndvi", "ndwi") for c in (chip, (chip - low) / (high - low) * 255)
        )
        for name, values in (("file values", raw), ("stretched", stretched)):
            ndvi, ndwi = (np.percentile(values[..., i], [0, 5, 50, 95, 100]).round(2) for i in range(2))
            print(f"\n{path.stem} {name}: NDVI {ndvi} NDWI {ndwi} (percentiles 0, 5, 50, 95, 100)", end="")
        assert np.abs(raw).max() < 1
        medians.append([np.median(values[..., 0]) for values in (raw, stretched)])
    of_files, of_stretched = np.transpose(medians)
    assert len(of_files) == 5
    assert ((of_files > 0.3) & (of_files < 0.8)).all()  # of radiances: below what reflectances give
    assert np.ptp(of_files) < np.ptp(of_stretched)
