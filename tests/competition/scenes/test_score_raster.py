"""Score rasters that are read."""

import json

import numpy as np
import pytest
import rasterio
from pydantic import ValidationError

from competition.common.errors import UserError
from competition.scenes.grid import Grid
from competition.scenes.scene import Scene
from competition.scenes.score_raster import FILE, TAG, ScoreRaster
from competition.scenes.score_rows import score_rows
from tests.competition.scenes.samples import noise, scored_of, write_scene

GRID = Grid(128, 96, (32, 32), (16, 16))


@pytest.fixture
def made(tmp_path) -> ScoreRaster:
    scene = Scene.open(write_scene(tmp_path / "scene.tif", noise(1)))
    scored = scored_of(GRID, cuts={"road": 0.3}, hides=("water",), date="2026-11-28")
    with score_rows(tmp_path / "out", scored, scene) as rows:
        for row in rows.left:
            rows.put(row, np.full((GRID.window_columns, 2), row / 10))
        rows.finish()
    return ScoreRaster.read(tmp_path / "out")


def test_the_file_alone_says_all_that_the_folder_says(made, tmp_path) -> None:
    moved = made.path.rename(tmp_path / "elsewhere.tif")
    read = ScoreRaster.read(moved)
    assert read.scored == made.scored
    assert read.scored.grid == GRID
    assert (read.labels, read.scored.cuts, read.scored.date) == (("road", "water"), {"road": 0.3}, "2026-11-28")
    assert (read.rows, read.columns) == (6, 8)
    assert read.transform == (48, 0, 500_000, 0, -48, 9_000_000)
    assert read.cell_km2 == pytest.approx(48 * 48 / 1e6, rel=2e-3)


def test_rows_are_read_by_themselves(made) -> None:
    assert made.scores("road", 2, 4).shape == (2, 8)
    np.testing.assert_array_equal(made.scores("road", 2, 4), made.scores("road")[2:4])
    assert made.codes("road").dtype == np.uint8
    with pytest.raises(UserError, match="Unknown label 'rivers'"):
        made.scores("rivers")


@pytest.mark.parametrize("bits", [8, 16])
def test_scores_survive_the_disk(bits) -> None:
    scored = scored_of(GRID, bits=bits)
    scores = np.array([0, 0.2, 1, np.nan, 1.5], np.float32)
    codes = scored.as_codes(scores)
    assert codes.tolist()[3:] == [scored.unknown, scored.unknown - 1]
    np.testing.assert_allclose(scored.as_scores(codes), [0, 0.2, 1, np.nan, 1], atol=0.5 / 254)
    np.testing.assert_array_equal(scored.as_codes(scored.as_scores(codes)), codes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"labels": ("a", "a")}, "labels are not unique"),
        ({"cuts": {"x": 0.5}}, "cuts names unknown labels: x"),
        ({"cuts": {"road": 2}}, "cuts"),
        ({"exclusive": (("road", "x"),)}, "exclusive names unknown labels: x"),
        ({"date": "yesterday"}, "date"),
        ({"grid": {"width": 5, "height": 5, "window": (9, 9), "stride": (1, 1)}}, "do not fit"),
    ],
)
def test_what_cannot_be_is_refused(values, said) -> None:
    with pytest.raises(ValidationError, match=said):
        scored_of(**{"grid": GRID, **values})


def rewrite(raster: ScoreRaster, change) -> None:
    with rasterio.open(raster.path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        content = json.loads(dataset.tags()[TAG])
        change(content)
        dataset.update_tags(**{TAG: json.dumps(content)})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda said: said.update(format=9), "written by another version"),
        (lambda said: said.update(labels=["road"]), "says .* and holds|is damaged"),
        (lambda said: said.update(labels=["road", "\x1b[31m"]), "is damaged: labels"),
        (lambda said: said["grid"].update(width=1 << 60), "is damaged: it says"),
        (lambda said: said.clear(), "another version"),
    ],
)
def test_a_strangers_raster_is_taken_or_refused_in_one_line(made, change, said) -> None:
    rewrite(made, change)
    with pytest.raises(UserError, match=said):
        ScoreRaster.read(made.path)


def test_other_images_are_no_score_rasters(tmp_path) -> None:
    with pytest.raises(UserError, match=r"is no score raster, or half of one. Run \"python run.py scene predict"):
        ScoreRaster.read(write_scene(tmp_path / "a.tif", noise()))
    with pytest.raises(UserError, match=rf"{FILE}: No such file"):
        ScoreRaster.read(tmp_path)


def read_whole(path) -> None:
    for _ in ScoreRaster.read(path).blocks():
        pass


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_half_a_raster_is_one_line_that_says_what_makes_it_again(made, share) -> None:
    content = made.path.read_bytes()
    made.path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError) as raised:
        read_whole(made.path.parent)
    line = str(raised.value)
    assert line.startswith((f"Cannot read the scores {made.path}: ", f"{made.path} is no score raster, or half of one"))
    assert f'. Run "python run.py scene predict --model MODEL --scene SCENE --output {made.path.parent}".' in line


def test_scores_that_were_interrupted_are_named(made) -> None:
    made.path.unlink()
    (made.path.parent / "rows").mkdir()
    with pytest.raises(UserError, match=r"are not complete: they were interrupted. Run .* --output .*out\"."):
        ScoreRaster.read(made.path.parent)
