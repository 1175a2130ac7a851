from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from competition.common.errors import UserError
from tests.competition.init.folders import begun, pictures, table

TAGS = ["a c", "c", "a", "b", "b a", "d"]
NAME = st.text("abcdefghijk_ XYZé", min_size=2, max_size=8).map(str.strip).filter(lambda text: len(text) > 1)
PLACE = st.text("abcdefgh-_", min_size=2, max_size=8).filter(lambda text: text.strip("-_") == text)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(NAME, min_size=3, max_size=3, unique_by=str.lower),
    places=st.lists(PLACE, min_size=4, max_size=4, unique=True),
    mark=st.sampled_from(",;\t"),
    between=st.sampled_from([" ", "|", ";", ","]),
    suffix=st.sampled_from([".png", ".jpg", ".JPEG", ".webp"]),
    ids=st.sampled_from(["stem", "name"]),
)
def test_columns_folders_and_marks_may_be_called_anything(
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
    places: list[str],
    mark: str,
    between: str,
    suffix: str,
    ids: str,
) -> None:
    root = tmp_path_factory.mktemp("any")
    folder, end = root / "in", suffix if ids == "name" else ""
    own, tags, sampled = names
    rows = [(f"x{i}{end}", TAGS[i % 6].replace(" ", between)) for i in range(18)]
    table(folder / f"{places[0]}.csv", [own, tags], rows, mark)
    table(folder / f"{places[1]}_sample.csv", [own, sampled], [(f"t{i}{end}", "a") for i in range(4)], mark)
    pictures(folder / places[2], [f"x{i}{suffix}" for i in range(18)])
    pictures(folder / places[3], [f"t{i}{suffix}" for i in range(4)])
    got, found = begun(folder, root)
    assert got.labels == ("a", "b", "c", "d")
    assert (got.tables.id_column, got.tables.ids, got.tables.delimiter) == (own, ids, mark)
    assert (got.tables.tags_column, got.tables.separator) == (tags, between)
    assert got.submission_form.tags_column == sampled
    (images,) = got.images.values()
    assert (images.train, images.test, images.suffix) == ((places[2],), (places[3],), (suffix.lower(),))
    assert found.is_guessed


def test_columns_of_groups_and_folds_are_known(tmp_path: Path) -> None:
    rows = [(f"x{i}", TAGS[i % 6], i % 5, f"p{i // 3}", "MF"[i % 2]) for i in range(24)]
    table(tmp_path / "in" / "t.csv", ["id", "labels", "fold", "PatientID", "sex"], rows)
    pictures(tmp_path / "in" / "train", [f"x{i}.png" for i in range(24)])
    got, found = begun(tmp_path / "in", tmp_path)
    assert (got.tables.fold_column, got.tables.group_column) == ("fold", "PatientID")
    assert any("'PatientID'" in question for question in found.questions)
    got, _ = begun(tmp_path / "in", tmp_path, group="sex")
    assert got.tables.group_column == "sex"


def test_several_columns_that_could_be_groups_are_named_and_none_is_taken(tmp_path: Path) -> None:
    rows = [(f"x{i}", TAGS[i % 6], f"p{i // 3}", f"s{i // 4}") for i in range(24)]
    table(tmp_path / "in" / "t.csv", ["id", "labels", "patient", "site"], rows)
    pictures(tmp_path / "in" / "train", [f"x{i}.png" for i in range(24)])
    got, _ = begun(tmp_path / "in", tmp_path)
    assert got.tables.group_column is None
    text = (tmp_path / "found.toml").read_text(encoding="utf-8")
    assert '# group_column = "patient"' in text
    assert "--group names the column" in text


def test_names_come_from_the_folder_or_the_flags(tmp_path: Path) -> None:
    folder = tmp_path / "Leaves & Needles 2020"
    table(folder / "t.csv", ["id", "labels"], [(f"x{i}", TAGS[i % 6]) for i in range(12)])
    pictures(folder / "train", [f"x{i}.png" for i in range(12)])
    got, _ = begun(folder, tmp_path)
    assert (got.name, got.title, got.slug) == ("leaves-needles-2020", "Leaves & Needles 2020", None)
    got, _ = begun(folder, tmp_path, slug="leaves-2020", title="Leaves!", name="leaves")
    assert (got.name, got.title, got.slug) == ("leaves", "Leaves!", "leaves-2020")


def test_chips_without_a_file_are_a_question(tmp_path: Path) -> None:
    table(tmp_path / "in" / "t.csv", ["id", "labels"], [(f"x{i}", TAGS[i % 6]) for i in range(12)])
    pictures(tmp_path / "in" / "train", [f"x{i}.png" for i in range(10)])
    _, found = begun(tmp_path / "in", tmp_path)
    assert any("the 2 of 12 labelled chips" in question for question in found.questions)


@pytest.mark.parametrize("held", [[], ["a.dcm"], ["x.npy", "y.npy"]])
def test_a_folder_without_pictures_says_what_it_holds(held: list[str], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in held:
        (tmp_path / "in" / name).write_bytes(b"-")
    with pytest.raises(UserError, match=rf"holds no pictures.*{held[0][1:] if held else 'no files'}"):
        begun(tmp_path / "in", tmp_path)


def test_one_label_is_refused(tmp_path: Path) -> None:
    table(tmp_path / "in" / "t.csv", ["id", "labels"], [(f"x{i}", "a") for i in range(12)])
    pictures(tmp_path / "in" / "train", [f"x{i}.png" for i in range(12)])
    with pytest.raises(UserError, match="--tags-column"):
        begun(tmp_path / "in", tmp_path, tags_column="labels")
