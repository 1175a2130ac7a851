"""The check of the data as a whole: which files and tables are there, and whether they agree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from competition.checks.check import check_data
from competition.common.errors import UserError
from tests.competition.checks.samples import (
    MAPPING,
    check,
    texts,
    write_misnamed_tiffs,
    write_tiffs,
)
from tests.competition.samples import planet_workspace, write_csv, write_planet


def test_whole_data_are_ready(source: Path) -> None:
    report = check(source)
    assert report.ok
    assert not texts(report, "error")
    counts = [(c.rendering, c.split, c.files, c.listed, c.decoded, c.kinds) for c in report.chips]
    assert counts == [
        ("jpg", "train", 12, 12, 12, ("16 x 16 x 3 uint8",)),
        ("jpg", "test", 7, 7, 7, ("16 x 16 x 3 uint8",)),
    ]
    assert report.support["primary"] == 9
    assert report.num_labelled == 12


def test_a_workspace_without_data_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'No data in the workspace .* run "python run.py data download"; to '):
        check_data(planet_workspace(tmp_path))


def test_ids_without_a_file_and_files_without_an_id_are_named(source: Path) -> None:
    (source / "train-jpg" / "train_3.jpg").rename(source / "train-jpg" / "train_99.jpg")
    (source / "test-jpg" / "test_1.jpg").rename(source / "test-jpg" / "test_99.jpg")
    report = check(source)
    assert texts(report, "error") == [
        "train_v2.csv: ids without a jpg train file (1): train_3.",
        "sample_submission_v2.csv: ids without a jpg test file (1): test_1.",
    ]
    assert texts(report, "warning")[-2:] == [
        "train_v2.csv: jpg train files that are not in it and not used (1): train_99.",
        "sample_submission_v2.csv: jpg test files that are not in it and not used (1): test_99.",
    ]


def test_another_rendering_may_be_incomplete(source: Path) -> None:
    write_tiffs(source, "train")
    (source / "train-tif-v2" / "train_0.tif").unlink()
    report = check(source)
    assert report.ok
    assert "train_v2.csv: ids without a tif train file (1): train_0." in texts(report, "warning")


def test_misnamed_tiffs_agree_with_their_jpegs_once_renamed(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source", additional=6)
    write_csv(source / MAPPING, "old,new", write_misnamed_tiffs(source))
    report = check(source)
    assert report.ok, report.text()
    assert f"{MAPPING} renames 6 chips; it is a permutation." in texts(report, "note")
    assert any(
        "tif test: band order BGRN has r = 1.000 with jpg over 10 chips" in text for text in texts(report, "note")
    )


def test_a_mapping_that_is_read_the_wrong_way_round_is_noticed(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source", additional=6)
    write_csv(source / MAPPING, "new,old", write_misnamed_tiffs(source))
    errors = texts(check(source), "error")
    assert len(errors) == 1
    assert errors[0].startswith("tif test: of 10 chips compared, those that show another scene than their jpg")
    assert "names must be mixed up" in errors[0]


def test_a_missing_mapping_is_an_error_where_there_are_tiffs(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source", additional=6)
    assert not any(MAPPING in finding.text for finding in check(source).findings)
    write_misnamed_tiffs(source)
    assert any(text.startswith(f"{MAPPING} is not in the workspace") for text in texts(check(source), "error"))


def test_a_sample_submission_without_test_chips_is_an_error(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source")
    shutil.rmtree(source / "test-jpg")
    shutil.rmtree(source / "test-jpg-additional")
    assert any(text.startswith("No jpg test chips") for text in texts(check(source), "error"))
