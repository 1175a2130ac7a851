"""Networks of timm become graphs whose features are timm's own, the last normalisation included."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from models.graphs.made import made_graph
from models.recipes.recipe import Recipe
from tests.models.graphs.samples import graph_recipe
from tests.models.samples import inputs_of

timm = pytest.importorskip("timm")
torch = pytest.importorskip("torch")
save_file = pytest.importorskip("safetensors.torch").save_file

SIZE = 32


@timm.models.register_model
def door_vit_reg4(pretrained: bool = False, **options):
    """A ViT with a class token and four registers."""
    return timm.create_model("test_vit", reg_tokens=4, **options)


@timm.models.register_model
def door_vit_any_size(pretrained: bool = False, **options):
    """A ViT that takes chips of every size that its patches fill."""
    return timm.create_model("test_vit", dynamic_img_size=True, **options)


@timm.models.register_model
def door_vit_averaged(pretrained: bool = False, **options):
    """A ViT that averages its patches before its last normalisation."""
    return timm.create_model("test_vit", global_pool="avg", **options)


def weights_of(path: Path, name: str, **options) -> str:
    """Write random weights of a network, as its authors would: with classes."""
    torch.manual_seed(3)
    network = timm.create_model(name, **options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    save_file(network.state_dict(), path)
    return str(path)


def recipe_of(name: str, weights: str, **values) -> Recipe:
    return graph_recipe(weights, backbone=f"timm/{name}", **{"input_size": SIZE, "mean": (), "deviation": (), **values})


def chips_of(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.uint8)


def features_of(recipe: Recipe, cache: Path) -> np.ndarray:
    made = made_graph(recipe, inputs_of(recipe), {"any": recipe.to_dict()}, cache, chips_of())
    return made.exact()(chips_of())


def by_timm(name: str, weights: str, **options) -> tuple[object, np.ndarray]:
    """Return a network of timm's own making, and what its `forward_features` gives of the chips."""
    from safetensors.torch import load_file

    network = timm.create_model(name, **options).eval()
    network.load_state_dict(load_file(weights))
    record = network.pretrained_cfg
    pixels = (chips_of() / 255 - np.array(record["mean"])) / np.array(record["std"])
    with torch.inference_mode():
        return network, network.forward_features(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32))


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext"])
def test_maps_are_pooled_as_timm_gives_them(tmp_path, name):
    weights = weights_of(tmp_path / "net.safetensors", name)
    made = features_of(recipe_of(name, weights, pooling=("avg", "max")), tmp_path)
    _, features = by_timm(name, weights)
    expected = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)
    np.testing.assert_allclose(made, expected, rtol=1e-3, atol=1e-3)
    assert np.ptp(made, axis=0).max() > 0.01


@pytest.mark.parametrize(("name", "prefix"), [("test_vit", 1), ("door_vit_reg4", 5)])
def test_class_tokens_and_patches_are_told_apart_and_normalised(tmp_path, name, prefix):
    weights = weights_of(tmp_path / "net.safetensors", name, img_size=SIZE)
    made = features_of(recipe_of(name, weights), tmp_path)
    network, features = by_timm(name, weights, img_size=SIZE)
    assert features.shape[1] == (SIZE // 16) ** 2 + prefix
    expected = torch.cat([features[:, 0], features[:, prefix:].mean(1)], dim=1)
    np.testing.assert_allclose(made, expected, rtol=1e-3, atol=1e-3)
    assert abs(float(features[:, prefix:].std()) - 1) < 0.5  # after the last normalisation
    with torch.inference_mode():
        pooled = network.forward_head(features, pre_logits=True)
    vector = features_of(recipe_of(name, weights, outputs=("vector",)), tmp_path)
    np.testing.assert_allclose(vector, pooled, rtol=1e-3, atol=1e-3)


def test_what_is_normalised_after_its_pooling_is_taken_so(tmp_path):
    weights = weights_of(tmp_path / "net.safetensors", "door_vit_averaged", img_size=SIZE)
    made = features_of(recipe_of("door_vit_averaged", weights), tmp_path)
    network, features = by_timm("door_vit_averaged", weights, img_size=SIZE)
    np.testing.assert_allclose(made, network.fc_norm(features[:, 1:].mean(1)).detach(), rtol=1e-3, atol=1e-3)


def test_what_is_not_taken_is_not_in_the_graph(tmp_path):
    import onnx

    recipe = recipe_of("test_convnext", weights_of(tmp_path / "net.safetensors", "test_convnext"))
    names = {}
    for outputs in ("map", "vector"):
        kept = dataclasses.replace(recipe, outputs=(outputs,))
        content = made_graph(kept, inputs_of(kept), {"any": outputs}, tmp_path, chips_of()).content
        names[outputs] = {node.op_type for node in onnx.load_from_string(content).graph.node}
    assert "Flatten" in names["vector"] - names["map"]  # of its head


def test_a_size_that_it_does_not_take_is_refused(tmp_path):
    weights = weights_of(tmp_path / "net.safetensors", "door_vit_any_size")
    recipe = recipe_of("door_vit_any_size", weights, input_size=40)
    with pytest.raises(UserError, match=r"no features of chips of 40 px: .*patch size.* Give another --input-size"):
        made_graph(recipe, inputs_of(recipe, SIZE), {"any": 1}, tmp_path, chips_of())


def test_what_onnx_cannot_hold_is_refused_before_it_is_exported(tmp_path, monkeypatch):
    monkeypatch.setattr("models.graphs.timm_source.LARGEST", 1000)
    weights = weights_of(tmp_path / "net.safetensors", "test_resnet")
    with pytest.raises(UserError, match=r"has \S+ MB of weights; expected \S+ kB at most, which an ONNX file holds"):
        features_of(recipe_of("test_resnet", weights), tmp_path)


def test_a_file_for_another_size_is_brought_to_the_one_asked_for(tmp_path):
    weights = weights_of(tmp_path / "net.safetensors", "test_vit")  # of 160 px
    assert features_of(recipe_of("test_vit", weights), tmp_path).shape == (4, 128)


def test_own_moments_come_before_those_of_timm(tmp_path):
    weights = weights_of(tmp_path / "net.safetensors", "test_resnet")
    plain = features_of(recipe_of("test_resnet", weights), tmp_path)
    other = features_of(recipe_of("test_resnet", weights, mean=(0.3,), deviation=(0.1,)), tmp_path)
    assert np.abs(plain - other).max() > 1e-2


@pytest.mark.parametrize(
    ("name", "file", "line"),
    [
        ("test_resnett", "net.safetensors", r"knows no network 'test_resnett'. Alike: .*test_resnet"),
        ("test_vit", "net.safetensors", r"does not hold the weights of timm's test_vit: .*Give --weights with a file"),
        ("test_resnet", "net.pth", r"net.pth is no .safetensors file, and others may run code where they are read"),
        ("test_resnet", "damaged.safetensors", r"does not hold the weights of timm's test_resnet: "),
        ("test_resnet", "part.safetensors", r"1 of \d+ are missing, such as conv1"),
    ],
)
def test_what_is_unknown_or_does_not_fit_is_refused_in_one_line(tmp_path, name, file, line):
    from safetensors.torch import load_file

    weights = weights_of(tmp_path / "net.safetensors", "test_resnet")
    (tmp_path / "net.pth").write_bytes(b"pickle")
    (tmp_path / "damaged.safetensors").write_bytes(Path(weights).read_bytes()[:1000])
    state = load_file(weights)
    save_file({key: value for key, value in state.items() if key != "conv1.0.weight"}, tmp_path / "part.safetensors")
    with pytest.raises(UserError, match=line) as refused:
        features_of(recipe_of(name, str(tmp_path / file)), tmp_path)
    assert "\n" not in str(refused.value)
