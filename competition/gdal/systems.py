"""Coordinate systems: whether two are the same, and how long their units are."""

from __future__ import annotations

from typing import Any

from competition.gdal.imports import import_map

EARTH = 6_378_137.0  # metres of a radian at the equator


def system_of(text: str) -> Any:
    """Return a coordinate system as pyproj has it, of WKT or a name such as EPSG:4326."""
    return import_map("pyproj").CRS.from_user_input(text)


def is_same(one: str, other: str) -> bool:
    """Return whether two texts say the same system, whatever order they give its axes."""
    return one == other or bool(system_of(one).equals(system_of(other), ignore_axis_order=True))


def metres_of_unit(text: str) -> float:
    """Return how many metres a unit of a coordinate system is; a degree along a meridian."""
    system = system_of(text)
    unit = float(system.axis_info[0].unit_conversion_factor)
    return unit * EARTH if system.is_geographic else unit
