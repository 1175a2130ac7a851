from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from competition.common.errors import UserError
from competition.survey.content import Content, content_of
from competition.survey.images import Found, find_images
from competition.survey.listing import Listing
from tests.competition.init.folders import pictures, tiff
from tests.competition.samples import pixels

NAMES = [f"x{i}" for i in range(6)]


def seen(folder: Path) -> list[Found]:
    with Listing.of(folder) as listing:
        return find_images(listing, "stem", NAMES, [])


def seen_in(folder: Path) -> Content:
    (images,) = seen(folder)
    return content_of(images)


@pytest.mark.parametrize(("mode", "bands"), [("RGB", "RGB"), ("L", "RGB"), ("RGBA", ["R", "G", "B", "N"])])
def test_pictures_have_the_bands_that_their_mode_says(mode: str, bands: object, tmp_path: Path) -> None:
    pictures(tmp_path / "a", [f"{name}.png" for name in NAMES], mode)
    content = seen_in(tmp_path)
    assert (content.bands, content.dtype, content.range) == (bands, "uint8", {})


def test_opacity_that_is_the_same_everywhere_is_no_data(tmp_path: Path) -> None:
    for name in NAMES:
        Image.fromarray(pixels(1)).convert("RGBA").save(tmp_path / f"{name}.png")
    assert seen_in(tmp_path).bands == "RGB"


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_deep_bands_have_the_range_of_most_of_their_values(dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in NAMES:
        values = rng.normal([500, 2000], [20, 100], (32, 32, 2)).astype(dtype)
        values[0, 0] = 9 if dtype == "uint16" else -9
        tiff(values, tmp_path / "a" / f"{name}.tif")
    content = seen_in(tmp_path)
    assert (content.bands, content.dtype) == (["B1", "B2"], dtype)
    assert content.range["B1"] == pytest.approx((453, 547), abs=8)
    assert content.range["B2"] == pytest.approx((1767, 2233), abs=40)


def test_values_without_data_are_left_out_of_the_range(tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        values = np.full((16, 16, 1), np.nan, np.float32)
        values[:8] = np.linspace(number, number + 1, 128).reshape(8, 16, 1)
        tiff(values, tmp_path / "a" / f"{name}.tif")
    content = seen_in(tmp_path)
    assert content.nodata == "nan"
    assert content.range["B1"] == pytest.approx((0, 6), abs=0.2)


def test_bands_are_named_by_the_pictures_of_the_same_chips(tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        colours = pixels(number, size=32)
        Image.fromarray(colours).save(tmp_path / f"{name}.png")
        near = pixels(1000 + number, size=32, bands=1)
        tiff(np.concatenate([colours[..., ::-1], near], axis=2).astype(np.uint16) * 9, tmp_path / f"{name}.tif")
    png, tif = seen(tmp_path)
    assert content_of(tif, png).bands == "BGRN"


def test_bands_are_named_as_the_files_name_them(tmp_path: Path) -> None:
    items = "".join(f'<Item name="DESCRIPTION" sample="{i}" role="description">B{i}A</Item>' for i in range(2))
    tag = (42112, "s", 0, f"<GDALMetadata>{items}</GDALMetadata>", True)
    for name in NAMES:
        tiff(np.ones((8, 8, 2), np.uint16), tmp_path / "a" / f"{name}.tif", extratags=[tag])
    assert seen_in(tmp_path).bands == ["B0A", "B1A"]


@pytest.mark.parametrize(("bands", "shape"), [("RGB", (16, 16, 3)), (["grey"], (16, 16))])
def test_deep_pictures_that_are_no_tiffs_are_as_deep_as_they_are_read(
    bands: object, shape: tuple[int, ...], tmp_path: Path
) -> None:
    for number, name in enumerate(NAMES):
        values = np.random.default_rng(number).integers(0, 4096, shape, dtype=np.uint16)
        (tmp_path / f"{name}.jp2").write_bytes(imagecodecs.jpeg2k_encode(values, level=0))
    content = seen_in(tmp_path)
    assert (content.bands, content.dtype) == (bands, "uint16")
    assert content.range[bands[0]] == pytest.approx((41, 4054), abs=60)


def test_files_that_cannot_be_decoded_leave_a_question(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    assert any("could be decoded" in question for question in seen_in(tmp_path).questions)


def test_several_pictures_in_colours_are_no_bands(tmp_path: Path) -> None:
    pictures(tmp_path / "a", [f"{name}_{view}.png" for name in NAMES for view in (1, 2)])
    with Listing.of(tmp_path) as listing:
        (images,) = find_images(listing, "pattern", NAMES, [])
        with pytest.raises(UserError, match="one picture per chip, or one file per band"):
            content_of(images)


@pytest.mark.parametrize(
    ("keys", "scale", "metres"),
    [
        ((1024, 0, 1, 1, 3076, 0, 1, 9001), (3.0, 3.0, 0.0), 3.0),
        ((1024, 0, 1, 1, 3076, 0, 1, 9001), (0.50000001, 0.50000001, 0.0), 0.5),
        ((1024, 0, 1, 2, 2054, 0, 1, 9102), (1e-05, 1e-05, 0.0), None),
        ((1024, 0, 1, 1, 3076, 0, 1, 9002), (3.0, 3.0, 0.0), None),
        ((1024, 0, 1, 1, 3076, 0, 1, 9001), (3.0, 4.0, 0.0), None),
        ((1024, 0, 1, 1, 3076, 0, 1, 9001), (0.0, 0.0, 0.0), None),
        ((1024, 0), (3.0,), None),
    ],
)
def test_pixels_are_as_large_as_projected_files_say(keys: tuple, scale: tuple, metres: float | None, tmp_path) -> None:
    directory = (1, 1, 0, len(keys) // 4, *keys)
    tags = [(34735, "H", len(directory), directory, True), (33550, "d", len(scale), scale, True)]
    for name in NAMES:
        tiff(np.ones((8, 8, 2), np.uint16), tmp_path / "a" / f"{name}.tif", extratags=tags)
    assert seen_in(tmp_path).metres == metres


def test_files_that_say_several_sizes_say_none(tmp_path: Path) -> None:
    keys = (1, 1, 0, 2, 1024, 0, 1, 1, 3076, 0, 1, 9001)
    for number, name in enumerate(NAMES):
        tags = [(34735, "H", len(keys), keys, True), (33550, "d", 3, (3.0 + number, 3.0 + number, 0.0), True)]
        tiff(np.ones((8, 8, 2), np.uint16), tmp_path / "a" / f"{name}.tif", extratags=tags)
    assert seen_in(tmp_path).metres is None
