"""What a submission must look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from competition.common.errors import UserError
from competition.spec.competition import Competition
from competition.tables.sample import SampleSubmission

ROWS = {"kind": "rows", "row_id": "ID_{id}_{label}", "value_column": "p"}


def competition(submission: dict[str, Any], metric: str = "log_loss", **tables: Any) -> Competition:
    return Competition.model_validate(
        {
            "name": "seabed",
            "title": "Seabed",
            "labels": ["sand", "wet sand", "rock"],
            "metric": {"name": metric},
            "tables": {"train": "t.csv", "sample_submission": "s.csv", "id_column": "id", **tables},
            "images": {"png": {"suffix": ".png", "bands": "RGB", "train": "train"}},
            "submission": submission,
        }
    )


def read(folder: Path, content: str | bytes, seabed: Competition) -> SampleSubmission:
    (folder / "s.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return SampleSubmission.read(folder / "s.csv", seabed)


def test_columns_and_ids_keep_their_order(tmp_path: Path) -> None:
    sample = read(tmp_path, "rock,id,sand,wet sand,more\n.5,x_2,,?,1\n.5,007,,?,1\n", competition({}))
    assert sample == SampleSubmission(("x_2", "007"), ("rock", "id", "sand", "wet sand"))
    assert sample.keys == ("x_2", "007")


def test_of_rows_the_chips_stand_as_they_first_come_and_the_rows_keep_their_order(tmp_path: Path) -> None:
    content = "p,id\n0,ID_b_rock\n0,ID_a_wet sand\n0,ID_b_sand\n"
    sample = read(tmp_path, content, competition(ROWS))
    assert (sample.names, sample.columns) == (("b", "a"), ("p", "id"))
    assert sample.keys == sample.pairs == (("b", "rock"), ("a", "wet sand"), ("b", "sand"))


def test_without_a_sample_every_chip_comes_with_every_label() -> None:
    seabed = competition(ROWS)
    assert SampleSubmission.of("xy", seabed).keys == tuple((chip, label) for chip in "xy" for label in seabed.labels)
    columns = ("id", "sand", "wet sand", "rock")
    assert SampleSubmission.of("xy", competition({})) == SampleSubmission(("x", "y"), columns)


def test_it_may_be_encoded_as_the_training_table_is(tmp_path: Path) -> None:
    content = "id,sand,wet sand,rock\nä,0,0,0\n"
    seabed = competition({}, encoding="latin-1")
    assert read(tmp_path, content.encode("latin-1"), seabed).names == read(tmp_path, content, seabed).names == ("ä",)
    with pytest.raises(UserError, match="line 2 is not UTF-8; it looks like latin-1"):
        read(tmp_path, content.encode("latin-1"), competition({}))


@pytest.mark.parametrize(
    ("submission", "content", "line"),
    [
        (
            {},
            "id,p\nx,0\n",
            r"no sample of a submission of kind 'scores': missing columns: 3 \('sand'; 'wet sand'; 'rock'",
        ),
        ({}, "id,sand,wet sand,rock\nx,0,0,0\nx,0,0,0\n", r"repeated ids: 1 \(line 3: 'x,0,0,0'\)"),
        ({}, "id,sand,wet sand,rock\n,0,0,0\n", r"rows without an id: 1"),
        ({}, "id,sand,wet sand,rock\nx,0\n", r"rows without 4 cells: 1"),
        ({}, "id;sand;wet sand;rock\nx;0;0;0\n", r"wrong delimiter: 1 .* expected \",\" .*, received \";\""),
        (ROWS, "id,p\nID_x_mud,0\n", r"rows of no label: 1 \(line 2: 'ID_x_mud,0'\)"),
        (ROWS, "id,p\nID_x_sand,0\nID_x_sand,0\n", r"repeated rows: 1 \(line 3"),
        ({}, "", r"Cannot read .*s.csv as CSV: it is empty"),
    ],
)
def test_a_sample_that_does_not_fit_is_one_line(
    tmp_path: Path, submission: dict[str, Any], content: str, line: str
) -> None:
    with pytest.raises(UserError, match=line):
        read(tmp_path, content, competition(submission))
