"""What a trained model says of a folder is what its networks were found to say of its chips."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import run
from competition.common.errors import UserError
from competition.common.records import write_record
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.backend import kept
from models.inputs.extractors import extractor_key, kept_extractor
from models.predict.trained_model import Trained, predict_folder, predictor_of
from models.train.run_jobs import run_jobs
from tests.conftest import K, store_of
from tests.models.samples import frozen, tiny_job


def test_a_folder_is_scored_as_its_chips_were_held_out(trained):
    store = store_of(trained)
    for fold in (1, 2):
        shutil.rmtree(trained.runs / f"tiny/fold{fold}")
    predictions = predict_folder(trained, store, "tiny", trained.layout.folders["train-jpg"][0])
    heldout = store.read("tiny", 0).heldout
    assert predictions.left_out == ()
    assert sorted(predictions.scores.names) == sorted(trained.labelled.image_names)
    np.testing.assert_allclose(predictions.scores.aligned(heldout.names), heldout.values, atol=1e-5)


def test_a_folder_is_scored_by_the_mean_over_the_folds(trained):
    store = store_of(trained)
    scores = predict_folder(trained, store, "tiny", trained.layout.folders["test-jpg"][0]).scores
    test = store.join("tiny").test
    assert set(scores.names) == {name for name in test.names if name.startswith("test_")}
    np.testing.assert_allclose(scores.values, test.aligned(scores.names), atol=1e-5)


def test_a_model_without_a_finished_fold_or_with_other_labels_does_not_predict(trained):
    store, folder = store_of(trained), trained.layout.folders["test-jpg"][0]
    with pytest.raises(UserError, match="Unknown model 'none'"):
        predict_folder(trained, store, "none", folder)
    turned = ScoreStore(store.root, store.labels[::-1], store.table)
    with pytest.raises(UserError, match="have other labels or another order"):
        predict_folder(trained, turned, "tiny", folder)
    assert predictor_of(trained, store, "tiny").said == f"{K} folds of 'tiny', 4 views"
    weights = [store.folder("tiny", fold) / "network.weights.h5" for fold in (0, 1)]
    own = weights[0].read_bytes()
    weights[0].write_bytes(weights[1].read_bytes())
    with pytest.raises(UserError, match=r"fold0/network.weights.h5 is missing or damaged"):
        predict_folder(trained, store, "tiny", folder)
    weights[0].write_bytes(own)
    job = store.folder("tiny", 0) / "job.json"
    said = {name: value for name, value in json.loads(job.read_text()).items() if name not in ("format", "digest")}
    write_record(job, {**said, "recipe": "0" * 64}, version=1)
    with pytest.raises(UserError, match=r"fold0/job.json says another recipe than the scores beside it\. Run"):
        predict_folder(trained, store, "tiny", folder)
    write_record(job, said, version=1)
    (store.folder("tiny", 0) / "scores.json").unlink()
    assert predictor_of(trained, store, "tiny").said == f"{K - 1} of {K} folds of 'tiny', 4 views"
    for marker in trained.runs.rglob("scores.json"):
        marker.unlink()
    with pytest.raises(UserError, match=r"No fold of 'tiny' is trained\. Run \"python run.py train --models tiny\""):
        predict_folder(trained, store, "tiny", folder)


def test_folds_of_different_recipes_are_not_averaged(trained, monkeypatch):
    store, whole = store_of(trained), Trained.of(trained, store_of(trained), "tiny")
    assert sorted(whole.folders) == list(range(K))
    provenance = ScoreStore.provenance

    def of_another_recipe(self, model, fold):
        found = provenance(self, model, fold)
        return replace(found, recipe_digest="0" * 64) if fold == 2 else found

    monkeypatch.setattr(ScoreStore, "provenance", of_another_recipe)
    line = r"Folds 0 and 2 of 'tiny' .* different recipes\. Run \"python run.py fold --model tiny --fold 2 --restart\""
    with pytest.raises(UserError, match=line):
        Trained.of(trained, store, "tiny")


@pytest.fixture
def frozen_model(workspace, tiny_net, tiny_weights, tmp_path, monkeypatch) -> Workspace:
    """A workspace with the model "tiny" on a frozen backbone, trained on one fold, its weights file in `tmp_path`."""
    monkeypatch.setattr(kept, "may_have_gpu", lambda: False)
    path = tmp_path / "tiny.weights.h5"
    path.write_bytes(Path(tiny_weights).read_bytes())
    run_jobs([tiny_job(workspace, **frozen(str(path), augment=("d4",)))])
    return workspace


def scores_of(workspace: Workspace) -> np.ndarray:
    return predict_folder(workspace, store_of(workspace), "tiny", workspace.layout.folders["test-jpg"][0]).scores.values


ONLY_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="OpenVINO converts what Keras exports with TensorFlow"
)
SCRIPT = """
import sys

sys.modules["keras"] = None  # whoever imports it fails
import numpy as np
from pathlib import Path
from competition.spec.load import load
from competition.workspace import Workspace
from models.backend import kept
from models.inputs.extractors import extractor_key, kept_extractor
from models.backend import kept
from models.inputs.extractors import extractor_key, kept_extractor
from models.predict.trained_model import predict_folder
from tests.conftest import store_of

kept.may_have_gpu = lambda: False
workspace = Workspace(Path(sys.argv[1]), load("planet"))
found = predict_folder(workspace, store_of(workspace), "tiny", workspace.layout.folders["test-jpg"][0])
np.save(sys.argv[2], found.scores.values)
"""


@ONLY_TENSORFLOW
def test_after_training_a_frozen_backbone_runs_without_keras(frozen_model, tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(frozen_model.root), str(tmp_path / "scores.npy")]
    done = subprocess.run(command, cwd=Path(run.__file__).parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), scores_of(frozen_model))
    shutil.rmtree(frozen_model.cache / "networks")  # Keras then converts it again
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), scores_of(frozen_model))


@ONLY_TENSORFLOW
@pytest.mark.parametrize("content", [None, b"of another network"])
def test_weights_that_are_gone_or_changed_since_training_do_not_matter(frozen_model, tmp_path, content):
    expected, networks = scores_of(frozen_model), frozen_model.cache / "networks"
    before = set(networks.glob("*/"))
    path = tmp_path / "tiny.weights.h5"
    path.unlink()
    if content:
        path.write_bytes(content)
    for _ in range(2):  # the second finds what the first has kept
        np.testing.assert_array_equal(scores_of(frozen_model), expected)
        assert len(set(networks.glob("*/")) - before) == 1
    if content:  # it is not kept as that of the weights that lie there now
        trained = Trained.of(frozen_model, store_of(frozen_model), "tiny")
        assert not kept_extractor(frozen_model.cache, extractor_key(trained.recipe, trained.inputs)).folder.exists()
