"""A network in OpenVINO's format, in one archive."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from competition.common.progress import reporter
from models.backend.openvino import OpenVinoRunner, import_openvino
from models.backend.runners import Runner
from models.export.manifest import MANIFEST, Exported, Manifest, manifest_in, stored_members

XML, BIN = "network.xml", "network.bin"
OF_OPENVINO = {XML, BIN, MANIFEST}


def write_openvino(network: keras.Model, manifest: Manifest, path: Path) -> None:
    """Write a network and its manifest as a `.zip` of OpenVINO's two files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        import_openvino()
        network.export(str(folder / XML), format="openvino", verbose=False)
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(folder / XML, XML)
            archive.write(folder / BIN, BIN)
            archive.writestr(MANIFEST, manifest.text())


@dataclass(frozen=True)
class _Converted:
    """A network that OpenVINO has converted already; to `OpenVinoRunner` it looks like one of Keras."""

    xml: bytes
    weights: bytes
    output_shape: tuple[int | None, ...]

    def export(self, path: str, **options: Any) -> None:
        Path(path).write_bytes(self.xml)
        Path(path).with_suffix(".bin").write_bytes(self.weights)


def read_openvino(path: Path) -> Exported:
    """Read a `.zip` of OpenVINO's files; raises whatever OpenVINO does on a damaged one."""
    with stored_members(path, OF_OPENVINO) as archive:
        manifest = manifest_in(archive)
        network = _Converted(archive.read(XML), archive.read(BIN), (None, len(manifest.labels)))
    size, bands = manifest.inputs.size, len(manifest.inputs.bands)
    runner = OpenVinoRunner(network, (size, size, bands), manifest.recipe.input_size**2)

    def runner_for(sample: NDArray[Any]) -> Runner:
        reporter.say(f"{path.name} is run by OpenVINO.")
        return runner

    return Exported(manifest, runner_for)
