"""What makes features of chips, behind one interface: a frozen network of Keras, or a graph that others made.

Whoever asks for features, keeps what makes them beside a model or passes it on does not ask which of the two it is.
"""

from __future__ import annotations

import functools
import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import replace_atomically
from competition.common.folders import check_room
from models.backend.load import load_backend
from models.backend.openvino import converted, read_graph
from models.backend.runners import KerasRunner, Runner, kept_runner, runner_of
from models.backend.seals import check_onnx
from models.graphs.running import fastest, read_archive, reference
from models.graphs.source import opset_of
from models.runs.folders import EXTRACTOR, WEIGHTS, restart_command

if TYPE_CHECKING:
    import keras

    from models.backend.kept import Kept

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

    def write(self, folder: Path, name: str = EXTRACTOR) -> None:
        """Keep it in a model's folder, for `extractor_in`; of several under numbered names.

        Raises:
            UserError: if the disk has no room for it.
        """

    @property
    def num_bytes(self) -> int:
        """Bytes of its weights."""

    @property
    def opset(self) -> int | None:
        """The opset that its ONNX graph is of; None: any.

        Raises:
            UserError: if it has no ONNX graph, as a network that came as OpenVINO's.
        """

    def onnx(self, opset: int) -> Any:
        """Return it as an `onnx.ModelProto`, of an opset if it can be of any.

        Raises:
            UserError: if it has no ONNX graph.
            Exception: of any kind, if ONNX does not take it.
        """

    def openvino(self) -> Any:
        """Return it as a network of OpenVINO.

        Raises:
            Exception: of any kind, if OpenVINO does not take it.
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

    def write(self, folder: Path, name: str = EXTRACTOR) -> None:
        """Write its weights; see `Extractor`."""
        from models.networks.build import save_weights

        check_room(self.num_bytes, folder, "The network")
        save_weights(self.network, folder / f"{name}{WEIGHTS}")

    @property
    def num_bytes(self) -> int:
        """Bytes of its weights."""
        return int(4 * self.network.count_params())

    @property
    def opset(self) -> int | None:
        """It may be of any; see `Extractor`."""
        return None

    def onnx(self, opset: int) -> Any:
        """Return it as an `onnx.ModelProto`; see `Extractor`."""
        from models.backend.onnx_graph import OPSET, as_onnx

        return as_onnx(self.network, min(opset, OPSET))

    def openvino(self) -> Any:
        """Return it as a network of OpenVINO; see `Extractor`."""
        return converted(self.network)


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

    @property
    def opset(self) -> int | None:
        """That of the file; see `Extractor`."""
        return opset_of(self.onnx())

    def onnx(self, opset: int = 0) -> Any:
        """Return it as an `onnx.ModelProto` of the opset that it is of; see `Extractor`."""
        if self.path.suffix != ".onnx":
            raise UserError("a network that came as OpenVINO's is no ONNX. Give an --output that ends in .zip")
        graph = importlib.import_module("onnx").load_model_from_string(self.content)
        del graph.metadata_props[:]
        return graph

    def openvino(self) -> Any:
        """Return it as a network of OpenVINO; see `Extractor`."""
        return read_graph(self.content) if self.path.suffix == ".onnx" else read_archive(self.content)
