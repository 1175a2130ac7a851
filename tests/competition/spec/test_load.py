"""Competitions by name, and files that are none."""

from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.spec.load import built_in_names, load
from tests.competition.samples import OTHER


def test_a_competition_is_known_by_its_name_its_slug_and_its_file(tmp_path: Path) -> None:
    assert load("planet") == load("planet-understanding-the-amazon-from-space")
    (tmp_path / "seabed.toml").write_text(OTHER)
    assert load(str(tmp_path / "seabed.toml")).name == "seabed"
    assert "planet" in built_in_names()


def test_of_many_faults_three_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    labels = ", ".join(f'" {number}"' for number in range(50))
    (tmp_path / "many.toml").write_text(OTHER.replace('["sand", "rock", "kelp"]', f"[{labels}]"))
    with pytest.raises(UserError, match=r"and 4\d more") as caught:
        load(str(tmp_path / "many.toml"))
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('[tables]\ntag_column = "species"', r"entry tag_column under \[tables\] \(did you mean tags_column\?\)"),
        ("[tables]\nsomething = 1", r"unknown entry something under \[tables\]\."),
        ('[tables]\nids = "stm"', r"tables.ids: expected 'stem', 'name', 'path' or 'path_stem' \(received 'stm'\)"),
        ("[tables]\nid_column = 1", r"tables.id_column: expected text \(received 1\)"),
    ],
)
def test_a_wrong_entry_is_told_in_the_words_of_the_file(entry: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(OTHER.replace('id_column = "id"\n', "").replace("[tables]", entry))
    with pytest.raises(UserError, match=said):
        load(str(path))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title =", "titel =", r"title is missing; unknown entry titel \(did you mean title\?\)"),
        ("bands =", "bnds =", r"images.png.bands is missing; unknown entry bnds under \[images.png\] \(did you mean"),
        ('["sand", "rock", "kelp"]', '["sand"]', r"labels: expected 2 or more \(received"),
        ('"seabed"', '"sea bed"', r"name: expected letters, digits, .* \(received 'sea bed'\)"),
    ],
)
def test_an_entry_that_is_missing_or_misspelled_is_named(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(OTHER.replace(old, new, 1))
    with pytest.raises(UserError, match=said):
        load(str(path))


def test_the_name_of_a_file_without_its_suffix_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seabed.toml").write_text(OTHER)
    with pytest.raises(UserError, match=r"Unknown competition 'seabed'\. Did you mean seabed\.toml\?"):
        load("seabed")
    with pytest.raises(UserError, match=r"Unknown competition 'seabad'\. Known:"):
        load("seabad")
