"""The truth: valid polygons, and in them what their labels look like."""

from __future__ import annotations

import numpy as np
import pytest

from competition.landscape.ground import Land
from competition.landscape.plane import MESH, TILE
from competition.landscape.simulate import Landscape
from competition.landscape.truth import CELLS, Overview, box_in_scene, features, outlines, sheets
from competition.simulator.render import LABELS

shapely = pytest.importorskip("shapely")
rasterio_features = pytest.importorskip("rasterio.features")


@pytest.fixture(scope="module")
def sheet() -> tuple[np.ndarray, dict[str, list]]:
    """The picture of one tile at 12 m, and its polygons by label, in pixels."""
    landscape = Landscape(0, 12.0)
    image, *seen = landscape.tile(1, 0)
    overview = Overview(1, 1, landscape.land.scale)
    overview.note(0, 0, *seen)
    found: dict[str, list] = {}
    scale = landscape.land.scale
    for label, polygon in features(landscape.land, overview, TILE, 0, box_in_scene(1, 0, 1, 1, 2 * TILE, scale)):
        found.setdefault(label, []).append(shapely.transform(polygon, lambda xy: xy * scale - (TILE, 0)))
    return image, found


def covered(polygons: list) -> np.ndarray:
    return rasterio_features.rasterize(polygons, (TILE, TILE)).astype(bool)


def test_polygons_are_valid_and_lie_in_the_scene(sheet):
    _, found = sheet
    assert set(found) <= set(LABELS)
    assert {"water", "road", "agriculture", "habitation", "artisinal_mine", "primary", "clear"} <= set(found)
    box = shapely.box(-1e-6, -1e-6, TILE + 1e-6, TILE + 1e-6)
    for polygons in found.values():
        assert all(polygon.geom_type == "Polygon" and polygon.is_valid and box.covers(polygon) for polygon in polygons)


def test_every_cell_has_one_sky(sheet):
    _, found = sheet
    skies = [covered(found[label]) for label in ("clear", "cloudy", "partly_cloudy", "haze") if label in found]
    count = np.sum(skies, axis=0)
    assert (count == 1).mean() > 0.97


def test_polygons_hold_what_their_label_looks_like(sheet):
    image, found = sheet
    clear = covered(found["clear"])
    nir, red, blue = image[..., 3], image[..., 2], image[..., 0]
    water, forest = covered(found["water"]) & clear, covered(found["primary"]) & clear
    assert np.median(nir[water]) < 0.2
    assert np.median(nir[forest]) > 0.35
    dark = (nir < 0.15) & clear & ~covered(found.get("slash_burn", [shapely.box(0, 0, 0, 0)]))
    assert (dark & covered(found["water"] + found["artisinal_mine"])).sum() > 0.9 * dark.sum()
    assert np.median(red[covered(found["agriculture"]) & clear]) > 1.25 * np.median(red[forest])
    assert np.median(red[covered(found["artisinal_mine"]) & clear]) > 2 * np.median(red[forest])
    if "cloudy" in found:
        assert np.median(blue[covered(found["cloudy"])]) > 0.6


def test_the_later_date_holds_the_earlier():
    def ground(later: bool) -> dict[str, shapely.Geometry]:
        land, found = Land.of(2, 32.0, later=later), {}
        for label, polygon in features(land, Overview(1, 1, 32.0), 0, 0, (8.0, 4.0, 12.0, 8.0)):
            found.setdefault(label, []).append(polygon)
        return {label: shapely.union_all(polygons) for label, polygons in found.items()}

    before, after = ground(False), ground(True)
    for label, grown in (("water", 1.0), ("agriculture", 1.05), ("artisinal_mine", 1.1), ("road", 1.01)):
        assert before[label].intersection(after[label]).area > 0.995 * before[label].area
        assert after[label].area > 0.999 * grown * before[label].area


def test_cells_keep_what_was_seen_of_their_tile():
    overview = Overview(2, 1, 64.0)
    seen = np.zeros((TILE, TILE), np.float32)
    seen[:MESH, -MESH:] = 1
    overview.note(1, 0, seen, seen, 1 - seen)
    assert overview.seen.shape == (3, CELLS, 2 * CELLS)
    assert overview.seen[0, 0, -1] == 1
    assert overview.seen[0].sum() == 1
    assert overview.seen[2, :, :CELLS].sum() == 0


def test_outlines_go_around_cells():
    cells = np.zeros((6, 6), bool)
    cells[1:3, 2:5] = True
    (outline,) = outlines(cells)
    assert outline.bounds == (2, 1, 5, 3)


def test_sheets_cover_a_scene_once():
    for size in (256, 4096, 9000):
        seen = [(c + x, r + y) for c, r, columns, rows in sheets(size) for x in range(columns) for y in range(rows)]
        assert sorted(seen) == [(c, r) for c in range(-(-size // TILE)) for r in range(-(-size // TILE))]
