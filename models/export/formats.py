"""One network and its manifest in one file, in each of the formats that networks are passed on in.

    .keras   Keras' own: for any backend. A zip archive, the manifest in its member planet.json.
    .onnx    ONNX: for ONNX Runtime and most else. The manifest is its metadata "planet".
    .zip     OpenVINO: its network.xml and network.bin, and planet.json.

Only a .keras file is read by Keras. Whoever reads a file runs nothing that is in it: only layers of Keras and of this
project, no Lambda layer and no pickle. Members of archives are read by their names and are never unpacked by them.
"""

from __future__ import annotations

import importlib.util
import shlex
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from competition.common.errors import UserError
from competition.common.folders import check_room
from models.backend.devices import backend_name
from models.backend.load import load_backend, turned_aside
from models.export.keras_file import OF_KERAS, read_keras, write_keras
from models.export.manifest import Exported, Manifest
from models.export.onnx_file import read_onnx, write_onnx
from models.export.openvino_file import OF_OPENVINO, read_openvino, write_openvino

if TYPE_CHECKING:
    from models.export.whole import Whole

WRITERS = ("tensorflow", "torch")  # backends that write formats other than Keras' own
NEEDED = {  # package by package, and the extra of the project that brings it
    ("write", ".onnx"): (("onnx", "tf2onnx"), "onnx"),
    ("read", ".onnx"): (("onnxruntime",), "onnx"),
    ("write", ".zip"): (("openvino",), "fast"),
    ("read", ".zip"): (("openvino",), "fast"),
}


def require(action: str, path: Path) -> None:
    """Refuse a format whose packages are not installed, or that the backend does not write.

    Args:
        action: "write" or "read".
        path: a file of the format.

    Raises:
        UserError: with the command that mends it.
    """
    packages, extra = NEEDED.get((action, path.suffix), ((), ""))
    backend = backend_name() if action == "write" else None  # which loads Keras
    if (path.suffix, backend) == (".onnx", "torch"):
        packages = ("onnx",)
    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        raise UserError(
            f"{'Writing' if action == 'write' else 'Reading'} {path.name} needs {' and '.join(missing)}. "
            f"Run 'pip install -e \".[{extra}]\"', or use a .keras file."
        )
    if action == "write" and packages and backend not in WRITERS:
        raise UserError(
            f"{path.name} is written by the backends {' and '.join(WRITERS)} alone, received {backend}. Set "
            "KERAS_BACKEND=tensorflow for this one command (models of any backend will do), or give a .keras file."
        )


def write(network: Whole, manifest: Manifest, path: Path) -> None:
    """Write a network and its manifest in the format that the suffix of `path` names.

    Raises:
        UserError: if the format does not take the network, or the disk has no room for it.
    """
    room = "Make room, or give an --output on another disk."
    check_room(network.size, path.parent, "The exported model", room)
    writer = {".keras": write_keras, ".onnx": write_onnx, ".zip": write_openvino}[path.suffix]
    try:
        with turned_aside(1, 2), warnings.catch_warnings():  # TensorFlow's, which Keras may load only now
            warnings.simplefilter("ignore")
            writer(network, manifest, path)
    except (OSError, UserError):
        raise
    except Exception as error:  # exporters raise whatever they like on a layer that they do not know
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"'{manifest.model}' cannot be written as {path.suffix}: {reason}. Use a .keras file."
        ) from error


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
        told = f"{path} is no file. Move it away" if path.exists() else f"No file {path}"
        again = f"export --model MODEL --output {shlex.quote(str(path))}"
        raise UserError(f"{told}.", command={"to write it": again})
    if (kind := _kind(path)) not in (None, path.suffix):
        raise UserError(
            f"{path} holds a {kind} model under another name: expected {kind} at its end, received {path.suffix}. "
            f"Rename it to {path.with_suffix(kind).name}."
        )
    require("read", path)
    if path.suffix == ".keras":
        load_backend()
    try:
        with turned_aside(2), warnings.catch_warnings():  # native code prints its own view of a damaged file
            warnings.simplefilter("ignore")
            if path.suffix == ".keras":
                return read_keras(path, accelerated)
            return read_onnx(path) if path.suffix == ".onnx" else read_openvino(path)
    except Exception as error:  # the libraries raise whatever they like on a damaged file
        reason = (" ".join(str(error).split()) or type(error).__name__)[:300].rstrip(".")
        raise UserError(
            f"{path} is damaged, or was not written by this project's export: {reason}.",
            command={"to write it again": f"export --model MODEL --output {shlex.quote(str(path))}"},
        ) from error


def _kind(path: Path) -> str | None:
    """Return the suffix of the format that a file looks like from within; None if it looks like none."""
    with path.open("rb") as file:
        if file.read(1) == b"\x08":  # the number of the first field of every ONNX model
            return ".onnx"
    with suppress(Exception), zipfile.ZipFile(path) as archive:  # which raises more than it says on a damaged file
        kinds = {frozenset(OF_KERAS): ".keras", frozenset(OF_OPENVINO): ".zip"}
        return kinds.get(frozenset(archive.namelist()))
    return None
