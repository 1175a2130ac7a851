"""Networks of keras.applications for any bands: weights are the ones asked for, and new bands disturb nothing."""

from __future__ import annotations

import gc
import importlib
import os
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from competition.common.errors import UserError
from competition.data.chips import read_chip, resize_chip
from competition.spec.load import load
from models.networks.applications import application, applications
from models.recipes.recipe import Recipe
from tests.models import samples
from tests.models.samples import saved, tiny_recipe

SEEDS = {"EfficientNetV2L": 1, "EfficientNetV2M": 1}  # of some draws so many layers make nothing but rounding
SMALLEST = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}  # pixels; others take 32
FAMILIES = (
    "ConvNeXtTiny", "DenseNet121", "EfficientNetV2B0", "EfficientNetV2S", "InceptionResNetV2", "InceptionV3",
    "MobileNet", "MobileNetV2", "MobileNetV3Small", "NASNetMobile", "ResNet50", "ResNet50V2", "VGG16", "Xception",
)  # fmt: skip
SHARED = Path(os.environ.get("PLANET_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))


def values_of(tensor: object) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def features_of(network: keras.Model, chips: np.ndarray) -> np.ndarray:
    return values_of(network(chips, training=False))


def random_chips(size: int = 16, num_bands: int = 3, count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, num_bands)).astype(np.float32)


def finetuned(backbone: str, weights: str | Path, **values) -> Recipe:
    train = "full" if weights == "none" else "finetune"
    return tiny_recipe(backbone=backbone, weights=str(weights), train=train, **values)


def tiny(weights: str | Path, **values) -> Recipe:
    return finetuned("TinyNet", weights, **values)


def first_kernel(network: keras.Model) -> np.ndarray:
    return network.get_weights()[0]


def assert_same_features(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


# Every network


@pytest.fixture(scope="module")
def donor(request, tmp_path_factory):
    """A network as Keras builds it, saved with random weights, and what it makes of chips."""
    size = SMALLEST.get(request.param, 32)
    builder = getattr(keras.applications, request.param)
    keras.utils.set_random_seed(SEEDS.get(request.param, 0))
    network = builder(weights=None, include_top=False, input_shape=(size, size, 3))
    preprocess_input = importlib.import_module(builder.__module__).preprocess_input
    chips = random_chips(size)
    awaken(network, preprocess_input(random_chips(size, count=16)))
    path = tmp_path_factory.mktemp("donor") / "donor.weights.h5"
    network.save_weights(path)
    features, mirrored = (features_of(network, preprocess_input(c.copy())) for c in (chips, chips[..., ::-1]))
    of_bands = np.linalg.norm(features - mirrored)
    assert of_bands > 0.01 * np.linalg.norm(features)
    yield SimpleNamespace(
        recipe=finetuned(request.param, path, input_size=size, new_bands="zero"),
        chips=chips,
        features=features,
        rounding=0.01 * of_bands,  # a hundred normalisations of random features multiply a float's rounding
        kernel=first_kernel(network),
    )
    path.unlink()
    del network
    gc.collect()


def awaken(network: keras.Model, chips: np.ndarray) -> None:
    """Give a new network weights under which a chip makes a difference to its last layer."""
    random = np.random.default_rng(1)  # for biases, which begin as 0
    network.set_weights([w + random.uniform(0, 0.1, w.shape) * (w.ndim == 1) for w in network.get_weights()])
    for layer in network._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    network(chips, training=True)


@pytest.mark.parametrize(
    "donor",
    [name if name == "MobileNetV3Small" else pytest.param(name, marks=pytest.mark.slow) for name in applications()],
    indirect=True,
)
def test_new_bands_that_start_from_zero_leave_every_networks_features_as_they_were(donor):
    network = application(donor.recipe, "NBGR")
    noise = 255 - donor.chips[..., :1]
    found = features_of(network, np.concatenate([noise, donor.chips[..., ::-1]], axis=-1))
    assert np.linalg.norm(found - donor.features) < donor.rounding


@pytest.mark.slow
@pytest.mark.parametrize("donor", FAMILIES, indirect=True)
@pytest.mark.parametrize("bands", ["RGB", "GRB"])
def test_three_bands_in_any_order_give_every_familys_own_features(donor, bands):
    network = application(donor.recipe, bands)
    found = features_of(network, donor.chips[..., ["RGB".index(band) for band in bands]])
    assert np.linalg.norm(found - donor.features) < donor.rounding


@pytest.mark.slow
@pytest.mark.parametrize("donor", FAMILIES, indirect=True)
def test_new_bands_start_from_the_mean_filter_in_every_family(donor):
    network = application(finetuned(**{**named(donor.recipe), "new_bands": "mean"}), ("N", "ndvi"))
    kernel = first_kernel(network)
    assert kernel.shape[-2] == 2
    for band in range(2):
        np.testing.assert_array_equal(kernel[:, :, band], np.mean(np.split(donor.kernel, 3, axis=-2), axis=0)[:, :, 0])


def named(recipe: Recipe) -> dict:
    return {name: getattr(recipe, name) for name in ("backbone", "weights", "input_size")}


@pytest.mark.slow
@pytest.mark.parametrize("donor", FAMILIES, indirect=True)
def test_every_family_comes_back_from_a_keras_file(donor, tmp_path):
    assert_comes_back(application(donor.recipe, "RGBN", pretrained=False), tmp_path / "network.keras")


def test_a_network_comes_back_from_a_keras_file(tiny_net, tmp_path):
    assert_comes_back(application(tiny("none"), "RGBN"), tmp_path / "network.keras")


def assert_comes_back(network: keras.Model, path: Path) -> None:
    network.save(path)
    again = keras.saving.load_model(path, safe_mode=True)
    chips = random_chips(network.input_shape[1], 4)
    assert_same_features(features_of(again, chips), features_of(network, chips))


# Filters


@given(
    bands=st.permutations(["R", "G", "B", "N", "ndvi"]), count=st.integers(1, 5), new=st.sampled_from(["mean", "zero"])
)
@settings(max_examples=10, deadline=None)
def test_bands_find_their_own_filters_wherever_they_stand(tiny_file, bands, count, new):
    donor, path = tiny_file
    kernel = first_kernel(application(tiny(path, new_bands=new), bands[:count]))
    own = dict(zip("RGB", np.moveaxis(first_kernel(donor), 2, 0), strict=True))
    other = np.mean(list(own.values()), axis=0) if new == "mean" else np.zeros_like(own["R"])
    for place, band in enumerate(bands[:count]):
        np.testing.assert_array_equal(kernel[:, :, place], own.get(band, other))


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory):
    """TinyNet and the file of its weights, for every example that hypothesis tries."""
    network = samples.TinyNet()
    path = saved(tmp_path_factory.mktemp("tiny") / "tiny.weights.h5", network)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "TinyNet", samples.TinyNet, raising=False)
        yield network, path


def SeparableNet(weights: str | None, include_top: bool, input_shape: tuple) -> keras.Model:  # noqa: N802
    chips = keras.Input(input_shape)
    return keras.Model(chips, layers.SeparableConv2D(5, 3, depth_multiplier=2, bias_initializer="ones")(chips))


SeparableNet.__module__ = samples.__name__


def test_a_separable_first_convolution_keeps_the_filters_of_its_bands_too(monkeypatch, tmp_path):
    monkeypatch.setattr(keras.applications, "SeparableNet", SeparableNet, raising=False)
    network = SeparableNet(None, False, (16, 16, 3))
    recipe = finetuned("SeparableNet", saved(tmp_path / "some.weights.h5", network), new_bands="zero")
    chips = random_chips(num_bands=4)
    expected = features_of(network, samples.preprocess_input(chips[..., 2::-1]))
    assert_same_features(features_of(application(recipe, "BGRN"), chips), expected)


# Preprocessing

PREPROCESSING = {
    "tf": keras.applications.mobilenet_v2,
    "torch": keras.applications.densenet,
    "caffe": keras.applications.vgg16,
}


def preprocessed(network: keras.Model, chips: np.ndarray) -> np.ndarray:
    return features_of(keras.Model(network.input, network.get_layer("preprocess").output), chips)


@pytest.mark.parametrize("kind", PREPROCESSING)
@pytest.mark.parametrize("weights", ["file", "none"])
def test_a_new_band_is_preprocessed_by_the_mean_of_what_red_green_and_blue_get(monkeypatch, tiny_file, kind, weights):
    preprocess_input = PREPROCESSING[kind].preprocess_input
    monkeypatch.setattr(samples, "preprocess_input", preprocess_input)
    network = application(tiny(tiny_file[1] if weights == "file" else "none"), "RGBN")
    chips = random_chips(num_bands=4)
    grey = np.repeat(chips[..., 3:], 3, axis=-1)
    own = preprocess_input(chips[..., :3].copy())
    own = own[..., ::-1] if kind == "caffe" else own
    expected = np.concatenate([own, preprocess_input(grey).mean(axis=-1, keepdims=True)], axis=-1)
    np.testing.assert_allclose(preprocessed(network, chips), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", PREPROCESSING)
@pytest.mark.parametrize("bands", ["RGB", "GRB", "NBRG"])
def test_filters_meet_the_band_they_were_made_for_where_preprocessing_reorders_bands(
    monkeypatch, tiny_file, kind, bands
):
    preprocess_input = PREPROCESSING[kind].preprocess_input
    monkeypatch.setattr(samples, "preprocess_input", preprocess_input)
    chips = random_chips(num_bands=4)
    found = features_of(
        application(tiny(tiny_file[1], new_bands="zero"), bands), chips[..., ["RGBN".index(band) for band in bands]]
    )
    assert_same_features(found, features_of(tiny_file[0], preprocess_input(chips[..., :3].copy())))


def ScalingNet(  # noqa: N802
    weights: str | None, include_top: bool, input_shape: tuple, include_preprocessing: bool = True
) -> keras.Model:
    """Stand in for a network of keras.applications with its preprocessing inside, and a network for its stem."""
    chips = hidden = keras.Input(input_shape)
    if include_preprocessing:
        hidden = layers.Rescaling(1 / 127)(hidden)
        hidden = layers.Normalization(mean=[0.1, 0.2, 0.6], variance=[0.25, 0.25, 1.0])(hidden)
    stem = keras.Sequential([layers.Conv2D(2, 3), layers.LayerNormalization(), layers.Conv2D(3, 3)])
    return keras.Model(chips, stem(hidden))


@pytest.fixture
def scaling_net(monkeypatch) -> None:
    monkeypatch.setattr(keras.applications, "ScalingNet", ScalingNet, raising=False)
    monkeypatch.setattr(ScalingNet, "__module__", samples.__name__)
    monkeypatch.setattr(samples, "preprocess_input", lambda chips: chips)


@pytest.mark.parametrize("bands", ["RGB", "GRB", "NBRG"])
def test_the_first_filters_are_found_inside_a_nested_stem(scaling_net, tmp_path, bands):
    network = ScalingNet(None, False, (16, 16, 3))
    recipe = finetuned("ScalingNet", saved(tmp_path / "some.weights.h5", network), new_bands="zero")
    chips = random_chips(num_bands=4)
    found = features_of(application(recipe, bands), chips[..., ["RGBN".index(band) for band in bands]])
    assert_same_features(found, features_of(network, chips[..., :3]))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_preprocessing_inside_a_network_is_taken_out_exactly_under_any_policy(scaling_net, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        network = application(finetuned("ScalingNet", "none"), "RGBN")
    finally:
        keras.config.set_dtype_policy(before)
    mean, spread = np.array([0.1, 0.2, 0.6, 0]), np.array([0.5, 0.5, 1.0, 1])
    chips = random_chips(num_bands=4)
    expected = (chips / 127 - mean) / spread
    expected[..., 3] = (chips[..., 3:] / 127 - mean[:3]).dot(np.diag(1 / spread[:3])).mean(axis=-1)
    np.testing.assert_allclose(preprocessed(network, chips), expected, rtol=1e-5, atol=1e-5)


# Weights


def test_a_weights_file_is_loaded_whole(tiny_file):
    donor, path = tiny_file
    network = application(tiny(path), "RGB")
    for given_weights, loaded in zip(donor.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, given_weights)


@pytest.mark.parametrize("bands", ["RGB", "BGRN"])
def test_a_checkpoint_to_be_loaded_next_needs_no_weights_and_fits(tiny_file, tmp_path, bands):
    network = application(tiny(tiny_file[1]), bands)
    network.save_weights(tmp_path / "checkpoint.weights.h5")
    rebuilt = application(tiny("gone.weights.h5"), bands, pretrained=False)
    rebuilt.load_weights(tmp_path / "checkpoint.weights.h5")
    chips = random_chips(num_bands=len(bands))
    np.testing.assert_array_equal(features_of(rebuilt, chips), features_of(network, chips))


@pytest.mark.parametrize("bands", ["RGB", "RGBN"])
def test_imagenet_weights_are_asked_of_keras_for_three_bands(monkeypatch, tiny_file, bands):
    def TinyImageNet(weights: str | None, **options) -> keras.Model:  # noqa: N802
        network = samples.TinyNet(**options)
        if weights == "imagenet":
            assert options["input_shape"] == (16, 16, 3)
            network.set_weights(tiny_file[0].get_weights())
        return network

    monkeypatch.setattr(TinyImageNet, "__module__", samples.__name__)
    monkeypatch.setattr(keras.applications, "TinyNet", TinyImageNet)
    network = application(tiny("imagenet"), bands)
    np.testing.assert_array_equal(first_kernel(network)[:, :, :3], first_kernel(tiny_file[0]))


# What is refused


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"backbone": "InceptionV3"}, "Cannot build InceptionV3 at 16 px: .*at least 75"),
    ],
)
@pytest.mark.parametrize("bands", ["RGB", "RGBN"])
def test_what_cannot_be_built_is_named_in_one_line(values, line, bands):
    with pytest.raises(UserError, match=line) as caught:
        application(tiny_recipe(**values), bands)
    assert "\n" not in str(caught.value)


def test_networks_that_keras_scales_otherwise_with_imagenet_weights_are_refused():
    """Rebuilt to predict, they would not be what was trained."""
    assert {name for name in applications() if name.startswith("EfficientNet")} == {
        f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")
    }


# The real chips


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data in {SHARED}; name their folder in PLANET_SHARED_DATA")
@pytest.mark.parametrize(
    ("backbone", "file"), [("MobileNetV2", "mobilenet_v2"), ("DenseNet121", "densenet121"), ("VGG16", "vgg16")]
)
def test_near_infrared_that_starts_from_zero_leaves_imagenet_features_of_real_chips_as_they_were(backbone, file):
    images = load("planet").image_set("tif")
    files = sorted((SHARED / "planet256" / "train-tif-v2").glob("*.tif"))
    raw = np.stack([resize_chip(read_chip(path, images), 224) for path in files]).astype(np.float32)
    low, high = np.array([images.range[band] for band in images.bands]).T
    chips = np.float32((raw - low) / (high - low) * 255)
    weights = SHARED / "weights" / f"{file}_notop.weights.h5"
    zero, three = (
        application(finetuned(backbone, weights, input_size=224, new_bands="zero"), bands) for bands in ("RGBN", "RGB")
    )
    expected = features_of(three, chips[..., 2::-1])
    found = features_of(zero, chips[..., [2, 1, 0, 3]])
    print(f"\n{backbone}: {np.abs(found - expected).max():.1e} of {np.abs(expected).max():.3g}")
    assert_same_features(found, expected)
    mean = application(finetuned(backbone, weights, input_size=224), "RGBN")
    change = features_of(mean, chips[..., [2, 1, 0, 3]]) - expected
    print(f"{backbone}: new bands from the mean change features by {change.std() / expected.std():.2f} of their spread")
    assert change.std() > 0.01 * expected.std()
