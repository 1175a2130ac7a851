"""A network of timm learns as a layer of Keras: what is to stand still does, and all that it holds is saved."""

from __future__ import annotations

import numpy as np
import pytest

from competition.common.errors import UserError
from models.networks.build import backbone_variables, save_weights
from tests.models.foreign.samples import BY_TORCH, learning, timm_weights
from tests.models.samples import NUM_LABELS, built, chips_for, compiled, inputs_of, moved, output_of

pytestmark = BY_TORCH


def steps(network, count: int = 2):
    truth = np.random.default_rng(0).integers(0, 2, (8, NUM_LABELS)).astype(np.float32)
    network.fit(chips_for(network, 8), truth, epochs=count, verbose=0)
    return network


def held(network) -> dict[str, np.ndarray]:
    """Return copies of all that the network of timm holds, running statistics too."""
    module = network.get_layer("backbone").module
    return {name: value.detach().numpy().copy() for name, value in module.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("test_resnet", {"pooling": ("avg", "max")}),
        ("test_vit", {}),
        ("test_vit3", {"outputs": ("patches", "vector"), "pooling": ("max",)}),
        ("test_convnext", {"outputs": ("vector",), "mean": (0.3,), "deviation": (0.2, 0.3, 0.4)}),
        ("test_resnet", {"images": "tif", "bands": "NRGB"}),
    ],
)
def test_it_makes_the_features_of_its_graph(tmp_path, name, values):
    from models.graphs.made import made_graph
    from models.networks.backbones import build_extractor
    from models.train.stages import head_first

    recipe = learning(name, timm_weights(tmp_path / "net.safetensors", name), head_epochs=1, **values)
    inputs = inputs_of(recipe, 24)  # smaller chips, which are enlarged
    extractor = build_extractor(recipe, inputs)
    chips = chips_for(extractor, 4) * (256 if recipe.images == "tif" else 1)
    expected = made_graph(head_first(recipe), inputs, {}, tmp_path, chips).exact()(chips)
    made = output_of(extractor, chips)
    assert np.ptp(made, axis=0).max() > 0.01
    np.testing.assert_allclose(made, expected, rtol=1e-3, atol=1e-3)


def test_running_statistics_are_saved_with_the_weights(tmp_path):
    recipe = learning("test_resnet", timm_weights(tmp_path / "net.safetensors", "test_resnet"), batch_norm="learnt")
    network = compiled(built(recipe), recipe)
    before = held(network)
    steps(network)
    after = held(network)
    assert any("running_mean" in name and not np.array_equal(before[name], after[name]) for name in after)
    save_weights(network, tmp_path / "network.weights.h5")
    other = built(recipe, pretrained=False)
    other.load_weights(tmp_path / "network.weights.h5")
    assert all(np.array_equal(value, after[name]) for name, value in held(other).items())
    chips = chips_for(network, 3)
    np.testing.assert_array_equal(output_of(other, chips), output_of(network, chips))


@pytest.mark.parametrize(
    ("values", "learnt", "still"),
    [
        ({}, "conv1.0.weight", "bn1.weight"),
        ({"batch_norm": "learnt"}, "bn1.weight", ""),
        ({"batch_norm": "learnt"}, "bn1.running_mean", ""),
        ({}, "layer4.0.conv1.weight", "layer4.0.bn1.running_var"),
        ({"unfrozen": 0.2, "batch_norm": "learnt"}, "layer4.0.bn1.running_mean", "bn1.running_mean"),
        ({"unfrozen": 0.2, "batch_norm": "learnt"}, "layer4.0.conv1.weight", "conv1.0.weight"),
    ],
)
def test_the_last_layers_asked_for_learn_and_normalisations_stay_unless_told(tmp_path, values, learnt, still):
    recipe = learning("test_resnet", timm_weights(tmp_path / "net.safetensors", "test_resnet"), **values)
    network = compiled(built(recipe), recipe)
    before = held(network)
    after = held(steps(network))
    assert not np.array_equal(before[learnt], after[learnt])
    assert not still or np.array_equal(before[still], after[still])


def test_kernels_alone_decay_and_the_backbone_has_a_rate_of_its_own(tmp_path):
    recipe = learning("test_vit", timm_weights(tmp_path / "net.safetensors", "test_vit"), weight_decay=0.1)
    network = compiled(built(recipe), recipe)
    slow = backbone_variables(network, recipe)
    decays = dict(zip((each.path for each in network.trainable_variables), network.optimizer.decays, strict=True))
    assert {path for path in slow if decays[path]} == {path for path in slow if path.endswith("kernel")}
    assert decays["backbone/blocks-0-attn-qkv-kernel"] == 0.1
    assert decays["backbone/pos_embed"] == decays["backbone/norm-weight"] == decays["backbone/norm-bias"] == 0
    assert {path.split("/")[0] for path in slow} == {"backbone"}
    assert len(slow) == len(network.trainable_variables) - 4  # the head's two layers


def test_weights_of_a_head_that_is_left_out_do_not_learn(tmp_path):
    weights = timm_weights(tmp_path / "net.safetensors", "test_convnext")
    for outputs, learns in (("map", False), ("vector", True)):
        recipe = learning("test_convnext", weights, outputs=(outputs,))
        network = steps(compiled(built(recipe), recipe))  # without a warning of weights that have no gradient
        paths = {variable.path for variable in network.trainable_variables}
        assert ("backbone/head-norm-weight" in paths) == learns


def test_what_is_dropped_depends_on_seed_and_epoch_alone():
    import keras
    import timm
    import torch

    from models.foreign.backbone import TimmBackbone, shapes_of
    from models.train.fit import _seed_dropout

    module = timm.create_model("test_vit", num_classes=0, img_size=32, drop_path_rate=0.5)
    layer = TimmBackbone(module, (3, 32, 32), shapes_of(module, (3, 32, 32)), name="backbone")
    given = keras.Input((32, 32, 3))
    network = keras.Model(given, keras.layers.Dropout(0.5)(layer(given)))
    chips, made = torch.rand(8, 32, 32, 3), []
    for seed, epoch in ((0, 1), (0, 1), (0, 2), (1, 1)):
        _seed_dropout(network, seed, epoch)
        made.append(network(chips, training=True).detach().numpy())
        torch.rand(3)  # whatever else is drawn
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert not np.array_equal(made[0], made[3])


def test_weights_after_a_step_are_others_and_their_average_between(tmp_path):
    from models.networks.optimizers import averaged

    recipe = learning("test_resnet", timm_weights(tmp_path / "net.safetensors", "test_resnet"), ema=0.9)
    network = compiled(built(recipe), recipe)
    begun = [weights.copy() for weights in network.get_weights()]
    raw = [weights.copy() for weights in steps(network, 3).get_weights()]
    with averaged(network):
        mean = [weights.copy() for weights in network.get_weights()]
    assert any(moved(begun, mean))
    assert any(moved(mean, raw))
    assert not any(moved(raw, network.get_weights()))


def test_a_keras_file_is_refused(tmp_path):
    recipe = learning("test_resnet", timm_weights(tmp_path / "net.safetensors", "test_resnet"))
    with pytest.raises(UserError, match=r"needs them. Give an --output that ends in .onnx or .zip"):
        built(recipe).save(tmp_path / "network.keras")


def test_it_computes_in_bfloat16_where_that_is_asked_for(tmp_path):
    weights = timm_weights(tmp_path / "net.safetensors", "test_resnet")
    one, other = (learning("test_resnet", weights, precision=kind) for kind in ("float32", "mixed"))
    exact, mixed = built(one), compiled(built(other), other)
    chips = chips_for(exact, 4)
    difference = np.abs(output_of(exact, chips) - output_of(mixed, chips)).max()
    assert 0 < difference < 0.05
    assert all(value.dtype == np.float32 for value in held(steps(mixed)).values() if value.ndim)
