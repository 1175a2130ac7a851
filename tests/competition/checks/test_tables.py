"""What is wrong with the tables."""

from __future__ import annotations

from pathlib import Path

from competition.checks.check import check_data
from competition.data.prepare import prepare
from competition.workspace import Workspace
from tests.competition.checks.samples import (
    MAPPING,
    check,
    texts,
    write_tiffs,
    write_train,
)
from tests.competition.samples import other, pixels, planet, write_chip, write_csv, write_planet


def test_repeated_ids_are_errors(source: Path) -> None:
    for name in ("train_v2.csv", "sample_submission_v2.csv"):
        lines = (source / name).read_text(encoding="utf-8").splitlines()
        (source / name).write_text("\n".join([*lines, lines[1]]), encoding="utf-8")
    assert texts(check(source), "error") == [
        "train_v2.csv: repeated ids: 1 (line 14: 'train_0,clear primary').",
        "sample_submission_v2.csv: repeated ids (1): test_0.",
    ]


def test_rules_of_the_labels_are_checked(source: Path) -> None:
    tags = ["primary", "clear haze", "cloudy water", "clear clear", "clear sunny", "haze sunny wet", "", "cloudy"]
    write_train(source, *(f"train_{i},{text}" for i, text in enumerate([*tags, *["clear"] * 4])))
    report = check(source)
    group = "clear, partly_cloudy, haze, cloudy"
    assert texts(report, "error") == [
        "train_v2.csv: rows with unknown tags: 2 (line 6: 'train_4,clear sunny'; line 7: 'train_5,haze sunny wet'), "
        f"received sunny (2x), wet (1x), expected {' '.join(planet().labels)}."
    ]
    assert texts(report, "warning")[:3] == [
        f"train_v2.csv: chips with none of {group} (2): train_0, train_6.",
        f"train_v2.csv: chips with several of {group} (1): train_1.",
        "train_v2.csv: chips with cloudy and other labels (1): train_2.",
    ]
    assert texts(report, "note") == [
        "train_v2.csv: chips that repeat a tag, which changes nothing (1): train_3.",
    ]
    assert report.support["clear"] == 1 + 1 + 1 + 4


def test_labels_that_no_chip_carries_are_named(source: Path) -> None:
    (warning,) = texts(check(source), "warning")
    assert "no chip carries agriculture, artisinal_mine, bare_ground, blooming, blow_down and 5 more; that" in warning


def test_label_columns_are_checked(tmp_path: Path) -> None:
    rows = {"a": "1,0,1", "b": "0,2,0", "c": "0,,0"}
    write_csv(tmp_path / "source" / "labels.csv", "id,sand,rock,kelp", rows)
    for i, name in enumerate(rows):
        write_chip(tmp_path / "source" / "dives" / f"{name}.png", pixels(i))
    workspace = Workspace(tmp_path / "workspace", other(tmp_path))
    prepare(workspace, tmp_path / "source")
    report = check_data(workspace)
    assert texts(report, "error") == ["labels.csv: cells that are not 0 or 1: 2 (line 3: rock '2'; line 4: rock '')."]
    assert "No png test chips: dives-to-label not found." in texts(report, "warning")


def test_an_unreadable_table_does_not_stop_the_check(source: Path) -> None:
    (source / "train_v2.csv").write_text("image_name,labels\na,clear\n", encoding="utf-8")
    report = check(source)
    assert "train_v2.csv: missing columns: 1 ('tags'), received the columns 'image_name', 'labels'." in texts(
        report, "error"
    )
    assert [count.listed for count in report.chips] == [None, 7]
    assert report.text()


def test_a_mapping_must_give_every_file_a_name_of_its_own(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source")
    rows = ["file_0.tif,file_1.tif", "file_1.tif,file_1.tif", "file_2,file_2.tif", "file_2,strange.tif"]
    (source / MAPPING).write_text("\n".join(["old,new", *rows]), encoding="utf-8")
    report = check(source)
    assert texts(report, "error") == [
        f"{MAPPING}, column old: repeated ids (1): file_2.",
        f"{MAPPING}, column new: repeated ids (1): file_1.tif.",
        f"{MAPPING}: names that do not end in .tif (2): file_2, file_2.",
        f"{MAPPING}: new names that are not in the sample submission (1): strange.tif.",
    ]
    assert any("not a permutation" in text for text in texts(report, "note"))


def test_names_that_the_mapping_makes_equal_are_an_error(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source")
    write_tiffs(source, "test")
    write_csv(source / MAPPING, "old,new", {"file_0.tif": "file_1.tif"})
    assert any("Two files carry the id file_1" in text for text in texts(check(source), "error"))


def test_a_table_without_rows_is_an_error(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source")
    (source / "train_v2.csv").write_text("image_name,tags\n", encoding="utf-8")
    assert "train_v2.csv lists no labelled chips." in texts(check(source), "error")
