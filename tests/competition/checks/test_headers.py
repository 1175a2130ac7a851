"""What a file says of itself before it is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from competition.checks.headers import read_header
from tests.competition.checks.samples import check, texts
from tests.competition.samples import pixels


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(".jpg", "JPEG"), (".png", "PNG"), (".tif", "TIFF"), (".webp", "WebP"), (".jp2", "JPEG 2000"), (".bmp", "BMP")],
)
def test_the_content_says_the_kind_and_another_suffix_is_noticed(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"chip{suffix}"
    Image.fromarray(pixels(1)).save(path)
    header = read_header(path)
    assert (header.kind, header.is_misnamed, header.is_turned, header.has_alpha) == (kind, False, False, False)
    other = path.rename(path.with_suffix(".gif"))
    assert read_header(other).is_misnamed
    assert not read_header(other.rename(path.with_suffix(".dat"))).is_misnamed


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("turn", [1, 6])
def test_a_turn_is_seen(tmp_path: Path, suffix: str, turn: int) -> None:
    exif = Image.Exif()
    exif[274] = turn
    path = tmp_path / f"chip{suffix}"
    Image.fromarray(pixels(1)).save(path, exif=exif)
    assert read_header(path).is_turned == (turn != 1)


def test_alpha_is_dropped_unless_it_is_read_as_a_band(tmp_path: Path) -> None:
    Image.fromarray(pixels(1, bands=4), "RGBA").save(tmp_path / "four.png")
    assert read_header(tmp_path / "four.png").drops_alpha(3)
    assert not read_header(tmp_path / "four.png").drops_alpha(4)
    for name, big in (("four.tif", False), ("big.tif", True)):
        tifffile.imwrite(
            tmp_path / name, pixels(1, bands=4), bigtiff=big, photometric="rgb", extrasamples=["unassalpha"]
        )
        assert read_header(tmp_path / name).drops_alpha(3), name
        assert not read_header(tmp_path / name).drops_alpha(4), name


def test_damaged_files_say_little_and_nothing_breaks(tmp_path: Path) -> None:
    for number, content in enumerate([b"", b"II*\0", b"\x89PNG\r\n\x1a\nx", b"\xff\xd8\xffExif\0\0", b"RIFFxxxxWEBP"]):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(content)
        header = read_header(path)
        assert not header.is_turned
        assert not header.has_alpha
    assert read_header(tmp_path / "none.jpg").kind == ""


def test_turned_misnamed_and_transparent_chips_are_counted(source: Path) -> None:
    exif = Image.Exif()
    exif[274] = 3
    for number in range(4):
        Image.fromarray(pixels(number)).save(source / "train-jpg" / f"train_{number}.jpg", exif=exif)
    for number in range(5, 7):
        Image.fromarray(pixels(number, bands=4), "RGBA").save(source / "train-jpg" / f"train_{number}.jpg", "PNG")
    report = check(source)
    turned = "jpg train: chips that are read turned or mirrored, as their EXIF says (4): train_0, train_1, train_2"
    assert f"{turned} and 1 more." in texts(report, "warning")
    assert texts(report, "note") == [
        "jpg train: files whose content is not what the suffix says (2): train_5 (PNG), train_6 (PNG).",
        "jpg train: chips with an alpha band, which is dropped (2): train_5, train_6.",
    ]
    assert np.all([count.kinds == ("16 x 16 x 3 uint8",) for count in report.chips])
