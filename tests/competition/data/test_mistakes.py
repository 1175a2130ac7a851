"""Where chips or tables are missing, the likeliest mistakes are named with what was found instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.data.mistakes import IncompleteError, check_complete
from competition.index.layout import Layout
from competition.spec.competition import Competition
from competition.spec.load import load
from tests.competition.data.test_search import competition_of, put
from tests.competition.samples import forbid

NOTHING = Layout("leaves", {}, {})


def said(source: Path, *found: str, competition: Competition | None = None, earlier: Layout = NOTHING) -> str:
    with pytest.raises(IncompleteError) as caught:
        check_complete(set(found), earlier, source, competition or competition_of())
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(source))
    return text


def test_nothing_is_said_where_nothing_is_missing(tmp_path: Path) -> None:
    check_complete({"images", "train.csv"}, NOTHING, tmp_path, competition_of())
    earlier = Layout("leaves", {"images": (tmp_path,)}, {})
    check_complete({"train.csv"}, earlier, tmp_path, competition_of())
    assert "lacks train.csv. Looked for the table train.csv" in said(tmp_path, "images", earlier=earlier)


def test_without_chips_the_sample_says_which_are_to_be_predicted(tmp_path: Path) -> None:
    planet, (train, sample) = load("planet"), ("train_v2.csv", "sample_submission_v2.csv")
    check_complete({train, sample}, Layout("planet", {}, {}), tmp_path, planet, tables_only=True)
    with pytest.raises(IncompleteError, match=rf"lacks {sample}\. Looked for the table {train}, {sample}, unpacked"):
        check_complete({train}, Layout("planet", {}, {}), tmp_path, planet, tables_only=True)
    with pytest.raises(IncompleteError, match=r"Without chips, for scores that others .* --from \S+ --tables-only"):
        check_complete({train, sample}, Layout("planet", {}, {}), tmp_path, planet)


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        (
            ["images/a.gif", "images/b.gif"],
            "images holds 2 files in .gif, and the competition file says .png or .jpg: ",
        ),
        (["train_images/a.png", "small/x.png", "small/y.png"], "the folder is train_images, with 1 file in .png or"),
        (["Images/a.png"], 'the folder is Images, with 1 file in .png or .jpg: train = "Images"'),
        (["a.png"], 'the folder is the source itself, with 1 file in .png or .jpg: train = "."'),
        (["1/2/3/4/5/a.png"], "the chips lie more than 4 folders deep: give --from a folder nearer to them"),
        (["photos.tar.gz"], "they are in photos.tar.gz, which is called otherwise: unpack it, or give it"),
        (
            ["images/a", "images/b"],
            "images holds 2 files without a suffix: these are not looked at, rename them to end ",
        ),
        (["other/a.webp"], 'other holds 1 file in .webp: train = "other" and suffix = ".webp"'),
    ],
)
def test_the_likeliest_mistake_is_named(tmp_path: Path, files: list[str], hint: str) -> None:
    assert f"Perhaps {hint}" in said(put(tmp_path, *files), "train.csv")


def test_a_pattern_that_no_file_has_is_named(tmp_path: Path) -> None:
    put(tmp_path, "images/a-red.png")
    text = said(tmp_path, "train.csv", competition=competition_of(file="{id}_{band}"))
    assert "images holds 1 file, none called '{id}_{band}': see the entry file" in text


def test_a_table_of_another_name_is_named(tmp_path: Path) -> None:
    put(tmp_path, "data/Train.csv", "sample.csv")
    assert 'Perhaps the table of labels is data/Train.csv: train = "data/Train.csv" under [tables].' in said(
        tmp_path, "images"
    )


def test_at_most_three_are_named(tmp_path: Path) -> None:
    put(tmp_path, "images/a.gif", "photos/a.png", "x.tar.gz", "labels.csv", "1/2/3/4/5/a.png")
    assert said(tmp_path).count("; or ") == 2
    assert isinstance(IncompleteError("x"), UserError)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "images/a.png")
    forbid(monkeypatch, tmp_path / "images")
    text = said(tmp_path, "train.csv")
    assert f"Perhaps they are in a folder that cannot be read: {tmp_path / 'images'} (Permission denied)." in text


def test_the_folder_above_is_named_where_the_table_lies_there_and_no_other_table_is(tmp_path: Path) -> None:
    source = put(tmp_path, "train.csv", "images/a.png", "images/notes.csv") / "images"
    text = said(source, "images")
    assert f"Perhaps --from {tmp_path}, which has train.csv." in text
    assert "notes.csv" not in text
    (tmp_path / "train.csv").rename(tmp_path / "train.csv.zip")
    assert f"Perhaps --from {tmp_path}, which has train.csv.zip." in said(source, "images")


def test_the_sample_submission_is_not_taken_for_the_table_of_labels(tmp_path: Path) -> None:
    put(tmp_path, "in/data/sample.csv")
    assert "the table of labels" in said(tmp_path / "in", "images")
    tables = competition_of().tables.model_copy(update={"sample_submission": "sample.csv"})
    sampled = competition_of().model_copy(update={"tables": tables})
    assert "the table of labels" not in said(tmp_path / "in", "images", competition=sampled)


def test_of_one_that_ships_another_competition_is_likelier_than_an_edit_of_its_file(tmp_path: Path) -> None:
    put(tmp_path, "in/photos/a.jpg", "in/labels.csv")
    with pytest.raises(IncompleteError, match=r"^Is it another competition\? Add --competition FILE.toml") as caught:
        check_complete(set(), NOTHING, tmp_path / "in", load("planet"))
    assert "train =" not in str(caught.value)
    with pytest.raises(IncompleteError, match=r"lacks train_v2.csv. .*Perhaps the table of labels is labels.csv\.$"):
        check_complete({"train-jpg"}, NOTHING, tmp_path / "in", load("planet"))
