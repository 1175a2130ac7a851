"""Runs of cells, and the regions that they make, against SciPy's of the whole plane."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from submissions.regions.runs import Runs
from tests.submissions.regions.samples import MASKS, NEIGHBOURS, labelled, on_plane


def in_blocks(mask: NDArray[np.bool_], values: NDArray[Any], rows: int) -> Runs:
    starts = range(0, len(mask), rows)
    return Runs.joined([Runs.of(mask[at : at + rows], values[at : at + rows], at) for at in starts])


@settings(max_examples=80)
@given(MASKS, NEIGHBOURS, st.integers(1, 5))
def test_regions_are_those_of_scipy_whatever_the_blocks(mask: Any, neighbours: int, rows: int) -> None:
    runs = in_blocks(mask, mask.view(np.uint8), rows)
    np.testing.assert_array_equal(on_plane(runs, runs.regions(neighbours), mask.shape), labelled(mask, neighbours))


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("share", [0.02, 0.4, 0.59, 0.9])  # sides percolate at .593, corners at .407
def test_large_regions_are_those_of_scipy(neighbours, share) -> None:
    mask = np.random.default_rng(1).random((400, 500)) < share
    runs = in_blocks(mask, mask.view(np.uint8), 64)
    np.testing.assert_array_equal(on_plane(runs, runs.regions(neighbours), mask.shape), labelled(mask, neighbours))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_runs_hold_the_sum_and_the_highest_of_their_cells(dtype) -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, np.iinfo(dtype).max, (30, 40)).astype(dtype)
    runs = in_blocks(mask := random.random(values.shape) < 0.7, values, 7)
    every = list(zip(runs.row, runs.start, runs.end, runs.total, runs.highest, strict=True))
    for row, start, end, total, highest in every:
        assert mask[row, start:end].all()
        assert start == 0 or not mask[row, start - 1]
        assert end == 40 or not mask[row, end]
        assert (total, highest) == (values[row, start:end].sum(dtype=int), values[row, start:end].max())
    assert runs.cells.sum() == mask.sum()


@given(MASKS, st.integers(0, 9), st.integers(0, 9))
def test_a_plane_holds_the_cells_again(mask: Any, first: int, many: int) -> None:
    first = min(first, len(mask))
    stop = min(first + many, len(mask))
    np.testing.assert_array_equal(Runs.of(mask, mask.view(np.uint8)).plane(first, stop), mask[first:stop])


def test_only_those_that_are_wanted_stay() -> None:
    mask = np.array([[1, 0, 1, 1], [0, 1, 0, 0]], dtype=bool)
    runs = Runs.of(mask, mask.view(np.uint8)).only(np.array([False, True, True]))
    assert [each.tolist() for each in runs.places()] == [[0, 0, 1], [2, 3, 1]]


@settings(max_examples=50)
@given(MASKS, st.integers(0, 9))
def test_runs_of_fewer_cells_lie_in_those_of_more(mask: Any, seed: int) -> None:
    fewer = mask & (np.random.default_rng(seed).random(mask.shape) < 0.6)
    whole, part = (Runs.of(each, each.view(np.uint8)) for each in (mask, fewer))
    in_whole = on_plane(whole, np.arange(len(whole)), mask.shape)
    np.testing.assert_array_equal(whole.covering(part), in_whole[part.row, part.start])
