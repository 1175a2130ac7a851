"""Stamps: what painters of chips paint, laid anywhere and across seams."""

from __future__ import annotations

import numpy as np
import pytest

from competition.landscape.plane import TILE, Tile
from competition.landscape.sites import Site
from competition.landscape.stamps import Stamps
from competition.simulator.scenery import PAINTERS

SCALE = 64.0
LABELS = sorted(PAINTERS.keys() - {"agriculture", "water", "road"})


@pytest.fixture(scope="module")
def stamps() -> Stamps:
    return Stamps(0, SCALE)


def site_of(label: str, x: float = 3.0, y: float = 2.0) -> Site:
    line = np.stack((x + np.arange(-10, 11) * 0.075, np.full(21, y)), axis=1)
    return Site(label, (1, 2), np.array(((x, y),)), line)


def laid(stamps: Stamps, site: Site, column: int, row: int, base: float) -> Tile:
    tile = Tile.blank(0, column, row, SCALE)
    tile.image[:] = base
    stamps.lay(tile, site)
    return tile


@pytest.mark.parametrize("label", LABELS)
def test_every_painter_leaves_a_picture_with_transparency(stamps, label):
    stamp = stamps.of(site_of(label))
    assert stamp.opacity.min() > -1e-5
    assert stamp.opacity.max() <= 1 + 1e-5
    assert 0.004 < (stamp.opacity > 0.2).mean() < 0.95
    assert np.abs(stamp.opacity[0]).max() == 0


def test_a_stamp_across_a_seam_is_the_same_as_in_the_middle(stamps):
    corner = TILE / SCALE
    there, here = site_of("conventional_mine", corner, corner), site_of("conventional_mine")
    whole = laid(stamps, here, 0, 0, 0.3).image[96:160, 160:224]
    parts = [[laid(stamps, there, column, row, 0.3).image for column in (0, 1)] for row in (0, 1)]
    across = np.concatenate([np.concatenate(row, axis=1) for row in parts], axis=0)
    np.testing.assert_array_equal(across[TILE - 32 : TILE + 32, TILE - 32 : TILE + 32], whole)
    assert np.ptp(whole) > 0.3


def test_a_stamp_elsewhere_leaves_a_tile_alone(stamps):
    tile = laid(stamps, site_of("habitation"), 4, 4, 0.3)
    assert (tile.image == np.float32(0.3)).all()
    assert (tile.forest == 1).all()


def test_trees_in_flower_need_trees(stamps):
    tile = Tile.blank(0, 0, 0, SCALE)
    tile.forest[:] = 0
    stamps.lay(tile, site_of("blooming"))
    assert not tile.image.any()
