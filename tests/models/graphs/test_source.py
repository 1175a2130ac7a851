"""Networks of ONNX and OpenVINO give something of each chip, whatever chips stand beside it, or are refused."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from competition.common.errors import UserError
from tests.models.graphs.samples import graph_recipe, network, saved
from tests.models.graphs.test_made import features_of
from tests.models.graphs.test_openvino_source import converted


def ending(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("end",)) -> onnx.ModelProto:
    """Return a network whose vectors go through further operators."""
    model = network(("vector",))
    model.graph.node.extend(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.arange(5), "five"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "nought"))
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs)
    return model


def with_a_loss(*outputs: str) -> onnx.ModelProto:
    return ending(helper.make_node("ReduceMean", ["vector"], ["loss"], keepdims=0), outputs=outputs)


def of_some(places: str) -> onnx.ModelProto:
    return ending(helper.make_node("Gather", ["vector", places], ["end"]))


def against_the_mean_of_all() -> onnx.ModelProto:
    mean = helper.make_node("ReduceMean", ["map"], ["mean"], axes=[0], keepdims=1)
    return ending(mean, helper.make_node("Sub", ["map", "mean"], ["end"]))


def by_chance() -> onnx.ModelProto:
    noise = helper.make_node("RandomNormalLike", ["vector"], ["noise"])
    return ending(noise, helper.make_node("Add", ["vector", "noise"], ["end"]))


def as_file(model: onnx.ModelProto, folder: Path, suffix: str) -> str:
    return saved(folder / "net.onnx", model) if suffix == ".onnx" else converted(folder / "net", model=model)


SUFFIXES = [".onnx", pytest.param(".xml", marks=pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO"))]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_outputs_that_are_of_no_chip_are_passed_over(tmp_path, suffix):
    alone = features_of(graph_recipe(saved(tmp_path / "alone.onnx", network(("vector",)))), tmp_path / "cache")
    recipe = graph_recipe(as_file(with_a_loss("loss", "vector"), tmp_path, suffix))
    np.testing.assert_allclose(features_of(recipe, tmp_path / "cache"), alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("model", "line"),
    [
        (with_a_loss("loss"), r"^net\.\w+ gives no output that has values of each chip: expected features"),
        (of_some("nought"), r"^net\.\w+ gives no output that has values of each chip"),
        (
            of_some("five"),
            r"^net\.\w+ (cannot be run: .*out of data bounds|gives no output that has values of each chip)",
        ),
        (
            against_the_mean_of_all(),
            r"^net\.\w+ gives other values of a chip alone than of it beside others. If .* export it again",
        ),
        (
            by_chance(),
            r"gives other values of a chip alone|differ from its own by .* If it was exported while it learns",
        ),
    ],
    ids=["a loss", "the first alone", "five whatever is given", "among others", "by chance"],
)
def test_what_is_not_of_each_chip_whatever_stands_beside_it_is_refused(tmp_path, model, line, suffix):
    with pytest.raises(UserError, match=line) as refused:
        features_of(graph_recipe(as_file(model, tmp_path, suffix)), tmp_path / "cache")
    assert "\n" not in str(refused.value)
