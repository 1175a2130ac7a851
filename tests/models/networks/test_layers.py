"""The project's own layers: resizing as Pillow does it, indices that forget illumination, scores of groups."""

from __future__ import annotations

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import layers, ops
from PIL import Image

from competition.common.errors import UserError
from competition.data.chips import read_chip
from models.networks.backbones import build_extractor
from models.networks.input_spec import bicubic
from models.networks.layers import AtRest, PriorShift, Resize, ScoreLayer, SpectralIndices
from tests.models.samples import NUM_LABELS, PLANET, chips_for, frozen, inputs_of, moved, output_of, tiny_recipe

SIZES = st.integers(1, 40)
WEATHER = PLANET.exclusive_columns[0]
GROUND = tuple(column for column in range(NUM_LABELS) if column not in WEATHER)


# Resizing


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


# Spectral indices

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
    values = indices_of(chips, BANDS, "ndvi", "ndwi")
    assert (np.abs(values) <= 1 + 1e-6).all()
    moved = np.float32(gain) * chips[..., [BANDS.index(band) for band in bands]]
    np.testing.assert_array_equal(indices_of(moved, "".join(bands), "ndvi", "ndwi"), values)


def test_close_16_bit_values_are_told_apart_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        values = indices_of(pixel(B=0, G=0, R=30000, N=30010), BANDS, "ndvi")
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_allclose(values.ravel(), 10 / 60010, rtol=1e-2)


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


GIVE = "Give --images with a rendering that has them, and --bands"


@pytest.mark.parametrize(
    ("bands", "index", "line"),
    [
        ("RGB", "ndvi", f"indices ndvi needs bands R and N, received RGB. {GIVE} RGBN."),
        ("RGB", "ndwi", f"indices ndwi needs bands G and N, received RGB. {GIVE} RGBN."),
        ("NB", "ndvi", f"indices ndvi needs bands R and N, received NB. {GIVE} NBR."),
        ("B", "ndwi", f"indices ndwi needs bands G and N, received B. {GIVE} BGN."),
        (("R", "B8A"), "ndvi", f"indices ndvi needs bands R and N, received R,B8A. {GIVE} R,B8A,N."),
        ("RGBN", "evi", "Unknown index 'evi'. Known: ndvi, ndwi."),
    ],
)
def test_an_index_that_the_bands_do_not_give_is_refused(bands, index, line):
    with pytest.raises(UserError) as caught:
        SpectralIndices(bands, (index,))
    assert str(caught.value) == line


# Networks at rest


def test_a_network_at_rest_keeps_its_statistics_and_drops_nothing_while_others_learn(tiny_net, tiny_weights):
    recipe = tiny_recipe(**frozen(tiny_weights))
    extractor = build_extractor(recipe, inputs_of(recipe))
    at_rest, chips = AtRest(extractor), chips_for(extractor, 8)
    before = extractor.get_weights()
    learning = keras.ops.convert_to_numpy(at_rest(chips, training=True))
    np.testing.assert_array_equal(learning, output_of(extractor, chips))
    assert not moved(before, extractor.get_weights()).count(True)
    assert not np.array_equal(learning, keras.ops.convert_to_numpy(extractor(chips, training=True)))


# Balanced batches


def test_the_shift_is_added_while_training_and_only_then():
    shift = np.array([1.0, -2.0], dtype=np.float32)
    layer, logits = PriorShift(shift), np.array([[0.5, 0.25], [3.0, 4.0]], dtype=np.float32)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(logits, training=True)), logits + shift)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(logits, training=False)), logits)
    assert layer.trainable_weights == []


def test_trained_on_balanced_batches_scores_stay_near_the_true_frequencies():
    """Half of what is shown carries a label that one chip in twenty does: the scores must not say a half."""
    random, frequency, shown = np.random.default_rng(0), 0.05, 0.5
    truth = (random.random((2000, 1)) < shown).astype(np.float32)
    features = random.normal(size=(2000, 2)).astype(np.float32)  # that tell nothing
    odds = (shown / (1 - shown)) / (frequency / (1 - frequency))
    chips = keras.Input((2,))
    shifted = PriorShift(np.array([np.log(odds)], dtype=np.float32))(layers.Dense(1)(chips))
    network = keras.Model(chips, [ScoreLayer()(shifted), ScoreLayer()(layers.Dense(1)(chips))])
    network.compile(keras.optimizers.Adam(0.05), ["binary_crossentropy"] * 2, jit_compile=False)
    network.fit(features, [truth, truth], batch_size=200, epochs=20, verbose=0)
    with_shift, without = (ops.convert_to_numpy(scores).mean() for scores in network(features, training=False))
    assert abs(with_shift - frequency) < 0.01
    assert abs(without - shown) < 0.05


# Scores


def test_scores_of_a_group_sum_to_one_and_the_others_are_sigmoids():
    logits = np.random.default_rng(0).normal(0, 30, (50, NUM_LABELS)).astype(np.float32)
    scores = ops.convert_to_numpy(ScoreLayer([WEATHER])(logits)).astype(np.float64)
    assert scores[:, WEATHER].sum(axis=1) == pytest.approx(1, abs=1e-5)
    powers = np.exp(logits[:, WEATHER] - logits[:, WEATHER].max(axis=1, keepdims=True))
    assert scores[:, WEATHER] == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-6)
    assert scores[:, GROUND] == pytest.approx(1 / (1 + np.exp(-logits[:, GROUND].astype(np.float64))), abs=1e-6)


def test_scores_are_float32_under_mixed_precision_and_survive_saving():
    layer = ScoreLayer([WEATHER], name="scores", dtype="mixed_bfloat16")
    logits = ops.cast(np.random.default_rng(0).normal(0, 3, (4, NUM_LABELS)), "bfloat16")
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    again = keras.saving.deserialize_keras_object(config)
    assert (again.name, again.groups) == ("scores", (WEATHER,))
    assert layer(logits).dtype == again(logits).dtype == "float32"
    assert np.array_equal(layer(logits), again(logits))


# Real chips


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data in {SHARED}; name their folder in PLANET_SHARED_DATA")
def test_forest_of_the_real_chips_has_the_ndvi_of_forest():
    images = PLANET.image_set("tif")
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
