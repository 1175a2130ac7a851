"""A network in Keras' own format."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from competition.common.errors import UserError
from models.backend.runners import runner_of
from models.backend.seals import MANIFEST
from models.export.manifest import Exported, Manifest, manifest_in, stored_members

if TYPE_CHECKING:
    from models.export.whole import Whole

OF_KERAS = {"metadata.json", "config.json", "model.weights.h5", MANIFEST}


def write_keras(network: Whole, manifest: Manifest, path: Path) -> None:
    """Write a network and its manifest as a `.keras` file."""
    network.keras(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MANIFEST, manifest.text())


def read_keras(path: Path, accelerated: bool) -> Exported:
    """Read a `.keras` file; raises whatever Keras does on a damaged one."""
    import keras

    import models.networks.layers  # noqa: F401 - registers the layers that a .keras file may name

    with stored_members(path, OF_KERAS) as archive:
        manifest = manifest_in(archive)
    network = keras.saving.load_model(path, compile=False, safe_mode=True)
    size, bands = manifest.inputs.size, len(manifest.inputs.bands)
    if (network.input_shape, network.output_shape) != ((None, size, size, bands), (None, len(manifest.labels))):
        raise UserError("its network takes other chips, or scores other labels, than its manifest says")
    return Exported(manifest, lambda sample: runner_of(network, sample, accelerated=accelerated))
