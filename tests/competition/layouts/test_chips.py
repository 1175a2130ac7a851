"""Made-up chips: their names and folders, what their pictures show, and in what values and sizes they lie there."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from competition.common.errors import UserError
from competition.layouts.chips import draw_chip, files_of, make_chips, write_chip, write_opaque
from competition.layouts.delivery import Delivery
from competition.layouts.shipped import DELIVERIES
from competition.spec.load import load
from tests.competition.layouts.samples import fungi


def chips_of(competition, delivery, count=3, seed=0):
    truth = np.eye(count, len(competition.labels), dtype=bool)
    return make_chips(competition, delivery, truth, 0, np.random.default_rng(seed))


def draw(labels, num_bands=3, size=16, seed=0):
    return draw_chip(np.array(labels, bool), num_bands, size, size, np.random.default_rng(seed))


@pytest.mark.parametrize(("ids", "file"), [("stem", "{}.png"), ("name", "{}"), ("path", "{}"), ("path_stem", "{}.png")])
def test_a_file_is_called_as_the_id_says(ids, file):
    competition = fungi({"ids": ids})
    chip = chips_of(competition, Delivery())[1]
    assert ("/" in chip.name, chip.name.endswith(".png")) == (ids.startswith("path"), ids in ("name", "path"))
    files = files_of(chip, Delivery(), competition.image_set("png"), ids)
    assert [path for _, path in files] == [file.format(chip.name)]


def test_a_file_per_band_in_folders_of_patch_and_tile():
    competition = load("bigearthnet-s2")
    chip = chips_of(competition, DELIVERIES[competition.name])[0]
    files = list(files_of(chip, DELIVERIES[competition.name], competition.image_set("tif"), "stem"))
    assert len(files) == 12
    tile = chip.name.rsplit("_", 2)[0]
    assert files[8] == (("B8A",), f"{tile}/{chip.name}/{chip.name}_B8A.tif")


def test_a_point_in_an_id_begins_no_suffix():
    competition = load("ranzcr-clip")
    chip = chips_of(competition, DELIVERIES[competition.name])[0]
    files = list(files_of(chip, DELIVERIES[competition.name], competition.image_set("jpg"), "stem"))
    assert files == [(("R", "G", "B"), f"{chip.name}.jpg")]


def test_a_label_shows_at_one_place_and_nowhere_else():
    bare, marked = draw([0] * 9), draw([0, 0, 0, 0, 1, 0, 0, 0, 0])
    changed = (bare != marked).any(axis=2)
    assert changed[5:10, 5:10].all()
    assert changed.sum() == 25
    assert ((marked >= 0) & (marked <= 1)).all()


def test_labels_that_share_a_place_have_other_colours():
    first, second = (draw(np.arange(200) == label)[:2, :2].mean(axis=(0, 1)) for label in (0, 64))
    assert np.abs(first - second).max() > 0.2


def test_values_are_those_of_the_ranges(tmp_path):
    images = load("bigearthnet-s2").image_set("tif")
    picture = np.full((12, 12, 12), 0.5)
    write_chip(tmp_path / "B08.tif", picture, Delivery(), images, ("B08",))
    write_chip(tmp_path / "B01.tif", picture, Delivery(smaller={"B01": 6}), images, ("B01",))
    fine, coarse = tifffile.imread(tmp_path / "B08.tif"), tifffile.imread(tmp_path / "B01.tif")
    assert (fine.dtype, fine.shape, fine.max()) == (np.uint16, (12, 12), 2475)
    assert (coarse.shape, coarse.max()) == ((2, 2), 725)
    below = fungi(images={"suffix": ".tif", "range": {"R": (-100, 100)}}).image_set("png")
    write_chip(tmp_path / "below.tif", np.zeros((4, 4, 3)), Delivery(), below, ("R", "G", "B"))
    assert tifffile.imread(tmp_path / "below.tif").dtype == np.int16


def test_grey_pictures_and_pictures_with_opacity(tmp_path):
    images = load("chestx-ray14").image_set("png")
    write_chip(tmp_path / "x.png", draw([1, 0]), Delivery(grey=True), images, ("R", "G", "B"))
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.mode == "L"
    write_opaque(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.mode == "RGBA"
        assert picture.getchannel("A").getextrema() == (255, 255)


def test_a_format_that_cannot_hold_the_bands_is_refused(tmp_path):
    images = fungi(images={"suffix": ".jpg", "bands": "RGBNX"}).image_set("png")
    with pytest.raises(UserError, match=r"Cannot simulate \.jpg chips of 5 bands"):
        write_chip(tmp_path / "x.jpg", draw([1], 5), Delivery(), images, images.bands)
