"""What is wrong with the chips: broken ones, odd ones, and bands in another order."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import numpy as np

from competition.checks.pixels import FEWEST, KEPT, MOST, _sampling, scan_chips, spread
from tests.competition.checks.samples import (
    JPG,
    check,
    texts,
    write_tiffs,
)
from tests.competition.samples import pixels, planet, write_chip


def test_chips_that_cannot_be_used_are_counted_by_reason(source: Path) -> None:
    folder = source / "train-jpg"
    for i in (2, 5):
        write_chip(folder / f"train_{i}.jpg", np.zeros((16, 16, 3), dtype=np.uint8))
    (folder / "train_7.jpg").write_bytes(b"404: not found")
    (folder / "train_8.jpg").write_bytes((folder / "train_8.jpg").read_bytes()[:-40])
    write_chip(folder / "train_9.jpg", np.full((16, 16, 3), 128, dtype=np.uint8))
    report = check(source)
    errors = texts(report, "error")
    assert errors[0] == "jpg train: broken chips, every pixel is 0 (2): train_2, train_5."
    assert "jpg train: broken chips, it is no image of a known format (1): train_7." in errors
    assert any(text.endswith("(1): train_8.") for text in errors)
    assert len(errors) == 3
    assert "jpg train: chips of one colour all over (1): train_9." in texts(report, "warning")


def test_many_reasons_stay_few_lines(source: Path) -> None:
    for i in range(9):
        write_chip(source / "train-tif-v2" / f"train_{i}.tif", pixels(i, bands=6 + i))
    broken = [text for text in texts(check(source), "error") if text.startswith("tif train")]
    assert len(broken) == 5
    assert broken[-1].startswith("tif train: chips broken in other ways (5): ")


def test_chips_of_several_shapes_are_listed(source: Path) -> None:
    write_chip(source / "train-jpg" / "train_1.jpg", pixels(1, size=24))
    report = check(source)
    assert texts(report, "note") == ["jpg train: kinds of chips (2): 16 x 16 x 3 uint8 (11), 24 x 24 x 3 uint8 (1)."]
    assert report.chips[0].kinds == ("16 x 16 x 3 uint8", "24 x 24 x 3 uint8")


def test_chips_that_will_be_stretched_are_counted_by_their_ratio(source: Path) -> None:
    for number, size in enumerate([(16, 32), (16, 32), (32, 16), (20, 21), (21, 20)]):
        write_chip(source / "train-jpg" / f"train_{number}.jpg", pixels(number, size=40)[: size[0], : size[1]])
    assert (
        "jpg train: chips that are not square and will be stretched (3), width to height: 2.00 (2), 0.50 (1)."
        in texts(check(source), "warning")
    )


def test_pixels_are_kept_of_deep_chips_only_and_never_many(tmp_path: Path) -> None:
    images = planet().image_set("tif")
    write_chip(tmp_path / "deep.tif", pixels(0, size=64, bands=4).astype(np.uint16) * 100)
    write_chip(tmp_path / "flat.tif", pixels(0, size=64, bands=4))
    scan = scan_chips({"a": tmp_path / "deep.tif", "b": tmp_path / "flat.tif"}, images)
    assert scan.pixels.shape == (MOST, 4)
    for chips, bands in itertools.product([1, 10, 100_000, 10**6], [1, 3, 12, 200]):
        per_chip, step = _sampling(chips, bands)
        assert FEWEST <= per_chip <= MOST
        assert -(-chips // step) * per_chip * bands <= KEPT + per_chip * bands


def test_8_beside_16_bits_is_an_error_as_training_stops_there(source: Path) -> None:
    write_tiffs(source, "train")
    write_chip(source / "train-tif-v2" / "train_1.tif", pixels(1, bands=4))
    said = "tif train: kinds of chips, and all must be of one data type (2): 16 x 16 x 4 uint16 (11), 16 x 16 x 4 uint8"
    assert any(text.startswith(said) for text in texts(check(source), "error"))


def test_a_sample_decodes_fewer_chips(source: Path) -> None:
    report = check(source, sample=5)
    assert [(count.files, count.decoded) for count in report.chips] == [(12, 5), (7, 5)]


def test_memory_does_not_grow_with_the_number_of_chips(tmp_path: Path) -> None:
    picture = tmp_path / "chip.jpg"
    write_chip(picture, pixels(0, size=256))

    def peak(count: int) -> int:
        files = {f"train_{i}": picture for i in range(count)}
        tracemalloc.start()
        scan = scan_chips(files, JPG)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert scan.decoded == count
        return most

    few, many = peak(20), peak(200)
    assert many < few + 100 * picture_bytes(), f"{few} and {many} bytes"


def picture_bytes() -> int:
    return 256 * 256 * 3


def test_a_sample_is_spread_over_the_names() -> None:
    names = [str(i) for i in range(10)]
    assert spread(names, 3) == ["0", "4", "9"]
    assert spread(names, None) == spread(names, 10) == spread(names, 99) == names
    assert spread(names, 1) == ["0"]
