"""An exported file scores and decides as the model it was made of, wherever it is read."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import run
from competition.common.errors import UserError
from competition.scenes.score_raster import ScoreRaster
from models.export.formats import write
from models.export.predict_with_file import predict_with_file
from models.export.whole import KerasWhole, join
from models.predict.trained_model import predict_folder
from tests.conftest import CHIP_SIZE, store_of
from tests.models.export.files import FORMATS, FROM_SCRATCH, PLANET, command, manifest_of, needing, parts_of, recipe_of
from tests.models.samples import COMPILE_QUICKLY
from tests.models.scenes.samples import scene_of_chips

ROOT = Path(run.__file__).parent


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_predicts_what_its_model_does_without_the_workspace(trained, chip_folder, tmp_path, monkeypatch, suffix):
    path, here = tmp_path / f"tiny{suffix}", ("--workspace", trained.root)
    shown = command("export", "--model", "tiny", "--output", path, *here)
    assert "made-up chips: scores differ by" in shown
    assert f"predict --model {path} --images DIR" in shown
    command("predict", "--model", "tiny", "--images", chip_folder, "--output", tmp_path / "one.csv", "--tags", *here)
    monkeypatch.chdir(tmp_path)
    command("predict", "--model", path, "--images", chip_folder, "--output", "other.csv", "--tags")
    one, other = pd.read_csv(tmp_path / "one.csv"), pd.read_csv(tmp_path / "other.csv")
    assert one.columns.tolist() == other.columns.tolist()
    assert one[["image_name", "tags"]].equals(other[["image_name", "tags"]])
    scores = [table[list(PLANET.labels)].to_numpy() for table in (one, other)]
    np.testing.assert_allclose(scores[0], scores[1], atol=2e-6)  # the table has six decimals
    assert not (tmp_path / "workspace").exists()


def test_a_file_scores_a_scene_as_its_model_does(trained, tiny_file, simulated, tmp_path):
    scene_of_chips(simulated / "train-jpg", tmp_path)
    for model, name, here in (("tiny", "a", ("--workspace", trained.root)), (tiny_file, "b", ())):
        where = ("--scene", tmp_path / "scene.tif", "--output", tmp_path / name, "--bits", 16, "--hides", "none")
        command("scene", "predict", "--model", model, *where, *here)
    one, other = (ScoreRaster.read(tmp_path / name) for name in "ab")
    assert (one.scored.grid, one.scored.model) == (other.scored.grid, "tiny") == (other.scored.grid, other.scored.model)
    for label in one.labels:
        np.testing.assert_allclose(one.scores(label), other.scores(label), atol=2e-5)


def test_one_chip_is_named_as_one(trained, tiny_file, chip_folder, tmp_path, lines):
    (tmp_path / "one").mkdir()
    shutil.copy(next(chip_folder.iterdir()), tmp_path / "one")
    predict_with_file(tiny_file, tmp_path / "one")
    predict_folder(trained, store_of(trained), "tiny", tmp_path / "one")
    assert f"Scoring 1 chip with tiny.keras: 2 folds of 'tiny' ({PLANET.title}), 4 views." in lines
    assert "Scoring 1 chip with 2 of 3 folds of 'tiny', 4 views." in lines


SCRIPT = """
import sys
from pathlib import Path

sys.modules |= dict.fromkeys(sys.argv[4:])  # whoever imports one of these fails

import numpy as np

from models.export.predict_with_file import predict_with_file

file, folder, scores = (Path(argument) for argument in sys.argv[1:4])
np.save(scores, predict_with_file(file, folder).scores.values)
"""


def test_a_keras_file_scores_the_same_in_another_process_and_backend(trained, tiny_file, chip_folder, tmp_path):
    others = [name for name in ("jax", "tensorflow") if name != keras.backend.backend()]
    backend = next((name for name in others if importlib.util.find_spec(name)), keras.backend.backend())
    (few := tmp_path / "few").mkdir()
    for path in sorted(chip_folder.iterdir())[:3]:
        shutil.copy(path, few)
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT), **COMPILE_QUICKLY}
    arguments = [sys.executable, "-c", SCRIPT, str(tiny_file), str(few), str(tmp_path / "scores.npy")]
    done = subprocess.run(arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = predict_folder(trained, store_of(trained), "tiny", few).scores
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected.values, atol=1e-5)


@pytest.mark.parametrize("suffix", [needing(".onnx"), needing(".zip")])
def test_other_files_are_run_without_keras(chip_folder, tmp_path, suffix):
    recipe = recipe_of("two_convolutions")
    networks, _, inputs, dtype = parts_of(recipe, 16)
    path, scores = tmp_path / f"x{suffix}", tmp_path / "scores.npy"
    write(KerasWhole(join(networks, None)), manifest_of(recipe, inputs, dtype), path)
    arguments = [sys.executable, "-c", SCRIPT, str(path), str(chip_folder), str(scores), "keras", "tensorflow", "torch"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(scores), predict_with_file(path, chip_folder).scores.values)


def test_a_specialists_file_scores_and_decides_its_labels_alone(tmp_path, chip_folder):
    recipe = recipe_of("two_convolutions", only_labels=("road", "water"))
    networks, _, inputs, dtype = parts_of(recipe, 16)
    path, table = tmp_path / "roads.keras", tmp_path / "scores.csv"
    write(KerasWhole(join(networks, None)), manifest_of(recipe, inputs, dtype, cuts={"road": 0.0, "water": 1.0}), path)
    command("predict", "--model", path, "--images", chip_folder, "--output", table, "--tags")
    predictions = pd.read_csv(table)
    assert sorted(predictions.columns[1:-1]) == ["road", "water"]
    assert predictions.columns.tolist() == ["image_name", *recipe.task(PLANET).labels, "tags"]
    assert set(predictions.tags) == {"road"}


def test_chips_of_other_bands_or_another_data_type_are_refused(tiny_file, simulated, tmp_path):
    with pytest.raises(UserError, match=r"expected 3 bands, received shape \(32, 32, 4\)"):
        predict_with_file(tiny_file, simulated / "test-tif-v2")
    networks, _, inputs, _ = parts_of(FROM_SCRATCH, CHIP_SIZE)
    write(KerasWhole(join(networks, None)), manifest_of(FROM_SCRATCH, inputs, "uint8"), path := tmp_path / "x.keras")
    with pytest.raises(UserError, match=r"has uint16 values; the model takes uint8\. Give a folder of such chips"):
        predict_with_file(path, simulated / "test-tif-v2")


def test_grey_pictures_are_scored_by_a_model_and_by_its_file(trained, tiny_file, chip_folder, tmp_path, lines):
    (tmp_path / "grey").mkdir()
    for path in sorted(chip_folder.iterdir())[:3]:
        Image.open(path).convert("L").save(tmp_path / "grey" / path.name)
    by_file = predict_with_file(tiny_file, tmp_path / "grey").scores
    by_model = predict_folder(trained, store_of(trained), "tiny", tmp_path / "grey").scores
    assert len(by_file.names) == 3
    np.testing.assert_allclose(by_file.values, by_model.values, atol=1e-5)
    assert lines.count("Grey pictures, which are read as colours, as in training: 3 of 3 chips.") == 2
