"""Files of chips are found, and read as the networks take them."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import tifffile
from PIL import Image

from competition.common.errors import UserError
from competition.spec.images import ImageSet
from models.networks.input_spec import Inputs
from models.predict import chip_files as chip_files_module
from models.predict.chip_files import SAMPLED, ChipFiles, chips_in
from tests.models.samples import PLANET, inputs_of, tiny_recipe

JPG = PLANET.image_set("jpg")


def files_of(folder: Path, **options) -> ChipFiles:
    recipe = tiny_recipe(input_size=12)
    found = dict(chips_in(folder, JPG))
    return ChipFiles(folder, found, JPG, recipe, inputs_of(recipe), np.dtype("uint8"), **options)


def test_chips_come_in_slices_in_the_order_of_their_names_without_the_broken_ones(folder):
    (folder / "chip_2.png").write_bytes(b"half")
    batches = list(files_of(folder, skip_broken=True).batches(2))
    assert [batch.names for batch in batches] == [["chip_10"], ["chip_33"]]
    assert [len(batch.broken) for batch in batches] == [1, 0]
    assert {chip.shape for batch in batches for chip in batch.chips} == {(12, 12, 3)}


def test_one_slice_is_read_ahead_and_no_more_once_nobody_asks(folder, monkeypatch):
    asked, started, reading = [], Event(), chip_files_module.read_chip

    def read(file: Path, images: ImageSet) -> np.ndarray:
        asked.append(file.stem)
        if file.stem == "chip_2":
            started.set()
        return reading(file, images)

    monkeypatch.setattr(chip_files_module, "read_chip", read)
    batches = files_of(folder).batches(1)
    assert next(batches).names == ["chip_10"]
    assert started.wait(10)  # though nobody has asked for it
    batches.close()
    assert sorted(asked) == ["chip_10", "chip_2"]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_every_chip_comes_once_in_order_whatever_the_slices(folder, size):
    batches = list(files_of(folder).batches(size))
    assert [name for batch in batches for name in batch.names] == ["chip_10", "chip_2", "chip_33"]
    assert [len(batch.names) for batch in batches] == [min(size, 3 - start) for start in range(0, 3, size)]


def test_a_sample_is_of_the_first_chips_that_can_be_read(folder):
    assert files_of(folder).sample().shape == (3, 12, 12, 3)
    for number in range(SAMPLED):
        (folder / f"broken_{number}.png").write_bytes(b"half")
    sample = files_of(folder, skip_broken=True).sample()
    assert sample.shape == (3, 12, 12, 3)
    assert sample.all()


def test_chips_that_are_all_broken_are_refused_before_anything_is_run(folder):
    for path in folder.iterdir():
        path.write_bytes(b"half")
    with pytest.raises(UserError, match=r"No chip of 3 can be read\. Broken chip .*chip_10\.png"):
        files_of(folder, skip_broken=True).sample()


def test_folders_without_chips_or_with_one_id_twice_are_refused(tmp_path, folder):
    with pytest.raises(UserError, match="No folder"):
        list(chips_in(tmp_path / "none", JPG))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"No chips in .*empty: expected files ending in \.bmp, \.jp2, \.jpeg, \.jpg"):
        list(chips_in(tmp_path / "empty", JPG))
    (folder / "chip_2.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"Two files carry the id chip_2: .*chip_2\.(png|jpg) and .*chip_2\.(png|jpg)"):
        list(chips_in(folder, JPG))


def test_chips_of_a_file_per_band_and_in_folders_are_found_as_in_the_competition(tmp_path):
    images = ImageSet(suffix=".tif", bands=("B2", "B8A"), file="{id}/{id}_{band}", train=("train",))
    for band, size in (("B2", 12), ("B8A", 6)):
        (tmp_path / "a").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "a" / f"a_{band}.tif", np.full((size, size), 77, np.uint16))
    found = dict(chips_in(tmp_path, images))
    assert found == {"a": ("a/a_B2.tif", "a/a_B8A.tif")}
    recipe = tiny_recipe(input_size=12, bands="B8A,")
    inputs = Inputs(12, ("B8A",), (0.0,), (100.0,))
    (batch,) = ChipFiles(tmp_path, found, images, recipe, inputs, np.dtype("uint16")).batches(4)
    assert batch.names == ["a"]
    np.testing.assert_array_equal(batch.chips[0], np.full((12, 12, 1), 77.0))
    (tmp_path / "a" / "a_B8A.tif").unlink()
    with pytest.raises(UserError, match=r"1 chip in .* lack files of bands, called {id}/{id}_{band}: a lacks B8A\."):
        list(chips_in(tmp_path, images))


def test_ids_are_as_in_the_competition(folder):
    (folder / "more").mkdir()
    (folder / "chip_2.png").rename(folder / "more" / "chip_2.PNG")
    assert [name for name, _ in chips_in(folder, JPG, "path")] == ["chip_10.png", "chip_33.png", "more/chip_2.PNG"]
    assert [name for name, _ in chips_in(folder, JPG, "name")] == ["chip_10.png", "chip_33.png"]


def test_scenes_and_slivers_are_named(folder):
    files = files_of(folder)
    list(files.batches(8))
    assert files.remarks() == []
    Image.new("RGB", (60, 49), "red").save(folder / "a scene.png")
    Image.new("RGB", (60, 8), "red").save(folder / "sliver.png")
    files = files_of(folder)
    files.sample()  # of which nothing is said twice
    list(files.batches(8))
    sliver, scene = files.remarks()
    assert scene.startswith("a scene.png (60 x 49): more than 4 times the 12 x 12 pixels that the model takes.")
    assert sliver == "sliver.png (60 x 8): more than 4 times as long as wide, and squeezed into a square."


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_pictures_are_read_as_in_training_and_counted(folder, mode):
    grey = Image.open(folder / "chip_2.png").convert("L")
    grey.convert(mode).save(folder / "chip_2.png")
    files = files_of(folder)
    files.sample()
    (batch,) = files.batches(8)
    np.testing.assert_array_equal(batch.chips[1], np.repeat(np.asarray(grey)[:, :, None], 3, axis=2))
    assert files.remarks() == ["Grey pictures, which are read as colours, as in training: 1 of 3 chips."]


def test_what_is_called_like_a_chip_and_cannot_be_one_is_broken(folder):
    (folder / "a.jpg").mkdir()
    (folder / "b.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "c.jpg")
    (folder / "notes.txt").symlink_to("nowhere.txt")
    (batch,) = files_of(folder, skip_broken=True).batches(10)
    assert batch.names == ["chip_10", "chip_2", "chip_33"]
    assert [line.split(": ", 1)[0] for line in batch.broken] == [f"Broken chip {folder / f'{n}.jpg'}" for n in "abc"]
    for path in folder.glob("chip_*"):
        path.rename(folder / "a.jpg" / path.name)
    (batch,) = files_of(folder, skip_broken=True).batches(10)  # a folder of such a name may be one of chips
    assert batch.names == ["chip_10", "chip_2", "chip_33"]
    assert [line.split(": ", 1)[0] for line in batch.broken] == [f"Broken chip {folder / f'{n}.jpg'}" for n in "bc"]


def test_a_name_that_is_no_text_is_refused_before_anything_is_run(folder):
    (folder / "chip_2.png").rename(folder / os.fsdecode(b"\xff\xfe.png"))
    with pytest.raises(UserError, match=r"has a name that is no text: '\\udcff\\udcfe\.png'\. Rename it\.$"):
        list(chips_in(folder, JPG))


def test_a_line_says_in_which_folders_chips_were_found_if_these_are_several(folder, lines):
    list(chips_in(folder, JPG))
    assert lines == []
    for name, number in (("train", 10), ("test", 2), ("test", 33)):
        (folder / name).mkdir(exist_ok=True)
        (folder / f"chip_{number}.png").rename(folder / name / f"chip_{number}.png")
    list(chips_in(folder, JPG))
    assert lines == [f"Found 3 chips in 2 folders within {folder}: test (2), train (1)."]
