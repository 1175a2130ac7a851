"""A network in the ONNX format; the graph is made with tf2onnx."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.interrupts import check
from competition.common.progress import reporter
from models.backend.devices import batch_size_for
from models.backend.runners import Runner
from models.backend.seals import MANIFEST_KEY, check_onnx, onnx_seal
from models.export.manifest import Exported, Manifest

OPSET = 17  # of 2022: read by everything that is kept up; from 18 on operators take what tf2onnx leaves as attributes


def as_onnx(network: keras.Model) -> Any:
    """Return a network as an `onnx.ModelProto`, from "chips" (num_chips, ...) to "scores" (num_chips, num_labels).

    Not by `network.export`: with TensorFlow 2.21 it leaves constants, such as those of a Normalization layer, as
    further inputs of the graph, and functions that XLA is to compile, such as ConvNeXt's convolutions, as calls.

    Raises:
        Exception: of any kind, if ONNX does not take the network.
    """
    onnx, tf2onnx = importlib.import_module("onnx"), importlib.import_module("tf2onnx")
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    frozen = _frozen(network)
    (chips,), (scores,) = frozen.inputs, frozen.outputs
    graph, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(add_shapes=True),
        name=network.name,
        input_names=[chips.name],
        output_names=[scores.name],
        tensors_to_rename={chips.name: "chips", scores.name: "scores"},
        custom_op_handlers={"Erfc": (_erfc, [])},
        opset=OPSET,
    )
    for end in (*graph.graph.input, *graph.graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "num_chips"
    onnx.checker.check_model(graph)  # tf2onnx leaves in the graph what it does not know
    return graph


def _frozen(network: keras.Model) -> Any:
    """Return TensorFlow's graph of a network with its weights as constants."""
    tensorflow = importlib.import_module("tensorflow")
    freezing = importlib.import_module("tensorflow.python.framework.convert_to_constants")
    chips = tensorflow.TensorSpec(network.input_shape, tensorflow.float32, name="chips")
    function = tensorflow.function(lambda chips: network(chips, training=False))
    # It is traced all the same; functions within it become part of its graph instead of calls.
    tensorflow.config.run_functions_eagerly(True)
    try:
        traced = function.get_concrete_function(chips)
    finally:
        tensorflow.config.run_functions_eagerly(False)
    return freezing.convert_variables_to_constants_v2(traced, lower_control_flow=False, aggressive_inlining=True)


def _erfc(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Write erfc(x), of which ONNX has no operator, as 1 - erf(x): GELU, and so ConvNeXt, has it."""
    utils = importlib.import_module("tf2onnx.utils")
    shapes, dtypes = node.output_shapes, node.output_dtypes
    one = context.make_const(utils.make_name("one"), np.array(1, dtype=np.float32))
    erf = context.make_node("Erf", node.input, shapes=shapes, dtypes=dtypes)
    context.remove_node(node.name)
    context.make_node("Sub", [one.output[0], erf.output[0]], outputs=node.output, shapes=shapes, dtypes=dtypes)


def write_onnx(network: keras.Model, manifest: Manifest, path: Path) -> None:
    """Write a network and its manifest as an `.onnx` file."""
    graph = as_onnx(network)
    graph.metadata_props.add(key=MANIFEST_KEY, value=manifest.text())
    content = graph.SerializeToString()
    path.write_bytes(content + onnx_seal(content))


def read_onnx(path: Path) -> Exported:
    """Read an `.onnx` file; raises whatever ONNX Runtime does on a damaged one."""
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # From memory, so that no other file can be named as the place of its weights.
    content = path.read_bytes()
    check_onnx(content)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    if MANIFEST_KEY not in metadata:
        raise UserError("it has no manifest of a model")
    manifest = Manifest.read(metadata[MANIFEST_KEY])
    size, bands, labels = manifest.inputs.size, len(manifest.inputs.bands), len(manifest.labels)
    shapes = [list(end.shape[1:]) for end in (*session.get_inputs(), *session.get_outputs())]
    if shapes != [[size, size, bands], [labels]]:
        raise UserError("its network takes other chips, or scores other labels, than its manifest says")

    def run(chips: NDArray[Any]) -> NDArray[np.float32]:
        scores = [np.zeros((0, labels), dtype=np.float32)]
        for start in range(0, len(chips), batch := batch_size_for(size)):
            check()
            batch_of_chips = chips[start : start + batch].astype(np.float32)
            scores += session.run(None, {session.get_inputs()[0].name: batch_of_chips})
        return np.concatenate(scores)

    def runner_for(sample: NDArray[Any]) -> Runner:
        reporter.say(f"{path.name} is run by ONNX Runtime {onnxruntime.__version__}.")
        return run

    return Exported(manifest, runner_for)
