"""Whether two renderings show one scene, and in which order of bands."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.checks.renderings import compare_renderings
from competition.spec.images import ImageSet
from tests.competition.checks.samples import JPG, check, texts, write_tiff, write_tiffs
from tests.competition.samples import pixels, planet


def test_the_declared_band_order_is_confirmed(source: Path) -> None:
    write_tiffs(source, "train")
    notes = texts(check(source), "note")
    assert any("tif train: band order BGRN has r = 1.000 with jpg over 12 chips; no other" in text for text in notes)


@pytest.mark.parametrize("order", ["RGBN", "NRGB", "GNBR"])
def test_another_band_order_is_found(source: Path, order: str) -> None:
    write_tiffs(source, "train", order)
    warnings = texts(check(source), "warning")
    assert any(f"but {order} has r = 1.000. See `bands`" in text for text in warnings), warnings


def test_a_chip_of_another_scene_is_named(source: Path) -> None:
    write_tiffs(source, "train")
    write_tiff(source / "train-tif-v2" / "train_5.tif", pixels(777))
    report = check(source)
    expected = "tif train: of 12 chips compared, those that show another scene than their jpg (1): train_5."
    assert expected in texts(report, "warning")
    assert report.ok
    assert any("over 11 chips" in text for text in texts(report, "note"))


def test_renderings_that_share_no_colours_are_not_compared() -> None:
    infrared = ImageSet(suffix=".tif", bands="NS", train=("a",), test=("b",))
    assert compare_renderings({}, infrared, {}, JPG) is None
    assert compare_renderings({}, planet().image_set("tif"), {}, JPG) is None
