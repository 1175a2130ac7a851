"""What is known of Kaggle's own files; needs them, and is skipped without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from competition.checks.check import check_data
from competition.data.prepare import prepare
from tests.competition.samples import planet_workspace

SHARED = Path(os.environ.get("PLANET_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SHARED.is_dir(), reason=f"no real data in {SHARED}; name their folder in PLANET_SHARED_DATA"
    ),
]


def test_full_size_chips_are_used_in_place_and_their_flaws_found(tmp_path: Path) -> None:
    workspace = planet_workspace(tmp_path)
    prepare(workspace, SHARED / "planet256")
    report = check_data(workspace)
    found = {finding.text for finding in report.findings}
    assert report.ok
    assert "tif train: of 5 chips compared, those that show another scene than their jpg (1): train_0." in found
    assert any(text.startswith("tif train: band order BGRN") and "no other order fits better" in text for text in found)
    assert ("tif", "train", ("256 x 256 x 4 uint16",)) in [(c.rendering, c.split, c.kinds) for c in report.chips]


def test_kaggles_archives_are_unpacked_and_their_flaws_found(tmp_path: Path) -> None:
    workspace = planet_workspace(tmp_path)
    report = prepare(workspace, SHARED / "planet32")
    assert [item.files for item in report.items if item.files] == [36037, 40669, 20522]
    check = check_data(workspace, sample=500)
    assert check.ok
    assert [finding.text for finding in check.findings] == [
        "train_v2.csv: chips with none of clear, partly_cloudy, haze, cloudy (1): train_24448.",
        "train_v2.csv: chips that repeat a tag, which changes nothing (66): "
        "train_1465, train_1694, train_2084, train_3084, train_4822 and 61 more.",
        "test_v2_file_mapping.csv renames 20,522 chips; it is a permutation.",
    ]
