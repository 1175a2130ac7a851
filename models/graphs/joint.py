"""Frozen backbones side by side, and what keeps one or several of them in a model's folder.

A joint recipe of networks of Keras alone is one network, in one file. Where one of them is a graph that others made, each
has a file of its own, and is run as its feature bank was made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.backend.openvino import import_openvino
from models.backend.runners import Runner
from models.graphs.extractor import Extractor, GraphExtractor, KerasExtractor
from models.graphs.pixels import Shrinking
from models.networks.input_spec import Inputs
from models.recipes.recipe import Recipe
from models.runs.folders import EXTRACTOR, GRAPHS, WEIGHTS, load_weights

if TYPE_CHECKING:
    import keras

    from models.backend.kept import Kept

# Given a recipe, what its network is given, and the file of its weights, returns where the conversion of that is kept.
Keeper = Callable[[Recipe, Inputs, Path], "Kept | None"]


@dataclass(frozen=True)
class JointExtractor:
    """Several whose features stand side by side, each given the chips as it takes them by itself; see `Extractor`.

    Attributes:
        parts: in the order of their features.
        sizes: pixels along each side of the chips that each takes.
        inputs: what the whole is given.
    """

    parts: Sequence[Extractor]
    sizes: Sequence[int]
    inputs: Inputs

    @property
    def num_features(self) -> int:
        """Length of a feature vector."""
        return sum(part.num_features for part in self.parts)

    @property
    def _shrinkings(self) -> list[Shrinking]:
        return [Shrinking(self.inputs.size, size, self.inputs.of_8_bits) for size in self.sizes]

    def runner(self, sample: NDArray[Any], *, mixed: bool = False) -> Runner:
        """Return what runs each as fast as may be; see `Extractor`."""
        pairs = zip(self.parts, self._shrinkings, strict=True)
        return self._beside([part.runner(shrunk(sample), mixed=mixed) for part, shrunk in pairs])

    def exact(self) -> Runner:
        """Return what runs each plainly; see `Extractor`."""
        return self._beside([part.exact() for part in self.parts])

    def _beside(self, runners: Sequence[Runner]) -> Runner:
        pairs = list(zip(runners, self._shrinkings, strict=True))

        def run(chips: NDArray[Any]) -> NDArray[np.float32]:
            return np.concatenate([runner(shrunk(chips)) for runner, shrunk in pairs], axis=1)

        return run

    def write(self, folder: Path, name: str = EXTRACTOR) -> None:
        """Write each to a file of its own; see `Extractor`."""
        for number, part in enumerate(self.parts):
            part.write(folder, f"{name}{number}")

    @property
    def num_bytes(self) -> int:
        """Bytes of the weights of all."""
        return sum(part.num_bytes for part in self.parts)

    @property
    def opset(self) -> int | None:
        """The newest of theirs, to which the others are brought; see `Extractor`."""
        return max((opset for part in self.parts if (opset := part.opset) is not None), default=None)

    def onnx(self, opset: int) -> Any:
        """Return them as one `onnx.ModelProto`; see `Extractor`."""
        from models.graphs.compose import beside

        models = [part.onnx(self.opset or opset) for part in self.parts]
        return beside(models, self._shrinkings, len(self.inputs.bands))

    def openvino(self) -> Any:
        """Return them as one network of OpenVINO; see `Extractor`."""
        openvino, ops = import_openvino(), importlib.import_module("openvino.opset13")
        size, num_bands = self.inputs.size, len(self.inputs.bands)
        chips, features = ops.parameter([-1, size, size, num_bands], np.float32, name="chips"), []
        for part, shrinking in zip(self.parts, self._shrinkings, strict=True):
            network = part.openvino()
            for target in network.input(0).get_target_inputs():
                target.replace_source_output(_shrunk(ops, chips, shrinking).output(0))
            features.append(network.output(0).get_node().input(0).get_source_output())
        return openvino.Model([ops.result(ops.concat(features, axis=1))], [chips], "extractor")


def _shrunk(ops: Any, chips: Any, shrinking: Shrinking) -> Any:
    """Return what makes chips smaller, the width first, as operators of OpenVINO."""
    if (matrix := shrinking.matrix) is None:
        return chips
    for _ in ("wide", "tall"):
        chips = ops.matmul(ops.constant(matrix), chips, False, False)
        if shrinking.whole:
            chips = ops.clamp(ops.floor(ops.add(chips, ops.constant(np.float32(0.5)))), 0.0, 255.0)
        chips = ops.transpose(chips, np.array([0, 2, 1, 3]))
    return chips


def extractor_in(
    folder: Path,
    recipe: Recipe,
    inputs: Inputs,
    cache: Path | None = None,
    kept: Keeper | None = None,
    name: str = EXTRACTOR,
) -> Extractor:
    """Return the frozen backbone that a model's folder holds.

    Args:
        folder: of the model.
        recipe: of the model.
        inputs: what the backbone is given.
        cache: the workspace's folder of what can be made again; None: nothing is noted.
        kept: says where conversions of networks of Keras are kept; None: nowhere.
        name: of its file, without its suffix.
    """
    if not recipe.of_graph:
        path = folder / f"{name}{WEIGHTS}"
        return KerasExtractor(lambda: _network(recipe, inputs, path), kept(recipe, inputs, path) if kept else None)
    if recipe.parts:
        sizes = [min(inputs.size, part.input_size) for part in recipe.parts]
        pairs = enumerate(zip(recipe.of_parts, sizes, strict=True))
        parts = [
            extractor_in(folder, part, replace(inputs, size=size), cache, kept, f"{name}{number}")
            for number, (part, size) in pairs
        ]
        return JointExtractor(parts, sizes, inputs)
    paths = [folder / f"{name}{suffix}" for suffix in GRAPHS]
    return GraphExtractor(next((path for path in paths if path.is_file()), paths[0]), recipe.input_size**2, cache)


def _network(recipe: Recipe, inputs: Inputs, path: Path) -> keras.Model:
    from models.networks.backbones import build_extractor

    network = build_extractor(recipe, inputs, pretrained=False)
    load_weights(network, path)
    return network
