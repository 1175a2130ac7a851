"""Graphs of what others trained: the same features as the source's, whatever it takes and gives."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from competition.common.errors import UserError
from models.backend.onnx_graph import as_onnx
from models.foreign.outputs import Layout, taken_of
from models.graphs.made import made_graph
from models.inputs.extractors import extractor_key
from models.inputs.sources import Sources
from models.recipes.recipe import Recipe
from tests.conftest import NUM_TRAIN
from tests.models.graphs.samples import MAPS, MOMENTS, PREFIX, graph_recipe, network, saved
from tests.models.samples import TinyNet, frozen, inputs_of, tiny_recipe

ONLY_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="ONNX is written by tensorflow")


def chips_of(size: int, count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def features_of(recipe: Recipe, cache: Path, chip_size: int = 20) -> np.ndarray:
    inputs, chips = inputs_of(recipe, chip_size), chips_of(chip_size)
    made = made_graph(recipe, inputs, extractor_key(recipe, inputs), cache, chips)
    features = made.exact()(chips)
    assert features.shape == (5, made.num_features)
    return features


def by_hand(recipe: Recipe, chip_size: int) -> dict[str, np.ndarray]:
    """Return what the network of `samples` makes of chips that need not be resized."""
    assert chip_size == recipe.input_size
    from onnx.reference import ReferenceEvaluator

    pixels = (chips_of(chip_size) / np.float32(255) - np.float32(MOMENTS["mean"])) / np.float32(MOMENTS["deviation"])
    names = ("map", "vector", "tokens")
    made = ReferenceEvaluator(network(names)).run(None, {"pixels": pixels.transpose(0, 3, 1, 2).astype(np.float32)})
    return dict(zip(names, made, strict=True))


# What it is


@ONLY_TENSORFLOW
@pytest.mark.parametrize("input_size", [40, pytest.param(32, marks=pytest.mark.slow)])
def test_a_network_of_keras_through_the_door_gives_the_bank_of_its_recipe(
    workspace, tiny_net, tiny_weights, tmp_path, input_size
):
    recipe = tiny_recipe(**frozen(tiny_weights, pooling=("avg", "max"), input_size=input_size, augment=("d4",)))
    network_alone = TinyNet(input_shape=(input_size, input_size, 3))
    network_alone.load_weights(tiny_weights)
    path = saved(tmp_path / "tiny.onnx", as_onnx(network_alone))
    moments = {"mean": (0.5,), "deviation": (0.5,)}
    own = graph_recipe(path, pooling=("avg", "max"), input_size=input_size, **moments)
    one, other = (
        Sources(workspace, each).bank("train", ("identity", "turn90")).under("turn90", np.arange(NUM_TRAIN))
        for each in (recipe, own)
    )
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("opset", [13, 18, 21])
@pytest.mark.parametrize("channels_first", [True, False])
def test_maps_vectors_and_tokens_are_taken_side_by_side(tmp_path, channels_first, opset):
    model = network(("map", "vector", "tokens"), channels_first=channels_first, opset=min(opset, 17))
    if opset > 17:
        model = onnx.version_converter.convert_version(model, opset)
    path = saved(tmp_path / "net.onnx", model)
    words = ("map", "vector:vector", "tokens:cls", "tokens:patches")
    recipe = graph_recipe(path, outputs=words, pooling=("avg", "max"), prefix_tokens=PREFIX)
    made, own = features_of(recipe, tmp_path, 16), by_hand(recipe, 16)
    expected = [own["map"].mean((2, 3)), own["map"].max((2, 3)), own["vector"], own["tokens"][:, 0]]
    expected += [own["tokens"][:, PREFIX:].mean(1), own["tokens"][:, PREFIX:].max(1)]
    np.testing.assert_allclose(made, np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"batch": 1},
        {"batch": 4},
        {"size": 16},
        {"kind": TensorProto.FLOAT16},
        {"batch": 2, "size": 16, "channels_first": False},
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value),
)
def test_fixed_shapes_and_other_types_make_no_difference(tmp_path, options):
    plain = features_of(graph_recipe(saved(tmp_path / "plain.onnx")), tmp_path)
    other = features_of(graph_recipe(saved(tmp_path / "net.onnx", **options)), tmp_path)
    np.testing.assert_allclose(other, plain, rtol=3e-3, atol=3e-3)
    assert plain.shape[1] == MAPS


def test_a_network_that_knows_how_many_chips_it_takes_is_given_as_many(tmp_path):
    model = network(batch=2, size=16)
    shape = onnx.numpy_helper.from_array(np.array([2, MAPS, -1], dtype=np.int64), "into_two")
    model.graph.initializer.append(shape)
    model.graph.node.append(onnx.helper.make_node("Reshape", ["map", "into_two"], ["fixed"]))
    model.graph.node.append(onnx.helper.make_node("ReduceMean", ["fixed"], ["means"], axes=[2], keepdims=0))
    model.graph.output[0].name = "means"
    plain = features_of(graph_recipe(saved(tmp_path / "plain.onnx")), tmp_path)
    fixed = features_of(graph_recipe(saved(tmp_path / "net.onnx", model)), tmp_path)
    np.testing.assert_allclose(fixed, plain, rtol=1e-4, atol=1e-5)


def test_weights_in_a_file_of_its_name_are_taken_in(tmp_path):
    plain = features_of(graph_recipe(saved(tmp_path / "plain.onnx")), tmp_path)
    path = tmp_path / "net.onnx"
    onnx.save(network(), path, save_as_external_data=True, location="net.onnx.data", size_threshold=0)
    recipe = graph_recipe(path)
    digest = recipe.digest()
    np.testing.assert_allclose(features_of(recipe, tmp_path), plain, rtol=1e-5)
    (graph,) = (
        found
        for found in (tmp_path / "graphs").glob("*/graph.json")
        if json.loads(found.read_text())["file"]
        and not found.parent.samefile(next((tmp_path / "graphs").glob("*/graph.json")).parent)
    )
    assert (graph.parent / "extractor.onnx").stat().st_size > 500
    data = path.with_name("net.onnx.data")
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    assert recipe.digest() != digest


def test_it_is_made_once(tmp_path, monkeypatch):
    recipe = graph_recipe(saved(tmp_path / "net.onnx"))
    made = features_of(recipe, tmp_path)
    monkeypatch.setattr("models.graphs.made.read_source", None)
    np.testing.assert_array_equal(features_of(recipe, tmp_path), made)
    monkeypatch.undo()
    saved(tmp_path / "net.onnx", bands=3, opset=16)
    features_of(recipe, tmp_path)
    assert len(list((tmp_path / "graphs").glob("*/graph.json"))) == 2


TOKENS = {"features": (4, 20, 6), "vector": (4, 6)}


@pytest.mark.parametrize(
    ("layout", "kinds"),
    [
        (Layout(prefix=5), ["cls", "patches"]),
        (Layout(prefix=4, has_class=False), ["patches"]),  # registers alone
        (Layout(prefix=0), ["patches"]),
        (Layout(prefix=1, ends_in_vector=True), ["vector"]),
    ],
)
def test_what_a_network_says_of_its_tokens_decides_what_is_taken(layout, kinds):
    recipe = graph_recipe("net.onnx")
    taken = taken_of(recipe, TOKENS, "net", layout)
    assert [each.kind for each in taken] == kinds
    assert all(each.prefix == layout.prefix for each in taken if each.kind == "patches")
    if "cls" not in kinds and not layout.ends_in_vector:
        with pytest.raises(UserError, match=r"^net has no class token. Give --outputs patches, or vector"):
            taken_of(graph_recipe("net.onnx", outputs=("cls",)), TOKENS, "net", layout)
    if layout.prefix:
        with pytest.raises(UserError, match=r"^net has \d tokens before .* received --prefix-tokens 2. Leave it out"):
            taken_of(graph_recipe("net.onnx", prefix_tokens=2), TOKENS, "net", layout)


# What it refuses


def several_inputs() -> onnx.ModelProto:
    model = network()
    model.graph.input.append(onnx.helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    return model


def elsewhere(location: str) -> onnx.ModelProto:
    model = network()
    (kernel,) = (each for each in model.graph.initializer if each.name == "kernel")
    onnx.external_data_helper.set_external_data(kernel, location)
    kernel.ClearField("raw_data")
    return model


def not_a_number() -> onnx.ModelProto:
    model = network()
    model.graph.node.append(onnx.helper.make_node("Log", ["vector"], ["logs"]))
    model.graph.node.append(onnx.helper.make_node("Div", ["logs", "zero"], ["none"]))
    model.graph.output[0].name = "none"
    return model


def always_the_same() -> onnx.ModelProto:
    model = network()
    model.graph.node.append(onnx.helper.make_node("Mul", ["vector", "zero"], ["nothing"]))
    model.graph.output[0].name = "nothing"
    return model


def of_whole_numbers() -> onnx.ModelProto:
    model = network()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    return model


def of_an_unknown_operator() -> onnx.ModelProto:
    model = network()
    model.graph.node[0].domain = "com.stranger"
    model.opset_import.append(onnx.helper.make_opsetid("com.stranger", 1))
    return model


@pytest.mark.parametrize(
    ("model", "values", "line"),
    [
        (lambda: network(bands=4), {}, r"^net.onnx takes 4 bands, received 3. Give --bands with as many"),
        (lambda: network(size=24), {}, r"^net.onnx takes chips of 24 px and no others, received --input-size 16"),
        (several_inputs, {}, r"^net.onnx has 2 inputs \(pixels, mask\): expected one"),
        (of_whole_numbers, {}, r"^net.onnx takes values of type UINT8: expected FLOAT"),
        (of_an_unknown_operator, {}, r"^net.onnx cannot be run: .*com.stranger"),
        (not_a_number, {}, r"^net.onnx makes features of these chips that are no numbers. Look at --mean"),
        (always_the_same, {}, r"^net.onnx makes the same features of every chip"),
        (lambda: network(opset=8), {}, r"^net.onnx is of opset 8, expected 10 or newer"),
        (network, {"outputs": ("other:map",)}, r"^Unknown output of net.onnx 'other'"),
        (network, {"outputs": ("map:tokens",)}, r"^Unknown kind of output 'tokens'"),
        (network, {"outputs": ("vector",)}, r"^net.onnx has no vector in its output map, of shape \(5, 7, 7\)"),
        (lambda: network(("tokens",)), {}, r"gives 51 tokens .* Give --outputs cls, patches or both, and with patches"),
        (
            lambda: network(("tokens",)),
            {"outputs": ("patches",)},
            r"does not say how many of them .* Give --prefix-tokens 2 where its patches are 7 x 7",
        ),
        (
            lambda: network(("tokens",)),
            {"outputs": ("patches",), "prefix_tokens": 60},
            r"gives 51 tokens: expected --prefix-tokens below it, received 60",
        ),
        (lambda: network(("tokens",)), {"outputs": ("tokens",)}, r"^--outputs tokens does not say what is taken"),
        (
            lambda: network(("tokens",)),
            {"outputs": ("cls",), "prefix_tokens": 0},
            r"^net.onnx has no class token. Give --outputs patches, or vector",
        ),
        (lambda: elsewhere("/etc/passwd"), {}, r"^net.onnx keeps weights in /etc/passwd: expected them in the file"),
        (lambda: elsewhere("../secret.data"), {}, r"^net.onnx keeps weights in ../secret.data: expected"),
        (lambda: elsewhere("net.onnx.data/../../x"), {}, r"^net.onnx keeps weights in net.onnx.data/../../x: expected"),
        (lambda: elsewhere("weights.bin"), {}, r"^net.onnx keeps weights in weights.bin: expected them in the file"),
        (lambda: elsewhere("net.onnx.data"), {}, r"^net.onnx keeps weights in net.onnx.data, which is missing"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value),
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, model, values, line):
    recipe = graph_recipe(saved(tmp_path / "net.onnx", model()), **values)
    with pytest.raises(UserError, match=line) as refused:
        features_of(recipe, tmp_path / "cache")
    assert "\n" not in str(refused.value)
    assert not list((tmp_path / "cache/graphs").glob("*/"))


def test_a_link_as_the_place_of_weights_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(b"s" * 10_000)
    (tmp_path / "net.onnx.data").symlink_to(tmp_path / "secret")
    recipe = graph_recipe(saved(tmp_path / "net.onnx", elsewhere("net.onnx.data")))
    with pytest.raises(UserError, match=r"^net.onnx keeps weights in net.onnx.data, which is a link: put"):
        features_of(recipe, tmp_path / "cache")


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x08" + b"\x00" * 50, b"PK\x03\x04"])
def test_what_is_no_network_is_refused(tmp_path, content):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(UserError, match=r"net.onnx is no ONNX network: "):
        features_of(graph_recipe(tmp_path / "net.onnx"), tmp_path)


def test_what_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "net.onnx").open("wb") as file:
        file.truncate(2**31)
    recipe = graph_recipe(tmp_path / "net.onnx")
    inputs = inputs_of(recipe, 20)
    with pytest.raises(UserError, match=r"net.onnx holds 2.1 GB with its weights; expected 2.1 GB at most"):
        made_graph(recipe, inputs, {"any": 1}, tmp_path, chips_of(20))
