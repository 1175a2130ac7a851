"""What makes features of chips as one graph of ONNX, or one network of OpenVINO, to which heads are joined.

Of several side by side those of older opsets are brought to the newest.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from competition.common.errors import UserError
from models.backend.onnx_graph import OPSET, as_onnx
from models.backend.openvino import converted, import_openvino, read_graph
from models.graphs.compose import CHIPS, FEATURES, Graph
from models.graphs.extractor import Extractor, GraphExtractor, JointExtractor, KerasExtractor
from models.graphs.pixels import Shrinking
from models.graphs.running import read_archive
from models.graphs.source import opset_of


def features_as_onnx(extractor: Extractor) -> Any:
    """Return it as an `onnx.ModelProto`, of the opset of what others made in it.

    Raises:
        UserError: if a network came as OpenVINO's, or networks do not take the same number of chips at once.
        Exception: of any kind, if ONNX does not take a network, or cannot bring those of others to one opset.
    """
    if not isinstance(extractor, JointExtractor):
        return _of_others(extractor) if isinstance(extractor, GraphExtractor) else _of_keras(extractor, OPSET)
    made = {number: _of_others(part) for number, part in enumerate(extractor.parts) if isinstance(part, GraphExtractor)}
    opset = max(map(opset_of, made.values()))
    models = [made.get(number) or _of_keras(part, opset) for number, part in enumerate(extractor.parts)]
    return side_by_side(models, extractor.shrinkings, len(extractor.inputs.bands))


def _of_others(extractor: GraphExtractor) -> Any:
    if extractor.path.suffix != ".onnx":
        raise UserError("a network that came as OpenVINO's is no ONNX. Give an --output that ends in .zip")
    graph = importlib.import_module("onnx").load_model_from_string(extractor.content)
    del graph.metadata_props[:]
    return graph


def _of_keras(extractor: Extractor, opset: int) -> Any:
    assert isinstance(extractor, KerasExtractor)
    return as_onnx(extractor.network, min(opset, OPSET))


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


def side_by_side(models: Sequence[Any], shrinkings: Sequence[Shrinking], num_bands: int) -> Any:
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
    batches = sorted({_axes(part.graph.input[0])[0] for part in parts} - {0})
    if len(batches) > 1:
        many = " and ".join(map(str, batches))
        raise UserError(f"its networks take {many} chips at once. Give an --output that ends in .zip")
    batch: int | str = batches[0] if batches else "num_chips"
    before, after, given, made = Graph(opset), Graph(opset), dict[str, list[Any]](), dict[str, list[Any]]()
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


def _shrunk(graph: Graph, shrinking: Shrinking, name: str) -> str:
    """Add what makes chips smaller, the width first; return the name of what it makes."""
    if (matrix := shrinking.matrix) is None:
        return graph.add("Identity", [CHIPS], name)
    weights, hidden = graph.constant(f"{name}/matrix", matrix), CHIPS
    for side in ("wide", "tall"):
        hidden = graph.add("MatMul", [weights, hidden], f"{name}/{side}")
        if shrinking.whole:
            for operator, number in (("Add", 0.5), ("Floor", None), ("Max", 0.0), ("Min", 255.0)):
                output = f"{name}/{side}/{operator}"
                more = [] if number is None else [graph.constant(f"{output}/by", np.array(number, dtype=np.float32))]
                hidden = graph.add(operator, [hidden, *more], output)
        hidden = graph.add("Transpose", [hidden], f"{name}/{side}/turned", perm=[0, 2, 1, 3])
    return graph.add("Identity", [hidden], name)


def features_as_openvino(extractor: Extractor) -> Any:
    """Return it as a network of OpenVINO.

    Raises:
        Exception: of any kind, if OpenVINO does not take it.
    """
    if isinstance(extractor, GraphExtractor):
        return read_graph(extractor.content) if extractor.path.suffix == ".onnx" else read_archive(extractor.content)
    if isinstance(extractor, KerasExtractor):
        return converted(extractor.network)
    assert isinstance(extractor, JointExtractor)
    openvino, ops = import_openvino(), importlib.import_module("openvino.opset13")
    size, num_bands = extractor.inputs.size, len(extractor.inputs.bands)
    chips, features = ops.parameter([-1, size, size, num_bands], np.float32, name=CHIPS), []
    for part, shrinking in zip(extractor.parts, extractor.shrinkings, strict=True):
        network = features_as_openvino(part)
        for target in network.input(0).get_target_inputs():
            target.replace_source_output(_shrunk_by_openvino(ops, chips, shrinking).output(0))
        features.append(network.output(0).get_node().input(0).get_source_output())
    return openvino.Model([ops.result(ops.concat(features, axis=1))], [chips], "extractor")


def _shrunk_by_openvino(ops: Any, chips: Any, shrinking: Shrinking) -> Any:
    """Return what makes chips smaller, the width first, as operators of OpenVINO."""
    if (matrix := shrinking.matrix) is None:
        return chips
    for _ in ("wide", "tall"):
        chips = ops.matmul(ops.constant(matrix), chips, False, False)
        if shrinking.whole:
            chips = ops.clamp(ops.floor(ops.add(chips, ops.constant(np.float32(0.5)))), 0.0, 255.0)
        chips = ops.transpose(chips, np.array([0, 2, 1, 3]))
    return chips
