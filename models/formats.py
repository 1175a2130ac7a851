"""One network and its facts in one file, in each of the formats that networks are passed on in.

    .keras   Keras' own: for any backend. A zip archive, the facts in its member planet.json.
    .onnx    ONNX: for ONNX Runtime and most else. The facts are its metadata "planet".
    .zip     OpenVINO: its network.xml and network.bin, and planet.json.

Whoever reads a file runs nothing that is in it: only layers of Keras and of this project, no Lambda layer and no
pickle. Members of archives are read by their names and are never unpacked by them.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from competition.errors import UserError
from models import heads, losses, resize  # noqa: F401 - registers the layers that a .keras file may name
from models.accelerate import OpenVinoRunner, Runner, import_openvino, runner_of
from models.backend import turned_aside
from models.batches import batch_size_for
from models.facts import LARGEST, Facts
from models.interrupts import check
from models.onnx_graph import as_onnx

FACTS, KEY = "planet.json", "planet"
OF_KERAS = {"metadata.json", "config.json", "model.weights.h5", FACTS}
XML, BIN = "network.xml", "network.bin"
OF_OPENVINO = {XML, BIN, FACTS}
NEEDED = {  # package by package, and the extra of the project that brings it
    ("write", ".onnx"): (("onnx", "tf2onnx"), "onnx"),
    ("read", ".onnx"): (("onnxruntime",), "onnx"),
    ("write", ".zip"): (("openvino",), "fast"),
    ("read", ".zip"): (("openvino",), "fast"),
}


@dataclass(frozen=True)
class Exported:
    """A network read from a file.

    Attributes:
        facts: what the file says of it.
        runner_for: returns what runs it, given some chips (num_chips, size, size, num_bands) as a sample and what
            receives a line on what runs it.
    """

    facts: Facts
    runner_for: Callable[[NDArray[Any], Callable[[str], None]], Runner]


def require(action: str, path: Path) -> None:
    """Refuse a format whose packages are not installed, or that the backend does not write.

    Args:
        action: "write" or "read".
        path: a file of the format.

    Raises:
        UserError: with the command that mends it.
    """
    packages, extra = NEEDED.get((action, path.suffix), ((), ""))
    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        raise UserError(
            f"{'Writing' if action == 'write' else 'Reading'} {path.name} needs {' and '.join(missing)}. "
            f"Run 'pip install -e \".[{extra}]\"', or use a .keras file."
        )
    if action == "write" and packages and keras.backend.backend() != "tensorflow":
        raise UserError(
            f"{path.name} is written by the backend tensorflow alone, received {keras.backend.backend()}. Set "
            "KERAS_BACKEND=tensorflow for this one command (models of any backend will do), or give a .keras file."
        )


def write(network: keras.Model, facts: Facts, path: Path) -> None:
    """Write a network and its facts in the format that the suffix of `path` names.

    Raises:
        UserError: if the format does not take the network.
    """
    writer = {".keras": _write_keras, ".onnx": _write_onnx, ".zip": _write_openvino}[path.suffix]
    try:
        with turned_aside(1, 2), warnings.catch_warnings():  # TensorFlow's, which Keras may load only now
            warnings.simplefilter("ignore")
            writer(network, facts, path)
    except (OSError, UserError):
        raise
    except Exception as error:  # exporters raise whatever they like on a layer that they do not know
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"'{facts.model}' cannot be written as {path.suffix}: {reason}. Use a .keras file.") from error


def read(path: Path, *, accelerated: bool = True) -> Exported:
    """Read a file that `write` has written.

    Args:
        path: the file.
        accelerated: False runs a .keras file by Keras in any case.

    Raises:
        UserError: if the file is missing, renamed to another suffix, damaged, of another origin, or needs a package
            that is not installed.
    """
    if not path.is_file():
        raise UserError(f'No file {path}. Write it by "python run.py export --model MODEL --output {path}".')
    if (kind := _kind(path)) not in (None, path.suffix):
        raise UserError(
            f"{path} holds a {kind} model under another name: expected {kind} at its end, received {path.suffix}. "
            f"Rename it to {path.with_suffix(kind).name}."
        )
    require("read", path)
    try:
        with turned_aside(2), warnings.catch_warnings():  # native code prints its own view of a damaged file
            warnings.simplefilter("ignore")
            if path.suffix == ".keras":
                return _read_keras(path, accelerated)
            return _read_onnx(path) if path.suffix == ".onnx" else _read_openvino(path)
    except Exception as error:  # the libraries raise whatever they like on a damaged file
        reason = (" ".join(str(error).split()) or type(error).__name__)[:300].rstrip(".")
        raise UserError(
            f"{path} is damaged, or was not written by this project's export: {reason}. Export the model again."
        ) from error


def _kind(path: Path) -> str | None:
    """Return the suffix of the format that a file looks like from within; None if it looks like none."""
    with path.open("rb") as file:
        if file.read(1) == b"\x08":  # the number of the first field of every ONNX model
            return ".onnx"
    with suppress(zipfile.BadZipFile, NotImplementedError, ValueError), zipfile.ZipFile(path) as archive:
        kinds = {frozenset(OF_KERAS): ".keras", frozenset(OF_OPENVINO): ".zip"}
        return kinds.get(frozenset(archive.namelist()))
    return None


# Archives


def _members(path: Path, names: set[str]) -> zipfile.ZipFile:
    """Open an archive that holds just the members `names`, none of them compressed: none can be larger than it is."""
    archive = zipfile.ZipFile(path)
    found = [member.filename for member in archive.infolist()]
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())
    if sorted(found) != sorted(names) or not stored:
        archive.close()
        raise UserError(f"expected the members {', '.join(sorted(names))}, received {', '.join(sorted(found))[:100]}")
    return archive


def _facts_in(archive: zipfile.ZipFile) -> Facts:
    with archive.open(FACTS) as member:
        return Facts.read(member.read(LARGEST + 1))


# Keras


def _write_keras(network: keras.Model, facts: Facts, path: Path) -> None:
    network.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(FACTS, facts.text())


def _read_keras(path: Path, accelerated: bool) -> Exported:
    with _members(path, OF_KERAS) as archive:
        facts = _facts_in(archive)
    network = keras.saving.load_model(path, compile=False, safe_mode=True)
    size, bands = facts.inputs.size, len(facts.inputs.bands)
    if (network.input_shape, network.output_shape) != ((None, size, size, bands), (None, len(facts.labels))):
        raise UserError("its network takes other chips, or scores other labels, than its facts say")
    return Exported(facts, lambda sample, say: runner_of(network, sample, say, accelerated=accelerated))


# OpenVINO


def _write_openvino(network: keras.Model, facts: Facts, path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        import_openvino()
        network.export(str(folder / XML), format="openvino", verbose=False)
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(folder / XML, XML)
            archive.write(folder / BIN, BIN)
            archive.writestr(FACTS, facts.text())


@dataclass(frozen=True)
class _Converted:
    """A network that OpenVINO has converted already; to `OpenVinoRunner` it looks like one of Keras."""

    xml: bytes
    weights: bytes
    output_shape: tuple[int | None, ...]

    def export(self, path: str, **options: Any) -> None:
        Path(path).write_bytes(self.xml)
        Path(path).with_suffix(".bin").write_bytes(self.weights)


def _read_openvino(path: Path) -> Exported:
    with _members(path, OF_OPENVINO) as archive:
        facts = _facts_in(archive)
        network = _Converted(archive.read(XML), archive.read(BIN), (None, len(facts.labels)))
    size, bands = facts.inputs.size, len(facts.inputs.bands)
    runner = OpenVinoRunner(network, (size, size, bands), facts.recipe.input_size**2)

    def runner_for(sample: NDArray[Any], say: Callable[[str], None]) -> Runner:
        say(f"{path.name} is run by OpenVINO.")
        return runner

    return Exported(facts, runner_for)


# ONNX


def _write_onnx(network: keras.Model, facts: Facts, path: Path) -> None:
    graph = as_onnx(network)
    graph.metadata_props.add(key=KEY, value=facts.text())
    path.write_bytes(graph.SerializeToString())


def _read_onnx(path: Path) -> Exported:
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # From memory, so that no other file can be named as the place of its weights.
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    if KEY not in metadata:
        raise UserError("it has no facts of a model")
    facts = Facts.read(metadata[KEY])
    size, bands, labels = facts.inputs.size, len(facts.inputs.bands), len(facts.labels)
    shapes = [list(end.shape[1:]) for end in (*session.get_inputs(), *session.get_outputs())]
    if shapes != [[size, size, bands], [labels]]:
        raise UserError("its network takes other chips, or scores other labels, than its facts say")

    def run(chips: NDArray[Any]) -> NDArray[np.float32]:
        made = [np.zeros((0, labels), dtype=np.float32)]
        for start in range(0, len(chips), batch := batch_size_for(size)):
            check()
            batch_of_chips = chips[start : start + batch].astype(np.float32)
            made += session.run(None, {session.get_inputs()[0].name: batch_of_chips})
        return np.concatenate(made)

    def runner_for(sample: NDArray[Any], say: Callable[[str], None]) -> Runner:
        say(f"{path.name} is run by ONNX Runtime {onnxruntime.__version__}.")
        return run

    return Exported(facts, runner_for)
