"""Virtual rasters: those of a mosaic are read, and a stranger's opens no door."""

import os

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.scenes.grid import Window
from competition.scenes.scene import Scene
from tests.competition.scenes.samples import noise, write_scene

HEAD = (
    '<VRTDataset rasterXSize="128" rasterYSize="96"><SRS>EPSG:32721</SRS>'
    "<GeoTransform>500000, 3, 0, 9000000, 0, -3</GeoTransform>"
)
BAND = '<VRTRasterBand dataType="UInt16" band="1">{}</VRTRasterBand></VRTDataset>'
SOURCE = (
    '<SimpleSource><SourceFilename relativeToVRT="{}">{}</SourceFilename><SourceBand>{}</SourceBand></SimpleSource>'
)


def plain(relative: int, name: object, band: int = 1) -> str:
    return HEAD + BAND.format(SOURCE.format(relative, name, band))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scene").mkdir()
    write_scene(tmp_path / "scene" / "a.tif", noise(2))
    write_scene(tmp_path / "secret.tif", noise(2))
    return tmp_path / "scene"


@pytest.mark.parametrize("relative", [True, False])
def test_a_mosaic_of_files_beside_it_is_read(folder, relative) -> None:
    path = folder / "a.vrt"
    path.write_text(plain(int(relative), "a.tif" if relative else folder / "a.tif", band=2))
    pixels, _ = Scene.open(path).read(Window(3, 4, 32, 32), 32)
    np.testing.assert_array_equal(pixels[:, :, 0], noise(2)[1, 4:36, 3:35])


@pytest.mark.parametrize(
    "content",
    [
        plain(1, "../secret.tif"),
        plain(0, "/etc/passwd"),
        plain(1, "link.tif"),
        plain(1, "/vsicurl/http://127.0.0.1:9/x.tif"),
        plain(0, "http://127.0.0.1:9/x.tif"),
        plain(0, "/vsizip/a.zip/x.tif"),
        plain(0, "GTIFF_DIR:1:a.tif"),
        plain(1, ""),
        plain(1, "gone.tif"),
        plain(1, "x" * 5000),
        plain(0, "&lt;VRTDataset/&gt;"),
        plain(1, "a.tif").replace("<SourceBand>", "<OpenOptions><OOI key='x'>y</OOI></OpenOptions><SourceBand>"),
        HEAD
        + BAND.format("<Overview><SourceFilename>/etc/passwd</SourceFilename><SourceBand>1</SourceBand></Overview>"),
        HEAD.replace("<VRTDataset", '<VRTDataset subClass="VRTWarpedDataset"')
        + BAND.format(SOURCE.format(1, "a.tif", 1)),
        HEAD
        + '<VRTRasterBand dataType="UInt16" band="1" subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="1">'
        "a.tif</SourceFilename><ImageOffset>0</ImageOffset></VRTRasterBand></VRTDataset>",
        HEAD + '<VRTRasterBand dataType="UInt16" band="1" subClass="VRTDerivedRasterBand"><PixelFunctionLanguage>Python'
        "</PixelFunctionLanguage><PixelFunctionCode>import os</PixelFunctionCode></VRTRasterBand></VRTDataset>",
        HEAD
        + "<Metadata domain='OVERVIEWS'><MDI key='OVERVIEW_FILE'>/etc/passwd</MDI></Metadata>"
        + BAND.format(SOURCE.format(1, "a.tif", 1)),
        HEAD + BAND.format(""),
        "<VRTDataset",
        "<VRTDataset>" * 100_000,
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + plain(1, "&b;"),
        "<?xml version='1.0'?><GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1:9</ServerUrl></Service></GDAL_WMS>",
    ],
)
def test_a_strangers_vrt_reads_nothing_else(folder, content) -> None:
    os.symlink(folder.parent / "secret.tif", folder / "link.tif")
    (folder / "a.vrt").write_text(content)
    with pytest.raises(UserError, match=r"Cannot read the VRT .*a\.vrt: ") as raised:
        Scene.open(folder / "a.vrt")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["inner.vrt", "service.tif"])
def test_what_a_vrt_names_is_looked_through_too(folder, name) -> None:
    (folder / "inner.vrt").write_text(plain(0, folder.parent / "secret.tif"))
    (folder / "service.tif").write_text(
        "<GDAL_WMS><Service name='TMS'><ServerUrl>http://x</ServerUrl></Service></GDAL_WMS>"
    )
    (folder / "a.vrt").write_text(plain(1, name))
    with pytest.raises(UserError, match=f"{name} is no scene"):
        Scene.open(folder / "a.vrt")


def test_the_way_out_is_told(folder) -> None:
    (folder / "a.vrt").write_text(plain(1, "../secret.tif"))
    with pytest.raises(UserError, match="Put it above the files that it is made of, or give their folder as the scene"):
        Scene.open(folder / "a.vrt")
