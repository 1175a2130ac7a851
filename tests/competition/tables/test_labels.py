from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.common.errors import UserError
from competition.tables.label_table import parse_rows
from competition.tables.labels import read_label_table, to_multi_hot
from competition.tables.write import to_tags
from tests.competition.samples import other, planet, write_csv

LABELS = planet().labels
QUICK = settings(deadline=None)


@QUICK
@given(st.lists(st.sets(st.sampled_from(LABELS)), min_size=1, max_size=8))
def test_tags_survive_the_way_to_rows_and_back(tag_sets: list[set[str]]) -> None:
    rows = to_multi_hot(tag_sets, planet())
    assert rows.shape == (len(tag_sets), len(LABELS))
    assert [set(text.split()) for text in to_tags(rows, planet())] == tag_sets


@QUICK
@given(st.permutations(["clear", "primary", "water", "primary"]), st.sampled_from([" ", "  ", "\t"]))
def test_order_repetition_and_blanks_carry_no_meaning(tags: list[str], blank: str) -> None:
    table = parse_rows(f"image_name,tags\nchip, {blank.join(tags)} \n".encode(), planet().tables, LABELS)
    assert to_tags(to_multi_hot(table.tags, planet()), planet()) == ["clear primary water"]


def test_unknown_tags_are_listed_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"Unknown tags: Clear, sun. Known: agriculture, "):
        to_multi_hot([["clear", "sun"], ["Clear"]], planet())


def test_the_label_table_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    rows = {"train_2": "haze primary primary", "train_10": "primary haze", "train_1": ""}
    write_csv(tmp_path / "train.csv", "image_name,tags", rows)
    table = read_label_table([tmp_path / "train.csv"], planet())
    assert table.image_names == ("train_2", "train_10", "train_1")
    assert to_tags(table.truth, planet()) == ["haze primary", "haze primary", ""]


def test_label_columns_are_found_in_any_order(tmp_path: Path) -> None:
    write_csv(tmp_path / "labels.csv", "kelp,id,sand,rock", {"1,007": "0,1", "0,NA": "1,0"})
    table = read_label_table([tmp_path / "labels.csv"], other(tmp_path))
    assert table.image_names == ("007", "NA")
    assert table.truth.tolist() == [[False, True, True], [True, False, False]]


def test_a_byte_order_mark_is_not_part_of_a_column(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("image_name,tags\na,clear\n", encoding="utf-8-sig")
    assert read_label_table([tmp_path / "train.csv"], planet()).image_names == ("a",)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("image_name,tags\na,clear\na,haze\n", r"repeated ids: 1 \(line 3: 'a,haze'\)"),
        (
            "image_name,tags\na,sunny\n",
            r"rows with unknown tags: 1 \(line 2: 'a,sunny'\), received sunny \(1x\), expected agriculture, artis",
        ),
        ("image_name,labels\na,clear\n", r"missing columns: 1 \('tags'\), received the columns 'image_name', 'labels'"),
        ("", r"not a CSV file: 1 \(it is empty\)"),
        ("image_name,tags\na,clear,haze,road\ne,haze\n", r"rows without 2 cells: 1 \(line 2: 4 cells\)"),
    ],
)
def test_a_wrong_table_is_named_in_one_line(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "train.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=match) as caught:
        read_label_table([tmp_path / "train.csv"], planet())
    assert "train.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_cells_other_than_0_and_1_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "labels.csv", "id,sand,rock,kelp", {"a": "0,1,0", "b": "0,0.5,1", "c": "0,,1"})
    with pytest.raises(UserError, match=r"not 0 or 1: 2 \(line 3: rock '0.5'; line 4: rock ''\)"):
        read_label_table([tmp_path / "labels.csv"], other(tmp_path))
