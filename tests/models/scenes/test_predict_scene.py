"""A scene becomes a raster, in one go or in several."""

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.scenes.score_raster import ScoreRaster
from models.predict.predictor import under
from models.scenes import predict_scene as module
from models.scenes.cutting import Asked
from models.scenes.predict_scene import Wanted, predict_scene
from tests.models.samples import PLANET
from tests.models.scenes.samples import means_and_corners, scene_in, stand_in

CUTS = dict.fromkeys(PLANET.labels, 0.2)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    monkeypatch.setattr(module, "batch_size_for", lambda size: 20)  # two rows of ten windows


def scored(path, output, network=means_and_corners, bits=16, threads=None, **asked):
    asked, wanted = Asked(str(path), **asked), Wanted(CUTS, (), bits)
    return predict_scene(stand_in(network), asked, output, wanted, threads=threads)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_scene_becomes_a_raster_that_says_what_it_is_of(tmp_path):
    made = scored(scene_in(tmp_path), tmp_path / "out", taken="2026-11-28")
    raster = ScoreRaster.read(tmp_path / "out")
    assert raster.labels == PLANET.labels
    assert (raster.rows, raster.columns) == (10, 14)
    assert (raster.scored.model, raster.scored.date, raster.scored.chip_metres) == ("stand-in", "2026-11-28", 96)
    assert (made.num_windows, made.num_read, made.num_scored, made.num_hidden) == (9 * 13, 9 * 13, 9 * 13, 0)
    assert made.text() == f"Wrote {tmp_path}/out/scores.tif: 17 labels, 14 x 10 cells of 48 x 48 m."
    assert not np.isnan(raster.scores("road")).any()


def test_without_overlap_a_cell_is_a_window(tmp_path):
    path = scene_in(tmp_path, 96, 128)
    scored(path, tmp_path / "out", steps=1)
    network_sees = []

    def noting(chips):
        network_sees.append(means_and_corners(chips))
        return network_sees[-1]

    scored(path, tmp_path / "again", noting, steps=1)
    one_view = np.concatenate([np.split(each, 2)[0] for each in network_sees])
    other = np.concatenate([np.split(each, 2)[1] for each in network_sees])
    raster = ScoreRaster.read(tmp_path / "out").scores("road")
    expected = ((one_view + other) / 2)[:, PLANET.labels.index("road")].reshape(3, 4)
    np.testing.assert_allclose(raster, expected, atol=1e-5)


def test_interrupted_anywhere_and_gone_on_with_it_has_the_same_bytes(tmp_path, lines):
    path = scene_in(tmp_path)
    scored(path, tmp_path / "whole", threads=1)
    calls = []

    def stopping(chips):
        calls.append(1)
        if len(calls) % 3 == 0:
            raise KeyboardInterrupt
        return means_and_corners(chips)

    for _ in range(20):
        try:
            made = scored(path, tmp_path / "stopped", stopping, threads=3)
        except KeyboardInterrupt:
            assert not (tmp_path / "stopped/scores.tif").exists()
        else:
            break
    assert content(tmp_path / "whole") == content(tmp_path / "stopped")
    assert 0 < made.num_read < made.num_windows
    assert "windows had been scored before" in made.text()
    again = scored(path, tmp_path / "whole", lambda chips: pytest.fail("it is there"))
    assert (again.num_read, again.as_dict()["windows"]) == (0, 9 * 13)


def test_what_was_scored_otherwise_is_not_gone_on_with(tmp_path):
    path, output = scene_in(tmp_path), tmp_path / "out"
    scored(path, output)
    for changed in ({"steps": 4}, {"most_missing": 0.5}, {"scale": 0.5}, {"bits": 8}):
        with pytest.raises(UserError, match="holds scores of another"):
            scored(path, output, **changed)
    with pytest.raises(UserError, match="holds scores of another"):
        predict_scene(under(stand_in(), ("identity",)), Asked(str(path)), output, Wanted(CUTS, (), 16))


def test_other_views_are_said():
    predictor = under(stand_in(), ("identity",))
    assert (predictor.said, predictor.views) == ("a stand-in, 1 view", ("identity",))
