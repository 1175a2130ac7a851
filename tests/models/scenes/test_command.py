"""`scene predict` on the command line, by an exported file; that its model scores the same is tested with these."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.scenes.score_raster import ScoreRaster
from models.export.formats import write
from models.export.whole import KerasWhole, join
from tests.models.export.files import manifest_of, parts_of, recipe_of
from tests.models.export.test_manifest import with_manifest
from tests.models.scenes.samples import ROWS, command, scene_of_chips


@pytest.fixture(scope="module")
def given(simulated, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    scene_of_chips(simulated / "train-jpg", folder)
    return folder


@pytest.fixture(scope="module")
def exported(given) -> Path:
    """An exported file of a network that was never trained, on chips of 32 pixels."""
    recipe = recipe_of("two_convolutions")
    networks, _, inputs, dtype = parts_of(recipe, 16)
    chips = {"pixels": 32, "quantiles": np.linspace(20, 180, 7)[:, None].repeat(3, axis=1).tolist()}
    manifest = manifest_of(recipe, inputs, dtype, chips=chips, views=("identity", "turn90"))
    write(KerasWhole(join(networks, None)), manifest, given / "tiny.zip")
    return given / "tiny.zip"


def predict(model: Path, given: Path, output: Path, *flags: object, code: int = 0) -> str:
    where = ("--scene", given / "scene.tif", "--output", output)
    return command("scene", "predict", "--model", model, *where, *flags, code=code)


def test_cells_without_overlap_have_the_scores_of_their_chips(exported, given, tmp_path):
    shown = predict(exported, given, tmp_path / "out", "--overlap", 0, "--bits", 16, "--hides", "none")
    assert "Scoring 24 windows with tiny.zip: 2 folds of 'tiny'" in shown
    assert f"Wrote {tmp_path}/out/scores.tif: 17 labels, 6 x 4 cells of 96 x 96 m." in shown
    assert f"scene decide --scores {tmp_path}/out --output detections.gpkg" in shown
    command("predict", "--model", exported, "--images", given / "chips", "--output", tmp_path / "s.csv")
    table, raster = pd.read_csv(tmp_path / "s.csv"), ScoreRaster.read(tmp_path / "out")
    assert table["road"].std() > 0.01
    for label in raster.labels:
        np.testing.assert_allclose(raster.scores(label).ravel(), table[label], atol=1e-5)


def test_other_views_are_averaged_over(exported, given, tmp_path):
    shown = predict(exported, given, tmp_path / "out", "--views", "identity,scales", "--json")
    made = json.loads(shown)
    assert (made["windows"], made["scored"]) == ((2 * ROWS - 1) * 11, (2 * ROWS - 1) * 11)
    assert made["of"]["hides"] == ["cloudy", "haze"]
    assert "already" not in predict(exported, given, tmp_path / "out", "--views", "scales")
    assert "Unknown set of views 'zoom'. Known: crops," in predict(
        exported, given, tmp_path / "no", "--views", "scales,zoom", code=2
    )
    assert "holds scores of another windows" in predict(exported, given, tmp_path / "out", code=2)


def test_an_older_file_asks_for_the_side_of_its_chips(exported, given, tmp_path):
    older = with_manifest(exported, tmp_path / "older.zip", chips=None)
    shown = predict(older, given, tmp_path / "out", code=2)
    assert "give --chip-metres" in shown
    assert len(shown.splitlines()) == 1
    predict(exported, given, tmp_path / "a")
    predict(older, given, tmp_path / "b", "--chip-metres", 96)
    one, other = (ScoreRaster.read(tmp_path / name).codes("road") for name in "ab")
    np.testing.assert_array_equal(one, other)


def test_what_cannot_be_is_refused_and_nothing_is_written(exported, given, tmp_path):
    for flags, line in (
        (("--overlap", 0.6), "--overlap 0.6 divides no window into whole steps"),
        (("--scene-bands", "red,green"), "--scene-bands names 2 bands"),
        (("--scene-bands", "x,green,red"), "has no band 'B'"),
        (("--hides", "snow"), "Unknown label to hide by 'snow'"),
        (("--chip-metres", 5000), "smaller than a chip"),
        (("--values", "match", "--scale", 2), "finds scale and offset by itself"),
        (("--date", "yesterday"), "--date takes a day"),
        (("--scale", "nan"), "'nan' is not a finite number"),
        (("--cpus", 2), "--cpus is of tasks"),
    ):
        assert line in predict(exported, given, tmp_path / "out", *flags, code=2)
    assert not (tmp_path / "out").exists()
