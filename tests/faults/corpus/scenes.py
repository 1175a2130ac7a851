"""Features on scenes that are none, lie, or would fill the memory."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.faults.corpus import Case, file_of

POINT = {"type": "Point", "coordinates": [-57.0, -9.0]}


def features(*geometries: object, label: object = "road", **more: object) -> str:
    """Return features as GeoJSON."""
    made = [{"type": "Feature", "properties": {"label": label}, "geometry": geometry} for geometry in geometries]
    return json.dumps({"type": "FeatureCollection", **more, "features": made})


def _json(content: Callable[[], str]) -> Case:
    return file_of("a.geojson", content)


RING = [[0, 0], [1, 0], [1, 1], [0, 0]]
EITHER = {
    "a label with escapes": _json(lambda: features(POINT, label="\x1b[31mred")),
    "a label that is an object": _json(lambda: features(POINT, label={"a": [1]})),
    "other coordinates": _json(lambda: features(POINT, crs={"type": "name", "properties": {"name": "EPSG:3857"}})),
    "coordinates of one number": _json(lambda: features({"type": "Point", "coordinates": [1]})),
    "a ring of two": _json(lambda: features({"type": "Polygon", "coordinates": [RING[:2]]})),
    "100,000 features": _json(lambda: features(*[POINT] * 100_000)),
    "600 corners, over each other": _json(
        lambda: features({"type": "Polygon", "coordinates": [[*RING[:3] * 200, [0, 0]]]})
    ),
    "nothing": _json(features),
}
REFUSED = {
    "empty": _json(str),
    "200,000 corners, over each other": _json(
        lambda: features({"type": "Polygon", "coordinates": [[*RING[:3] * 66_667, [0, 0]]]})
    ),
    "half a file": _json(lambda: features(POINT)[:60]),
    "deep": _json(lambda: '{"type":"FeatureCollection","features":' + "[" * 100_000),
    "text": _json(lambda: "<html>Not found</html>"),
    "far away": _json(lambda: features({"type": "Point", "coordinates": [1e308, -1e308]})),
    "an address": _json(lambda: json.dumps({"type": "ESRI", "url": "http://127.0.0.1:9/FeatureServer"})),
    "a database of noise": file_of("a.gpkg", lambda: b"SQLite format 3\0" + bytes(range(256)) * 40),
    "a FlatGeobuf of noise": file_of("a.fgb", lambda: b"fgb\x03fgb\x00" + bytes(range(256)) * 40),
    "a shapefile of noise": file_of("a.shp", lambda: b"\0\0\x27\x0a" + bytes(range(256)) * 40),
    "a VRT": file_of("a.vrt", lambda: "<OGRVRTDataSource><OGRVRTLayer name='a'/></OGRVRTDataSource>"),
}
CASES: dict[str, Case] = {**EITHER, **REFUSED}
