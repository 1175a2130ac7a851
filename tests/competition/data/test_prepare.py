from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from competition.checks.check import check_data
from competition.common.errors import UserError
from competition.data import archives, extraction
from competition.data import prepare as module
from competition.data.prepare import Item, PreparedReport, prepare
from competition.workspace import Workspace
from tests.competition.data.test_search import competition_of, put
from tests.competition.samples import (
    archive_of,
    held,
    other,
    pixels,
    planet_workspace,
    write_archive,
    write_chip,
    write_csv,
    write_planet,
)

TABLES = ("train_v2.csv", "sample_submission_v2.csv")
FOLDERS = ("train-jpg", "test-jpg", "test-jpg-additional")


def item(report: PreparedReport, name: str) -> Item:
    return next(item for item in report.items if item.name == name)


def as_archives(source: Path, to: Path) -> Path:
    """Pack what `write_planet` wrote as Kaggle ships it."""
    for name in FOLDERS:
        archive_of(source / name, to / f"{name}.tar.7z")
    for name in TABLES:
        write_archive(to / f"{name}.zip", {name: (source / name).read_bytes()})
    return to


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    return write_planet(tmp_path / "unpacked")


@pytest.fixture
def packed(tmp_path: Path, unpacked: Path) -> Path:
    return as_archives(unpacked, tmp_path / "packed")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return planet_workspace(tmp_path / "workspace")


def test_folders_are_used_where_they_lie(unpacked: Path, workspace: Workspace) -> None:
    before = held(unpacked)
    report = prepare(workspace, unpacked)
    assert held(unpacked) == before
    assert set(held(workspace.data)) == {".lock", "layout.json"}
    assert item(report, "train-jpg") == Item(
        "train-jpg", (unpacked / "train-jpg",), f"used in place: {unpacked / 'train-jpg'}", 6
    )
    assert workspace.layout.tables["train_v2.csv"] == unpacked / "train_v2.csv"
    assert report.missing == ("test_v2_file_mapping.csv", "train-tif-v2", "test-tif-v2")


def test_a_source_that_cannot_be_written_is_enough(unpacked: Path, workspace: Workspace) -> None:
    for folder in [*unpacked.iterdir(), unpacked]:
        folder.chmod(0o555)
    try:
        prepare(workspace, unpacked)
    finally:
        for folder in [unpacked, *unpacked.iterdir()]:
            folder.chmod(0o755)
    assert len(workspace.labelled.image_names) == 6


def test_archives_are_unpacked_to_the_workspace(unpacked: Path, packed: Path, workspace: Workspace) -> None:
    report = prepare(workspace, packed)
    expected = held(unpacked)
    assert {name: content for name, content in held(workspace.data).items() if name in expected} == expected
    assert item(report, "test-jpg") == Item(
        "test-jpg", (workspace.data / "test-jpg",), "unpacked from test-jpg.tar.7z", files=4
    )
    assert len(workspace.test_names) == 7
    assert check_data(workspace).ok


def test_the_text_has_a_line_for_each_item_and_the_layout(packed: Path, workspace: Workspace) -> None:
    report = prepare(workspace, packed)
    lines = report.text().splitlines()
    assert len(lines) == 8 + 1
    assert any(line.split() == ["train-jpg", "6", "chips", "unpacked", "from", "train-jpg.tar.7z"] for line in lines)
    assert any(line.split() == ["train-tif-v2", "missing,", "not", "required"] for line in lines)
    assert lines[-1] == f"Wrote {workspace.data / 'layout.json'}"


def test_an_unpacked_folder_is_preferred_to_its_archive(tmp_path: Path, unpacked: Path, workspace: Workspace) -> None:
    write_archive(unpacked / "train-jpg.zip", {"train-jpg/strange.jpg": b"x"})
    write_archive(unpacked / "train_v2.csv.zip", {"train_v2.csv": b"x"})
    report = prepare(workspace, unpacked)
    assert item(report, "train-jpg").paths == (unpacked / "train-jpg",)
    assert item(report, "train_v2.csv").paths == (unpacked / "train_v2.csv",)


def test_an_archive_is_preferred_to_an_empty_folder(packed: Path, workspace: Workspace) -> None:
    (packed / "train-jpg").mkdir()
    assert item(prepare(workspace, packed), "train-jpg").files == 6


def test_the_data_set_of_a_kaggle_notebook_is_found(tmp_path: Path, unpacked: Path, workspace: Workspace) -> None:
    # Folders in folders of the same name, and tables too: /kaggle/input/<set>/train-jpg/train-jpg, .../x.csv/x.csv.
    source = tmp_path / "input"
    for name in FOLDERS:
        shutil.copytree(unpacked / name, source / "planets" / name / name)
    for name in TABLES:
        (source / "planets" / name).mkdir()
        shutil.copy(unpacked / name, source / "planets" / name / name)
    for junk in ("__MACOSX", ".Trash"):
        (source / junk / "train-jpg").mkdir(parents=True)
        (source / junk / "train-jpg" / "train_0.jpg").write_bytes(b"junk")
    report = prepare(workspace, source)
    assert item(report, "train-jpg").paths == (source / "planets" / "train-jpg" / "train-jpg",)
    assert item(report, "train_v2.csv").paths == (source / "planets" / "train_v2.csv" / "train_v2.csv",)


def test_what_lies_deeper_than_four_folders_is_not_found(unpacked: Path, workspace: Workspace, tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c" / "d" / "e" / "f"
    shutil.copytree(unpacked, deep)
    with pytest.raises(UserError, match="holds none of the files"):
        prepare(workspace, tmp_path / "a")
    assert item(prepare(workspace, tmp_path / "a" / "b" / "c"), "train-jpg").files == 6


def test_a_folder_of_chips_is_not_walked(unpacked: Path, workspace: Workspace) -> None:
    hidden = unpacked / "train-jpg" / "more" / "test-tif-v2"
    write_chip(hidden / "test_0.tif", pixels(0, bands=4))
    assert "test-tif-v2" in prepare(workspace, unpacked).missing


def test_the_nearest_of_two_folders_is_used_and_the_other_named(unpacked: Path, workspace: Workspace) -> None:
    shutil.copytree(unpacked / "train-jpg", unpacked / "copy" / "train-jpg")
    report = prepare(workspace, unpacked)
    assert item(report, "train-jpg").paths == (unpacked / "train-jpg",)
    assert f"another at {unpacked / 'copy' / 'train-jpg'} was not used" in item(report, "train-jpg").how


def test_what_was_unpacked_is_not_unpacked_again(packed: Path, workspace: Workspace) -> None:
    prepare(workspace, packed)
    before = {path: path.stat().st_ino for path in workspace.data.iterdir() if path.is_dir()}
    for archive in packed.iterdir():
        os.utime(archive, (1, 1))  # as a copy has it
    report = prepare(workspace, packed)
    assert {path: path.stat().st_ino for path in workspace.data.iterdir() if path.is_dir()} == before
    for name, archive in [("train-jpg", "train-jpg.tar.7z"), ("train_v2.csv", "train_v2.csv.zip")]:
        assert item(report, name).how == f"unpacked earlier from {archive}"


def test_a_changed_archive_is_unpacked_again(packed: Path, unpacked: Path, workspace: Workspace) -> None:
    prepare(workspace, packed)
    write_chip(unpacked / "test-jpg" / "test_9.jpg", pixels(9))
    archive_of(unpacked / "test-jpg", packed / "test-jpg.tar.7z")
    report = prepare(workspace, packed)
    assert item(report, "test-jpg").how == "unpacked again from test-jpg.tar.7z"
    assert item(report, "test-jpg").files == 5
    assert item(report, "train-jpg").how == "unpacked earlier from train-jpg.tar.7z"


def test_a_folder_that_lost_a_file_is_unpacked_again(packed: Path, workspace: Workspace) -> None:
    prepare(workspace, packed)
    (workspace.data / "train-jpg" / "train_0.jpg").unlink()
    assert item(prepare(workspace, packed), "train-jpg").files == 6


def test_archives_kept_in_the_workspace_itself_are_followed(packed: Path, unpacked: Path, workspace: Workspace) -> None:
    shutil.copytree(packed, workspace.data)
    prepare(workspace, workspace.data)
    report = prepare(workspace, workspace.data)
    assert item(report, "train-jpg").how == "unpacked earlier from train-jpg.tar.7z"
    write_chip(unpacked / "train-jpg" / "train_9.jpg", pixels(9))
    archive_of(unpacked / "train-jpg", workspace.data / "train-jpg.tar.7z")
    assert item(prepare(workspace, workspace.data), "train-jpg").files == 7


def test_a_second_source_is_merged(tmp_path: Path, packed: Path, workspace: Workspace) -> None:
    prepare(workspace, packed)
    shutil.rmtree(packed)
    write_chip(tmp_path / "later" / "train-tif-v2" / "train_0.tif", pixels(0, bands=4))
    report = prepare(workspace, tmp_path / "later")
    assert item(report, "train-tif-v2").files == 1
    assert item(report, "train-jpg") == Item(
        "train-jpg", (workspace.data / "train-jpg",), f"kept from an earlier prepare: {workspace.data / 'train-jpg'}", 6
    )
    assert set(workspace.layout.folders) == {*FOLDERS, "train-tif-v2"}
    assert len(workspace.test_names) == 7


def test_data_that_moved_are_found_anew(tmp_path: Path, unpacked: Path, workspace: Workspace) -> None:
    prepare(workspace, unpacked)
    shutil.move(unpacked, tmp_path / "moved")
    report = prepare(workspace, tmp_path / "moved")
    assert item(report, "train-jpg").paths == (tmp_path / "moved" / "train-jpg",)


def test_a_workspace_of_another_competition_is_refused_before_anything_is_unpacked(
    tmp_path: Path, packed: Path, unpacked: Path, workspace: Workspace
) -> None:
    prepare(workspace, unpacked)
    before = held(workspace.data)
    folder = tmp_path / "seabed"
    write_archive(folder / "dives.zip", {"dives/a.png": b"x"})
    with pytest.raises(UserError, match="was prepared for competition 'planet', received 'seabed'"):
        prepare(Workspace(workspace.root, other(tmp_path)), folder)
    assert held(workspace.data) == before


def test_nothing_recognisable_says_what_was_looked_for_and_found(tmp_path: Path, workspace: Workspace) -> None:
    for name in ("holiday.jpg", "notes.txt"):
        (tmp_path / "source" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "source" / name).write_bytes(b"x")
    expected = r"Looked for the table train_v2.csv and the chips train-jpg, .*; found holiday.jpg, notes.txt\.$"
    with pytest.raises(UserError, match=expected):
        prepare(workspace, tmp_path / "source")
    assert not workspace.root.exists()
    with pytest.raises(UserError, match=r"No folder .*nowhere. Give --from"):
        prepare(workspace, tmp_path / "nowhere")


@pytest.mark.parametrize(("lost", "named"), [("train_v2.csv", "train_v2.csv"), ("train-jpg", "train-jpg")])
def test_what_is_required_is_named(packed: Path, workspace: Workspace, lost: str, named: str) -> None:
    next(packed.glob(f"{lost}.*")).unlink()
    with pytest.raises(UserError, match=f"lacks {named}. Looked for .*; found .*test-jpg"):
        prepare(workspace, packed)
    assert not workspace.root.exists()


def test_a_broken_archive_leaves_the_earlier_layout(packed: Path, workspace: Workspace) -> None:
    prepare(workspace, packed)
    before = held(workspace.data)
    (packed / "train-jpg.tar.7z").write_bytes(b"404")
    with pytest.raises(UserError, match=r"Cannot unpack .*train-jpg.tar.7z"):
        prepare(workspace, packed)
    assert held(workspace.data) == before
    assert len(workspace.labelled.image_names) == 6


def test_an_interrupted_prepare_is_taken_up_again(
    packed: Path, unpacked: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = extraction.Destination.create

    def interrupted(self: extraction.Destination, path: Path) -> object:
        if path.name == "test_2.jpg":
            raise KeyboardInterrupt
        return create(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(extraction.Destination, "create", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(workspace, packed)
    assert not (workspace.data / "layout.json").exists()
    assert not (workspace.data / "test-jpg").exists()
    with pytest.raises(UserError, match="No data in the workspace"):
        _ = workspace.layout
    (workspace.data / ".tmp-0123abcd-1-killed.unpacking" / "content").mkdir(parents=True)  # what kill -9 would leave
    report = prepare(workspace, packed)
    assert item(report, "train-jpg").how == "unpacked earlier from train-jpg.tar.7z"
    assert item(report, "test-jpg").how == "unpacked from test-jpg.tar.7z"
    assert not list(workspace.data.glob(".tmp-*"))


def test_two_at_once_unpack_once(packed: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked, unpack = [], archives.unpack_folder

    def slow(archive: Path, target: Path, **options: object) -> int:
        unpacked.append(archive.name)
        time.sleep(0.02)
        return unpack(archive, target, **options)

    monkeypatch.setattr(archives, "unpack_folder", slow)
    calls = [threading.Thread(target=prepare, args=(workspace, packed)) for _ in range(2)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert sorted(unpacked) == sorted(f"{name}.tar.7z" for name in FOLDERS)
    assert len(workspace.labelled.image_names) == 6


def test_waiting_for_another_prepare_is_said(
    unpacked: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.data.mkdir(parents=True)
    with FileLock(workspace.data / ".lock"):
        waiting = threading.Thread(target=prepare, args=(workspace, unpacked))
        waiting.start()
        time.sleep(0.7)
        assert not (workspace.data / "layout.json").exists()
    waiting.join()
    assert "Waiting for another process, at work in" in capsys.readouterr().err
    assert (workspace.data / "layout.json").exists()


def test_another_competition_is_prepared_and_checked(tmp_path: Path) -> None:
    seabed = other(tmp_path)
    source = tmp_path / "input"
    write_csv(source / "tables" / "labels.csv", "id,sand,rock,kelp", {"a": "1,0,1", "b": "0,1,0", "c": "0,0,0"})
    write_csv(source / "tables" / "sample.csv", "id,sand,rock,kelp", {"x": "0,0,0"})
    for i, name in enumerate("abc"):
        write_chip(source / "pictures" / "png" / "dives" / f"{name}.png", pixels(i))
    write_chip(tmp_path / "x.png", pixels(7))
    write_archive(source / "pictures" / "dives-to-label.zip", {"x.png": (tmp_path / "x.png").read_bytes()})
    workspace = Workspace(tmp_path / "workspace", seabed)
    report = prepare(workspace, source)
    assert [(i.name, i.files) for i in report.items] == [
        ("labels.csv", None),
        ("sample.csv", None),
        ("dives", 3),
        ("dives-to-label", 1),
    ]
    np.testing.assert_array_equal(workspace.labelled.truth.sum(axis=0), [1, 1, 1])
    check = check_data(workspace)
    assert check.ok, check.text()
    assert [finding.text[:34] for finding in check.findings] == ["labels.csv: chips without a label,"]


def test_what_an_earlier_version_unpacked_is_left_alone(packed: Path, workspace: Workspace) -> None:
    prepare(workspace, packed)
    record = workspace.data / "unpacked.json"
    content = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({name: content[name] for name in (*TABLES, *FOLDERS)}))
    report = prepare(workspace, packed)
    assert {item.how.split(" from ")[0] for item in report.items if item.paths} == {"unpacked earlier"}
    record.write_text(json.dumps({**content, "train-jpg": {}}))  # which its digest tells
    report = prepare(workspace, packed)
    assert {item.how.split(" from ")[0] for item in report.items if item.paths} == {"unpacked"}
    assert json.loads(json.dumps(report.as_dict()))["items"]["train-jpg"]["files"] == 6


def test_the_layout_is_written_last(packed: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Layout, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        prepare(workspace, packed)
    record = json.loads((workspace.data / "unpacked.json").read_text(encoding="utf-8"))
    assert record.keys() - {"format", "digest"} == {*TABLES, *FOLDERS}


# Other layouts


def leaves(folder: Path, **values: object) -> Workspace:
    return Workspace(folder, competition_of(**values))


def test_one_archive_of_the_whole_competition_is_unpacked_and_searched(tmp_path: Path) -> None:
    nested = write_archive(tmp_path / "images.zip", {"images/a.png": b"1", "images/b.png": b"2"})
    table = write_archive(tmp_path / "train.csv.zip", {"train.csv": b"id,a,b\na,0,1\n"})
    for number, files in enumerate(
        (
            {"set/images/a.png": b"1", "set/images/b.png": b"2", "set/tables/train.csv": b"id,a,b\na,0,1\n"},
            {"images.zip": nested.read_bytes(), "x/train.csv.zip": table.read_bytes()},
        )
    ):
        source = tmp_path / str(number)
        write_archive(source / "leaves-2021.zip", files)
        workspace = leaves(tmp_path / f"w{number}")
        for _ in range(2):
            report = prepare(workspace, source)
            assert [item.files for item in report.items] == [None, 2]
        assert all(path.is_relative_to(workspace.data) for item in report.items for path in item.paths)
        # Also where the workspace lies in the folder searched: the archive decides.
        inside = leaves(source / "workspace")
        for _ in range(2):
            assert [item.files for item in prepare(inside, source).items] == [None, 2]


def test_an_archive_in_the_one_archive_is_unpacked_and_searched(tmp_path: Path) -> None:
    inner = write_archive(tmp_path / "inner.zip", {"images/a.png": b"x", "train.csv": b"id,a,b\na,0,1\n"}).read_bytes()
    write_archive(tmp_path / "source" / "set.zip", {"deep/data.zip": inner})
    workspace = Workspace(tmp_path / "workspace", competition_of())
    for _ in range(2):
        report = prepare(workspace, tmp_path / "source")
        assert item(report, "images").files == 1
        assert item(report, "train.csv").paths[0].read_bytes().startswith(b"id,a,b")


def test_a_folder_in_parts_is_used_in_all_of_them(tmp_path: Path) -> None:
    for number in range(1, 13):
        put(tmp_path / "source" / f"images_{number:03}", f"images/chip_{number}.png")
    put(tmp_path / "source", "copy/images/chip_3.png", "train.csv")
    workspace = leaves(tmp_path / "w")
    found = item(prepare(workspace, tmp_path / "source"), "images")
    copy = tmp_path / "source" / "copy" / "images"
    # The copy comes first by name, so that it is the one of the parts that is left out.
    assert (len(found.paths), found.files) == (12, 12)
    assert found.paths[0] == copy
    assert "and 10 more" in found.how
    assert "images_003" in found.how
    assert len(workspace.layout.files(workspace.competition.image_set("main"), "train")) == 12


def test_numbered_archives_are_parts_of_a_folder(tmp_path: Path) -> None:
    source = put(tmp_path / "source", "train.csv")
    for number in (1, 2, 3):
        write_archive(source / f"images_{number:03}.tar.gz", {f"images/chip_{number}.png": b"x"})
    report = prepare(leaves(tmp_path / "w"), source)
    assert item(report, "images").files == 3
    assert item(report, "images").how.startswith("unpacked from images_001.tar.gz, images_002.tar.gz and 1 more")
    # The same with the folder of each part in the competition file.
    parts = [f"images_{number:03}/images" for number in (1, 2, 3)]
    report = prepare(leaves(tmp_path / "v", train=parts), source)
    assert [item(report, part).files for part in parts] == [1, 1, 1]


def test_a_file_for_each_band_in_folders_of_their_own(tmp_path: Path) -> None:
    source = put(tmp_path / "source", "train.csv")
    members = {f"images/t/{chip}/{chip}_{band}.png": b"x" for chip in ("p_1", "p_2") for band in ("B02", "B8A")}
    write_archive(source / "images.zip", members)
    workspace = leaves(tmp_path / "w", file="{id}_{band}", bands=["B02", "B8A"])
    assert item(prepare(workspace, source), "images").files == 2
    files = workspace.layout.locate(workspace.competition.image_set("main"), "train", ["p_2"])
    assert [path.name for path in files[0]] == ["p_2_B02.png", "p_2_B8A.png"]


def test_ids_that_are_paths_are_found_in_an_archive(tmp_path: Path) -> None:
    source = put(tmp_path / "source", "train.csv")
    write_archive(source / "images.zip", {"images/2020/a.png": b"x"})
    workspace = leaves(tmp_path / "w", ids="path")
    prepare(workspace, source)
    assert list(workspace.layout.files(workspace.competition.image_set("main"), "train")) == ["2020/a.png"]


def test_train_and_test_chips_may_lie_in_one_folder(tmp_path: Path) -> None:
    source = put(tmp_path / "source", "train.csv", "a.png", "b.png")
    workspace = leaves(tmp_path / "w", train=".", test=".")
    report = prepare(workspace, source)
    assert [(found.name, found.files) for found in report.items] == [("train.csv", None), (".", 2)]
    images = workspace.competition.image_set("main")
    assert workspace.layout.files(images, "train") == workspace.layout.files(images, "test")


LABELS = b"id,a,b\nx,0,1\n"


@pytest.mark.parametrize(("archive", "top"), [("images.zip", ""), ("all.zip", "all/"), ("images.zip", "images/")])
def test_the_table_beside_the_folder_of_the_archives_name_is_found(tmp_path: Path, archive: str, top: str) -> None:
    source = tmp_path / "source"
    write_archive(source / archive, {f"{top}images/a.png": b"1", f"{top}images/b.png": b"2", "train.csv": LABELS})
    for ids in ("stem", "path"):
        report = prepare(leaves(tmp_path / ids, ids=ids), source)
        assert [found.files for found in report.items] == [None, 2]
        assert item(report, "train.csv").paths[0].read_bytes() == LABELS


def test_a_readme_beside_the_folder_is_no_part_of_the_ids(tmp_path: Path) -> None:
    source = put(tmp_path / "source", "train.csv")
    for number in (1, 2):
        files = {f"images/2020/{number}.png": b"x", "README.txt": b"x"}
        write_archive(source / str(number) / "images.zip", files)
    workspace = leaves(tmp_path / "w", ids="path")
    assert item(prepare(workspace, source), "images").files == 2
    assert list(workspace.layout.files(workspace.competition.image_set("main"), "train")) == [
        "2020/1.png",
        "2020/2.png",
    ]


def test_bundles_of_one_name_are_all_unpacked_and_used(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_archive(source / "a" / "images.zip", {"images/a.png": b"1", "train.csv": LABELS})
    write_archive(source / "b" / "images.zip", {"images/b.png": b"2"})
    write_archive(source / "c" / "images.zip", {"images/a.png": b"1"})  # a copy
    workspace = leaves(tmp_path / "w")
    for how in ("used in place", "used in place"):
        found = item(prepare(workspace, source), "images")
        assert (found.files, found.how[: len(how)]) == (2, how)
    assert len(list((workspace.data / "bundles").iterdir())) == 2


def test_numbered_archives_of_one_name_are_all_unpacked(tmp_path: Path) -> None:
    source = put(tmp_path / "source", "train.csv")
    for folder in ("train", "test"):
        write_archive(source / folder / "images_1.zip", {f"images/{folder}.png": b"x"})
    assert item(prepare(leaves(tmp_path / "w"), source), "images").files == 2
    names = ["train/images", "test/images"]
    report = prepare(leaves(tmp_path / "v", train=names), source)
    assert [item(report, name).files for name in names] == [1, 1]


@pytest.mark.parametrize("name", ["layout.json", "unpacked", "digest"])
def test_an_archive_called_as_a_record_of_the_workspace_harms_nothing(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source"
    write_archive(source / f"{name}.zip", {f"{name}/a.png": b"1", "train.csv": LABELS})
    for train, named in (("images", {"images/a.png": b"1"}), (name, {f"{name}/a.png": b"1"})):
        write_archive(source / f"{name}.zip", {**named, "train.csv": LABELS})
        workspace = leaves(tmp_path / train, train=train)
        for _ in range(2):
            assert item(prepare(workspace, source), train).files == 1
        assert workspace.layout.tables["train.csv"].read_bytes() == LABELS
    write_archive(source / f"{name}.zip", {"a.png": b"1"})
    put(source, "train.csv")
    workspace = leaves(tmp_path / "bare", train=name)
    for _ in range(2):
        assert item(prepare(workspace, source), name).files == 1


def test_a_table_within_an_image_folder_outlives_that_folders_archive(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_archive(source / "images.zip", {"a.png": b"1"})
    write_archive(source / "images" / "train.csv.zip", {"train.csv": LABELS})
    workspace = leaves(tmp_path / "w", table="images/train.csv")
    for how in ("unpacked", "unpacked earlier"):
        report = prepare(workspace, source)
        assert [found.how.split(" from ")[0] for found in report.items] == [how, how]
        assert workspace.layout.table("images/train.csv").read_bytes() == LABELS


def test_a_corrected_competition_file_unpacks_anew(tmp_path: Path) -> None:
    source = put(tmp_path / "source", "train.csv")
    write_archive(source / "images.zip", {"x/2020/a.png": b"1"})
    for ids, expected in (("stem", ["a"]), ("path", ["x/2020/a.png"])):
        workspace = leaves(tmp_path / "w", ids=ids)
        prepare(workspace, source)
        assert list(workspace.layout.files(workspace.competition.image_set("main"), "train")) == expected


def test_what_a_bundle_held_is_not_kept_once_another_of_its_name_took_its_place(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_archive(source / "all.zip", {"images/a.png": b"1", "train.csv": LABELS})
    workspace = leaves(tmp_path / "w", test="test")
    prepare(workspace, source)
    write_archive(source / "all.zip", {"test/a.png": b"1", "train.csv": LABELS})
    with pytest.raises(UserError, match="lacks images"):
        prepare(workspace, source)


def test_another_competition_of_the_same_name_is_not_prepared_into_the_workspace(
    tmp_path: Path, workspace: Workspace
) -> None:
    source = write_planet(tmp_path / "source")
    prepare(workspace, source)
    prepare(workspace, source)
    mine = workspace.competition
    theirs = mine.model_copy(update={"labels": (*mine.labels[1:], "volcano")})
    with pytest.raises(UserError, match="with other labels or tables"):
        prepare(Workspace(workspace.root, theirs), source)


# Tables that have changed

CHANGES = {
    "emptied": lambda content: b"",
    "halved": lambda content: content[: content.index(b"\n", len(content) // 2) + 1],
    "truncated": lambda content: content[:-3],
    "zeroed": lambda content: bytes(len(content)),
    "one byte flipped": lambda content: content[:-4] + bytes([content[-4] ^ 1]) + content[-3:],
}
READERS = {
    "train_v2.csv": lambda workspace: workspace.labelled,
    "sample_submission_v2.csv": lambda workspace: workspace.test_names,
}


def change(path: Path, how: str) -> None:
    path.write_bytes(CHANGES[how](path.read_bytes()))


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("name", READERS)
def test_an_unpacked_table_that_has_changed_is_named_and_unpacked_anew(
    packed: Path, workspace: Workspace, name: str, how: str
) -> None:
    prepare(workspace, packed)
    path, whole = workspace.data / name, held(workspace.data)
    change(path, how)
    changed = path.read_bytes()
    for _ in range(2):
        with pytest.raises(UserError, match=rf"{name} has changed since `data prepare`: .*data prepare --from DIR"):
            READERS[name](Workspace(workspace.root, workspace.competition))
    report = prepare(workspace, packed)
    assert item(report, name).how == f"unpacked again from {name}.zip (what was there is now {name}.changed)"
    assert held(workspace.data) == {**whole, f"{name}.changed": changed}
    READERS[name](Workspace(workspace.root, workspace.competition))


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("name", READERS)
def test_a_table_used_in_place_that_has_changed_is_named_and_used_only_when_it_is_prepared_again(
    unpacked: Path, workspace: Workspace, name: str, how: str
) -> None:
    prepare(workspace, unpacked)
    change(unpacked / name, how)
    with pytest.raises(UserError, match=rf"{name} has changed .* to use it as it is, run .*--from {unpacked}"):
        READERS[name](Workspace(workspace.root, workspace.competition))
    elsewhere = unpacked.parent / "later"
    elsewhere.mkdir()
    prepare(workspace, elsewhere)  # it is kept as it is, and that is no reason to trust it
    with pytest.raises(UserError, match=f"{name} has changed"):
        READERS[name](Workspace(workspace.root, workspace.competition))
    said = item(prepare(workspace, unpacked), name).how
    assert said.startswith(f"used in place: {unpacked / name}; it ha")
    assert Workspace(workspace.root, workspace.competition).layout.table(name) == unpacked / name


def test_an_archive_mends_a_table_beside_it_that_has_changed(unpacked: Path, workspace: Workspace) -> None:
    prepare(workspace, unpacked)
    whole = (unpacked / "train_v2.csv").read_bytes()
    write_archive(unpacked / "train_v2.csv.zip", {"train_v2.csv": whole})
    change(unpacked / "train_v2.csv", "halved")
    for how in ("unpacked", "unpacked earlier"):
        report = prepare(workspace, unpacked)
        assert item(report, "train_v2.csv").how.startswith(f"{how} from train_v2.csv.zip (another at ")
        assert len(Workspace(workspace.root, workspace.competition).labelled.image_names) == 6
    (unpacked / "train_v2.csv").write_bytes(whole)
    assert item(prepare(workspace, unpacked), "train_v2.csv").how.startswith("used in place")


def test_a_workspace_of_before_tables_were_looked_at_is_read_and_prepared_again(
    packed: Path, workspace: Workspace
) -> None:
    prepare(workspace, packed)
    for name, left_out in (("layout.json", ["stamps"]), ("unpacked.json", [])):
        content = json.loads((workspace.data / name).read_text(encoding="utf-8"))
        for about in content.values():
            if isinstance(about, dict):
                about.pop("content", None)
        kept = {key: value for key, value in content.items() if key not in ("digest", *left_out)}
        (workspace.data / name).write_text(json.dumps(kept))
    change(workspace.data / "train_v2.csv", "halved")
    assert len(Workspace(workspace.root, workspace.competition).labelled.image_names) < 6
    report = prepare(workspace, packed)
    assert item(report, "train_v2.csv").how.startswith("unpacked again")
    assert item(report, "sample_submission_v2.csv").how == "unpacked again from sample_submission_v2.csv.zip"
    assert len(Workspace(workspace.root, workspace.competition).labelled.image_names) == 6
    assert not (workspace.data / "sample_submission_v2.csv.changed").exists()


def test_tables_alone_are_placed_and_chips_that_were_found_before_stay(packed: Path, workspace: Workspace) -> None:
    report = prepare(workspace, packed, tables_only=True)
    assert workspace.layout.tables.keys() == set(TABLES)
    assert (workspace.layout.folders, item(report, "train-jpg").how) == ({}, "missing, not required")
    prepare(workspace, packed)
    fresh = Workspace(workspace.root, workspace.competition)
    before = fresh.layout.folders
    assert before.keys() == set(FOLDERS)
    prepare(fresh, packed, tables_only=True)
    assert Workspace(workspace.root, workspace.competition).layout.folders == before
