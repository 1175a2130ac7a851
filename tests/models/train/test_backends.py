"""One code for every backend: a fold trained by JAX is the fold trained by TensorFlow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from competition.spec.load import load
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.runs.training_state import state_of
from tests.conftest import store_of
from tests.models import fold_by_backend
from tests.models.samples import saved

ROOT = Path(__file__).parents[3]
# What XLA compiles is run a few times only.
QUICKLY = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
# One backend needs no other, and TensorFlow takes seconds to import. Nor is a short life worth collecting garbage.
ALONE = """
import gc, os, runpy, sys

gc.disable()

class OtherBackends:
    def find_spec(self, name, *_):
        if name in {"tensorflow", "jax", "torch"} - {os.environ["KERAS_BACKEND"]}:
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, OtherBackends())
import keras, tests.models.samples
gc.freeze()
runpy.run_module("tests.models.fold_by_backend", run_name="__main__")
"""
ONLY_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares TensorFlow with others")


@pytest.fixture
def weights(tmp_path) -> Path:
    return Path(saved(tmp_path / "plain.weights.h5", fold_by_backend.PlainNet()))


@pytest.mark.slow
@ONLY_TENSORFLOW
def test_a_fold_trained_by_jax_is_the_one_trained_by_tensorflow(prepared, tmp_path, weights):
    pytest.importorskip("jax")
    shutil.copytree(prepared, tmp_path / "tensorflow")
    jax = begun_elsewhere(prepared, tmp_path / "jax", weights, 1, KERAS_BACKEND="jax")
    fold_by_backend.train_on_devices(tmp_path / "tensorflow", weights, 1)
    assert_ended_well(jax)
    assert_the_same(tmp_path / "tensorflow", tmp_path / "jax")
    assert store_in(tmp_path / "jax").provenance("head", 0).versions.keys() >= {"jax"}
    shown = json.loads((tmp_path / "jax/monitored.json").read_text())
    assert shown == pytest.approx(fold_by_backend.monitored(), rel=1e-5)


@pytest.mark.slow
@ONLY_TENSORFLOW
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_fold_trained_on_two_devices_is_the_one_trained_on_one(prepared, tmp_path, weights, backend):
    pytest.importorskip(backend)
    flags = {"KERAS_BACKEND": backend, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    for num_devices in (1, 2):
        assert_ended_well(begun_elsewhere(prepared, tmp_path / str(num_devices), weights, num_devices, **flags))
    assert_the_same(tmp_path / "1", tmp_path / "2")


def begun_elsewhere(
    prepared: Path, root: Path, weights: Path, num_devices: int, **variables: str
) -> subprocess.Popen[bytes]:
    """Begin the training in another process, as a process has one backend."""
    shutil.copytree(prepared, root)
    command = [sys.executable, "-c", ALONE, str(root), str(weights), str(num_devices)]
    given = {**os.environ, **variables, "XLA_FLAGS": f"{QUICKLY} {variables.get('XLA_FLAGS', '')}"}
    return subprocess.Popen(command, cwd=ROOT, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def assert_ended_well(process: subprocess.Popen[bytes]) -> None:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output.decode()


def store_in(root: Path) -> ScoreStore:
    return store_of(Workspace(root, load("planet")))


def assert_the_same(expected: Path, made: Path, *, within: float = 2e-3) -> None:
    stores = [store_in(expected), store_in(made)]
    for name in fold_by_backend.MODELS:
        losses = [[epoch.loss for epoch in state_of(store.folder(name, 0)).history] for store in stores]
        np.testing.assert_allclose(losses[1], losses[0], rtol=within)
        one, other = (store.read(name, 0).heldout for store in stores)
        assert one.names == other.names
        np.testing.assert_allclose(other.values, one.values, atol=2 * within)
        assert np.ptp(one.values, axis=0).max() > 0.05  # it has learnt to tell chips apart
