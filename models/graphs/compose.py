"""One ONNX graph from chips, in the files' values, to features: what is done to pixels, a network, and what is taken.

The network's own operators stay as they are, of the opset that they are of; what comes before and after is written in
operators of that opset. Of several such graphs side by side, those of older opsets are brought to the newest.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from models.foreign.outputs import Taken
from models.graphs.pixels import Pixels, Shrinking
from models.graphs.source import Source, opset_of

CHIPS, FEATURES, INNER = "chips", "features", "network/"
Shapes = Mapping[str, Sequence[int | str]]
AXES_AS_INPUT = 18  # opset from which the axes of a mean or a maximum are an input


class _Graph:
    """Nodes and constants that are added to a graph."""

    def __init__(self, opset: int) -> None:
        self.onnx, self.opset = importlib.import_module("onnx"), opset
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def model(self, inputs: Shapes, outputs: Shapes, version: int) -> Any:
        """Return it as an `onnx.ModelProto` of a version of ONNX' format, with inputs and outputs of these shapes."""
        helper, floats = self.onnx.helper, self.onnx.TensorProto.FLOAT
        ends = [
            [helper.make_tensor_value_info(name, floats, shape) for name, shape in each.items()]
            for each in (inputs, outputs)
        ]
        graph = helper.make_graph(self.nodes, "extractor", *ends, self.constants)
        opset = helper.make_opsetid("", self.opset)
        return helper.make_model(graph, opset_imports=[opset], ir_version=version, producer_name="planet-toolkit")

    def reduced(self, operator: str, hidden: str, axes: tuple[int, ...], output: str) -> str:
        if self.opset < AXES_AS_INPUT:
            return self.add(operator, [hidden], output, axes=list(axes), keepdims=0)
        over = self.constant(f"{output}/axes", np.array(axes, dtype=np.int64))
        return self.add(operator, [hidden, over], output, keepdims=0)


def composed(source: Source, pixels: Pixels, taken: Sequence[Taken], num_features: int) -> Any:
    """Return the graph as an `onnx.ModelProto`; that of the source is used up.

    Args:
        source: the network.
        pixels: what is done before.
        taken: what is taken of its outputs.
        num_features: how many values that is.
    """
    onnx = importlib.import_module("onnx")
    model = onnx.compose.add_prefix(source.model, INNER, inplace=True)
    graph, before, after = model.graph, _Graph(source.opset), _Graph(source.opset)
    _before(before, pixels, source, INNER + source.input)
    _after(after, taken)
    nodes = [*before.nodes, *graph.node, *after.nodes]
    del graph.node[:], graph.value_info[:], graph.output[:], model.metadata_props[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*before.constants, *after.constants])
    kept = [each for each in graph.input if each.name != INNER + source.input]  # constants, of old files
    del graph.input[:]
    shape = [source.batch or "num_chips", pixels.chip_size, pixels.chip_size, pixels.num_bands]
    chips = onnx.helper.make_tensor_value_info(CHIPS, onnx.TensorProto.FLOAT, shape)
    graph.input.extend([chips, *kept])
    features = onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, [shape[0], num_features])
    graph.output.append(features)
    model.producer_name, model.doc_string, graph.doc_string, graph.name = "planet-toolkit", "", "", "extractor"
    return model


def brought_to(model: Any, opset: int) -> Any:
    """Return a graph with operators of a newer opset.

    Raises:
        Exception: of any kind, if ONNX cannot convert it.
    """
    if opset_of(model) == opset:
        return model
    converted = importlib.import_module("onnx.version_converter").convert_version(model, opset)
    converted.ir_version = max(converted.ir_version, model.ir_version)
    return converted


def beside(models: Sequence[Any], shrinkings: Sequence[Shrinking], num_bands: int) -> Any:
    """Return one graph from chips to the features of several side by side.

    Args:
        models: the graphs, `onnx.ModelProto`s from chips to features.
        shrinkings: what is done to the chips before each.
        num_bands: of the chips.

    Raises:
        UserError: if they do not take the same number of chips at once.
        Exception: of any kind, if ONNX cannot bring them to one opset.
    """
    compose = importlib.import_module("onnx").compose
    opset, version = max(map(opset_of, models)), max(model.ir_version for model in models)
    parts = [compose.add_prefix(brought_to(model, opset), f"part{number}/") for number, model in enumerate(models)]
    batches = sorted({batch for part in parts if (batch := _axes(part.graph.input[0])[0])})
    if len(batches) > 1:
        many = " and ".join(map(str, batches))
        raise UserError(f"its networks take {many} chips at once. Give an --output that ends in .zip")
    batch: int | str = batches[0] if batches else "num_chips"
    before, after, given, made = _Graph(opset), _Graph(opset), dict[str, list[Any]](), dict[str, list[Any]]()
    for number, (part, shrinking) in enumerate(zip(parts, shrinkings, strict=True)):
        given[_shrunk(before, shrinking, f"shrunk{number}")] = [batch, shrinking.size, shrinking.size, num_bands]
        made[f"features{number}"] = [batch, _axes(part.graph.output[0])[1]]
    chips = [batch, shrinkings[0].chip_size, shrinkings[0].chip_size, num_bands]
    whole = before.model({CHIPS: chips}, given, version)
    for name, part in zip(given, parts, strict=True):
        part.ir_version = version
        whole = compose.merge_models(whole, part, [(name, part.graph.input[0].name)])
    after.add("Concat", list(made), FEATURES, axis=1)
    last = after.model(made, {FEATURES: [batch, sum(width for _, width in made.values())]}, version)
    ends = [(part.graph.output[0].name, name) for part, name in zip(parts, made, strict=True)]
    return compose.merge_models(whole, last, ends)


def _axes(end: Any) -> list[int]:
    """Return the lengths of the axes of an input or output of a graph; 0 where any is taken."""
    return [axis.dim_value for axis in end.type.tensor_type.shape.dim]


def _shrunk(graph: _Graph, shrinking: Shrinking, name: str) -> str:
    """Add what makes chips smaller, the width first; return the name of what it makes."""
    if (matrix := shrinking.matrix) is None:
        return graph.add("Identity", [CHIPS], name)
    weights, hidden = graph.constant(f"{name}/matrix", matrix), CHIPS
    for side in ("wide", "tall"):
        hidden = graph.add("MatMul", [weights, hidden], f"{name}/{side}")
        if shrinking.whole:
            for operator, number in (("Add", 0.5), ("Floor", None), ("Max", 0.0), ("Min", 255.0)):
                output = f"{name}/{side}/{operator}"
                more = [] if number is None else [graph.constant(f"{output}/by", np.float32(number))]
                hidden = graph.add(operator, [hidden, *more], output)
        hidden = graph.add("Transpose", [hidden], f"{name}/{side}/turned", perm=[0, 2, 1, 3])
    return graph.add("Identity", [hidden], name)


def _before(graph: _Graph, pixels: Pixels, source: Source, output: str) -> None:
    """Add what is done to pixels."""
    floats = graph.onnx.TensorProto.FLOAT
    scaled = graph.add("Mul", [CHIPS, graph.constant("pixels/scale", pixels.scale)], "pixels/scaled")
    hidden = graph.add("Add", [scaled, graph.constant("pixels/offset", pixels.offset)], "pixels/standard")
    if (matrix := pixels.matrix) is not None:
        hidden = graph.add("Transpose", [hidden], "pixels/by_band", perm=[0, 3, 1, 2])
        hidden = graph.add("MatMul", [graph.constant("pixels/matrix", matrix), hidden], "pixels/tall")
        hidden = graph.add("MatMul", [hidden, graph.constant("pixels/turned", matrix.T.copy())], "pixels/wide")
    if source.channels_first == (matrix is None):  # the bands are not yet where the network has them
        order = [0, 3, 1, 2] if source.channels_first else [0, 2, 3, 1]
        hidden = graph.add("Transpose", [hidden], "pixels/ordered", perm=order)
    if source.kind == floats:
        graph.add("Identity", [hidden], output)
    else:
        graph.add("Cast", [hidden], output, to=source.kind)


def _after(graph: _Graph, taken: Sequence[Taken]) -> None:
    """Add what makes features of the outputs."""
    features = []
    for number, each in enumerate(taken):
        name, prefix = INNER + each.name, f"features/{number}"
        hidden = graph.add("Cast", [name], f"{prefix}/floats", to=graph.onnx.TensorProto.FLOAT)
        if each.kind == "cls":
            place = graph.constant(f"{prefix}/first", np.array(0, dtype=np.int64))
            hidden = graph.add("Gather", [hidden, place], f"{prefix}/cls", axis=1)
        elif each.kind == "patches" and each.prefix:
            ends = {"starts": each.prefix, "ends": np.iinfo(np.int64).max, "axes": 1}
            inputs = [graph.constant(f"{prefix}/{end}", np.array([at], dtype=np.int64)) for end, at in ends.items()]
            hidden = graph.add("Slice", [hidden, *inputs], f"{prefix}/patches")
        operators = {"avg": "ReduceMean", "max": "ReduceMax"}
        pooled = [graph.reduced(operators[how], hidden, each.axes, f"{prefix}/{how}") for how in each.pooling]
        features += pooled or [hidden]
    graph.add("Concat", features, FEATURES, axis=1)
