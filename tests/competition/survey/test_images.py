from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.survey.ids import Kind
from competition.survey.images import Found, find_images, folders_of, short_names
from competition.survey.listing import Listing, Piece

TRAIN, TEST = [f"x{i}" for i in range(12)], [f"t{i}" for i in range(4)]


def found(*paths: str, kind: Kind = "stem", test: list[str] | None = None) -> list[Found]:
    listing = Listing(Path(), [Piece(path, None) for path in sorted(paths)])
    return find_images(listing, kind, TRAIN, TEST if test is None else test)


def in_folder(folder: str, ids: list[str], ending: str = ".png") -> list[str]:
    return [f"{folder}/{own}{ending}" for own in ids]


def test_folders_of_training_and_test_are_told_by_whose_ids_lie_there() -> None:
    (images,) = found(*in_folder("data/one", TRAIN), *in_folder("data/two", TEST))
    assert (images.train, images.test, images.suffixes) == (["data/one"], ["data/two"], [".png"])


def test_folders_whose_files_no_table_names_are_those_to_predict() -> None:
    (images,) = found(*in_folder("a", TRAIN), *in_folder("b", TEST), test=[])
    assert (images.train, images.test) == (["a"], ["b"])
    (images,) = found(*in_folder("a", TRAIN), *in_folder("a", TEST), test=[])
    assert (images.train, images.test) == (["a"], ["a"])


def test_a_file_per_band_is_a_pattern_and_colours_come_first() -> None:
    ids = [*in_folder("train", TRAIN, "_yellow.png"), *in_folder("train", TRAIN, "_blue.png")]
    (images,) = found(*ids, *in_folder("train", TRAIN, "_red.png"), kind="pattern", test=[])
    assert (images.file, images.bands) == ("{id}_{band}", ["red", "blue", "yellow"])


def test_bands_in_folders_of_their_own_are_one_rendering() -> None:
    (images,) = found(*(path for band in ("red", "nir") for path in in_folder(f"train/{band}", TRAIN)), test=[])
    assert (images.file, images.bands, images.train) == ("{band}/{id}", ["red", "nir"], ["train"])


def test_a_folder_per_chip_is_named_by_the_folder_above() -> None:
    ids = TRAIN + [f"y{i}" for i in range(30)]
    paths = [f"all/tile/{own}/{own}_{band}.tif" for own in ids for band in ("B8A", "B08", "B10")]
    listing = Listing(Path(), [Piece(path, None) for path in paths])
    (images,) = find_images(listing, "pattern", ids[:25], ids[25:])
    assert (images.train, images.test) == (["all/tile"], ["all/tile"])
    assert (images.file, images.bands) == ("{id}_{band}", ["B08", "B8A", "B10"])


def test_other_pictures_of_the_same_chips_are_a_rendering_of_their_own_and_masks_come_last() -> None:
    images, masks = found(*in_folder("a_masks", TRAIN), *in_folder("train", TRAIN), *in_folder("test", TEST))
    assert (images.train, images.test, masks.train, masks.test) == (["train"], ["test"], ["a_masks"], [])
    jpg, tif = found(*in_folder("j", TRAIN, ".jpg"), *in_folder("t", TRAIN[:3], ".tif"))
    assert (jpg.family, tif.family) == (".jpg", ".tif")


def test_several_suffixes_in_one_folder_are_one_rendering() -> None:
    (images,) = found(
        *in_folder("a", TRAIN[:4]), *in_folder("a", TRAIN[4:8], ".JPG"), *in_folder("a", TRAIN[8:], ".jpeg")
    )
    assert sorted(images.suffixes) == [".jpeg", ".jpg", ".png"]


def test_several_pictures_of_a_chip_that_are_no_bands_are_refused() -> None:
    paths = [f"a/{own}_{i}_{number}.png" for number, own in enumerate(TRAIN) for i in range(number % 3 + 1)]
    with pytest.raises(UserError, match=r"one picture, or one per band.*--id-column"):
        found(*paths, kind="pattern")


def test_folders_are_named_as_shortly_as_is_clear() -> None:
    listing = Listing(Path(), [Piece(path, None) for path in ("a/train/x.png", "a/test/y.png", "b/train/z.png")])
    assert short_names(["a/train", "a/test"], folders_of(listing)) == ["a/train", "test"]


def test_folders_of_classes_are_one_folder() -> None:
    (images,) = found(*in_folder("Images/sea", TRAIN[:6]), *in_folder("Images/land", TRAIN[6:]), test=[])
    assert images.train == ["Images"]
    (images,) = found(*in_folder("i_1/images", TRAIN[:6]), *in_folder("i_2/images", TRAIN[6:]), test=[])
    assert images.train == ["i_1/images", "i_2/images"]


def test_what_was_made_of_a_chip_is_not_a_chip_to_predict() -> None:
    (images,) = found(*in_folder("a", TRAIN), *in_folder("a", TRAIN, "_thumb.png"), test=[])
    assert (images.file, images.test) == ("{id}", [])


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("train_images", "eval_images"), ("chips", "private")])
@pytest.mark.parametrize("shared", [4, 12])
def test_folders_of_ids_that_stand_in_both_tables_are_told_apart_by_their_names(
    train: str, test: str, shared: int
) -> None:
    asked = [*TRAIN[-shared:], *TEST]
    (images,) = found(*in_folder(train, TRAIN), *in_folder(test, asked), test=asked)
    assert (images.train, images.test) == ([train], [test])
