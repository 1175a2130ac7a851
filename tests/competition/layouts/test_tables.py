"""The tables of made-up chips, read with pandas: each form says what was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.layouts.chips import Chip, make_chips
from competition.layouts.delivery import Delivery
from competition.layouts.shipped import DELIVERIES
from competition.layouts.tables import write_tables
from competition.layouts.truth import draw_truth
from competition.spec.competition import Competition
from competition.spec.load import load
from tests.competition.layouts.samples import fungi


def read(path: Path, **options) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, **options)


def chips_of(competition: Competition, delivery: Delivery, count: int, first: int) -> list[Chip]:
    rng = np.random.default_rng(first)
    return make_chips(competition, delivery, draw_truth(competition, count, rng, delivery.union), first, rng)


@pytest.fixture
def write(tmp_path):
    def write_for(competition: Competition):
        delivery = DELIVERIES.get(competition.name, Delivery())
        train, test = (chips_of(competition, delivery, *split) for split in ((30, 0), (6, 30)))
        write_tables(tmp_path, competition, delivery, train, test)
        return tmp_path, train, test

    return write_for


def carried(chip, competition) -> set[str]:
    return {label for label, has in zip(competition.labels, chip.labels, strict=True) if has}


def test_tags_in_a_column_and_the_word_for_none(write):
    competition = load("chestx-ray14")
    root, train, test = write(competition)
    table = read(root / "Data_Entry_2017.csv")
    assert list(table)[:2] == ["Image Index", "Finding Labels"]
    assert "No Finding" in set(table["Finding Labels"])
    for chip, tags in zip(train, table["Finding Labels"], strict=True):
        assert set(tags.split("|")) - {"No Finding"} == carried(chip, competition)
    assert read(root / "test_list.txt", header=None)[0].tolist() == [chip.name for chip in test]


def test_a_column_per_label_with_tabs(write):
    competition = load("ucmerced-multilabel")
    root, train, _ = write(competition)
    table = read(root / "LandUse_Multilabeled.txt", sep="\t", index_col="IMAGE\\LABEL")
    np.testing.assert_array_equal(table[list(competition.labels)].to_numpy() == "1", [chip.labels for chip in train])


def test_a_row_per_label_that_is_there(write):
    competition = load("bigearthnet-s2")
    root, train, _ = write(competition)
    listed = read(root / "train.csv").groupby("patch_id")["labels"].agg(set)
    assert dict(listed) == {chip.name: carried(chip, competition) for chip in train}


def test_a_row_per_label_with_some_chips_twice(write):
    competition = load("rsna-hemorrhage-2019")
    root, train, test = write(competition)
    table = read(root / "stage_1_train.csv")
    assert len(table) == 32 * 6
    once = table.drop_duplicates()
    assert len(once) == 30 * 6
    of_any = once[once["ID"].str.endswith("_any")]["Label"] == "1"
    assert of_any.tolist() == [bool(chip.labels[-1]) for chip in train]
    sample = read(root / "stage_1_sample_submission.csv")
    assert set(sample["Label"]) == {"0.5"}
    assert sample["ID"].str.rsplit("_", n=1).str[0].unique().tolist() == sorted(chip.name for chip in test)


def test_a_split_is_delivered_as_three_tables(write):
    competition = load("eurosat")
    root, train, test = write(competition)
    names = [read(root / "EuroSAT" / f"{split}.csv") for split in ("train", "validation", "test")]
    for table in names:
        assert list(table)[1:] == ["Filename", "Label", "ClassName"]
    assert sorted([*names[0]["Filename"], *names[1]["Filename"]]) == sorted(chip.name for chip in train)
    assert names[2]["ClassName"].tolist() == [name.split("/")[0] for name in names[2]["Filename"]]
    assert names[2]["Filename"].tolist() == [chip.name for chip in test]
    assert competition.labels[int(names[0]["Label"][0])] == names[0]["ClassName"][0]


def test_the_sample_has_its_own_column_of_tags(write):
    root, _, test = write(load("human-protein-atlas-2018"))
    sample = read(root / "sample_submission.csv")
    assert list(sample) == ["Id", "Predicted"]
    assert sample["Id"].tolist() == sorted(chip.name for chip in test)
    assert list(read(root / "train.csv")) == ["Id", "Target"]


def test_groups_stand_in_a_column_of_their_own(write):
    root, _, _ = write(load("ranzcr-clip"))
    assert (read(root / "train.csv")["PatientID"].value_counts() == 3).all()


@pytest.mark.parametrize("none", [None, "nothing"])
def test_a_chip_without_a_label_has_a_row_that_says_so(write, none):
    root, train, _ = write(fungi({"label_column": "label", "none": none}, unlabelled=True, exclusive=[]))
    table = read(root / "tables" / "train.csv")
    assert list(dict.fromkeys(table["id"])) == [chip.name for chip in train]
    bare = {chip.name for chip in train if not chip.labels.any()}
    assert bare
    assert set(table[table["label"] == (none or "")]["id"]) == bare


def test_an_unknown_competition_is_written_in_its_encoding_and_delimiter(write):
    competition = fungi({"encoding": "utf-16", "delimiter": ";"})
    root, train, _ = write(competition)
    table = read(root / "tables" / "train.csv", sep=";", encoding="utf-16")
    assert list(table) == ["id", *competition.labels]
    assert table["id"].tolist() == [chip.name for chip in train]
