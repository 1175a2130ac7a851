"""One ONNX graph from chips, in the files' values, to features: what is done to pixels, a network, and what is taken.

The network's own operators stay as they are, of the opset that they are of; what comes before and after is written in
operators of that opset.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.foreign.outputs import Taken
from models.graphs.pixels import Pixels
from models.graphs.source import Source

CHIPS, FEATURES, INNER = "chips", "features", "network/"
Shapes = Mapping[str, Sequence[int | str]]
AXES_AS_INPUT = 18  # opset from which the axes of a mean or a maximum are an input


class Graph:
    """Nodes and constants that are added to a graph, or are one.

    Args:
        opset: of the operators.
    """

    def __init__(self, opset: int) -> None:
        self.onnx, self.opset = importlib.import_module("onnx"), opset
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant; return its name."""
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add an operator; return the name of its output."""
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
        """Add a mean or a maximum over some axes; return the name of its output."""
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
    graph, before, after = model.graph, Graph(source.opset), Graph(source.opset)
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


def _before(graph: Graph, pixels: Pixels, source: Source, output: str) -> None:
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


def _after(graph: Graph, taken: Sequence[Taken]) -> None:
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
