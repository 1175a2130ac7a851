"""Whether two renderings show one scene, and in which order of bands."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import tifffile

from competition.checks.renderings import compare_renderings, fit_bands
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


@pytest.mark.parametrize("bands", ["RGB", "BGRN", "NBXRG"])
@pytest.mark.parametrize("seed", range(5))
def test_no_order_of_all_fits_better_than_the_one_found(bands: str, seed: int) -> None:
    correlations = np.random.default_rng(seed).uniform(0.6, 1, (7, len(bands), 3))
    fit = fit_bands(tuple("abcdefg"), correlations, tuple(bands))
    means = correlations.mean(axis=0)
    orders = {places: means[list(places), range(3)].mean() for places in permutations(range(len(bands)), 3)}
    assert fit.best == pytest.approx(max(orders.values()))
    assert orders[tuple(fit.order.index(colour) for colour in "RGB")] == pytest.approx(fit.best)
    assert fit.declared == pytest.approx(orders[tuple(bands.index(colour) for colour in "RGB")])
    assert (fit.same_scene, fit.strangers) == (7, ())


def test_on_a_tie_the_declared_order_is_right() -> None:
    grey = np.full((3, 4, 3), 0.9) + np.random.default_rng(0).normal(scale=1e-15, size=(3, 4, 3))
    assert fit_bands(tuple("abc"), grey, tuple("BGRN")).order == tuple("BGRN")
    strangers = fit_bands(tuple("abc"), grey / 9, tuple("BGRN"))
    assert (strangers.order, strangers.same_scene, strangers.strangers) == (tuple("BGRN"), 0, tuple("abc"))


def test_two_hundred_bands_are_put_in_order_at_once(tmp_path: Path) -> None:
    others = tuple(f"B{number}" for number in range(197))
    images = ImageSet(suffix=".tif", bands=("R", "G", "B", *others), train=("a",), test=("b",))
    files, reference = {}, {}
    for number in range(4):
        cube = np.random.default_rng(number).integers(1, 60_000, (8, 8, 200), dtype=np.uint16)
        files[str(number)], reference[str(number)] = tmp_path / f"{number}.tif", tmp_path / f"{number}_rgb.tif"
        tifffile.imwrite(files[str(number)], np.moveaxis(cube, 2, 0), photometric="minisblack", planarconfig="separate")
        tifffile.imwrite(reference[str(number)], cube[:, :, [150, 40, 199]], photometric="rgb")
    colours = ImageSet(suffix=".tif", bands="RGB", train=("c",), test=("d",))
    fit = compare_renderings(files, images, reference, colours)
    assert fit is not None
    assert fit.best == pytest.approx(1)
    assert [fit.order.index(colour) for colour in "RGB"] == [150, 40, 199]
