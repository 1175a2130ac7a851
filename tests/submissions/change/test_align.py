"""Scores of one raster on the cells of another."""

import numpy as np
import pytest
from pyproj import Transformer
from rasterio import Affine

from competition.common.errors import UserError
from competition.scenes.score_raster import BLOCK, ScoreRaster
from submissions.change.align import Aligned
from tests.competition.scenes.samples import LEFT, NORTH_UP, TOP
from tests.submissions.map.samples import SIDE, random_planes, raster_of

CELL = SIDE * NORTH_UP.a  # metres
UTM = "EPSG:32721"


def laid(one: ScoreRaster, other: ScoreRaster) -> np.ndarray:
    """Return the scores of the other on the cells of the one."""
    parts = list(Aligned.of(one, other).blocks("road"))
    assert [first for first, *_ in parts] == list(range(0, one.rows, BLOCK))
    np.testing.assert_array_equal(np.concatenate([codes for _, codes, _ in parts]), one.codes("road"))
    return other.scored.as_scores(np.concatenate([codes for *_, codes in parts]))


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> ScoreRaster:
    """A raster of more rows than are read at once."""
    return raster_of(tmp_path_factory.mktemp("one"), *random_planes(BLOCK + 5, 12))


def test_cells_of_one_grid_stay_where_they_are(one, tmp_path) -> None:
    other = raster_of(tmp_path, *random_planes(one.rows, one.columns), bits=16)
    np.testing.assert_array_equal(laid(one, other), other.scores("road"))
    assert Aligned.of(one, other).apart < 1e-6


@pytest.mark.parametrize(("right", "down"), [(3, 2), (-4, 250), (0.3, -0.4), (-5.45, 1.2)])
def test_other_extents_meet_at_the_nearest_cell(one, tmp_path, right, down) -> None:
    plane = random_planes(30, 9)[0]
    other = raster_of(tmp_path, plane, transform=Affine.translation(right * CELL, -down * CELL) @ NORTH_UP)
    scores, expected = other.scores("road"), np.full((one.rows, one.columns), np.nan)
    for row in range(one.rows):
        for column in range(one.columns):
            at = round(row - down), round(column - right)
            if 0 <= at[0] < 30 and 0 <= at[1] < 9:
                expected[row, column] = scores[at]
    np.testing.assert_array_equal(laid(one, other), expected)
    parts = [abs(each - round(each)) for each in (right, down)]
    assert Aligned.of(one, other).apart == pytest.approx(max(parts), abs=1e-6)


@pytest.mark.parametrize("crs", ["EPSG:32720", "EPSG:4326"])
def test_another_coordinate_system_leads_to_the_same_ground(tmp_path, crs) -> None:
    one = raster_of(tmp_path / "one", np.full((60, 80), 0.5))
    to_metres = Transformer.from_crs(crs, UTM, always_xy=True)
    x, y = to_metres.transform(LEFT, TOP, direction="INVERSE")
    step = np.array(to_metres.transform(LEFT + 30, TOP, direction="INVERSE")) - (x, y)
    pixel = float(np.hypot(*step)) / 10  # 3 m
    transform = Affine.translation(x - 60 * pixel, y + 60 * pixel) @ Affine.scale(pixel, -pixel)
    rows, columns = np.mgrid[:140, :140] + 0.5
    east, north = to_metres.transform(*(transform @ Affine.scale(SIDE) @ (columns, rows)))
    at = np.stack([(TOP - north) / CELL, (east - LEFT) / CELL])  # in cells of the one
    for axis in (0, 1):
        folder = tmp_path / str(axis)
        other = raster_of(folder, np.clip(at[axis] / 100, 0, 1), crs=crs, transform=transform, bits=16)
        middles = (np.mgrid[:60, :80] + 0.5)[axis]
        assert np.abs(laid(one, other) * 100 - middles).max() < 0.75  # half of a cell's diagonal, which is turned
    assert 0.3 < Aligned.of(one, other).apart <= 0.5


def test_the_same_ground_by_another_name_of_its_coordinate_system(one, tmp_path) -> None:
    other = raster_of(tmp_path, *random_planes(one.rows, one.columns), crs="EPSG:31981")  # SIRGAS, of UTM 21S
    np.testing.assert_array_equal(laid(one, other), other.scores("road"))


def test_what_lies_elsewhere_is_unknown(one, tmp_path) -> None:
    other = raster_of(tmp_path, *random_planes(20, 20), transform=Affine.translation(1e5, 0) @ NORTH_UP)
    assert np.isnan(laid(one, other)).all()


def test_what_cannot_be_laid_upon_each_other_is_refused(one, tmp_path) -> None:
    nowhere = raster_of(tmp_path / "a", *random_planes(20, 20), crs=None, transform=Affine.identity())
    with pytest.raises(UserError, match=r"a/out/scores.tif has no coordinate system, and .* Give its scene one"):
        Aligned.of(one, nowhere)
    coarse = raster_of(tmp_path / "b", *random_planes(20, 20), transform=NORTH_UP @ Affine.scale(3))
    with pytest.raises(UserError, match=r"are not of a size: 36 and 324 m2. Score both with the same --chip-metres"):
        Aligned.of(one, coarse)
    assert Aligned.of(nowhere, nowhere).apart < 1e-6  # of one frame, as it seems
