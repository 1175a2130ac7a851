"""A network in OpenVINO's format, in one archive."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import scratch_folder
from competition.common.progress import reporter
from models.backend.openvino import OpenVinoRunner, read_model
from models.backend.runners import Runner
from models.backend.seals import MANIFEST
from models.export.manifest import Exported, Manifest, manifest_in, stored_members

if TYPE_CHECKING:
    from models.export.whole import Whole

XML, BIN = "network.xml", "network.bin"
OF_OPENVINO = {XML, BIN, MANIFEST}


def write_openvino(network: Whole, manifest: Manifest, path: Path) -> None:
    """Write a network and its manifest as a `.zip` of OpenVINO's two files."""
    with scratch_folder() as folder:
        network.openvino(folder / XML)
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(folder / XML, XML)
            archive.write(folder / BIN, BIN)
            archive.writestr(MANIFEST, manifest.text())


def read_openvino(path: Path) -> Exported:
    """Read a `.zip` of OpenVINO's files; raises whatever OpenVINO does on a damaged one."""
    with stored_members(path, OF_OPENVINO) as archive:
        manifest = manifest_in(archive)
        model = read_model(archive.read(XML), archive.read(BIN))
    size, bands = manifest.inputs.size, len(manifest.inputs.bands)
    runner = OpenVinoRunner(model, (size, size, bands), manifest.recipe.input_size**2)
    if runner.output_shape != (len(manifest.labels),):
        raise UserError("its network scores other labels than its manifest says")

    def runner_for(sample: NDArray[Any]) -> Runner:
        reporter.say(f"{path.name} is run by OpenVINO.")
        return runner

    return Exported(manifest, runner_for)
