"""A network of Keras as an ONNX graph: made with tf2onnx of what TensorFlow computes, by torch of what that does."""

from __future__ import annotations

import importlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.backend.devices import backend_name
from models.backend.load import turned_aside

OPSET = 17  # of 2022: read by everything that is kept up; from 18 on operators take what tf2onnx leaves as attributes


def as_onnx(network: keras.Model, opset: int = OPSET) -> Any:
    """Return a network as an `onnx.ModelProto`, from "chips" (num_chips, ...) to "scores" (num_chips, num_labels).

    Of TensorFlow's not by `network.export`: with TensorFlow 2.21 it leaves constants, such as those of a Normalization
    layer, as further inputs of the graph, and functions that XLA is to compile, such as ConvNeXt's convolutions, as
    calls.

    Raises:
        Exception: of any kind, if ONNX does not take the network.
    """
    if backend_name() == "torch":
        return _of_torch(network, opset)
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
        opset=opset,
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


def _of_torch(network: keras.Model, opset: int) -> Any:
    sample = np.zeros((2, *network.input_shape[1:]), np.float32)
    with without_gradients(network):
        return torch_onnx(
            network, lambda chips: [network(chips, training=False)], sample, "chips", ("scores",), opset=opset
        )


@contextmanager
def without_gradients(network: keras.Model) -> Iterator[None]:
    """Let no weight of a network of torch ask for gradients: what torch exports of Keras has them as constants."""
    values = [variable.value for variable in network.variables] if backend_name() == "torch" else []
    learning = [value for value in values if value.requires_grad]
    for value in learning:
        value.requires_grad = False
    try:
        yield
    finally:
        for value in learning:
            value.requires_grad = True


def torch_onnx(
    network: Any,
    run: Callable[[Any], Sequence[Any]],
    sample: NDArray[np.float32],
    given: str,
    names: Sequence[str],
    *,
    opset: int = OPSET,
) -> Any:
    """Return what torch makes of any number of chips as an `onnx.ModelProto`.

    It is traced: torch's newer exporter takes four times as long, and gives the same.

    Args:
        network: the module whose weights they are: without it the graph would hold a weight once for each use.
        run: returns the outputs for a tensor of chips, by weights at rest that ask for no gradients.
        sample: two chips as it takes them.
        given: name of the graph's input.
        names: of its outputs.
        opset: of the graph.

    Raises:
        Exception: of any kind, if ONNX does not take the network.
    """
    onnx, torch = importlib.import_module("onnx"), importlib.import_module("torch")

    def stay(traced: Any, mode: bool = True) -> Any:  # at rest, which programs of torch.export refuse to be told
        return traced

    ways = {"forward": lambda _, chips: tuple(run(chips)), "train": stay}
    traced = type("Traced", (torch.nn.Module,), ways)()
    traced.network, traced.training = network, False
    is_script = isinstance(network, torch.jit.ScriptModule)  # which torch exports as part of a trace alone
    content = io.BytesIO()
    with torch.no_grad(), turned_aside(1, 2), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chips = (torch.from_numpy(sample),)
        torch.onnx.export(
            torch.jit.trace(traced, chips, check_trace=False) if is_script else traced,
            chips,
            content,
            dynamo=False,
            input_names=[given],
            output_names=list(names),
            dynamic_axes={name: {0: "num_chips"} for name in (given, *names)},
            opset_version=opset,
        )
    return onnx.load_model_from_string(content.getvalue())
