from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from competition.data.chips import BrokenChipError, read_chip, read_with_gaps, resize_chip
from competition.spec.images import ImageSet
from tests.competition.samples import pixels


def rendering(suffix: str, bands: str = "RGB") -> ImageSet:
    return ImageSet(suffix=suffix, bands=bands, train=("train",), test=("test",))


def test_an_rgb_jpeg_is_read(tmp_path: Path) -> None:
    Image.fromarray(pixels(0, size=64)).save(tmp_path / "a.jpg", quality=95)
    chip = read_chip(tmp_path / "a.jpg", rendering(".jpg"))
    assert chip.dtype == np.uint8
    assert np.abs(chip.astype(int) - pixels(0, size=64)).mean() < 3


def test_a_cmyk_jpeg_is_read_as_the_colours_it_shows(tmp_path: Path) -> None:
    # Kaggle's files; Pillow writes the inversion of Adobe, which TensorFlow decodes to zeros.
    Image.fromarray(pixels(0, size=64)).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.mode == "CMYK"
    chip = read_chip(tmp_path / "a.jpg", rendering(".jpg"))
    assert chip.shape == (64, 64, 3)
    assert np.abs(chip.astype(int) - pixels(0, size=64)).mean() < 3


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA", "L", "LA", "1"])
def test_a_png_of_any_mode_is_read_as_rgb(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(pixels(0)).convert(mode)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_chip(tmp_path / "a.png", rendering(".png")), picture.convert("RGB"))


def test_a_grey_chip_has_one_band(tmp_path: Path) -> None:
    grey = pixels(0, bands=1)
    Image.fromarray(grey[:, :, 0]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_chip(tmp_path / "a.png", rendering(".png", "G")), grey)


def test_a_16_bit_grey_png_keeps_its_values(tmp_path: Path) -> None:
    deep = pixels(0, bands=1).astype(np.uint16) * 200
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep[:, :, 0]))
    np.testing.assert_array_equal(read_chip(tmp_path / "a.png", rendering(".png", "G")), deep)
    np.testing.assert_array_equal(read_chip(tmp_path / "a.png", rendering(".png")), deep.repeat(3, axis=2))


def test_the_fourth_band_of_a_png_is_data(tmp_path: Path) -> None:
    chip = pixels(0, bands=4)
    chip[:4, :, 3] = 0
    Image.fromarray(chip).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_chip(tmp_path / "a.png", rendering(".png", "RGBN")), chip)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("bands", ["R", "RGB", "BGRN", "BGRNS"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
def test_tiffs_of_every_kind_are_read(
    tmp_path: Path, dtype: type[np.unsignedinteger], bands: str, planar: str, compression: str | None
) -> None:
    chip = pixels(0, bands=len(bands)).astype(dtype) * (1 if dtype is np.uint8 else 250)
    stored = chip if planar == "contig" else np.moveaxis(chip, -1, 0)
    if len(bands) == 1:
        stored, planar = chip[:, :, 0], None
    tifffile.imwrite(
        tmp_path / "a.tif",
        stored,
        photometric="rgb" if bands == "RGB" else "minisblack",
        planarconfig=planar,
        compression=compression,
    )
    read = read_chip(tmp_path / "a.tif", rendering(".tif", bands))
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, chip)


def test_a_tiff_of_single_band_pages_is_read(tmp_path: Path) -> None:
    chip = pixels(0, bands=4)
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(chip, -1, 0), photometric="minisblack")
    np.testing.assert_array_equal(read_chip(tmp_path / "a.tif", rendering(".tif", "BGRN")), chip)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing", "folder"])
def test_a_damaged_chip_is_named_in_one_line(tmp_path: Path, suffix: str, damage: str) -> None:
    path = tmp_path / f"a{suffix}"
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    if damage == "folder":
        path.mkdir()
    elif damage == "text":
        path.write_text("404: not found")
    elif damage != "missing":
        if suffix == ".tif":
            tifffile.imwrite(path, noise, photometric="rgb")
        else:
            Image.fromarray(noise).save(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if damage == "truncated" else b"")
    with pytest.raises(BrokenChipError, match=f"^Broken chip .*a{suffix}: .") as caught:
        read_chip(path, rendering(suffix))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_a_black_chip_is_refused(tmp_path: Path, suffix: str) -> None:
    black = np.zeros((16, 16, 3), dtype=np.uint8)
    if suffix == ".tif":
        tifffile.imwrite(tmp_path / "a.tif", black, photometric="rgb")
    else:
        Image.fromarray(black).save(tmp_path / f"a{suffix}")
    with pytest.raises(BrokenChipError, match="every pixel is 0"):
        read_chip(tmp_path / f"a{suffix}", rendering(suffix))


def test_the_wrong_number_of_bands_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(0, bands=4), photometric="minisblack", planarconfig="contig")
    with pytest.raises(BrokenChipError, match=r"expected 3 bands, received shape \(16, 16, 4\)"):
        read_chip(tmp_path / "a.tif", rendering(".tif"))
    Image.fromarray(pixels(0)).save(tmp_path / "a.png")
    with pytest.raises(BrokenChipError, match=r"expected 4 bands, received shape \(16, 16, 3\)"):
        read_chip(tmp_path / "a.png", rendering(".png", "RGBN"))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_of_absurd_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(pixels(0)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.raises(BrokenChipError, match="16 x 16 pixels are too many"):
        read_chip(tmp_path / "a.png", rendering(".png"))


@given(
    st.sampled_from([np.uint8, np.uint16]), st.integers(1, 5), st.integers(2, 40), st.integers(2, 40), st.integers(0, 9)
)
@settings(deadline=None, max_examples=60)
def test_resizing_keeps_type_and_range(dtype: type, bands: int, size: int, wanted: int, seed: int) -> None:
    limit = np.iinfo(dtype).max
    chip = np.random.default_rng(seed).choice(np.array([0, limit], dtype=dtype), (size, size, bands))
    resized = resize_chip(chip, wanted)
    assert resized.shape == (wanted, wanted, bands)
    assert resized.dtype == dtype
    flat = np.full((size, size, bands), limit, dtype=dtype)
    np.testing.assert_array_equal(resize_chip(flat, wanted), np.full((wanted, wanted, bands), limit))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_bands_are_resized_apart(dtype: type) -> None:
    # As an RGBA picture, red, green and blue would be weighted by the fourth band and lost where it is 0.
    chip = pixels(3, size=32, bands=4).astype(dtype)
    chip[:, :16, 3] = 0
    together = resize_chip(chip, 12)
    for band in range(4):
        alone = resize_chip(np.ascontiguousarray(chip[:, :, band : band + 1]), 12)[:, :, 0]
        np.testing.assert_allclose(together[:, :, band].astype(int), alone.astype(int), atol=1)


def test_shrinking_averages() -> None:
    checkers = (np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    assert abs(resize_chip(checkers, 8).astype(int) - 127).max() <= 12


def test_a_chip_of_the_right_size_is_left_alone() -> None:
    chip = pixels(0)
    assert resize_chip(chip, 16) is chip


def test_all_16_bits_of_a_png_are_kept(tmp_path: Path) -> None:
    chip = np.arange(4 * 5 * 3, dtype=np.uint16).reshape(4, 5, 3) * 1000 + 7
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(chip))
    np.testing.assert_array_equal(read_chip(tmp_path / "a.png", rendering(".png")), chip)


# Deeper values, pixels without data, and a file for each band


def floats(size: int = 8, bands: int = 3) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(size, size, bands)).astype(np.float32)


def many(**values: object) -> ImageSet:
    return ImageSet.model_validate({"suffix": ".tif", "bands": "RGB", "train": "train", **values})


def write_tif(path: Path, chip: np.ndarray) -> Path:
    tifffile.imwrite(path, chip.squeeze(), photometric="minisblack", planarconfig="contig" if chip.ndim > 2 else None)
    return path


@pytest.mark.parametrize(("stored", "read"), [("i2", "i2"), ("f4", "f4"), ("f8", "f4"), ("f2", "f4")])
def test_signed_values_and_floats_are_read(tmp_path: Path, stored: str, read: str) -> None:
    chip = (floats() * 100).astype(stored)
    got = read_chip(write_tif(tmp_path / "a.tif", chip), many())
    assert got.dtype == np.dtype(read)
    np.testing.assert_array_equal(got, chip.astype(read))
    assert resize_chip(got, 5).dtype == np.dtype(read)
    assert (resize_chip(got, 5) < 0).any()


@pytest.mark.parametrize("dtype", ["i4", "u4", "i1", "c8"])
def test_other_values_are_refused(tmp_path: Path, dtype: str) -> None:
    path = write_tif(tmp_path / "a.tif", pixels(0).astype(dtype))
    with pytest.raises(BrokenChipError, match=r"expected values of uint8, uint16, int16, float32, received"):
        read_chip(path, many())


def test_values_that_are_no_numbers_are_refused_unless_the_file_says_what_they_are(tmp_path: Path) -> None:
    chip = floats()
    chip[2, 3] = np.nan
    path = write_tif(tmp_path / "a.tif", chip)
    with pytest.raises(BrokenChipError, match=r'it holds NaN; if .*, say nodata = "nan" in the competition file\.'):
        read_chip(path, many())
    read, missing = read_with_gaps(path, many(nodata="nan"))
    assert missing is not None
    assert missing.sum() == 3
    np.testing.assert_array_equal(read[2, 3], np.nanmin(chip, axis=(0, 1)))
    np.testing.assert_array_equal(read[~missing], chip[~missing])
    chip[0, 0] = np.inf
    with pytest.raises(BrokenChipError, match="it holds infinite values"):
        read_chip(write_tif(path, chip), many(nodata="nan"))


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("u1", 0.0), ("u2", 65535.0), ("i2", -9999.0), ("f4", -9999.0), ("f4", -3.4028234663852886e38), ("f8", -1.7e308)],
)
@pytest.mark.parametrize("range_", [{}, {"R": [-40, 300]}])
def test_pixels_without_data_become_the_least_of_their_band(
    tmp_path: Path, dtype: str, nodata: float, range_: dict
) -> None:
    chip = pixels(0).astype(dtype)
    chip[chip < 30] = 30
    with np.errstate(over="ignore"):
        chip[1, :5, 0] = chip[2, 2, 1] = np.dtype(dtype).type(nodata)
    read = read_chip(write_tif(tmp_path / "a.tif", chip), many(nodata=nodata, range=range_))
    least = {"u1": chip[3:, :, 0].min(), "u2": 0}.get(dtype, -40) if range_ else chip[3:, :, 0].min()
    assert set(read[1, :5, 0].tolist()) == {least}
    assert read[2, 2, 1] == chip[3:, :, 1].min()
    np.testing.assert_array_equal(read[3:], chip[3:])


def test_a_chip_without_any_data_is_broken_unless_black_ones_are_valid(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.full((4, 4, 3), -1, np.int16))
    with pytest.raises(BrokenChipError, match=r"no pixel has data\.$"):
        read_chip(path, many(nodata=-1))
    assert not read_chip(path, many(nodata=-1, black="valid")).any()
    black = write_tif(tmp_path / "b.tif", np.zeros((4, 4, 3), np.uint8))
    assert not read_chip(black, many(black="valid")).any()


def test_bands_of_several_files_are_brought_to_the_largest_size(tmp_path: Path) -> None:
    images = many(file="{id}_{band}", bands=["B02", "B05", "B01"])
    bands = [pixels(number, size=size, bands=1).astype(np.uint16) for number, size in enumerate((12, 6, 2))]
    files = tuple(write_tif(tmp_path / f"{name}.tif", band) for name, band in zip(images.bands, bands, strict=True))
    chip = read_chip(files, images)
    assert (chip.shape, chip.dtype) == ((12, 12, 3), np.uint16)
    for column, band in enumerate(bands):
        np.testing.assert_array_equal(chip[:, :, column], resize_chip(band, 12)[:, :, 0])


def test_pixels_without_data_do_not_bleed_into_their_neighbours(tmp_path: Path) -> None:
    images = many(file="{id}_{band}", bands=["B02", "B05"], nodata=-9999)
    fine, coarse = np.full((8, 8), 500, np.int16), np.full((4, 4), 700, np.int16)
    coarse[0, 0], coarse[3, 3] = -9999, 650
    files = (write_tif(tmp_path / "1.tif", fine), write_tif(tmp_path / "2.tif", coarse))
    chip, missing = read_with_gaps(files, images)
    assert chip.min() >= 500
    assert missing is not None
    assert missing[..., 1].sum() == 4
    assert missing[:2, :2, 1].all()


def test_what_is_wrong_with_one_of_several_files_is_said_of_it(tmp_path: Path) -> None:
    images = many(file="{id}_{band}", bands=["B02", "B05"])
    one, other = write_tif(tmp_path / "1.tif", pixels(0, bands=1)), write_tif(tmp_path / "2.tif", pixels(0))
    with pytest.raises(BrokenChipError, match=r"2\.tif: expected 1 band, received shape \(16, 16, 3\)\.$"):
        read_chip((one, other), images)
    deep = write_tif(tmp_path / "3.tif", pixels(0, bands=1).astype(np.uint16))
    with pytest.raises(BrokenChipError, match=r"1\.tif: its bands have several data types: uint16, uint8\.$"):
        read_chip((one, deep), images)
    with pytest.raises(BrokenChipError, match=r"4\.tif: .*No such file"):
        read_chip((one, tmp_path / "4.tif"), images)
