"""Virtual rasters (VRT): those that are given, looked through before GDAL sees them, and those made of tiles.

A VRT is a text that names files. In a stranger's it may name any file of this machine, an address, or a program that
makes pixels; so only plain mosaics are taken, of files in the VRT's folder or below, and what GDAL is given is written
anew from what was understood.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from competition.common.errors import UserError
from competition.common.files import open_ordinary
from competition.common.text import cut, first

LARGEST = 1 << 26  # bytes of a VRT; one of 10,000 tiles and four bands takes 20 MB
FILES = ("SourceFilename",)
# What a plain mosaic is made of. None of these names a file but `SourceFilename`.
KNOWN = {
    *FILES, "VRTDataset", "SRS", "GeoTransform", "Metadata", "MDI", "VRTRasterBand", "Description", "UnitType",
    "Offset", "Scale", "NoDataValue", "HideNoDataValue", "ColorInterp", "ColorTable", "Entry", "CategoryNames",
    "Category", "Histograms", "HistItem", "HistMin", "HistMax", "BucketCount", "IncludeOutOfRange", "Approximate",
    "HistCounts", "MaskBand", "OverviewList", "Overview", "SourceBand", "SimpleSource", "ComplexSource",
    "SourceProperties", "SrcRect", "DstRect", "NODATA", "ScaleOffset", "ScaleRatio", "UseMaskBand", "LUT", "GCPList",
    "GCP", "BlockXSize", "BlockYSize", "ResampleAlg",
}  # fmt: skip
KINDS = {"VRTSourcedRasterBand"}  # of a band, besides none
DOMAINS = {"", "IMAGE_STRUCTURE", "IMAGERY"}  # of metadata; others steer GDAL
TYPES = {
    "uint8": "Byte", "int8": "Int8", "uint16": "UInt16", "int16": "Int16", "uint32": "UInt32", "int32": "Int32",
    "float32": "Float32", "float64": "Float64",
}  # fmt: skip


def read_vrt(path: Path) -> tuple[str, list[Path]]:
    """Return a VRT as GDAL may see it, and the files that it is made of.

    Raises:
        UserError: if it cannot be read, is more than a mosaic, or names anything outside of its folder.
    """
    root = _parsed(path)
    folder, files = Path(os.path.realpath(path.parent)), dict[str, Path]()
    for element in root.iter():
        if element.tag not in KNOWN:
            raise _refused(path, f"it holds <{cut(str(element.tag))}>, and only mosaics of files are read")
        domain = element.get("domain", "") if element.tag == "Metadata" else ""
        if domain not in DOMAINS:
            raise _refused(path, f"it holds metadata of {cut(domain)!r}, which steer what is read")
        if element.tag in ("VRTDataset", "VRTRasterBand") and (kind := element.get("subClass")) not in {None, *KINDS}:
            raise _refused(path, f"it is a {cut(kind or '')}, and only mosaics of files are read")
        if element.tag in FILES:
            named = (element.text or "").strip()
            if named not in files:
                files[named] = _within(path, folder, named, is_relative=element.get("relativeToVRT", "0") == "1")
            element.text = str(files[named])
            element.attrib.clear()
            element.set("relativeToVRT", "0")
    if not files:
        raise _refused(path, "it names no files")
    return ET.tostring(root, encoding="unicode"), sorted(set(files.values()))


def _parsed(path: Path) -> ET.Element:
    try:
        with open_ordinary(path, LARGEST) as file:
            content = file.read()
        if b"<!" in content.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
            raise _refused(path, "it defines entities")
        root = ET.fromstring(content.decode("utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except (ET.ParseError, ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise _refused(path, f"it is damaged ({error})") from error
    if root.tag != "VRTDataset":
        raise _refused(path, f"it holds <{cut(root.tag)}> and not a VRTDataset")
    return root


def _within(path: Path, folder: Path, named: str, *, is_relative: bool) -> Path:
    """Return the file that a VRT names, if it lies in the folder of the VRT or below."""
    try:
        found = Path(os.path.realpath(folder / named if is_relative else named))
        inside = bool(named) and found.is_relative_to(folder) and found.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        inside = False
    if not inside:
        raise _refused(
            path,
            f"it names {cut(named)!r}, and only files in its folder or below are read",
            "put it above the files that it is made of, or give their folder as the scene",
        )
    return found


def _refused(path: Path, reason: str, otherwise: str = "") -> UserError:
    return UserError(f"Cannot read the VRT {path}: {reason}.", otherwise=otherwise)


@dataclass(frozen=True)
class Tile:
    """A file that is part of a mosaic.

    Attributes:
        path: of it.
        transform: from pixels to the ground: the six numbers of an affine map, row by row.
        size: width and height in pixels.
        bands: description and colour of each band, as GDAL calls colours.
        dtype: data type of its values.
        wkt: its coordinate system; "" if it has none.
        masked: whether the file says which of its pixels have no data.
    """

    path: Path
    transform: tuple[float, ...]
    size: tuple[int, int]
    bands: tuple[tuple[str, str], ...]
    dtype: str
    wkt: str
    masked: bool

    @property
    def kind(self) -> dict[str, str]:
        """What all tiles of a mosaic must have in common, by name."""
        a, b, _, d, e, _ = (f"{value:.9g}" for value in self.transform)
        bands = ", ".join(description or colour for description, colour in self.bands)
        return {"coordinate system": self.wkt, "bands": bands, "data type": self.dtype, "pixels": f"{a} {b} {d} {e}"}


def mosaic(folder: Path, tiles: Sequence[Tile]) -> str:
    """Return a VRT of tiles: where they overlap the last one by name is on top, and between them there is no data.

    Raises:
        UserError: if they do not belong together.
    """
    tile = tiles[0]
    for name, expected in tile.kind.items():
        if others := [each.path.name for each in tiles if each.kind[name] != expected]:
            raise UserError(
                f"The tiles in {folder} differ in {name}: {tile.path.name} has {cut(expected)!r}, and others have not: "
                f"{first(others)}. Give a folder of tiles that belong together, as gdalwarp makes them."
            )
    a, b, _, d, e, _ = tile.transform
    corners = [_offset(tile.transform, each.transform) for each in tiles]
    left, top = (min(corner[axis] for corner in corners) for axis in (0, 1))
    ends = [max(corner[axis] + each.size[axis] for corner, each in zip(corners, tiles, strict=True)) for axis in (0, 1)]
    x0, y0 = tile.transform[2] + a * left + b * top, tile.transform[5] + d * left + e * top
    root = ET.Element("VRTDataset", rasterXSize=str(round(ends[0] - left)), rasterYSize=str(round(ends[1] - top)))
    ET.SubElement(root, "SRS").text = tile.wkt
    ET.SubElement(root, "GeoTransform").text = ", ".join(map(repr, (x0, a, b, y0, d, e)))
    places = [(x - left, y - top) for x, y in corners]
    for number, (description, colour) in enumerate(tile.bands, start=1):
        band = ET.SubElement(root, "VRTRasterBand", dataType=TYPES[tile.dtype], band=str(number))
        ET.SubElement(band, "Description").text = description
        ET.SubElement(band, "ColorInterp").text = colour
        for each, place in zip(tiles, places, strict=True):
            _source(band, each, str(number), place)
    mask = ET.SubElement(ET.SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
    for each, place in zip(tiles, places, strict=True):
        _source(mask, each, "mask,1" if each.masked else "1", place, covers=not each.masked)
    return ET.tostring(root, encoding="unicode")


def _offset(origin: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, float]:
    """Return where the upper left corner of a tile lies in the pixels of another one."""
    a, b, c, d, e, f = origin
    x, y, scale = other[2] - c, other[5] - f, a * e - b * d
    return round((e * x - b * y) / scale, 3), round((a * y - d * x) / scale, 3)


def _source(band: ET.Element, tile: Tile, number: str, place: tuple[float, float], *, covers: bool = False) -> None:
    source = ET.SubElement(band, "ComplexSource")
    ET.SubElement(source, "SourceFilename", relativeToVRT="0").text = str(tile.path)
    ET.SubElement(source, "SourceBand").text = number
    width, height = map(str, tile.size)
    ET.SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=width, ySize=height)
    ET.SubElement(source, "DstRect", xOff=str(place[0]), yOff=str(place[1]), xSize=width, ySize=height)
    if covers:  # every pixel of the tile, whatever it holds
        ET.SubElement(source, "ScaleOffset").text = "255"
        ET.SubElement(source, "ScaleRatio").text = "0"
    elif number.startswith("mask"):
        ET.SubElement(source, "NODATA").text = "0"
    elif tile.masked:
        ET.SubElement(source, "UseMaskBand").text = "true"
