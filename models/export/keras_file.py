"""A network in Keras' own format."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras

import models.networks.layers  # noqa: F401 - registers the layers that a .keras file may name
from competition.common.errors import UserError
from models.backend.runners import runner_of
from models.export.manifest import FACTS, Exported, Facts, facts_in, stored_members

OF_KERAS = {"metadata.json", "config.json", "model.weights.h5", FACTS}


def write_keras(network: keras.Model, facts: Facts, path: Path) -> None:
    """Write a network and its facts as a `.keras` file."""
    network.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(FACTS, facts.text())


def read_keras(path: Path, accelerated: bool) -> Exported:
    """Read a `.keras` file; raises whatever Keras does on a damaged one."""
    with stored_members(path, OF_KERAS) as archive:
        facts = facts_in(archive)
    network = keras.saving.load_model(path, compile=False, safe_mode=True)
    size, bands = facts.inputs.size, len(facts.inputs.bands)
    if (network.input_shape, network.output_shape) != ((None, size, size, bands), (None, len(facts.labels))):
        raise UserError("its network takes other chips, or scores other labels, than its facts say")
    return Exported(facts, lambda sample, say: runner_of(network, sample, say, accelerated=accelerated))
