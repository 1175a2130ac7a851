"""A network of timm goes the way of every other: trained in stages, resumed, exported and read without torch."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.backend.load import load_hdf5
from models.backend.seals import SEAL
from models.export.export import export
from models.predict.trained_model import predict_folder
from models.runs.folders import NETWORK
from models.train.job import Job
from models.train.run_jobs import run_jobs
from tests.conftest import store_of
from tests.models.foreign.samples import BY_TORCH, learning, timm_weights
from tests.models.samples import interrupt_at

pytestmark = BY_TORCH
ROOT = Path(__file__).parents[3]
# A file is read by who has neither torch nor timm.
ELSEWHERE = """
import importlib.util
import sys

NAMES, found = ("torch", "timm", "torchvision", "safetensors"), importlib.util.find_spec

class Missing:
    def find_spec(self, name, *_):
        if name.split(".")[0] in NAMES:
            raise ModuleNotFoundError(f"{name} is not there", name=name)

sys.meta_path.insert(0, Missing())
importlib.util.find_spec = lambda name, *package: None if name.split(".")[0] in NAMES else found(name, *package)
import pathlib
import numpy as np
from models.export.predict_with_file import predict_with_file

np.save(sys.argv[3], predict_with_file(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])).scores.values)
"""


def sealed(path: Path) -> str:
    """Return the digest of all weights in a file, whosever they are."""
    with load_hdf5().File(path) as file:
        return file.attrs[SEAL]


def job_of(workspace, tmp_path, **values) -> Job:
    weights = str(tmp_path / "net.safetensors")
    if not Path(weights).is_file():
        timm_weights(Path(weights), "test_resnet")
    own = {"batch_norm": "learnt", "ema": 0.5, "head_epochs": 1, "epochs": 3, "progressive": (24,), "clip": 1.0}
    recipe = learning("test_resnet", weights, **{**own, "views": "identity", **values})
    return Job(workspace, store_of(workspace), "tuned", recipe, 0)


def test_a_fold_that_was_interrupted_is_the_one_that_was_not_to_the_last_bit(workspace, tmp_path, monkeypatch):
    undisturbed = dataclasses.replace(job_of(workspace, tmp_path), model="undisturbed")
    run_jobs([undisturbed])
    job = job_of(workspace, tmp_path)
    for step in (1, 4, 5):
        with monkeypatch.context() as patch:
            interrupt_at(patch, step)
            with pytest.raises(KeyboardInterrupt):
                run_jobs([job])
    run_jobs([job])
    assert sealed(job.folder / NETWORK) == sealed(undisturbed.folder / NETWORK)
    one, other = (job.store.read(model, 0) for model in ("tuned", "undisturbed"))
    np.testing.assert_array_equal(one.heldout.values, other.heldout.values)
    assert "timm" in one.provenance.versions
    assert np.ptp(one.heldout.values, axis=0).max() > 0.001


@pytest.mark.parametrize("suffix", [".onnx", ".zip"])
def test_its_file_scores_the_same_where_neither_torch_nor_timm_is(workspace, tmp_path, simulated, suffix):
    job, path = job_of(workspace, tmp_path, epochs=2), tmp_path / f"net{suffix}"
    run_jobs([job])
    export(workspace, job.store, "tuned", path, np.full(len(workspace.competition.labels), 0.2))
    chips = simulated / "test-jpg"
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(path), str(chips), str(tmp_path / "scores.npy")],
        cwd=ROOT,
        env={"PATH": "/usr/bin", "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow", "HOME": str(tmp_path)},
        check=True,
    )
    expected = predict_folder(workspace, job.store, "tuned", chips).scores.values
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=1e-4)
