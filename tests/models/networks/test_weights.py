"""Files of weights: what is wrong with one is said in one line, with what mends it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from competition.common.errors import UserError
from models.networks.applications import application
from models.recipes.recipe import Recipe
from tests.models import samples
from tests.models.samples import saved, tiny_recipe


def tiny(weights: str | Path) -> Recipe:
    return tiny_recipe(backbone="TinyNet", weights=str(weights), train="finetune")


def network_of(*stack: layers.Layer) -> keras.Model:
    chips = hidden = keras.Input((16, 16, 3))
    for layer in stack:
        hidden = layer(hidden)
    return keras.Model(chips, hidden)


OTHER_NETWORKS = {
    "one layer less": lambda: network_of(layers.Conv2D(6, 3, use_bias=False), layers.BatchNormalization()),
    "other filters": lambda: network_of(
        layers.Conv2D(7, 3, use_bias=False), layers.BatchNormalization(), layers.Conv2D(4, 3)
    ),
    "half a normalisation": lambda: network_of(
        layers.Conv2D(6, 3, use_bias=False), layers.BatchNormalization(scale=False), layers.Conv2D(4, 3)
    ),
    "nothing but a dense layer": lambda: network_of(layers.Dense(4)),
}


@pytest.mark.parametrize("bands", ["RGB", "RGBN"])
@pytest.mark.parametrize("other", OTHER_NETWORKS)
def test_a_file_of_another_network_is_refused(tiny_net, tmp_path, other, bands):
    path = saved(tmp_path / "other.weights.h5", OTHER_NETWORKS[other]())
    line = (
        r"other\.weights\.h5 does not hold the weights of TinyNet: \d of 7 are missing or do not fit, such as \w+/\w+"
        r"\. Give --weights with a file of TinyNet without its top, or the --model that this file is of\.$"
    )
    with pytest.raises(UserError, match=line):
        application(tiny(path), bands)


def test_a_weight_that_the_file_left_unset_is_refused(tiny_net, tiny_weights, monkeypatch):
    """Keras may pass over what a file lacks with a warning, by its version and the file's format."""
    load_weights = keras.Model.load_weights

    def forgetful(network: keras.Model, source: Path) -> None:
        before = network.get_layer("last").get_weights()
        load_weights(network, source)
        network.get_layer("last").set_weights(before)

    monkeypatch.setattr(keras.Model, "load_weights", forgetful)
    with pytest.raises(UserError, match=r"TinyNet: 2 of 7 are missing or do not fit, such as last/kernel\. Give"):
        application(tiny(tiny_weights), "RGB")


def nothing(whole: bytes) -> bytes:
    return b""


def text(whole: bytes) -> bytes:
    return b"These are no weights."


def half(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def unchanged(whole: bytes) -> bytes:
    return whole


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("x.weights.h5", nothing, "it is no HDF5 file"), ("x.weights.h5", text, "it is no HDF5 file"),
        ("x.h5", text, "it is no HDF5 file"), ("x.pth", text, "it is no HDF5 file"),
        ("x.weights.h5", half, "it is truncated; .*"), ("x.h5", half, "it is truncated; download or copy it again"),
        ("x.h5", unchanged, r"belongs into a file that ends in \.weights\.h5; rename it"),
        ("x.pth", unchanged, r"belongs into a file that ends in \.weights\.h5; rename it"),
        ("x.keras", unchanged, "it is damaged"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_with_its_fault(tiny_net, tiny_weights, tmp_path, name, content, fault):
    path = tmp_path / name
    path.write_bytes(content(Path(tiny_weights).read_bytes()))
    with pytest.raises(UserError, match=rf"{name} does not hold the weights of TinyNet: .*{fault}\. Give") as caught:
        application(tiny(path), "RGB")
    assert "\n" not in str(caught.value)


def test_a_file_of_keras_2_is_taken_by_its_name_alone(tiny_net, tmp_path):
    network = samples.TinyNet()
    network.save(path := tmp_path / "whole.h5")
    loaded = application(tiny(path), "RGB").get_weights()
    for given, found in zip(network.get_weights(), loaded, strict=True):
        np.testing.assert_array_equal(found, given)
    with pytest.raises(UserError, match=r"belongs into a file that ends in \.h5; rename it"):
        application(tiny(path.rename(tmp_path / "whole.weights.h5")), "RGB")


def test_a_missing_weights_file_is_refused(tiny_net, tmp_path):
    with pytest.raises(UserError, match=r"No weights file .*none\.weights\.h5"):
        application(tiny(tmp_path / "none.weights.h5"), "RGB")


def test_offline_the_line_says_which_file_to_put_where(monkeypatch):
    url = "https://storage.example/mobilenet_v2/mobilenet_v2_weights_1.0_224_no_top.h5"

    def offline(**options: object) -> None:
        raise Exception(f"URL fetch failure on {url}: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    with pytest.raises(
        UserError,
        match=r"^Cannot download the ImageNet weights of MobileNetV2: no network\. "
        r"Bring https://storage\.example/\S+_no_top\.h5 from where there is one, and put it into ~/\.keras/models, "
        r"or give --weights with its path\.$",
    ):
        application(tiny_recipe(backbone="MobileNetV2", weights="imagenet", train="finetune"), "RGBN")
    monkeypatch.setenv("KERAS_HOME", "/elsewhere")
    with pytest.raises(UserError, match="into /elsewhere/models"):
        application(tiny_recipe(backbone="MobileNetV2", weights="imagenet", train="finetune"), "RGB")
