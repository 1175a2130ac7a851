"""Image files of every kind become the values that they hold, whatever their names say."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps, PngImagePlugin

from competition.data.chips import BrokenChipError, read_chip
from competition.data.decode import decode, read_raw
from competition.spec.images import ImageSet
from tests.competition.samples import pixels

RGB = tuple("RGB")


def saved(path: Path, chip: np.ndarray, kind: str, **options: Any) -> Path:
    Image.fromarray(chip).save(path, kind, **options)
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG2000", "TIFF", "BMP"])
def test_the_content_decides_and_not_the_suffix(tmp_path: Path, name: str, kind: str) -> None:
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    chip = pixels(0)
    np.testing.assert_array_equal(decode(saved(tmp_path / name, chip, kind, **options), RGB), chip)


@pytest.mark.parametrize("kind", ["PNG", "JPEG2000", "WEBP"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "L"])
def test_opacity_is_no_band_and_grey_becomes_colours(tmp_path: Path, kind: str, mode: str) -> None:
    if kind == "WEBP" and mode == "LA":
        pytest.skip("WebP knows no grey")
    picture = Image.fromarray(pixels(0)).convert(mode)
    if mode.endswith("A"):
        picture.putalpha(77)
    picture.save(tmp_path / "a", kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(decode(tmp_path / "a", RGB), picture.convert("RGB"))


@pytest.mark.parametrize("transparency", [0, bytes(range(200))])
def test_a_palette_with_transparency_is_its_colours(tmp_path: Path, transparency: int | bytes) -> None:
    picture = Image.fromarray(pixels(0)).convert("P", palette=Image.Palette.ADAPTIVE)
    picture.save(tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", RGB), picture.convert("RGB"))


@pytest.mark.parametrize("kind", ["PNG", "J2K"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_deep_pictures_keep_every_bit(tmp_path: Path, kind: str, bands: int) -> None:
    chip = pixels(0, bands=bands).astype(np.uint16) * 250 + 3
    encode = imagecodecs.png_encode if kind == "PNG" else lambda values: imagecodecs.jpeg2k_encode(values, level=0)
    (tmp_path / "a.jpg").write_bytes(encode(chip.squeeze()))
    for wanted in {1: ("R", RGB), 2: ("R", RGB), 3: (RGB,), 4: (RGB, tuple("RGBN"))}[bands]:
        shown = chip[:, :, : len(wanted)] if bands > 2 else chip[:, :, :1].repeat(len(wanted), axis=2)
        np.testing.assert_array_equal(decode(tmp_path / "a.jpg", tuple(wanted)), shown)


def test_grey_is_no_colour_where_other_bands_or_none_are_to_be_made_of_it(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(0, bands=1)[:, :, 0])
    assert decode(tmp_path / "a.tif", RGB).shape == (16, 16, 3)
    assert decode(tmp_path / "a.tif", ("VV", "VH", "angle")).shape == (16, 16, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_stand_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    wide = np.ascontiguousarray(pixels(0, size=24)[:16])
    path = saved(tmp_path / "a", wide, kind, exif=exif)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    assert expected.shape == ((16, 24, 3) if orientation < 5 else (24, 16, 3))
    np.testing.assert_array_equal(decode(path, RGB), expected)


def test_deep_pictures_stand_upright_too(tmp_path: Path) -> None:
    chip = pixels(0, bands=3).astype(np.uint16) * 250
    for orientation, turned in ((3, chip[::-1, ::-1]), (6, np.rot90(chip, -1)), (8, np.rot90(chip))):
        tifffile.imwrite(tmp_path / "a.tif", chip, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
        np.testing.assert_array_equal(decode(tmp_path / "a.tif", RGB), turned)


def test_damaged_exif_does_not_spoil_the_pixels(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", pixels(0), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(decode(path, RGB), pixels(0))


def test_large_text_in_a_png_is_passed_over(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("history", "edited again and again " * 100_000, zip=True)
    path = saved(tmp_path / "a.png", pixels(0), "PNG", pnginfo=text)
    np.testing.assert_array_equal(decode(path, RGB), pixels(0))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", "f8"])
@pytest.mark.parametrize("bands", [1, 5, 200])
@pytest.mark.parametrize("planar", ["contig", "separate", "pages"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiffs_of_any_number_of_bands_and_type_are_read(
    tmp_path: Path, dtype: str, bands: int, planar: str, order: str
) -> None:
    chip = (np.random.default_rng(0).normal(size=(6, 7, bands)) * 99).astype(np.int8).astype(f"{order}{dtype}")
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder=order) as file:
        if planar == "pages":
            for band in range(bands):
                file.write(chip[:, :, band], photometric="minisblack")
        elif bands == 1:
            file.write(chip[:, :, 0], photometric="minisblack")
        else:
            stored = chip if planar == "contig" else np.moveaxis(chip, -1, 0)
            file.write(stored, photometric="minisblack", planarconfig=planar)
    read = decode(tmp_path / "a.tif", tuple(f"B{band}" for band in range(bands)))
    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, chip)


@pytest.mark.parametrize(("extra", "expected"), [("unassalpha", 3), ("assocalpha", 3), ("unspecified", 4)])
def test_opacity_of_a_tiff_is_no_band_unless_it_is_one(tmp_path: Path, extra: str, expected: int) -> None:
    chip = pixels(0, bands=4)
    chip[..., 3] = 255 * (chip[..., 3] > 99)
    tifffile.imwrite(tmp_path / "a.tif", chip, photometric="rgb", extrasamples=[extra])
    np.testing.assert_array_equal(decode(tmp_path / "a.tif", RGB), chip[:, :, :expected])
    np.testing.assert_array_equal(decode(tmp_path / "a.tif", tuple("RGBN")), chip)
    # Planet's near infrared is called opacity too.
    tifffile.imwrite(tmp_path / "a.tif", pixels(0, bands=4), photometric="rgb", extrasamples=[extra])
    assert decode(tmp_path / "a.tif", RGB).shape == (16, 16, 4)


@pytest.mark.parametrize("mode", ["P", "1", "CMYK"])
def test_a_tiff_of_palette_bits_or_ink_is_the_colours_it_shows(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(pixels(0)).convert(mode)
    picture.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(decode(tmp_path / "a.tif", RGB), picture.convert("RGB"))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("mode", "bands"), [("RGB", 3), ("P", 3), ("L", 1), ("1", 1), ("RGBA", 4), ("CMYK", 3)])
def test_of_no_number_of_bands_a_picture_has_those_that_it_shows(
    tmp_path: Path, suffix: str, mode: str, bands: int
) -> None:
    if (suffix, mode) == (".png", "CMYK"):
        pytest.skip("PNG knows no ink")
    picture = Image.fromarray(pixels(0)).convert(mode)
    picture.save(tmp_path / f"a{suffix}")
    with (tmp_path / f"a{suffix}").open("rb") as file:
        raw = read_raw(file)
    assert raw.array.shape == (16, 16, bands)
    shown = picture.convert({1: "L", 3: "RGB", 4: "RGBA"}[bands])
    np.testing.assert_array_equal(raw.array.squeeze(), shown)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "jpeg"])
def test_a_tiff_that_ends_early_is_broken_wherever_it_does(tmp_path: Path, compression: str | None) -> None:
    images = ImageSet(suffix=".tif", bands="RGB", train=("train",))
    chip, buffer = pixels(0, size=32), io.BytesIO()
    tifffile.imwrite(buffer, chip, photometric="rgb", compression=compression, rowsperstrip=16)
    whole = buffer.getvalue()
    for length in range(1, len(whole), max(1, len(whole) // 40)):
        (tmp_path / "a.tif").write_bytes(whole[:length])
        with pytest.raises(BrokenChipError, match=r"^Broken chip .*a\.tif: .+\.$"):
            read_chip(tmp_path / "a.tif", images)
