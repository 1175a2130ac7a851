"""Detections as a table, and as files that others read."""

import json
import time

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer

from competition.common.errors import UserError
from submissions.map.decide import decide
from submissions.map.detections import DRIVERS, LAYER, Detections, check_output
from submissions.map.rules import MapRule, rule_of
from tests.submissions.map.samples import random_planes, raster_of

COLUMNS = ["id", "label", "area_km2", "cells", "mean", "highest", "isolated", "date", "scene"]


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Detections:
    raster = raster_of(tmp_path_factory.mktemp("made"), *random_planes(30, 40), date="2026-11-28", scene="île 4")
    return decide(raster, rule_of("cut=.7", raster.scored))


def read(path):
    """Return geometries, and the columns by name, in the order of the ids."""
    meta, _, geometries, columns = pyogrio.raw.read(path)
    columns = dict(zip(meta["fields"], columns, strict=True))
    order = np.argsort(columns["id"])
    return meta, shapely.from_wkb(geometries)[order], {name: each[order] for name, each in columns.items()}


@pytest.mark.parametrize("suffix", DRIVERS)
def test_files_hold_what_was_found(found, tmp_path, suffix) -> None:
    found.write(path := tmp_path / f"d{suffix}")
    meta, shapes, columns = read(path)
    assert list(columns) == COLUMNS
    assert (meta["geometry_type"], len(shapes)) == ("MultiPolygon", len(found))
    assert columns["id"].tolist() == list(range(1, len(found) + 1))
    assert columns["label"].tolist() == found.labels
    assert set(columns["date"].astype(str)) == {"2026-11-28"}
    assert set(columns["scene"]) == {"île 4"}
    for name in ("area_km2", "cells", "mean", "highest"):
        np.testing.assert_allclose(columns[name], getattr(found.measured, name), atol=5e-5)
    assert not columns["isolated"].astype(bool).any()
    assert shapely.is_valid(shapes).all()
    expected = found.geometries
    if suffix == ".geojson":
        assert meta["crs"] == "EPSG:4326"
        to_metres = Transformer.from_crs("EPSG:4326", "EPSG:32721", always_xy=True).transform
        shapes = shapely.transform(shapes, lambda x, y: np.stack(to_metres(x, y)), interleaved=False)
        assert (shapely.hausdorff_distance(shapes, expected) < 0.02).all()  # metres: the seventh decimal of a degree
    else:
        assert meta["crs"] == "EPSG:32721"
        assert shapely.equals(shapes, expected).all()
    if suffix != ".fgb":  # which sorts by place, for its index
        assert pyogrio.raw.read(path)[3][0].tolist() == columns["id"].tolist()
    assert pyogrio.list_layers(path)[:, 0].tolist() == [LAYER]


def test_geojson_is_that_of_the_standard(found, tmp_path) -> None:
    found.write(path := tmp_path / "d.geojson")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert "crs" not in content
    for feature in content["features"]:
        for outer, *_ in feature["geometry"]["coordinates"]:
            assert shapely.is_ccw(shapely.linearrings(outer))


@pytest.mark.parametrize("suffix", DRIVERS)
def test_the_same_detections_have_the_same_bytes(found, tmp_path, suffix) -> None:
    one, other = tmp_path / f"one{suffix}", tmp_path / "other" / f"one{suffix}"
    found.write(one)
    time.sleep(0.01)  # a GeoPackage says when it was written, to the thousandth of a second
    decide(found.raster, found.rule).write(other)
    assert one.read_bytes() == other.read_bytes()
    found.write(one)  # over what is there
    assert one.read_bytes() == other.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [one.name, "other"]


@pytest.mark.parametrize("suffix", DRIVERS)
def test_nothing_found_is_a_file_with_the_columns(found, tmp_path, suffix) -> None:
    none = decide(found.raster, MapRule("never", dict.fromkeys(found.raster.labels, np.inf)))
    none.write(path := tmp_path / f"d{suffix}")
    meta, _, geometries, _ = pyogrio.raw.read(path)
    assert len(geometries) == 0
    assert suffix == ".geojson" or list(meta["fields"]) == COLUMNS
    assert "0 regions of 2 labels" in none.text()


def test_a_scene_without_a_coordinate_system_has_no_degrees(tmp_path) -> None:
    raster = raster_of(tmp_path, np.full((4, 4), 0.9), crs=None)
    found = decide(raster, rule_of("cut=.5", raster.scored))
    with pytest.raises(UserError, match=r"GeoJSON is in degrees.* Give a .gpkg or .fgb file"):
        found.write(tmp_path / "d.geojson")
    found.write(tmp_path / "d.gpkg")
    _, shapes, columns = read(tmp_path / "d.gpkg")
    assert columns["area_km2"].tolist() == pytest.approx([24 * 24 / 1e6])
    assert shapes[0].area == pytest.approx(24 * 24)


def test_other_suffixes_are_refused(found, tmp_path) -> None:
    with pytest.raises(UserError, match=r"expected a file to write with .gpkg, .geojson, .fgb"):
        check_output(tmp_path / "d.shp", found.raster)


def test_what_cannot_be_written_leaves_what_was_there(found, tmp_path, monkeypatch) -> None:
    def fails(*_, **__):
        raise OSError(28, "No space left on device")

    (path := tmp_path / "d.gpkg").write_bytes(b"yesterday's")
    monkeypatch.setattr(pyogrio.raw, "write", fails)
    with pytest.raises(OSError, match="No space left"):
        found.write(path)
    assert path.read_bytes() == b"yesterday's"
    assert [each.name for each in tmp_path.iterdir()] == ["d.gpkg"]


def test_the_text_and_the_figures_agree(found) -> None:
    figures = found.as_dict()
    assert figures["regions"] == len(found) == sum(row["regions"] for row in figures["labels"])
    assert [row["label"] for row in figures["labels"]] == ["road", "water"]
    assert sum(row["area_km2"] for row in figures["labels"]) == pytest.approx(found.measured.area_km2.sum())
    shown = found.text()
    assert f"île 4 of 2026-11-28: {len(found)} regions of 2 labels." in shown
    for row in figures["labels"]:
        line = next(line for line in shown.splitlines() if line.startswith(row["label"]))
        assert line.split()[1:4] == ["0.700", str(row["regions"]), str(row["cells"])]
