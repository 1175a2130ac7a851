"""Coordinate systems by what they are, and not by how they are written."""

import pytest
from pyproj import CRS

from competition.gdal.systems import is_same, metres_of_unit


def test_systems_are_the_same_however_they_are_written() -> None:
    assert is_same("EPSG:32721", CRS("EPSG:32721").to_wkt("WKT1_GDAL"))
    assert is_same("EPSG:4326", "OGC:CRS84")
    assert not is_same("EPSG:32721", "EPSG:32722")


@pytest.mark.parametrize(
    ("name", "metres"),
    [("EPSG:32721", 1), ("EPSG:2229", 0.3048006), ("EPSG:4326", 111_319.5), ("EPSG:4807", 100_187.5)],
)
def test_units_are_feet_degrees_or_grades(name, metres) -> None:
    assert metres_of_unit(CRS(name).to_wkt()) == pytest.approx(metres)
