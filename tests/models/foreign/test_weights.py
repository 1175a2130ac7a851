"""Weights of timm's networks: whole or refused, and filters for bands that they were not trained on."""

from __future__ import annotations

import numpy as np
import pytest

from competition.common.errors import UserError
from tests.models.foreign.samples import BY_TORCH, SIZE, learning, timm_weights

pytestmark = BY_TORCH


def filters_of(recipe, bands) -> np.ndarray:
    from models.foreign.weights import timm_module

    return timm_module(recipe, bands).get_submodule("conv1.0").weight.detach().numpy()


def test_bands_keep_the_filters_of_their_own_and_new_ones_take_the_mean_or_nothing(tmp_path):
    recipe = learning("test_resnet", timm_weights(tmp_path / "net.safetensors", "test_resnet"))
    trained = filters_of(recipe, "RGB")
    inflated = filters_of(recipe, "NBRG")
    np.testing.assert_array_equal(inflated[:, 1:], trained[:, [2, 0, 1]])
    np.testing.assert_allclose(inflated[:, 0], trained.mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(filters_of(recipe, "BGR"), trained[:, ::-1])
    zero = learning("test_resnet", recipe.weights, new_bands="zero")
    assert not filters_of(zero, ("R", "B8A"))[:, 1].any()


def test_a_file_for_as_many_bands_as_are_asked_for_is_taken_as_it_is(tmp_path):
    recipe = learning("test_resnet", timm_weights(tmp_path / "net.safetensors", "test_resnet", in_chans=4))
    assert np.ptp(filters_of(recipe, "RGBN"), axis=1).min() > 0
    with pytest.raises(UserError, match=r"does not hold the weights of timm's test_resnet: .*size mismatch"):
        filters_of(recipe, "RGB")


@pytest.mark.parametrize("name", ["test_vit", "test_convnext"])
def test_weights_of_another_network_are_refused(tmp_path, name):
    from models.foreign.weights import timm_module

    weights = timm_weights(tmp_path / "net.safetensors", "test_resnet")
    with pytest.raises(UserError, match=rf"does not hold the weights of timm's {name}: .*Give --weights with a file"):
        timm_module(learning(name, weights), "RGB")


def test_weights_of_a_deeper_network_are_refused_though_each_that_is_asked_for_is_there(tmp_path):
    from models.foreign.weights import timm_module

    path = tmp_path / "net.safetensors"
    weights = timm_weights(path, "test_resnet", layers=(1, 1, 1, 2), num_classes=5)
    with pytest.raises(UserError, match=r"timm's test_resnet: it is of a deeper one, which has layer4\.1\.\S+ too"):
        timm_module(learning("test_resnet", weights), "RGB")
    assert timm_module(learning("test_resnet", timm_weights(path, "test_resnet", num_classes=5)), "RGB")


def test_weights_that_are_not_loaded_are_random_by_the_seed(tmp_path):
    from tests.models.samples import built

    values = {"train": "full", "input_size": SIZE}
    one, same, other = (built(learning("test_resnet", "none", **values, seed=seed)) for seed in (1, 1, 2))
    pairs = list(zip(one.get_weights(), same.get_weights(), other.get_weights(), strict=True))
    assert all(np.array_equal(a, b) for a, b, _ in pairs)
    assert not all(np.array_equal(a, c) for a, _, c in pairs)
