"""Fixtures of exported files: a model of which two folds are trained, and the file made of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from competition.workspace import Workspace
from models.export.export import export
from tests.conftest import store_of
from tests.models.export.files import PLANET


@pytest.fixture(scope="session")
def trained(trained_root, tmp_path_factory) -> Workspace:
    """A workspace in which two folds of "tiny" are complete. Not to be changed."""
    root = tmp_path_factory.mktemp("two_folds") / "workspace"
    shutil.copytree(trained_root, root)
    shutil.rmtree(root / "runs/tiny/fold1")
    return Workspace(root, PLANET)


@pytest.fixture(scope="session")
def chip_folder(simulated) -> Path:
    return simulated / "test-jpg"


@pytest.fixture(scope="session")
def tiny_file(trained, tmp_path_factory) -> Path:
    """An exported .keras file. Not to be changed."""
    path = tmp_path_factory.mktemp("exported") / "tiny.keras"
    export(trained, store_of(trained), "tiny", path, np.linspace(0.1, 0.9, len(PLANET.labels)))
    return path
