"""What a scene says of itself, and its pixels by windows."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.enums import ColorInterp, Resampling

from competition.common.errors import UserError
from competition.data.chips import resize_chip
from competition.scenes import scene as scene_module
from competition.scenes.grid import Window
from competition.scenes.scene import Scene
from tests.competition.scenes.samples import LEFT, METRES, TOP, noise, write_scene

BGRN = ("B", "G", "R", "N")


def test_a_window_is_what_lies_there_in_the_order_of_bands_that_is_asked_for(tmp_path) -> None:
    values = noise()
    path = write_scene(tmp_path / "a.tif", values, names=["blue", "green", "red", "nir"])
    scene = Scene.open(path, ("N", "R", "b"))
    pixels, valid = scene.read(Window(10, 20, 32, 32), 32)
    np.testing.assert_array_equal(pixels, np.moveaxis(values[[3, 2, 0], 20:52, 10:42], 0, -1))
    assert valid.all()
    assert (scene.bands, scene.dtype, scene.name, scene.size) == (("N", "R", "b"), "uint16", "a", (128, 96))
    assert scene.metres == pytest.approx((METRES, METRES), rel=1e-3)


def test_a_window_is_resized_as_chips_are(tmp_path) -> None:
    values = noise()
    scene = Scene.open(write_scene(tmp_path / "a.tif", values))
    for window, size in ((Window(0, 0, 48, 48), 32), (Window(5, 5, 20, 24), 32), (Window(0, 0, 96, 96), 8)):
        chip = np.moveaxis(values[:, window.y : window.y + window.height, window.x : window.x + window.width], 0, -1)
        np.testing.assert_array_equal(scene.read(window, size)[0], resize_chip(chip, size))


def test_overviews_are_read_where_a_scene_is_much_finer(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(scene_module, "LARGE", 64)
    path = write_scene(tmp_path / "a.tif", noise(1, 512, 512), tiled=True, blockxsize=128, blockysize=128)
    fine, _ = Scene.open(path).read(Window(0, 0, 256, 256), 64)
    assert fine.std() < 600  # means of 16 pixels; of single ones it would be 1,440
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([4], Resampling.average)
    with rasterio.open(path, "r+", OVERVIEW_LEVEL=0) as overview:
        overview.write(np.full((1, 128, 128), 7, np.uint16))
    assert (Scene.open(path).read(Window(0, 0, 256, 256), 64)[0] == 7).all()


def test_pixels_without_data_are_known(tmp_path) -> None:
    values = noise()
    values[2, :8, :8] = 0
    values[:, 40:, 60:] = 0
    path = write_scene(tmp_path / "a.tif", values, nodata=0)
    pixels, valid = Scene.open(path).read(Window(0, 0, 16, 16), 16)
    assert not valid[:8, :8].any()
    assert valid[8:].all()
    least = values[2, :16, :16][values[2, :16, :16] > 0].min()
    assert (pixels[:8, :8, 2] == least).all()
    assert Scene.open(path, ["band 1"]).read(Window(0, 0, 16, 16), 16)[1].all()  # of the bands that are asked for
    pixels, valid = Scene.open(path).read(Window(64, 48, 32, 32), 32)
    assert not valid.any()
    assert not pixels.any()


def test_nan_and_masks_are_no_data(tmp_path) -> None:
    values = noise(1, dtype="float64")
    values[0, :4] = np.nan
    pixels, valid = Scene.open(write_scene(tmp_path / "a.tif", values)).read(Window(0, 0, 8, 8), 8)
    assert (pixels.dtype, valid.sum()) == (np.float32, 32)
    assert np.isfinite(pixels).all()
    path = write_scene(tmp_path / "b.tif", noise(3, dtype="uint8"))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(np.arange(128)[None].repeat(96, 0) >= 4)
    assert Scene.open(path).read(Window(0, 0, 8, 8), 8)[1].sum() == 32


def test_opacity_is_a_mask_unless_the_band_is_named_as_data(tmp_path) -> None:
    values = noise()
    values[3, :, :8] = 0
    path = write_scene(tmp_path / "a.tif", values, photometric="rgb", alpha="yes")
    scene = Scene.open(path)
    assert scene.bands == ("red", "green", "blue")
    assert not scene.read(Window(0, 0, 8, 8), 8)[1].any()
    named = Scene.open(path, ("N",), named=BGRN)  # as Planet's files, which call near infrared opacity
    pixels, valid = named.read(Window(0, 0, 16, 8), 8)
    assert valid.all()
    assert not pixels[:, :3].any()


def test_scales_of_the_file_are_told(tmp_path) -> None:
    path = write_scene(tmp_path / "a.tif", noise(2))
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.1, 0.2), (1, 2)
        dataset.colorinterp = (ColorInterp.gray, ColorInterp.undefined)
    scene = Scene.open(path, ("band 2",))
    assert (scene.scales, scene.offsets) == ((0.2,), (2.0,))


def test_threads_read_at_once_each_by_a_handle_of_its_own(tmp_path) -> None:
    values = noise(2, 256, 256)
    scene = Scene.open(write_scene(tmp_path / "a.tif", values, tiled=True, blockxsize=64, blockysize=64))
    windows = scene.sample((40, 40), 60)
    seen = set()

    def read(window: Window) -> bool:
        seen.add((threading.get_ident(), id(scene._handles.of_this_thread())))
        chip = values[:, window.y : window.y + 40, window.x : window.x + 40]
        return bool((scene.read(window, 40)[0] == np.moveaxis(chip, 0, -1)).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, windows))
    assert len({thread for thread, _ in seen}) == len({handle for _, handle in seen}) == len(seen)


@pytest.mark.parametrize(("size", "overviews"), [(32, ()), (20, ()), (8, ()), (8, (4,))])
def test_neighbours_that_are_read_at_once_are_as_when_read_alone(tmp_path, monkeypatch, size, overviews) -> None:
    monkeypatch.setattr(scene_module, "LARGE", 8)
    values = noise(3, 96, 256)
    values[:, 30:50, 60:100] = 0
    path = write_scene(tmp_path / "a.tif", values, nodata=0, tiled=True, blockxsize=64, blockysize=64)
    if overviews:
        with rasterio.open(path, "r+") as dataset:
            dataset.build_overviews(overviews, Resampling.average)
    scene = Scene.open(path)
    row = [Window(x, 20, 32, 32) for x in (*range(0, 224, 16), 219)]
    below = [Window(x, y, 32, 32) for y in (20, 36, 52) for x in (16, 32, 48, 64)]
    for windows in (row, row[:-1], row[:1], [*row[:2], Window(3, 50, 32, 32)], below):
        for window, (chip, seen) in zip(windows, scene.read_batch(windows, size), strict=True):
            alone, seen_alone = scene.read(window, size)
            np.testing.assert_array_equal(chip, alone)
            np.testing.assert_array_equal(seen, seen_alone)


def test_a_digest_knows_a_scene_again_wherever_it_lies(tmp_path) -> None:
    values = noise(1)
    first = Scene.open(write_scene(tmp_path / "a.tif", values)).digest()
    assert Scene.open(write_scene(tmp_path / "b.tif", values, compress="deflate")).digest() == first
    assert Scene.open(write_scene(tmp_path / "c.tif", values[:, ::-1])).digest() != first
    moved = write_scene(tmp_path / "d.tif", values, transform=Affine(METRES, 0, LEFT + 3, 0, -METRES, TOP))
    assert Scene.open(moved).digest() != first


def test_damage_is_one_line(tmp_path) -> None:
    path = write_scene(tmp_path / "a.tif", noise(1, 512, 512), compress="deflate", tiled=True)
    content = bytearray(path.read_bytes())
    content[50_000:300_000] = bytes(250_000)
    path.write_bytes(content)
    scene = Scene.open(path)
    with pytest.raises(UserError, match=r"Cannot read the scene .*a\.tif"):
        scene.read(Window(0, 0, 512, 512), 512)


def test_values_that_no_sensor_gives_are_no_data_though_no_tag_says_so(tmp_path) -> None:
    values = noise(dtype="float32")
    values[:, :, :40] = np.finfo(np.float32).min
    values[1, 5, 50] = np.nan
    _, valid = Scene.open(write_scene(tmp_path / "a.tif", values)).read(Window(0, 0, 96, 96), 96)
    assert not valid[:, :40].any()
    assert (~valid[:, 40:]).sum() == 1


def test_colours_of_a_table_are_refused(tmp_path) -> None:
    path = write_scene(tmp_path / "a.tif", noise(1, dtype="uint8"), photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {number: (number, 0, 0, 255) for number in range(256)})
    with pytest.raises(UserError, match=r"holds colours of a table. Write it in three bands"):
        Scene.open(path, named="P")
