"""What is opened as a scene, and what a stranger's file cannot make GDAL do."""

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio

from competition.common.errors import UserError
from competition.gdal import sources
from competition.gdal.imports import SETTINGS, gdal
from competition.gdal.sources import Source, opened
from competition.scenes.grid import Window
from competition.scenes.scene import Scene
from tests.competition.scenes.samples import LEFT, METRES, NORTH_UP, TOP, noise, write_scene


def shifted(column: float, row: float = 0):
    return rasterio.Affine(METRES, 0, LEFT + column * METRES, 0, -METRES, TOP - row * METRES)


def write_tiles(folder: Path, values: np.ndarray, **profile) -> None:
    """Write four tiles of which one is missing, and one lies over its neighbour by ten columns."""
    folder.mkdir()
    write_scene(folder / "a.tif", values[:, :50, :70], **profile)
    write_scene(folder / "b.tif", values[:, :50, 60:], transform=shifted(60), **profile)
    write_scene(folder / "c.tif", values[:, 50:, :70], transform=shifted(0, 50), **profile)


def test_a_folder_is_a_mosaic_of_its_tiles(tmp_path) -> None:
    values = noise()
    write_tiles(tmp_path / "tiles", values, names="BGRN")
    (tmp_path / "tiles" / "notes.txt").touch()
    scene = Scene.open(tmp_path / "tiles", ("R", "B"))
    assert (scene.size, scene.name, scene.transform) == ((128, 96), "tiles", tuple(NORTH_UP)[:6])
    pixels, valid = scene.read(Window(48, 18, 32, 32), 32)
    np.testing.assert_array_equal(pixels, np.moveaxis(values[[2, 0], 18:50, 48:80], 0, -1))
    assert valid.all()
    assert scene.read(Window(50, 30, 40, 40), 40)[1].sum() == 40 * 40 - 20 * 20  # where a tile is missing


def test_what_lies_below_shows_where_a_tile_has_no_data(tmp_path) -> None:
    values = noise(1)
    covered = values.copy()
    covered[:, :, 60:66] = 0
    (tmp_path / "tiles").mkdir()
    write_scene(tmp_path / "tiles" / "a.tif", values[:, :, :70], nodata=0)
    write_scene(tmp_path / "tiles" / "b.tif", covered[:, :, 60:], transform=shifted(60), nodata=0)
    pixels, valid = Scene.open(tmp_path / "tiles").read(Window(50, 0, 32, 32), 32)
    assert valid.all()
    np.testing.assert_array_equal(pixels[:, :, 0], values[0, :32, 50:82])


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"crs": "EPSG:32722"}, "coordinate system"),
        ({"names": "RGBN"}, "bands"),
        ({"dtype": "float32"}, "data type"),
        ({"transform": rasterio.Affine(2, 0, LEFT, 0, -2, TOP)}, "pixels"),
    ],
)
def test_tiles_that_do_not_belong_together_are_named(tmp_path, profile, said) -> None:
    write_tiles(tmp_path / "tiles", noise(), names="BGRN")
    write_scene(
        tmp_path / "tiles" / "odd.tif", noise().astype(profile.get("dtype", "uint16")), **{"names": "BGRN", **profile}
    )
    with pytest.raises(UserError, match=rf"differ in {said}: a\.tif has .*, and others have not: odd\.tif"):
        Scene.open(tmp_path / "tiles")


def test_what_is_no_image_is_told(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.tif").write_text(
        "<GDAL_WMS><Service name='TMS'><ServerUrl>http://x/</ServerUrl></Service></GDAL_WMS>"
    )
    (tmp_path / "half.tif").write_bytes(b"II*\0\x08\0\0\0")
    for name, said in (
        ("none.tif", "Cannot read the scene .*none.tif: No such file"),
        ("empty", "holds no images: expected files with .tif, .tiff, .jp2"),
        ("text.tif", "is no scene: expected a GeoTIFF, JPEG 2000, or a VRT of such"),
        ("half.tif", "Cannot read the scene"),
    ):
        with pytest.raises(UserError, match=said):
            Source.of(tmp_path / name).handle()
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(UserError, match="it is no ordinary file"):
        Source.of(tmp_path / "pipe.tif")


def test_a_block_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch) -> None:
    path = write_scene(tmp_path / "a.tif", noise(4, 256, 256), tiled=True, blockxsize=256, blockysize=256)
    monkeypatch.setattr(sources, "LARGEST_BLOCK", 500_000)
    with pytest.raises(UserError, match=r"lies in blocks of 256 x 256 pixels, 524 kB each.*gdal_translate -of COG"):
        Scene.open(path)


def test_bands_of_what_is_no_number_are_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="holds complex64 values"):
        Scene.open(write_scene(tmp_path / "a.tif", noise(1).astype("complex64")))


@pytest.mark.parametrize("band", [0, 1])
def test_overviews_in_another_file_are_refused(tmp_path, band) -> None:
    secret = write_scene(tmp_path / "secret.tif", noise(1))
    path = write_scene(tmp_path / "a.tif", noise(1))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(band, ns="OVERVIEWS", OVERVIEW_FILE=str(secret))
    with pytest.raises(UserError, match="names another file as its overviews"), opened(path, "a.tif"):
        pass


@pytest.mark.parametrize("name", ["a.tif.ovr", "a.tif.msk", "a.tif.ovr.msk", "a.aux", "a.tif.aux"])
def test_what_lies_beside_a_file_opens_no_door(tmp_path, name) -> None:
    path = write_scene(tmp_path / "a.tif", noise(1))
    write_scene(tmp_path / "a.tif.ovr", noise(1))
    vrt = '<VRTDataset rasterXSize="4" rasterYSize="4"></VRTDataset>'
    (tmp_path / name).write_text("EHFA_HEADER_TAG" if name.endswith("aux") else vrt)
    with pytest.raises(UserError, match=rf"{name} (is no scene|lies beside the scene)"), opened(path, "a.tif"):
        pass


def test_overviews_beside_the_file_are_read(tmp_path) -> None:
    path = write_scene(tmp_path / "a.tif", noise(1, 512, 512))
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([4])
    assert (tmp_path / "a.tif.ovr").is_file()
    with opened(path, "a.tif") as dataset:
        assert dataset.overviews(1) == [4]


class Files(BaseHTTPRequestHandler):
    """Serves the files of a folder, by ranges; notes what it is asked for."""

    folder: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.asked.append(self.path)
        path = self.folder / self.path.lstrip("/").partition("?")[0]
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        first, _, last = self.headers.get("Range", f"bytes=0-{len(content) - 1}").removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last or len(content) - 1) + 1]
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if body:
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path):
    handler = type("Handler", (Files,), {"folder": tmp_path, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.asked
    server.shutdown()
    server.server_close()


def test_an_address_is_read_and_nothing_else_is_asked_for(tmp_path, served) -> None:
    url, asked = served
    values = noise()
    write_scene(tmp_path / "a.tif", values)
    scene = Scene.open(f"{url}/a.tif?token=hidden")
    pixels, _ = scene.read(Window(0, 0, 32, 32), 32)
    np.testing.assert_array_equal(pixels, np.moveaxis(values[:, :32, :32], 0, -1))
    assert {path.partition("?")[0] for path in asked} == {"/a.tif"}
    assert (scene.name, scene.source.shown) == ("a", f"{url}/a.tif")
    with pytest.raises(UserError, match="Cannot read the scene") as raised:
        Scene.open(f"{url}/none.tif?token=hidden")
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("where", ["ftp://x/a.tif", "zip+file://a.zip!b.tif", "file:///etc/passwd", "memory://a"])
def test_other_protocols_are_refused(where) -> None:
    with pytest.raises(UserError, match="scenes are read from http, https, s3, gs, az"):
        Source.of(where)


def test_a_file_cannot_make_gdal_ask_an_address(tmp_path, served, monkeypatch) -> None:
    url, asked = served
    monkeypatch.setitem(SETTINGS, "GDAL_HTTP_TIMEOUT", 2)
    monkeypatch.setitem(SETTINGS, "GDAL_HTTP_MAX_RETRY", 0)
    write_scene(tmp_path / "other.tif", noise(1))
    for name in (f"/vsicurl/{url}/other.tif", f"{url}/other.tif"):
        with gdal(), pytest.raises(rasterio.errors.RasterioIOError):
            rasterio.open(name)
    assert asked == []
    with gdal(remote=True), rasterio.open(f"{url}/other.tif") as dataset:
        assert dataset.count == 1
