"""What is known of Kaggle's own files; needs them, and is skipped without."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from competition.checks.check import check_data
from competition.common.errors import UserError
from competition.data.chips import read_chip, resize_chip
from competition.data.prepare import prepare
from competition.scenes.grid import Window, window_of
from competition.scenes.ground import chip_metres
from competition.scenes.scene import Scene
from competition.scenes.values import ChipValues, Values, probe, values_of
from competition.spec.load import load
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


def test_a_chip_as_a_scene_has_the_chips_pixels_and_values(tmp_path: Path) -> None:
    images = load("planet").image_set("tif")
    paths = sorted((SHARED / "planet256" / "train-tif-v2").glob("*.tif"))
    known = ChipValues.of_chips(paths, images, images.bands)
    for path in paths:
        with pytest.raises(UserError, match="--metres-per-pixel"):
            Scene.open(path)
        # Without --scene-bands, the file calls B, G, R and N red, green, blue and opacity.
        scene = Scene.open(path, ("R", "N"), named=images.bands, metres_per_pixel=3)
        assert scene.size == window_of(scene.size, scene.metres, chip_metres(images, "tif", 256)) == (256, 256)
        pixels, valid = scene.read(Window(0, 0, 256, 256), 64)
        assert valid.all()
        np.testing.assert_array_equal(pixels, resize_chip(read_chip(path, images), 64)[..., [2, 3]])
        whole = Scene.open(path, named=images.bands, metres_per_pixel=3)
        assert probe(whole, (256, 256), values_of(whole, known, (256, 256)), known).problem == ""
        swapped = Values((1e-4,) * 4, (0.0,) * 4, "float32")
        assert "--scale 10000" in probe(whole, (256, 256), swapped, known).problem


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
