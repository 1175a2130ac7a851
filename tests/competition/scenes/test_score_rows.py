"""Rows of scores on disk, and the raster that becomes of them."""

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from competition.common.errors import UserError
from competition.common.locks import BusyError
from competition.scenes.grid import Grid, mean_over_cells
from competition.scenes.scene import Scene
from competition.scenes.score_raster import FILE, RECORD, ScoreRaster
from competition.scenes.score_rows import score_rows
from tests.competition.scenes.samples import noise, scored_of, write_scene

GRID = Grid(128, 96, (32, 32), (16, 16))
SCORES = np.random.default_rng(2).random((GRID.window_rows, GRID.window_columns, 2)).astype(np.float32)
SCORES[1:3, 2:5, 1] = np.nan


@pytest.fixture
def scene(tmp_path) -> Scene:
    return Scene.open(write_scene(tmp_path / "scene.tif", noise(1)))


def fill(folder: Path, scene: Scene, rows_at_most: int = 99, **values) -> list[int]:
    """Put rows that are left, and finish when all are there; return which were left."""
    with score_rows(folder, scored_of(GRID, **values), scene) as rows:
        for row in rows.left[:rows_at_most]:
            rows.put(row, SCORES[row])
        if len(rows.left) <= rows_at_most:
            rows.finish()
        return rows.left


@pytest.mark.parametrize(("bits", "error"), [(8, 0.5 / 254), (16, 0.5 / 65534)])
def test_a_raster_holds_the_means_over_cells(tmp_path, scene, bits, error) -> None:
    assert fill(tmp_path / "out", scene, bits=bits) == [0, 1, 2, 3, 4]
    raster = ScoreRaster.read(tmp_path / "out")
    expected = np.stack(list(mean_over_cells(GRID, iter(SCORES))))
    blocks = list(raster.blocks(4))
    assert [first for first, _ in blocks] == [0, 4]
    made = np.concatenate([scores for _, scores in blocks])
    np.testing.assert_allclose(made, expected, atol=error * 1.01)
    np.testing.assert_array_equal(raster.scores("water"), made[:, :, 1])
    assert np.isnan(expected).any()


def test_the_raster_is_a_valid_cog_that_others_understand(tmp_path, scene) -> None:
    fill(tmp_path / "out", scene, date="2026-11-28")
    assert sorted(os.listdir(tmp_path / "out")) == [RECORD, FILE]
    assert cog_validate(tmp_path / "out" / FILE, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(tmp_path / "out" / FILE) as dataset:
        assert dataset.descriptions == ("road", "water")
        assert (dataset.nodata, dataset.crs.to_epsg()) == (255, 32721)
        assert dataset.scales == pytest.approx([1 / 254] * 2)
        assert dataset.tags()["TIFFTAG_DATETIME"] == "2026:11:28 00:00:00"
        assert dataset.bounds.left == scene.transform[2]
        assert dataset.res == (48, 48)


def test_a_large_raster_has_overviews(tmp_path, scene) -> None:
    grid = Grid(600, 300, (1, 1), (1, 1))
    with score_rows(tmp_path / "out", scored_of(grid), scene) as rows:
        for row in rows.left:
            rows.put(row, np.full((600, 2), 0.5))
        path = rows.finish()
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(path) as dataset:
        assert dataset.overviews(1)


def test_what_was_interrupted_has_equal_bytes(tmp_path, scene) -> None:
    fill(tmp_path / "whole", scene)
    assert fill(tmp_path / "out", scene, 2) == [0, 1, 2, 3, 4]
    assert fill(tmp_path / "out", scene, 1) == [2, 3, 4]
    assert fill(tmp_path / "out", scene) == [3, 4]
    for name in (FILE, RECORD):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert fill(tmp_path / "out", scene) == []


def _killed(folder: Path, scene_path: Path) -> None:
    with score_rows(folder, scored_of(GRID), Scene.open(scene_path)) as rows:
        rows.put(0, SCORES[0])
        rows.put(1, SCORES[1])
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_has_lost_nothing_that_it_put(tmp_path, scene) -> None:
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(tmp_path / "out", scene.source.target))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert fill(tmp_path / "out", scene) == [2, 3, 4]
    fill(tmp_path / "whole", scene)
    assert (tmp_path / "out" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()


@pytest.mark.parametrize("damage", ["flipped", "half", "of another row", "gone"])
def test_a_damaged_row_is_made_again(tmp_path, scene, damage) -> None:
    folder, path = tmp_path / "out", tmp_path / "out" / "rows" / "rows.bin"
    fill(folder, scene, 4)
    size = GRID.window_columns * 2 * 4 + 4
    content = bytearray(path.read_bytes())
    assert len(content) == 4 * size
    if damage == "flipped":
        content[size + 5] ^= 4
    elif damage == "half":
        del content[3 * size + 7 :]
    elif damage == "of another row":
        content[size : 2 * size] = content[:size]
    else:
        content.clear()
    path.write_bytes(content)
    expected = {"flipped": [1, 4], "half": [3, 4], "of another row": [1, 4], "gone": [0, 1, 2, 3, 4]}
    assert fill(folder, scene) == expected[damage]
    fill(tmp_path / "whole", scene)
    assert (folder / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98, None])
def test_a_damaged_raster_is_made_again(tmp_path, scene, lines, share) -> None:
    fill(tmp_path / "out", scene)
    path = tmp_path / "out" / FILE
    content = path.read_bytes()
    if share is None:
        path.unlink()
    else:
        path.write_bytes(content[: int(share * len(content))])
    assert fill(tmp_path / "out", scene, 2) == [0, 1, 2, 3, 4]
    assert lines == [f"{path} cannot be read: it is made again."]
    assert fill(tmp_path / "out", scene) == [2, 3, 4]
    assert path.read_bytes() == content
    assert sorted(os.listdir(path.parent)) == [RECORD, FILE]


def test_rows_that_are_missing_are_never_written_over(tmp_path, scene) -> None:
    with score_rows(tmp_path / "out", scored_of(GRID), scene) as rows:
        rows.put(0, SCORES[0])
        rows.put(2, SCORES[2])
        with pytest.raises(UserError, match=r"lacks row 1, or it is damaged. Run the same command again"):
            rows.finish()
    assert not (tmp_path / "out" / FILE).exists()


def test_other_scores_are_refused_and_name_what_differs(tmp_path, scene) -> None:
    fill(tmp_path / "out", scene, 2)
    for values, said in (({"model": "n"}, "another model"), ({"cuts": {"road": 0.3}, "bits": 16}, "cuts and bits")):
        with pytest.raises(UserError, match=f"{said}. Give another --output"):
            fill(tmp_path / "out", scene, **values)
    assert fill(tmp_path / "out", scene, versions={"rasterio": "2"}) == [2, 3, 4]
    with pytest.raises(UserError, match="another model"):
        fill(tmp_path / "out", scene, model="n")


def test_a_folder_of_other_things_is_left_alone(tmp_path, scene) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"it holds thesis.tex. Give a new folder"):
        fill(tmp_path / "out", scene)
    assert os.listdir(tmp_path / "out") == ["thesis.tex"]


def test_one_process_at_a_time(tmp_path, scene) -> None:
    context = score_rows(tmp_path / "out", scored_of(GRID), scene)
    with context, pytest.raises(BusyError, match="Another process is at the scores in"):
        fill(tmp_path / "out", scene)


def test_a_full_disk_is_told_before_the_work(tmp_path, scene, monkeypatch) -> None:
    monkeypatch.setattr("competition.common.folders.free_bytes", lambda folder: 10)
    with pytest.raises(UserError, match="The scores of 35 windows needs"):
        fill(tmp_path / "out", scene)


def test_scores_of_another_shape_are_a_mistake_of_the_program(tmp_path, scene) -> None:
    with score_rows(tmp_path / "out", scored_of(GRID), scene) as rows, pytest.raises(ValueError, match="has"):
        rows.put(0, SCORES[0, :-1])
