from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.survey.grids import Grid
from competition.survey.ids import Names, id_columns, place_of, row_form
from competition.survey.listing import Piece

IDS = st.lists(st.text(string.ascii_letters + string.digits + "-.", min_size=3, max_size=9), min_size=4, unique=True)


def names_of(*paths: str) -> Names:
    return Names([Piece(path, None) for path in paths])


@given(IDS, st.sampled_from(["stem", "name", "path", "path_stem"]), st.sampled_from(["", "images_001/images/", "a/b/"]))
def test_ids_are_known_with_and_without_suffix_and_folders(ids: list[str], kind: str, folder: str) -> None:
    ids = [own.strip(".") + "x" for own in ids]
    names = names_of(*(f"{folder}in/{own}.png" for own in ids))
    values = [("in/" if "path" in kind else "") + own + (".png" if kind in ("name", "path") else "") for own in ids]
    match = names.match(values)
    assert match is not None
    assert (match.kind, match.hits) == (kind, len(set(ids)))
    for own, value in zip(ids, values, strict=True):
        place = place_of(f"{folder}in/{own}.png", match.kind, set(values), {value.count("/")})
        assert place is not None
        assert place.id == value


@pytest.mark.parametrize(
    ("path", "file", "folder"),
    [
        ("train/x-1_red.png", "{id}_red", "train"),
        ("all/x-1/x-1_B02.tif", "{id}_B02", "all/x-1"),
        ("all/x-1/vv.tif", "{id}/vv", "all"),
        ("img_x-1.png", "img_{id}", ""),
    ],
)
def test_an_id_that_is_a_part_of_a_path_gives_a_pattern(path: str, file: str, folder: str) -> None:
    place = place_of(path, "pattern", {"x-1", "other"})
    assert place is not None
    assert (place.id, place.file, place.folder) == ("x-1", file, folder)
    assert place_of("train/y_red.png", "pattern", {"x-1"}) is None


def test_small_numbers_do_not_pass_for_ids_and_leading_zeros_stay() -> None:
    names = names_of(*(f"{i:03d}.png" for i in range(30)), "0.png", "1.png")
    rows = [[f"{i:03d}", str(i % 2)] for i in range(30)]
    assert [column.name for column in id_columns(Grid("t", ("id", "cat"), rows), names)] == ["id"]


def test_two_columns_that_name_the_pictures_are_both_returned() -> None:
    names = names_of(*(f"x{i}.png" for i in range(9)))
    grid = Grid("t", ("id", "file", "n"), [[f"x{i}", f"x{i}.png", str(i)] for i in range(9)])
    assert {column.name for column in id_columns(grid, names)} == {"id", "file"}


@given(st.sampled_from(["", "ID_"]), st.sampled_from("_-"), st.booleans())
def test_ids_of_rows_are_taken_apart(before: str, mark: str, labels_known: bool) -> None:
    chips, labels = [f"x{i}" for i in range(5)], ["any", "sub dural"]
    values = [f"{before}{chip}{mark}{label}" for chip in chips for label in labels]
    form, found = row_form(values, set(chips), labels if labels_known else ())
    assert form == f"{before}{{id}}{mark}{{label}}"
    assert found == labels
    assert row_form(["a", "b"], set(chips)) == ("", [])
