"""What a page holds of a raster: the same scores in 254ths, the highest of what is shown as one, and its ground."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from submissions.map.rules import MapRule
from submissions.map_page import planes
from submissions.map_page.planes import UNKNOWN, content_of, first_reached, packed, plane_of
from submissions.regions.ground import Ground
from tests.submissions.map.samples import random_planes, raster_of


@pytest.mark.parametrize("bits", [8, 16])
def test_a_plane_holds_the_scores(tmp_path, bits):
    (plane,) = random_planes(7, 9, labels=1)
    raster = raster_of(tmp_path, plane, bits=bits)
    found = plane_of(raster, "road", 1)
    np.testing.assert_array_equal(found == UNKNOWN, np.isnan(plane))
    known = ~np.isnan(plane)
    np.testing.assert_allclose(found[known] / (UNKNOWN - 1), plane[known], atol=0.51 / (UNKNOWN - 1) + 1e-4)
    steps = np.frombuffer(zlib.decompress(base64.b64decode(packed(found))), np.uint8).reshape(found.shape)
    np.testing.assert_array_equal(steps.cumsum(axis=1).cumsum(axis=0) % 256, found)


def test_a_smooth_plane_takes_less_room_than_its_cells():
    row, column = np.indices((200, 300))
    smooth = (127 + 60 * np.sin(row / 30) * np.cos(column / 40)).astype(np.uint8)
    assert len(packed(smooth)) < 0.7 * len(base64.b64encode(zlib.compress(smooth.tobytes(), 9)))


def test_of_cells_shown_as_one_the_highest_known_counts(tmp_path):
    raster = raster_of(tmp_path, [[0.1, np.nan, 1.0], [0.5, np.nan, np.nan], [np.nan, np.nan, 0.0]])
    np.testing.assert_array_equal(plane_of(raster, "road", 2), [[127, 254], [UNKNOWN, 0]])


def test_a_cut_is_reached_from_the_number_on_that_decides(tmp_path):
    raster = raster_of(tmp_path, [np.linspace(0, 1, 255)])
    for cut in (0.0, 0.2, 1 / 3, 0.7, 1.0):
        (_, _, decided, _), *_ = MapRule("", {"road": cut}).planes(raster, ("road",))
        assert first_reached(MapRule("", {"road": cut}), "road") == np.argmax(decided[0])
    assert first_reached(MapRule("", {"road": np.inf}), "road") == UNKNOWN


def test_areas_are_those_of_the_ground_however_many_cells_are_one(tmp_path, monkeypatch):
    raster = raster_of(tmp_path, *random_planes(13, 10))
    row, column = (each.ravel() for each in np.indices((13, 10)))
    whole = Ground(raster).km2(row, column, column + 1).sum()
    for most, factor in ((10**9, 1), (100, 2), (30, 3)):
        monkeypatch.setattr(planes, "MOST_CELLS", most)
        content = content_of(raster, MapRule("", {"road": 0.5, "water": 0.5}), raster.labels)
        assert content["factor"] == factor
        by_row, by_column = map(np.array, content["areas"])
        assert (len(by_row), len(by_column)) == (content["rows"], content["columns"])
        assert by_row.sum() * by_column.sum() == pytest.approx(whole, rel=1e-4)


def test_corners_have_their_degrees(tmp_path):
    raster = raster_of(tmp_path / "a", [[0.5, 0.5]])
    (west, north), *_, (east, _) = content_of(raster, MapRule("", {"road": 0.5}), ("road",))["degrees"][0]
    assert -180 < west < east < 180
    assert -90 < north < 0
    without = raster_of(tmp_path / "b", [[0.5, 0.5]], crs=None)
    assert content_of(without, MapRule("", {"road": 0.5}), ("road",))["degrees"] is None
