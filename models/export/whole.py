"""A trained model as one network, to be written in any format: one of Keras, or a graph with the heads behind it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from competition.common.errors import UserError
from models.backend.onnx_graph import OPSET, as_onnx, without_gradients
from models.backend.openvino import converted, import_openvino
from models.export.features import brought_to, features_as_onnx, features_as_openvino
from models.graphs.compose import FEATURES
from models.graphs.extractor import Extractor, KerasExtractor
from models.graphs.source import opset_of

if TYPE_CHECKING:
    import keras

SCORES = "scores"


@dataclass(frozen=True)
class KerasWhole:
    """A network of Keras from chips to scores."""

    network: keras.Model

    @property
    def size(self) -> int:
        """Bytes of its weights."""
        return int(4 * self.network.count_params())

    def keras(self, path: Path) -> None:
        """Write it as a `.keras` file."""
        self.network.save(path)

    def onnx(self) -> Any:
        """Return it as an `onnx.ModelProto`."""
        return as_onnx(self.network)

    def openvino(self, xml: Path) -> None:
        """Write OpenVINO's two files."""
        import_openvino()
        with without_gradients(self.network):
            self.network.export(str(xml), format="openvino", verbose=False)


@dataclass(frozen=True)
class GraphWhole:
    """A graph that others made, or one with such in it, and a network of Keras from its features to scores."""

    extractor: Extractor
    heads: keras.Model

    @property
    def size(self) -> int:
        """Bytes of its weights."""
        return self.extractor.num_bytes + int(4 * self.heads.count_params())

    def keras(self, path: Path) -> None:
        """Refuse what Keras has no layers for."""
        raise UserError(
            "A network that others made has no layers of Keras, as a .keras file needs them. Give an --output that "
            "ends in .onnx or .zip."
        )

    def onnx(self) -> Any:
        """Return it as an `onnx.ModelProto`: the graph with the heads' operators behind its own.

        Raises:
            UserError: if a graph is OpenVINO's.
        """
        onnx = importlib.import_module("onnx")
        graph = features_as_onnx(self.extractor)
        opset = opset_of(graph)
        heads = brought_to(as_onnx(self.heads, min(opset, OPSET)), opset)
        heads.ir_version = graph.ir_version
        heads = onnx.compose.add_prefix(heads, "heads/")
        whole = onnx.compose.merge_models(graph, heads, io_map=[(FEATURES, heads.graph.input[0].name)])
        given = whole.graph.output[0].name
        whole.graph.node.append(onnx.helper.make_node("Identity", [given], [SCORES], name=SCORES))
        whole.graph.output[0].name = SCORES
        return whole

    def openvino(self, xml: Path) -> None:
        """Write OpenVINO's two files."""
        openvino = import_openvino()
        graph, heads = features_as_openvino(self.extractor), converted(self.heads)
        features = graph.output(0).get_node().input(0).get_source_output()
        for target in heads.input(0).get_target_inputs():
            target.replace_source_output(features)
        openvino.save_model(
            openvino.Model(heads.get_results(), graph.get_parameters(), "model"), xml, compress_to_fp16=False
        )


Whole = KerasWhole | GraphWhole


def joined(networks: Sequence[keras.Model], extractor: Extractor | None) -> Whole:
    """Return one network from chips to the mean of the scores of several.

    Args:
        networks: from chips, or from what the extractor makes of them, to scores.
        extractor: the part that all of them share; None if they share none. It is in the network once.
    """
    if extractor is None or isinstance(extractor, KerasExtractor):
        return KerasWhole(join(networks, extractor.network if extractor else None))
    return GraphWhole(extractor, join(networks))


def join(networks: Sequence[keras.Model], extractor: keras.Model | None = None) -> keras.Model:
    """Return one network of Keras to the mean of the scores of several, behind what all of them share."""
    import keras

    first = extractor or networks[0]
    features = chips = keras.Input(first.input_shape[1:], name="chips")
    if extractor:
        features = extractor(chips)
    # Under names of their own, as a network cannot have two parts of one name.
    members = [
        keras.Model(network.inputs[0], network.outputs[0], name=f"network{number}")
        for number, network in enumerate(networks)
    ]
    scores = [member(features) for member in members]
    return keras.Model(chips, _mean(scores) if len(scores) > 1 else scores[0], name="model")


def _mean(scores: Sequence[Any]) -> Any:
    """Return the mean of scores (num_chips, num_labels) of several networks.

    Not by the layer Average: OpenVINO 2026.4 ends Python with SIGSEGV where it makes ready the sum of three heads that
    have a hidden layer on up to 256 features.
    """
    import keras

    side_by_side = keras.layers.Concatenate(dtype="float32")(scores)
    stacked = keras.layers.Reshape((len(scores), scores[0].shape[-1]), dtype="float32")(side_by_side)
    return keras.layers.GlobalAveragePooling1D(dtype="float32", name="mean")(stacked)
