"""What is wrong with the tables."""

from __future__ import annotations

from pathlib import Path

from competition.checks.check import check_data
from competition.checks.report import CheckReport
from competition.checks.tables import check_labels
from competition.common.text import first
from competition.data.prepare import prepare
from competition.spec.load import load
from competition.tables.joined import read_label_rows
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
    train, test = texts(check(source), "error")
    assert train == "train_v2.csv: repeated ids: 1 (line 14: 'train_0,clear primary')."
    assert test.endswith("sample_submission_v2.csv cannot be used: repeated ids: 1 (line 9: 'test_0,primary clear').")


def test_rules_of_the_labels_are_checked(source: Path) -> None:
    tags = ["primary", "clear haze", "cloudy water", "clear clear", "clear sunny", "haze sunny wet", "", "cloudy"]
    write_train(source, *(f"train_{i},{text}" for i, text in enumerate([*tags, *["clear"] * 4])))
    report = check(source)
    group = "clear, partly_cloudy, haze, cloudy"
    assert texts(report, "error") == [
        "train_v2.csv: rows with unknown tags: 2 (line 6: 'train_4,clear sunny'; line 7: 'train_5,haze sunny wet'), "
        f"received sunny (2x), wet (1x), expected {first(planet().labels)}."
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


LABELLED = """
name = "spots"
title = "Spots"
labels = ["a", "b", "c", "d"]
{top}
[tables]
train = {train}
id_column = "id"
{tables}
[images.png]
suffix = ".png"
bands = "RGB"
train = ["chips"]
"""


def spots(
    folder: Path,
    rows: dict[str, str],
    top: str = "",
    tables: str = "",
    header: str = "id,a,b,c,d",
    train: str = '"t.csv"',
) -> CheckReport:
    """Check a table of four labels, with a chip for each row."""
    write_csv(folder / "data" / "t.csv", header, rows)
    for seed, name in enumerate(rows):
        write_chip(folder / "data" / "chips" / f"{name}.png", pixels(seed))
    (folder / "spots.toml").write_text(LABELLED.format(top=top, tables=tables, train=train), encoding="utf-8")
    workspace = Workspace(folder / "workspace", load(str(folder / "spots.toml")))
    prepare(workspace, folder / "data")
    return check_data(workspace)


ROWS = {"x": "1,0,1,0", "y": "0,1,0,1", "z": "0,0,0,0"}


def test_rows_without_a_label_are_a_note_or_a_warning_as_the_competition_says(tmp_path: Path) -> None:
    report = spots(tmp_path / "says", ROWS, top="unlabelled = true")
    assert texts(report, "note") == ["t.csv: chips without a label (1): z."]
    assert not texts(report, "warning")
    report = spots(tmp_path / "not", ROWS)
    text = "t.csv: chips without a label, and the competition file does not say unlabelled = true (1): z."
    assert texts(report, "warning") == [text]
    report = spots(tmp_path / "group", ROWS, top='unlabelled = true\nexclusive = [["a", "b"]]')
    assert not texts(report, "warning")


def test_cells_that_the_competition_gives_a_meaning_are_counted(tmp_path: Path) -> None:
    rows = {"x": "1,,-1,0", "y": "0,1,,1.0", "z": "-1,0,,1"}
    report = spots(tmp_path, rows, tables='cells = { "" = 0, "-1" = 1 }')
    assert report.ok
    said = "t.csv: cells whose meaning the competition file says: blank as 0 (3), '-1' as 1 (2)."
    assert texts(report, "note") == [said]
    assert report.support == {"a": 2, "b": 1, "c": 1, "d": 2}


def test_what_only_follows_from_cells_that_cannot_be_read_is_not_said(tmp_path: Path) -> None:
    rows = {"x": "yes,no,no,no", "y": "no,yes,yes,yes", "z": "no,yes,no,yes"}
    report = spots(tmp_path, rows)
    assert len(report.findings) == 1, report.text()
    assert "cells that are not 0 or 1: 12 (" in texts(report, "error")[0]


def test_what_follows_from_faults_of_one_of_several_tables_is_not_said_either(tmp_path: Path) -> None:
    rows = {"x": "yes,no,no,no", "y": "no,yes,yes,yes", "z": "no,yes,no,yes"}
    write_csv(tmp_path / "data" / "more.csv", "id,a,b,c,d", {"w": "1,0,0,0"})
    write_chip(tmp_path / "data" / "chips" / "w.png", pixels(9))
    report = spots(tmp_path, rows, train='["t.csv", "more.csv"]')
    assert len(report.findings) == 1, report.text()
    assert "t.csv: cells that are not 0 or 1: 12 (" in texts(report, "error")[0]


def test_another_separator_is_one_finding(tmp_path: Path) -> None:
    report = spots(tmp_path, {"x": "a|b", "y": "c|d", "z": "b|d"}, tables='tags_column = "tags"', header="id,tags")
    assert len(report.findings) == 1, report.text()
    assert "say separator = '|'" in texts(report, "error")[0]


def test_a_thousand_labels_stay_lines_that_can_be_read(tmp_path: Path) -> None:
    labels = [f"label_number_{number}" for number in range(1103)]
    top = f"exclusive = [{labels[:1000]}]"
    write_csv(tmp_path / "t.csv", "id,tags", {"x": labels[0], "y": labels[1000], "z": " ".join(labels[:3])})
    path = tmp_path / "many.toml"
    written = LABELLED.replace('["a", "b", "c", "d"]', str(labels)).format(
        top=top, tables='tags_column = "tags"', train='"t.csv"'
    )
    path.write_text(written, encoding="utf-8")
    competition = load(str(path))
    truth, findings = check_labels(read_label_rows([tmp_path / "t.csv"], competition.tables, labels), competition)
    assert len(findings) == 3
    assert max(len(finding.text) for finding in findings) < 300
    support = dict(zip(labels, truth.sum(axis=0).tolist(), strict=True))
    report = CheckReport("Many", tmp_path, (), support, 3, tuple(findings))
    assert len(report.text().splitlines()) < 60
    assert "... and 1,063 more" in report.text()


def described(folder: Path, text: str, *rows: str, tables: str = "", entries: str = "") -> CheckReport:
    """Check chips a, b, c and so on, of one row each."""
    data = folder / "data"
    data.mkdir(parents=True)
    lines = [f"{name},{row}" for name, row in zip("abcdef", rows, strict=False)]
    (data / "train.csv").write_text("\n".join([f"id,{text}", *lines]), encoding="utf-8")
    for seed, line in enumerate(lines):
        write_chip(data / "train" / f"{line[0]}.png", pixels(seed))
    (folder / "c.toml").write_text(
        f'name = "c"\ntitle = "C"\n{entries}\n[tables]\ntrain = "train.csv"\nid_column = "id"\n{tables}\n'
        '[images.png]\nsuffix = ".png"\nbands = "RGB"\ntrain = "train"\n',
        encoding="utf-8",
    )
    workspace = Workspace(folder / "workspace", load(str(folder / "c.toml")))
    prepare(workspace, data)
    return check_data(workspace)


def test_blank_or_missing_columns_of_groups_and_folds_are_errors(tmp_path: Path) -> None:
    columns, labels = 'group_column = "g"\nfold_column = "f"', 'labels = ["x", "y"]'
    report = described(tmp_path / "1", "x,y,g,f", "0,1,p,0", "1,0,,1", "1,0, ,", tables=columns, entries=labels)
    assert texts(report, "error") == [
        "train.csv: chips with a blank group_column 'g'; fill it in, or give folds --group '' for no groups (2): b, c.",
        "train.csv: chips with a blank fold_column 'f'; fill it in, or take that entry out of the file (1): c.",
    ]
    report = described(tmp_path / "2", "x,y,f", "0,1,0", "1,0,1", "1,0,1", tables=columns, entries=labels)
    assert texts(report, "error") == ["group_column: train.csv: no columns 'id' and 'g'; received 'id', 'x', 'y', 'f'."]
    report = described(tmp_path / "3", "x,y,g,f", "0,1,p,0", "1,0,p,1", "1,0,q,0", tables=columns, entries=labels)
    assert report.ok


def test_labels_of_many_letters_are_cut_in_lines(tmp_path: Path) -> None:
    long = [letter * 300 for letter in "xyz"]
    entries = f"labels = {long}\nexclusive = [{long[:2]}]\nalone = [{long[0]!r}]"
    report = described(tmp_path, ",".join(long), "1,1,0", "0,0,0", entries=entries)
    said = [line for line in report.text().splitlines() if "x" * 39 in line or "z" * 39 in line]
    assert len(said) >= 5
    assert not any("x" * 40 in line or "z" * 40 in line for line in said)
