"""Decided cells, and the regions that they make."""

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.scenes.score_raster import BLOCK
from submissions.map.decide import Isolation, decide
from submissions.map.rules import MapRule, rule_of
from tests.submissions.map.samples import CELL_HA, damage, random_planes, raster_of
from tests.submissions.regions.samples import labelled

UNKNOWN = np.nan


@pytest.fixture(scope="module")
def tall(tmp_path_factory):
    """A raster of more rows than are read at once."""
    return raster_of(tmp_path_factory.mktemp("tall"), *random_planes(BLOCK + 44, 30))


@pytest.mark.parametrize("neighbours", [4, 8])
def test_regions_are_those_of_scipy_and_go_on_from_block_to_block(tall, neighbours) -> None:
    found = decide(tall, rule_of("cut=.55", tall.scored), neighbours=neighbours)
    for place, label in enumerate(tall.labels):
        scores = tall.scores(label)
        assert np.isnan(scores).any()
        of_cell = labelled(np.nan_to_num(scores) >= 0.55, neighbours)
        numbers, cells = np.unique(of_cell[of_cell >= 0], return_counts=True)
        mine = found.label == place
        assert sorted(found.measured.cells[mine]) == sorted(cells)
        highest = [np.nanmax(scores[of_cell == number]) for number in numbers]
        np.testing.assert_allclose(np.sort(found.measured.highest[mine]), np.sort(highest), rtol=1e-6)


def test_they_are_sorted_by_label_and_falling_score(tall) -> None:
    found = decide(tall, rule_of("cut=.55", tall.scored))
    table = found.measured
    corners = [shape.bounds[1] for shape in table.shapes]
    keys = list(zip(found.label, -table.highest, -table.mean, corners, strict=True))
    assert keys == sorted(keys)
    assert set(found.labels) == set(tall.labels)


@pytest.mark.parametrize("rule", ["cut=.0001", "expected"])
def test_what_is_not_known_is_never_decided(tmp_path, rule) -> None:
    plane = np.full((6, 8), 0.9)
    plane[2:4, 3:6] = UNKNOWN
    raster = raster_of(tmp_path, plane, np.full((6, 8), UNKNOWN))
    found = decide(raster, rule_of(rule, raster.scored))
    assert (found.labels, found.measured.cells.tolist()) == (["road"], [48 - 6])
    assert found.measured.shapes[0].area == 48 - 6


def test_a_score_on_disk_reaches_the_cut_that_it_equals(tmp_path) -> None:
    raster = raster_of(tmp_path, np.arange(255).reshape(15, 17) / 254)
    assert decide(raster, MapRule("", {"road": float(np.float32(100) / np.float32(254))})).measured.cells.sum() == 155
    assert len(decide(raster, MapRule("never", {"road": np.inf}))) == 0


def test_areas_are_those_of_hand(tmp_path) -> None:
    plane = np.zeros((6, 8))
    plane[0, :3], plane[4:, 5:] = 0.8, 0.6
    raster = raster_of(tmp_path, plane)
    found = decide(raster, rule_of("cut=.5", raster.scored))
    np.testing.assert_allclose(found.measured.area_km2 * 100, [3 * CELL_HA, 6 * CELL_HA], rtol=1e-6)
    for smallest, left in ((3 * CELL_HA * 0.999, 2), (3 * CELL_HA * 1.001, 1), (1.0, 0)):
        larger = decide(raster, rule_of("cut=.5", raster.scored), smallest_ha=smallest)
        assert len(larger) == left
        assert bool(larger.left_out) == (left < 2)
    assert larger.left_out[0] == "road: 2 regions of less than 1 ha left out."


def test_isolated_regions_need_a_higher_score(tmp_path) -> None:
    plane = np.zeros((20, 20))
    plane[0:2, 0:3] = 0.5  # six cells: each has five others
    plane[0, 18], plane[18, 0] = 0.9, 0.6
    raster = raster_of(tmp_path, plane)
    rule = rule_of("cut=.5", raster.scored)
    assert not decide(raster, rule).isolated.any()
    found = decide(raster, rule, isolation=Isolation(0.05))
    assert (found.measured.cells.tolist(), found.isolated.tolist()) == ([1, 1, 6], [True, True, False])
    found = decide(raster, rule, isolation=Isolation(0.05, 0.75))
    assert (found.measured.cells.tolist(), found.isolated.tolist()) == ([1, 6], [True, False])
    assert found.left_out == ("road: 1 isolated region with a score below 0.75 left out.",)


def test_labels_may_be_chosen(tall) -> None:
    rule = rule_of("cut=.55", tall.scored)
    assert set(decide(tall, rule, labels=["water"]).labels) == {"water"}
    with pytest.raises(UserError, match="Unknown label 'rivers'"):
        decide(tall, rule, labels=["rivers"])


def test_a_damaged_raster_is_named_in_one_line(tmp_path) -> None:
    raster = raster_of(tmp_path, *random_planes(60, 80))
    damage(raster)
    with pytest.raises(UserError, match=r"^Cannot read the scores .*scores.tif: .*") as refused:
        decide(raster, rule_of("cut=.5", raster.scored))
    assert "\n" not in str(refused.value)
