"""Whether values fill their range, and whether train and test are on one level."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from competition.checks.check import check_data
from competition.checks.levels import check_levels, check_ranges
from competition.checks.pixels import ChipScan, scan_chips
from competition.checks.report import Finding
from competition.spec.images import ImageSet
from tests.competition.checks.samples import check, texts
from tests.competition.samples import pixels, write_chip


def deep(**entries) -> ImageSet:
    return ImageSet.model_validate({"suffix": ".tif", "bands": ["B02", "B8A"], "train": ["a"], **entries})


def scanned(folder: Path, images: ImageSet, top: float, dtype: type, count: int = 4) -> ChipScan:
    """Scan chips whose values rise from 0 to `top`."""
    files = {}
    for number in range(count):
        files[f"c{number}"] = folder / f"c{number}.tif"
        rising = np.linspace(0, top, 2 * 32 * 32).reshape(32, 32, 2)
        write_chip(files[f"c{number}"], rising.astype(dtype))
    return scan_chips(files, images)


def ranges(scan: ChipScan, images: ImageSet) -> list[Finding]:
    return list(check_ranges("tif", "tif train", scan, images))


def entry(finding: Finding) -> dict[str, list[float]]:
    """Return the entry that a finding proposes, as TOML reads it."""
    lines = re.findall(r'(["\w.-]+ = \[[^\]]+\])', finding.text)
    return tomllib.loads("\n".join(lines))


@pytest.mark.parametrize(
    ("top", "dtype"), [(4095, np.uint16), (16383, np.uint16), (10000, np.int16), (1.5, np.float32)]
)
def test_values_that_use_a_small_part_get_a_range_to_write(tmp_path: Path, top: float, dtype: type) -> None:
    (finding,) = ranges(scanned(tmp_path, deep(), top, dtype), deep())
    assert finding.severity == "warning"
    assert "write under [images.tif.range] B02 = [" in finding.text
    given = entry(finding)
    assert given.keys() == {"B02", "B8A"}
    for low, high in given.values():
        assert low == pytest.approx(0.01 * top, abs=0.01 * top)
        assert high == pytest.approx(0.99 * top, abs=0.01 * top)
    assert ranges(scanned(tmp_path, deep(range=given), top, dtype), deep(range=given)) == []


def test_values_that_fill_the_range_and_those_of_8_bits_are_no_finding(tmp_path: Path) -> None:
    assert ranges(scanned(tmp_path, deep(), 65535, np.uint16), deep()) == []
    assert ranges(scanned(tmp_path, deep(), 40, np.uint8), deep()) == []


def test_a_range_that_cuts_off_is_named_with_the_share(tmp_path: Path) -> None:
    images = deep(range={"B02": (0, 2000), "B8A": (0, 4095)})
    (finding,) = ranges(scanned(tmp_path, images, 4000, np.uint16), images)
    assert re.search(r"\[images.tif.range\] cuts off up to (49|50|51)\.\d% of the pixels", finding.text)
    assert entry(finding).keys() == {"B02"}


def test_a_range_that_is_far_too_wide_is_no_range(tmp_path: Path) -> None:
    images = deep(range={"B02": (0, 65535), "B8A": (0, 5000)})
    (finding,) = ranges(scanned(tmp_path, images, 4000, np.uint16), images)
    assert entry(finding).keys() == {"B02"}


def test_bands_of_one_value_and_names_with_points_make_an_entry_that_can_be_read(tmp_path: Path) -> None:
    images = deep(bands=["B.02", "B8A"])
    scan = ChipScan(pixels=np.full((50, 2), 7, np.uint16))
    (finding,) = ranges(scan, images)
    assert entry(finding) == {"B.02": [7, 8], "B8A": [7, 8]}


def test_a_rendering_with_a_point_in_its_name_has_an_entry_that_can_be_read() -> None:
    scan = ChipScan(pixels=np.full((50, 2), 7, np.uint16))
    (finding,) = check_ranges("v1.0", "v1.0 train", scan, deep())
    header, entries = re.search(r"under (\[\S+\]) (.*\]),", finding.text).groups()
    assert tomllib.loads(f"{header}\n" + entries.replace("], ", "]\n")) == {
        "images": {"v1.0": {"range": {"B02": [7, 8], "B8A": [7, 8]}}}
    }
    images = deep(range={"B02": (0, 2000), "B8A": (0, 2000)})
    (finding,) = check_ranges("v1.0", "v1.0 train", ChipScan(pixels=np.full((50, 2), 4000, np.uint16)), images)
    assert '[images."v1.0".range] cuts off' in finding.text


def test_two_hundred_bands_stay_one_line() -> None:
    images = deep(bands=[f"b{number}" for number in range(200)])
    (finding,) = ranges(ChipScan(pixels=np.full((50, 200), 7, np.uint16)), images)
    assert len(finding.text) < 500


def test_pixels_without_data_are_counted_and_not_part_of_the_range(tmp_path: Path) -> None:
    images = deep(nodata=-9999)
    files = {}
    for number in range(4):
        chip = np.random.default_rng(number).integers(20000, 30000, (32, 32, 2)).astype(np.int16)
        chip[:8] = -9999 if number < 2 else chip[:8]
        write_chip(tmp_path / f"c{number}.tif", chip)
        files[f"c{number}"] = tmp_path / f"c{number}.tif"
    scan = scan_chips(files, images)
    assert scan.gaps == {"c0": 0.25, "c1": 0.25}
    assert all(low >= 19999 for low, _ in entry(ranges(scan, images)[0]).values())


def levels(train: float, test: float, count: int = 100, dtype: str = "uint8", spread: float = 10) -> list[Finding]:
    rng = np.random.default_rng(0)

    def scan(mean: float, kind: str) -> ChipScan:
        values = rng.normal(mean, spread, (count, 2)).astype(np.float32)
        return ChipScan(names=[str(number) for number in range(count)], levels=values, dtypes={np.dtype(kind): count})

    return list(check_levels("tif", scan(train, "uint8"), scan(test, dtype), deep()))


def test_a_level_that_differs_is_named_by_its_size() -> None:
    (finding,) = levels(100, 112)
    assert re.search(r"train and test differ in level, mean of a chip: B\w+ 9?1?\d\d?[.\d]* and", finding.text)
    assert "standard deviations)" in finding.text


def test_a_difference_that_is_certain_but_small_is_none() -> None:
    assert levels(100, 102, count=20_000) == []


def test_a_few_chips_differ_by_chance() -> None:
    assert levels(100, 108, count=10) == []
    assert levels(100, 200, count=7) == []


def test_other_types_are_said_instead_of_the_levels_that_follow() -> None:
    (finding,) = levels(100, 30000, dtype="uint16")
    assert finding.text == "tif: train and test are of different types: uint8 and uint16."


def test_constant_levels_that_differ_are_found() -> None:
    assert levels(100, 100, spread=0) == []
    assert "(99.0 standard deviations)" in levels(100, 101, spread=0)[0].text


def test_darker_test_chips_are_found_in_a_workspace(source: Path) -> None:
    assert not any("differ in level" in text for text in texts(check(source), "warning"))
    for number in range(30):
        write_chip(source / "train-jpg" / f"more_{number}.jpg", pixels(number + 50))
        write_chip(source / "test-jpg" / f"more_{number}.jpg", pixels(number + 90) // 3)
    assert any(
        "jpg: train and test differ in level, mean of a chip: " in text for text in texts(check(source), "warning")
    )


def test_simulated_chips_raise_no_alarm(workspace) -> None:
    report = check_data(workspace)
    assert not any("range" in finding.text or "level" in finding.text for finding in report.findings), report.text()
