"""Windows are scored as chips are."""

import numpy as np
import pytest

from competition.scenes.grid import Grid
from models.predict.predictor import predict_chips
from models.scenes.cutting import Asked, Cutting
from models.scenes.predict_scene import Wanted, scored_of
from models.scenes.rows import RowScorer
from models.scenes.tiles import Tiling
from models.scenes.windows import Windows
from tests.competition.scenes.samples import write_scene
from tests.models.samples import PLANET
from tests.models.scenes.samples import cut_as_files, landscape, scene_in, stand_in

CUTS = dict.fromkeys(PLANET.labels, 0.2)


def groups_of(path, predictor, hides=(), tiling=(3, 4, 2), rows=None):
    asked = Asked(str(path), scale=1.0)
    scene = asked.scene(predictor)
    cutting = Cutting.of(asked, scene, predictor)
    scored = scored_of(predictor, scene, cutting, Wanted(CUTS, hides))
    tiling = Tiling(cutting.grid, *tiling)
    scorer = RowScorer(Windows(scene, cutting, tiling), predictor, scored)
    return list(scorer(tiling.groups(range(cutting.grid.window_rows) if rows is None else rows))), cutting.grid


def test_a_window_has_the_scores_of_its_chip_in_a_file(tmp_path):
    path, predictor = scene_in(tmp_path), stand_in()
    groups, grid = groups_of(path, predictor)
    windows = [window for row in range(grid.window_rows) for window in grid.row_of_windows(row)]
    cut_as_files(landscape(150, 210), windows, tmp_path / "chips")
    expected = predict_chips(predictor, tmp_path / "chips").scores.values
    assert expected.std(axis=0).min() > 0.01
    made = np.concatenate([group.scores for group in groups])
    np.testing.assert_array_equal(made.reshape(len(windows), -1), expected)
    assert sum(group.num_scored for group in groups) == len(windows)


def test_a_group_has_the_same_scores_whatever_was_scored_before(tmp_path):
    path = scene_in(tmp_path)
    whole, _ = groups_of(path, stand_in())
    again, _ = groups_of(path, stand_in(), rows=[4])
    (group,) = again
    assert group.rows == range(3, 6)
    np.testing.assert_array_equal(group.scores, whole[1].scores)


def test_windows_without_data_are_unknown_and_clouds_hide_what_lies_below(tmp_path):
    cloud, road = PLANET.labels.index("cloudy"), PLANET.labels.index("road")

    def network(chips):
        scores = np.full((len(chips), 17), 0.1, np.float32)
        scores[:, cloud] = np.where(chips.mean(axis=(1, 2, 3)) > 6000, 0.9, 0.0)
        return scores

    values = landscape(64, 160)
    values[:, :, :50], values[:, :, 100:] = 0, 9000
    path = write_scene(tmp_path / "s.tif", values, names=tuple("BGRN"), nodata=0)
    ((group,), grid) = groups_of(path, stand_in(network), hides=None, tiling=(8, 32, 4))
    assert isinstance(grid, Grid)
    for row in group.scores:
        assert np.isnan(row[:2]).all()
        assert (row[-3:, cloud] > 0.8).all()
        assert np.isnan(row[-3:, road]).all()
        assert not np.isnan(row[3:5]).any()
    assert (group.num_scored, group.num_hidden) == (3 * 6, 3 * 3)


def test_a_scene_without_data_needs_no_network(tmp_path):
    path = write_scene(tmp_path / "s.tif", 0 * landscape(64, 96), names=tuple("BGRN"), nodata=0)
    groups, _ = groups_of(path, stand_in(scorer=lambda sample: pytest.fail("it was loaded")))
    assert all(np.isnan(group.scores).all() for group in groups)
