"""What makes features of chips, behind one interface: a frozen network of Keras, or a graph that others made.

Whoever asks for features, keeps what makes them beside a model or passes it on does not ask which of the two it is.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import replace_atomically
from competition.common.folders import check_room
from models.backend.load import load_backend
from models.backend.runners import KerasRunner, Runner, kept_runner, runner_of
from models.backend.seals import check_onnx
from models.graphs.running import check_archive, fastest, reference
from models.runs.folders import EXTRACTOR, GRAPHS, load_weights, restart_command

if TYPE_CHECKING:
    import keras

    from models.backend.kept import Kept
    from models.networks.input_spec import Inputs
    from models.recipes.recipe import Recipe


RECORD = "graph.json"  # beside a graph in the cache


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

    def write(self, folder: Path) -> None:
        """Keep it in a model's folder, for `extractor_in`.

        Raises:
            UserError: if the disk has no room for it.
        """


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

    def write(self, folder: Path) -> None:
        """Write its weights; see `Extractor`."""
        from models.networks.build import save_weights

        check_room(4 * self.network.count_params(), folder, "The network")
        save_weights(self.network, folder / EXTRACTOR)


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

    def write(self, folder: Path) -> None:
        """Copy the file; see `Extractor`."""
        check_room(len(self.content), folder, "The network")
        with replace_atomically(folder / f"extractor{self.path.suffix}") as temporary:
            shutil.copyfile(self.path, temporary)


def is_kept(folder: Path) -> bool:
    """Return whether a model's folder holds its frozen backbone."""
    return any((folder / name).is_file() for name in (EXTRACTOR, *GRAPHS))


def extractor_in(
    folder: Path, recipe: Recipe, inputs: Inputs, cache: Path | None = None, kept: Kept | None = None
) -> Extractor:
    """Return the frozen backbone that a model's folder holds.

    Args:
        folder: of the model.
        recipe: of the model.
        inputs: what the backbone is given.
        cache: the workspace's folder of what can be made again; None: nothing is noted.
        kept: where the conversion of a network of Keras is kept; None: nowhere.
    """
    if recipe.of_graph:
        paths = [folder / name for name in GRAPHS]
        return GraphExtractor(next((path for path in paths if path.is_file()), paths[0]), recipe.input_size**2, cache)

    def build() -> keras.Model:
        from models.networks.backbones import build_extractor

        network = build_extractor(recipe, inputs, pretrained=False)
        load_weights(network, folder / EXTRACTOR)
        return network

    return KerasExtractor(build, kept)
