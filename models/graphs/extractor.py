"""What makes features of chips, behind one interface: a frozen network of Keras, a graph that others made, or several.

Whoever asks for features, or keeps what makes them beside a model, does not ask which of these it is. A joint recipe of
networks of Keras alone is one network in one file. Where one of them is a graph, each has a file of its own, and is run
as its feature bank was made.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import replace_atomically
from competition.common.folders import check_room
from models.backend.load import load_backend
from models.backend.openvino import converted, nhwc_pixels
from models.backend.runners import KerasRunner, Runner, kept_runner, runner_of
from models.backend.seals import check_archive, check_onnx
from models.graphs.pixels import Shrinking
from models.graphs.running import fastest, reference
from models.networks.input_spec import Inputs
from models.recipes.recipe import Recipe
from models.runs.folders import EXTRACTOR, GRAPHS, WEIGHTS, load_weights, restart_command

if TYPE_CHECKING:
    import keras

    from models.backend.kept import Kept

RECORD = "graph.json"  # beside a graph in the cache
# Given a recipe, what its network is given, and the file of its weights, returns where the conversion of that is kept.
Keeper = Callable[[Recipe, Inputs, Path], "Kept | None"]


class Extractor(Protocol):
    """What makes features (num_chips, num_features) of chips (num_chips, size, size, num_bands) in the files' values.

    Everything done to pixels is inside it, so that training, prediction and later use cannot differ.
    """

    @property
    def num_features(self) -> int:
        """Length of a feature vector."""

    def runner(self, sample: NDArray[Any], *, mixed: bool = False) -> Runner:
        """Return what runs it fastest here, and gives the same on some chips; mixed: in bfloat16 where that is had."""

    def exact(self) -> Runner:
        """Return what runs it plainly: what others are held against."""

    def write(self, folder: Path, name: str = EXTRACTOR) -> None:
        """Keep it in a model's folder, for `extractor_in`; of several under numbered names.

        Raises:
            UserError: if the disk has no room for it.
        """

    @property
    def num_bytes(self) -> int:
        """Bytes of its weights."""


class KerasExtractor:
    """A network of Keras, built when it is needed: a conversion that is kept runs without it.

    Args:
        build: returns the network.
        kept: where its conversion is kept; None: nowhere.
    """

    def __init__(self, build: Callable[[], keras.Model], kept: Kept | None = None) -> None:
        self._build, self._kept = build, kept

    @functools.cached_property
    def network(self) -> keras.Model:
        """The network."""
        load_backend()
        return self._build()

    def converted(self) -> tuple[Any, int]:
        """Return it as a network of OpenVINO, which may be kept already, and the pixels of its largest map.

        Raises:
            Exception: of any kind, if it cannot be converted.
        """
        if self._kept:
            with suppress(Exception):  # it is missing or damaged
                return self._kept.network()
        return converted(self.network), nhwc_pixels(self.network)

    @property
    def num_features(self) -> int:
        """Length of a feature vector."""
        return int(self.network.output_shape[-1])

    def runner(self, sample: NDArray[Any], *, mixed: bool = False) -> Runner:
        """Return what runs it; see `Extractor`."""
        if self._kept and (found := kept_runner(self._kept, "extractor", mixed=mixed)):
            return found
        return runner_of(self.network, sample, kept=self._kept, mixed=mixed)

    def exact(self) -> Runner:
        """Return what runs it by Keras."""
        return KerasRunner(self.network)

    def write(self, folder: Path, name: str = EXTRACTOR) -> None:
        """Write its weights; see `Extractor`."""
        from models.networks.build import save_weights

        check_room(self.num_bytes, folder, "The network")
        save_weights(self.network, folder / f"{name}{WEIGHTS}")

    @property
    def num_bytes(self) -> int:
        """Bytes of its weights."""
        return int(4 * self.network.count_params())


class GraphExtractor:
    """A graph in one file: ONNX, or a .zip of OpenVINO's two files.

    Args:
        path: of the file.
        pixels: pixels of what the network within is given.
        cache: the workspace's folder of what can be made again, where it is noted what runs the graph fastest.
    """

    def __init__(self, path: Path, pixels: int, cache: Path | None) -> None:
        self.path, self.pixels, self._cache = path, pixels, cache

    @functools.cached_property
    def content(self) -> bytes:
        """What the file holds.

        Raises:
            UserError: if it is missing or damaged.
        """
        try:
            content = self.path.read_bytes()
            if self.path.suffix == ".onnx" and not check_onnx(content):
                raise ValueError("its end is missing")
            if self.path.suffix == ".zip":
                check_archive(content)
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path} is missing or damaged.", command=restart_command(self.path)) from error
        return content

    @functools.cached_property
    def num_features(self) -> int:
        """Length of a feature vector."""
        return reference(self.content, self.pixels).output_shape[-1]

    def runner(self, sample: NDArray[Any], *, mixed: bool = False) -> Runner:
        """Return what runs it; see `Extractor`."""
        return fastest(self.content, sample, self.pixels, self._cache, mixed=mixed)

    def exact(self) -> Runner:
        """Return what runs it by ONNX Runtime, or what is of OpenVINO by that."""
        return reference(self.content, self.pixels)

    def write(self, folder: Path, name: str = EXTRACTOR) -> None:
        """Copy the file; see `Extractor`."""
        check_room(self.num_bytes, folder, "The network")
        with replace_atomically(folder / f"{name}{self.path.suffix}") as temporary:
            shutil.copyfile(self.path, temporary)

    @property
    def num_bytes(self) -> int:
        """Bytes of the file."""
        return len(self.content)


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
    def shrinkings(self) -> list[Shrinking]:
        """What is done to the chips before each."""
        return [Shrinking(self.inputs.size, size, self.inputs.of_8_bits) for size in self.sizes]

    def runner(self, sample: NDArray[Any], *, mixed: bool = False) -> Runner:
        """Return what runs each as fast as may be; see `Extractor`."""
        pairs = zip(self.parts, self.shrinkings, strict=True)
        return self._beside([part.runner(shrunk(sample), mixed=mixed) for part, shrunk in pairs])

    def exact(self) -> Runner:
        """Return what runs each plainly; see `Extractor`."""
        return self._beside([part.exact() for part in self.parts])

    def _beside(self, runners: Sequence[Runner]) -> Runner:
        pairs = list(zip(runners, self.shrinkings, strict=True))

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
