"""What is measured of regions, against SciPy and pairs of cells."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from scipy import ndimage

from competition.scenes.grid import Grid
from submissions.regions.ground import Ground
from submissions.regions.regions import NEAR, Measured, Regions
from submissions.regions.runs import Runs
from tests.submissions.regions.samples import MASKS, labelled, raster_at

KM = 0.048  # a cell's side: 16 pixels of 3 m


def regions_of(mask: NDArray[np.bool_], codes: NDArray[Any], neighbours: int = 8) -> Regions:
    rows, columns = mask.shape
    ground = Ground(raster_at(Grid(16 * columns, 16 * rows, (16, 16), (16, 16)), None))
    runs = Runs.of(mask, codes)
    return Regions(runs, runs.regions(neighbours), ground, 254)


def test_they_are_measured_as_scipy_measures_them() -> None:
    random = np.random.default_rng(4)
    mask, codes = random.random((40, 50)) < 0.4, random.integers(0, 255, (40, 50)).astype(np.uint8)
    found, of_cell = regions_of(mask, codes), labelled(mask, 8)
    numbers = np.arange(of_cell.max() + 1)
    np.testing.assert_array_equal(found.cells, ndimage.sum_labels(mask, of_cell, numbers))
    np.testing.assert_allclose(found.mean, ndimage.mean(codes, of_cell, numbers) / 254)
    np.testing.assert_allclose(found.highest, ndimage.maximum(codes, of_cell, numbers) / 254)
    np.testing.assert_allclose(found.area_km2, found.cells * KM**2)


@settings(max_examples=50)
@given(MASKS)
def test_a_region_is_isolated_without_enough_others_near_any_of_its_cells(mask: Any) -> None:
    reach = 2.5 * KM
    found = regions_of(mask, mask.view(np.uint8)).isolated(reach)
    rows, columns = np.nonzero(mask)
    apart = np.hypot(rows[:, None] - rows, columns[:, None] - columns) * KM
    crowded = (apart <= reach).sum(axis=1) - 1 >= NEAR
    of_cell = labelled(mask, 8)[mask]
    expected = [not crowded[of_cell == number].any() for number in range(len(found))]
    assert found.tolist() == expected


def test_the_highest_come_first_then_the_surer_then_from_north_to_south() -> None:
    codes = np.array([[100, 0, 200, 0, 100], [0, 0, 50, 0, 0], [100, 0, 0, 0, 200]], dtype=np.uint8)
    found = regions_of(codes > 0, codes)
    order = found.ranked(np.ones(5, dtype=bool))
    assert found.highest[order].round(3).tolist() == [0.787, 0.787, 0.394, 0.394, 0.394]
    assert found.mean[order].round(3).tolist() == [0.787, 0.492, 0.394, 0.394, 0.394]
    assert [tuple(int(each) for each in shape.bounds[:2]) for shape in found.measured(order).shapes] == [
        (4, 2),
        (2, 0),
        (0, 0),
        (4, 0),
        (0, 2),
    ]


def test_tables_hold_what_is_wanted_and_join() -> None:
    codes = np.array([[100, 0, 200, 0, 150]], dtype=np.uint8)
    found = regions_of(codes > 0, codes)
    part = found.measured(found.ranked(found.highest > 0.5))
    assert (part.cells.tolist(), [shape.bounds[0] for shape in part.shapes]) == ([1, 1], [2, 4])
    every = Measured.joined([part, regions_of(codes > 255, codes).measured(np.zeros(0, dtype=int)), part])
    assert every.highest == pytest.approx([200 / 254, 150 / 254] * 2)
    for at_once in (1, 2, 9):
        np.testing.assert_array_equal(np.concatenate(list(every.pieces(at_once))), every.shapes)
    assert len(every.shapes) == 4
