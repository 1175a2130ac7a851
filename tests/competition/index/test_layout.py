"""Where chips and tables lie is written down and read back, and chips are found there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.index.layout import Layout, description_of
from competition.spec.images import ImageSet
from competition.workspace import Workspace
from tests.competition.samples import other, pixels, planet, write_chip, write_csv, write_planet

JPG, TIF = planet().image_set("jpg"), planet().image_set("tif")


def layout_of(folder: Path) -> Layout:
    folders = {path.name: (path,) for path in folder.iterdir() if path.is_dir()}
    return Layout("planet", folders, {path.name: path for path in folder.glob("*.csv")})


def test_a_layout_survives_the_way_to_disk_and_back(tmp_path: Path) -> None:
    layout = layout_of(write_planet(tmp_path / "source"))
    layout.write(tmp_path / "workspace" / "data" / "layout.json")
    assert Layout.read(tmp_path / "workspace" / "data" / "layout.json", planet()) == layout


def test_a_layout_of_another_competition_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data" / "layout.json"
    layout_of(write_planet(tmp_path / "source")).write(path)
    for read in (Layout.read, Layout.read_what_is_left):
        with pytest.raises(
            UserError, match=r"prepared for competition 'planet', received 'seabed'. Give --competition"
        ):
            read(path, other(tmp_path))


def test_a_missing_layout_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'No data in the workspace .*, run "python run.py data download"; to use'):
        _ = Workspace(tmp_path, planet()).layout
    assert Layout.read_what_is_left(tmp_path / "layout.json", planet()) == Layout("planet", {}, {})


def test_data_that_are_gone_are_named_and_left_out(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source")
    path = tmp_path / "data" / "layout.json"
    layout_of(source).write(path)
    shutil.rmtree(source / "test-jpg")
    (source / "train_v2.csv").unlink()
    with pytest.raises(UserError, match=r"are gone: .*test-jpg, .*train_v2.csv. To use files in a folder, run"):
        Layout.read(path, planet())
    left = Layout.read_what_is_left(path, planet())
    assert set(left.folders) == {"train-jpg", "test-jpg-additional"}
    assert set(left.tables) == {"sample_submission_v2.csv"}


def test_what_is_neither_folder_nor_file_is_no_data(tmp_path: Path) -> None:
    path = tmp_path / "data" / "layout.json"
    layout_of(write_planet(tmp_path / "source")).write(path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    whole = json.loads(path.read_text(encoding="utf-8"))
    for place in ("/dev/zero", "../pipe", "../circle", "/proc/self/mem/x", "a\0b", "."):
        for odd in ({"tables": {"train_v2.csv": place}}, {"folders": {"train-jpg": [f"{place}/train_v2.csv"]}}):
            content = {name: whole[name] for name in ("competition", "folders", "tables", "stamps")}
            path.write_text(json.dumps({**content, **odd}), encoding="utf-8")
            with pytest.raises(UserError, match=r"^Data that were prepared are gone: .*, run "):
                Layout.read(path, planet())
            left = Layout.read_what_is_left(path, planet())
            assert not (left.tables if "tables" in odd else left.folders)


@pytest.mark.parametrize("place", [1, None, "x" * 5000, ["a", 1]])
def test_a_path_that_is_none_is_one_line(tmp_path: Path, place: object) -> None:
    path = tmp_path / "data" / "layout.json"
    path.parent.mkdir()
    for odd in ({"folders": {}, "tables": {"a": place}}, {"folders": {"a": place}, "tables": {}}):
        path.write_text(json.dumps({"competition": "planet", **odd}), encoding="utf-8")
        with pytest.raises(UserError, match=r"layout.json is damaged|are gone") as caught:
            Layout.read(path, planet())
        assert len(str(caught.value)) < 2000


def test_a_layout_of_before_records_had_digests_is_read(tmp_path: Path) -> None:
    layout, path = layout_of(write_planet(tmp_path / "source")), tmp_path / "layout.json"
    layout.write(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({name: content[name] for name in ("competition", "folders", "tables")}))
    assert Layout.read(path, planet()) == layout


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"competition": "planet", "folders": [], "tables": {}}'])
def test_a_damaged_layout_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "layout.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"layout.json is damaged: .*\. To use files in a folder, run"):
        Layout.read(path, planet())


def test_chips_are_located_in_the_order_asked(tmp_path: Path) -> None:
    layout = layout_of(write_planet(tmp_path))
    names = ("train_4", "train_0", "train_4")
    assert [path.stem for path in layout.locate(JPG, "train", names)] == list(names)
    files = layout.locate(JPG, "test", ("file_1", "test_0"))
    assert [path.parent.name for path in files] == ["test-jpg-additional", "test-jpg"]


def test_chips_without_a_file_are_named(tmp_path: Path) -> None:
    layout = layout_of(write_planet(tmp_path))
    with pytest.raises(
        UserError,
        match=r"2 of 3 train chips have no \.jpg file: train_77, x\. The folders .* To bring back what is lost, run",
    ):
        layout.locate(JPG, "train", ("train_77", "train_0", "x"))
    with pytest.raises(UserError, match="No train chips: none of the folders train-tif-v2 was found"):
        layout.files(TIF, "train")
    with pytest.raises(UserError, match=r"test_v2_file_mapping.csv is not in the workspace"):
        layout.table("test_v2_file_mapping.csv")


def test_files_that_are_not_chips_are_passed_over(tmp_path: Path) -> None:
    layout = layout_of(write_planet(tmp_path))
    for name in ("._train_0.jpg", ".DS_Store", "Thumbs.db", "train_9.txt"):
        (tmp_path / "train-jpg" / name).write_bytes(b"junk")
    (tmp_path / "train-jpg" / "train_0.jpg").rename(tmp_path / "train-jpg" / "train_0.JPG")
    assert list(layout.files(JPG, "train")) == [f"train_{i}" for i in range(6)]


def test_two_files_of_one_id_are_refused(tmp_path: Path) -> None:
    layout = layout_of(write_planet(tmp_path))
    shutil.copy(tmp_path / "test-jpg" / "test_0.jpg", tmp_path / "test-jpg-additional" / "test_0.jpg")
    with pytest.raises(UserError, match=r"Two files carry the id test_0: .*test_0.jpg and .*test_0.jpg"):
        layout.files(JPG, "test")


def test_misnamed_tiffs_get_their_right_ids(tmp_path: Path) -> None:
    for i, name in enumerate(["test_0", "file_0", "file_1"]):
        write_chip(tmp_path / "test-tif-v2" / f"{name}.tif", pixels(i, bands=4))
    write_csv(
        tmp_path / "test_v2_file_mapping.csv", "old,new", {"file_0.tif": "file_1.tif", "file_1.tif": "file_0.tif"}
    )
    files = layout_of(tmp_path).files(TIF, "test")
    assert {name: path.stem for name, path in files.items()} == {
        "file_0": "file_1",
        "file_1": "file_0",
        "test_0": "test_0",
    }


def test_paths_beside_the_layout_are_written_relative(tmp_path: Path) -> None:
    folder = write_planet(tmp_path / "data")
    layout_of(folder).write(folder / "layout.json")
    content = json.loads((folder / "layout.json").read_text(encoding="utf-8"))
    assert content["folders"]["train-jpg"] == ["train-jpg"]


def test_a_layout_of_the_version_before_is_read(tmp_path: Path) -> None:
    layout, path = layout_of(write_planet(tmp_path / "source")), tmp_path / "layout.json"
    layout.write(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    folders = {name: places[0] for name, places in content["folders"].items()}
    path.write_text(
        json.dumps({"format": 1, **{key: content[key] for key in ("competition", "tables")}, "folders": folders})
    )
    assert Layout.read(path, planet()) == layout


def test_the_chips_of_a_folder_in_parts_are_one_index(tmp_path: Path) -> None:
    places = tuple(tmp_path / f"images_{number:03}" / "images" for number in (1, 2))
    for number, place in enumerate(places):
        write_chip(place / f"chip_{number}.png", pixels(number))
    layout = Layout("x", {"images": places}, {}, "name")
    images = ImageSet(suffix=".png", bands="RGB", train=("images",), test=("images", "more"))
    assert layout.folders_of(images, "test") == places
    assert layout.locate(images, "train", ["chip_1.png", "chip_0.png"]) == [
        places[1] / "chip_1.png",
        places[0] / "chip_0.png",
    ]
    with pytest.raises(UserError, match=r'1 of 1 test chips .*: chip_1\. The ids carry no suffix: say ids = "stem"'):
        layout.locate(images, "test", ["chip_1"])
    assert layout.files(images, "train") == layout.files(images, "test")


def test_a_layout_of_another_competition_of_the_same_name_is_not_added_to(tmp_path: Path) -> None:
    path, mine = tmp_path / "data" / "layout.json", planet()
    theirs = mine.model_copy(update={"labels": (*mine.labels[1:], "volcano")})
    Layout("planet", {}, {}, described=description_of(theirs)).write(path)
    with pytest.raises(UserError, match=r"another competition called 'planet', with other labels or tables") as caught:
        Layout.read_what_is_left(path, mine)
    assert "\n" not in str(caught.value)
    assert Layout.read(path, mine).competition == "planet"
    corrected = mine.tables.model_copy(update={"separator": "|"})
    assert description_of(mine.model_copy(update={"tables": corrected})) == description_of(mine)
    Layout("planet", {}, {}).write(path)  # before that was noted
    assert Layout.read_what_is_left(path, mine).competition == "planet"
