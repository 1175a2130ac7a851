"""What has changed of a label, against SciPy on whole planes."""

import numpy as np
import pytest
from scipy import ndimage

from competition.scenes.score_raster import BLOCK
from submissions.change.align import Aligned
from submissions.change.compare import (
    APPEARED,
    GONE,
    GROWN,
    KINDS,
    LESS,
    MORE,
    SAME,
    SHRUNK,
    LabelChange,
    Terms,
    compare,
)
from submissions.regions.ground import Ground
from tests.submissions.change.samples import CUT, HOVER, LOW
from tests.submissions.map.samples import CELL_HA, random_planes, raster_of


def changed(before, after, cut: float = CUT, **terms) -> LabelChange:
    return compare(Aligned.of(before, after), "road", cut, Terms(**terms), Ground(before))


def cells(change: LabelChange) -> dict[str, list[int]]:
    return {kind: sorted(change.kinds[kind].cells.tolist()) for kind in KINDS}


def expected(one, other, margin: float, neighbours: int) -> dict[str, list[int]]:
    """Return the sizes of regions by kind, found without blocks and runs."""
    known = ~np.isnan(one) & ~np.isnan(other)
    odds = [np.log(clipped / (1 - clipped)) for clipped in (np.clip(each, 0.002, 0.998) for each in (one, other))]
    moved = known & (np.abs(odds[1] - odds[0]) >= margin)
    new, lost = moved & (other >= CUT) & (one < CUT), moved & (one >= CUT) & (other < CUT)
    same = known & ((one >= CUT) | (other >= CUT)) & ~new & ~lost
    around = ndimage.generate_binary_structure(2, neighbours // 4)
    found: dict[str, list[int]] = {kind: [] for kind in KINDS}
    near = ndimage.binary_dilation(
        same, np.ones((3, 3)) if neighbours == 8 else ndimage.generate_binary_structure(2, 1)
    )
    for plane, alone, beside in ((new, APPEARED, GROWN), (lost, GONE, SHRUNK), (same, SAME, SAME)):
        numbers, count = ndimage.label(plane, around)
        for number in range(1, count + 1):
            of_it = numbers == number
            found[beside if (of_it & near).any() else alone].append(int(of_it.sum()))
    return {kind: sorted(sizes) for kind, sizes in found.items()}


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("margin", [0.0, 1.0])
def test_kinds_are_those_of_whole_planes(tmp_path, neighbours, margin) -> None:
    planes = [plane**2 for plane in random_planes(BLOCK + 10, 25)]
    before, after = raster_of(tmp_path / "b", planes[0]), raster_of(tmp_path / "a", planes[1], bits=16)
    change = changed(before, after, margin=margin, neighbours=neighbours)
    one, other = before.scores("road"), after.scores("road")
    assert cells(change) == expected(one, other, margin, neighbours)
    known = ~np.isnan(one) & ~np.isnan(other)
    assert change.known == known.sum() < known.size
    cell_km2 = CELL_HA / 100
    assert change.before_km2 == pytest.approx((known & (one >= CUT)).sum() * cell_km2, rel=1e-5)
    assert change.after_km2 == pytest.approx((known & (other >= CUT)).sum() * cell_km2, rel=1e-5)


def test_what_hovers_at_the_cut_has_not_changed(tmp_path) -> None:
    one = np.full((6, 9), LOW)
    other = one.copy()
    one[0, :3], other[0, :3] = HOVER, CUT
    one[2, :4], other[2, :4] = CUT, HOVER
    one[4, :5], other[4, :5] = LOW, CUT
    before, after = raster_of(tmp_path / "b", one), raster_of(tmp_path / "a", other)
    change = changed(before, after)
    assert cells(change) == {APPEARED: [5], GROWN: [], GONE: [], SHRUNK: [], SAME: [3, 4]}
    assert change.doubtful_km2 * 100 == pytest.approx(7 * CELL_HA, rel=1e-5)
    assert change.after_km2 - change.before_km2 == pytest.approx((5 + 3 - 4) * CELL_HA / 100, rel=1e-5)
    assert cells(changed(before, after, margin=0)) == {APPEARED: [3, 5], GROWN: [], GONE: [4], SHRUNK: [], SAME: []}
    assert cells(changed(before, after, margin=9))[SAME] == [3, 4, 5]
    assert cells(changed(before, after, cut=np.inf)) == {kind: [] for kind in KINDS}


def test_what_was_never_low_may_appear(tmp_path) -> None:
    one, other = np.full((6, 9), 0.16), np.full((6, 9), 0.16)
    other[1:3, 1:3] = 0.9
    before, after = raster_of(tmp_path / "b", one), raster_of(tmp_path / "a", other)
    assert cells(changed(before, after, cut=0.2))[APPEARED] == [4]  # a margin below the cut is below the floor


def test_areas_and_scores_are_those_of_hand(tmp_path) -> None:
    one, other = np.full((10, 20), LOW), np.full((10, 20), LOW)
    one[1:4, 1:4] = other[1:4, 1:4] = 0.9
    other[1:4, 4] = 0.6  # grown by three cells
    other[7:9, 10:15] = 0.7  # ten that appeared
    one[7:9, 18:20] = 0.8  # four that are gone, at the edge
    before, after = raster_of(tmp_path / "b", one), raster_of(tmp_path / "a", other)
    change = changed(before, after)
    assert cells(change) == {APPEARED: [10], GROWN: [3], GONE: [4], SHRUNK: [], SAME: [9]}
    assert change.km2(*MORE) * 100 == pytest.approx(13 * CELL_HA, rel=1e-5)
    assert change.km2(*LESS) * 100 == pytest.approx(4 * CELL_HA, rel=1e-5)
    for kind, score in ((APPEARED, 0.7), (GROWN, 0.6), (GONE, 0.8), (SAME, 0.9)):
        assert change.kinds[kind].highest == pytest.approx([score], abs=0.003)
    larger = changed(before, after, smallest_ha=3.5 * CELL_HA)
    assert cells(larger) == {APPEARED: [10], GROWN: [], GONE: [4], SHRUNK: [], SAME: [9]}
    assert (larger.small, change.small) == (1, 0)
