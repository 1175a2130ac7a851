"""`scene predict` on the command line: by a model of a workspace, and by the file made of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import run
from competition.scenes.score_raster import ScoreRaster
from tests.competition.scenes.samples import write_scene
from tests.conftest import CHIP_SIZE
from tests.models.export.test_manifest import with_manifest

ROWS, COLUMNS = 4, 6


def command(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(run.main, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done.stdout if "--json" in arguments else done.output


@pytest.fixture(scope="module")
def given(simulated, tmp_path_factory) -> Path:
    """A folder with chips as files, and a scene put together of them, whose bands have another order."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "chips").mkdir()
    files = sorted((simulated / "train-jpg").iterdir())[: ROWS * COLUMNS]
    chips = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in files])
    for number, chip in enumerate(chips):
        Image.fromarray(chip).save(folder / "chips" / f"{number:02}.png")
    side = ROWS * CHIP_SIZE, COLUMNS * CHIP_SIZE
    values = chips.reshape(ROWS, COLUMNS, CHIP_SIZE, CHIP_SIZE, 3).transpose(0, 2, 1, 3, 4).reshape(*side, 3)
    write_scene(folder / "scene.tif", values[..., ::-1].transpose(2, 0, 1), names=("blue", "green", "red"))
    return folder


@pytest.fixture(scope="module")
def exported(trained_root, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "tiny.keras"
    command("export", "--model", "tiny", "--output", path, "--workspace", trained_root)
    return path


@pytest.mark.parametrize("by_file", [False, True])
def test_cells_without_overlap_have_the_scores_of_their_chips(trained_root, exported, given, tmp_path, by_file):
    model, here = (exported, ()) if by_file else ("tiny", ("--workspace", trained_root))
    flags = ("--overlap", 0, "--bits", 16, "--hides", "none", *here)
    shown = command(
        "scene", "predict", "--model", model, "--scene", given / "scene.tif", "--output", tmp_path / "out", *flags
    )
    assert "Scoring 24 windows with" in shown
    assert f"Wrote {tmp_path}/out/scores.tif: 17 labels, 6 x 4 cells of 96 x 96 m." in shown
    assert f"scene decide --scores {tmp_path}/out --output detections.gpkg" in shown
    command("predict", "--model", model, "--images", given / "chips", "--output", tmp_path / "s.csv", *here)
    table, raster = pd.read_csv(tmp_path / "s.csv"), ScoreRaster.read(tmp_path / "out")
    assert raster.scored.model == "tiny"
    for label in raster.labels:
        np.testing.assert_allclose(raster.scores(label).ravel(), table[label], atol=1e-5)


def test_a_file_knows_its_chips_and_an_older_one_asks_for_their_side(exported, given, tmp_path):
    def predict(model, name, *flags, code=0):
        where = ("--scene", given / "scene.tif", "--output", tmp_path / name)
        return command("scene", "predict", "--model", model, *where, *flags, code=code)

    shown = predict(exported, "a", "--json")
    assert json.loads(shown)["windows"] == 7 * 11
    older = with_manifest(exported, tmp_path / "older.keras", chips=None)
    shown = predict(older, "b", code=2)
    assert "give --chip-metres" in shown
    assert len(shown.splitlines()) == 1
    predict(older, "b", "--chip-metres", 96)
    one, other = (ScoreRaster.read(tmp_path / name) for name in "ab")
    np.testing.assert_array_equal(one.codes("road"), other.codes("road"))


def test_what_cannot_be_is_refused_in_one_line(exported, given, tmp_path):
    where = ("scene", "predict", "--model", exported, "--scene", given / "scene.tif", "--output", tmp_path / "out")
    for flags, line in (
        (("--overlap", 0.6), "--overlap 0.6 divides no window into whole steps"),
        (("--scene-bands", "red,green"), "--scene-bands names 2 bands"),
        (("--scene-bands", "x,green,red"), "has no band 'B'"),
        (("--hides", "snow"), "Unknown label to hide by 'snow'"),
        (("--chip-metres", 5000), "smaller than a chip"),
        (("--values", "match", "--scale", 2), "finds scale and offset by itself"),
        (("--date", "yesterday"), "--date takes a day"),
        (("--scale", "nan"), "'nan' is not a finite number"),
    ):
        shown = command(*where, *flags, code=2)
        assert line in shown
    assert not (tmp_path / "out").exists()
