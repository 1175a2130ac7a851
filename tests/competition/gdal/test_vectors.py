"""Labelled points and polygons from files."""

import json

import numpy as np
import pytest
import shapely
from pyproj import CRS, Transformer

from competition.common.errors import UserError
from competition.gdal.vectors import read_features
from tests.competition.scenes.samples import LEFT, METRES, TOP, UTM, write_points

WKT = CRS.from_user_input(UTM).to_wkt()


def test_points_come_in_the_scenes_coordinates(tmp_path) -> None:
    path = write_points(tmp_path / "a.geojson", [(10, 20, "road"), (30, 5, " water ")])
    found = read_features(path, WKT)
    assert found.labels == ("road", "water")
    expected = [(LEFT + 10 * METRES, TOP - 20 * METRES), (LEFT + 30 * METRES, TOP - 5 * METRES)]
    np.testing.assert_allclose(shapely.get_coordinates(found.geometries), expected, atol=1e-6)


@pytest.mark.parametrize(("suffix", "driver"), [(".gpkg", "GPKG"), (".fgb", "FlatGeobuf"), (".shp", "ESRI Shapefile")])
def test_other_formats_say_the_same(tmp_path, suffix, driver) -> None:
    import pyogrio

    shapes = shapely.to_wkb([shapely.box(LEFT, TOP, LEFT + 9, TOP + 9)])
    path, labels = tmp_path / f"a{suffix}", [np.array(["road"], dtype=object)]
    pyogrio.raw.write(path, shapes, labels, ["kind"], geometry_type="Polygon", crs=UTM, driver=driver)
    found = read_features(path, WKT, "kind")
    assert (found.labels, shapely.area(found.geometries).tolist()) == (("road",), [81])


def feature(label: object, kind: str, coordinates: object) -> dict:
    return {"type": "Feature", "properties": {"label": label}, "geometry": {"type": kind, "coordinates": coordinates}}


def collection(*features: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features})


def test_bow_ties_are_mended_and_heights_and_empty_shapes_left_out(tmp_path) -> None:
    bow = [[[-57, -9, 5], [-56.9, -8.9, 5], [-56.9, -9, 5], [-57, -8.9, 5], [-57, -9, 5]]]
    nothing = {"type": "Feature", "properties": {"label": None}, "geometry": None}
    (tmp_path / "a.geojson").write_text(collection(feature("road", "Polygon", bow), nothing))
    found = read_features(tmp_path / "a.geojson", WKT)
    assert found.labels == ("road",)
    assert shapely.is_valid(found.geometries).all()
    assert not shapely.has_z(found.geometries).any()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.geojson", collection(feature("", "Point", [-57, -9])), "features without a label in column 'label': 1"),
        (
            "a.geojson",
            collection({**feature("x", "Point", [-57, -9]), "properties": {"kind": "x"}}),
            "it has kind. Name",
        ),
        ("a.geojson", "[1, 2]", "it is no .geojson file"),
        ("a.geojson", '{"type": "Topology"', "Cannot read"),
        ("a.geojson", "{}", "Cannot read"),
        ("a.gpkg", "{}", "it is no .gpkg file"),
        ("a.geojson", collection(feature("x", "LineString", [[0, 0], [1e6, 0]])), "longer than 10,000,000 km"),
        ("a.geojson", collection(feature("x", "LineString", [[0, 0], [1e308, 0], [-1e308, 0]])), "longer than"),
        ("a.geojson", collection(feature("x", "LineString", [[0, 0], [400, 100]])), "does not reach"),
        ("a.vrt", "<OGRVRTDataSource/>", "expected a file with .geojson"),
        ("a.csv", "x,y,label", "expected a file with .geojson"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, name, content, said) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=said) as raised:
        read_features(tmp_path / name, WKT)
    assert "\n" not in str(raised.value)


def test_without_a_place_nothing_lies_anywhere(tmp_path) -> None:
    path = write_points(tmp_path / "a.geojson", [(10, 20, "road")])
    with pytest.raises(UserError, match="The scene has no coordinate system"):
        read_features(path, "")
    with pytest.raises(UserError, match="No such file"):
        read_features(tmp_path / "b.geojson", WKT)


def write_geojson(path, *geometries) -> None:
    features = [
        {"type": "Feature", "properties": {"label": "road"}, "geometry": shapely.geometry.mapping(geometry)}
        for geometry in geometries
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def test_a_file_without_features_says_that_there_are_none(tmp_path) -> None:
    write_geojson(tmp_path / "a.geojson")
    features = read_features(tmp_path / "a.geojson", CRS(UTM).to_wkt())
    assert (len(features.geometries), features.labels) == (0, ())


def test_collections_are_read_as_their_parts(tmp_path) -> None:
    inner = shapely.GeometryCollection([shapely.Point(-57, -9), shapely.LineString()])
    write_geojson(
        tmp_path / "a.geojson",
        shapely.Point(-57, -8),
        shapely.GeometryCollection([inner, shapely.box(-57, -9, -56.9, -8.9)]),
    )
    features = read_features(tmp_path / "a.geojson", CRS(UTM).to_wkt())
    assert [shape.geom_type for shape in features.geometries] == ["Point", "Polygon", "Point"]
    assert features.labels == ("road",) * 3


def test_long_lines_are_bent_as_the_ground_is(tmp_path) -> None:
    """Five degrees along a parallel: a straight line in UTM would miss its middle by 900 m."""
    write_geojson(tmp_path / "a.geojson", shapely.LineString([(-59.5, -9), (-54.5, -9)]))
    (line,) = read_features(tmp_path / "a.geojson", CRS(UTM).to_wkt()).geometries
    middle = Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(-57.013, -9)
    assert line.distance(shapely.Point(middle)) < 1
    assert shapely.LineString([line.coords[0], line.coords[-1]]).distance(shapely.Point(middle)) > 500
