"""Fixtures of this room: a stand-in for a pretrained network, and a model trained on every fold."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import pytest

from competition.spec.load import load
from competition.workspace import Workspace
from models.train.run_jobs import run_jobs
from tests.conftest import K
from tests.models import samples


@pytest.fixture
def tiny_net(monkeypatch) -> str:
    """A backbone that passes for one of keras.applications."""
    monkeypatch.setattr(keras.applications, "TinyNet", samples.TinyNet, raising=False)
    return "TinyNet"


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory) -> str:
    """The path of weights of `TinyNet`."""
    keras.utils.set_random_seed(7)
    path = tmp_path_factory.mktemp("weights") / "tiny.weights.h5"
    samples.TinyNet().save_weights(path)
    return str(path)


@pytest.fixture(scope="session")
def trained_root(prepared, tmp_path_factory) -> Path:
    """A workspace with the model "tiny" trained on every fold. Not to be changed: tests that write take `trained`."""
    root = tmp_path_factory.mktemp("trained") / "workspace"
    shutil.copytree(prepared, root)
    workspace = Workspace(root, load("planet"))
    for fold in range(K):
        run_jobs([samples.tiny_job(workspace, fold)])
    return root


@pytest.fixture
def trained(trained_root, tmp_path) -> Workspace:
    """A workspace of one's own with the model "tiny" trained on every fold."""
    shutil.copytree(trained_root, tmp_path / "trained")
    return Workspace(tmp_path / "trained", load("planet"))
