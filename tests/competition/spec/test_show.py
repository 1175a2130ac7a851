from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from competition.data.prepare import prepare
from competition.spec.load import built_in_names, load, shipped
from competition.spec.show import example_row, list_of, show
from competition.workspace import Workspace
from run import main
from tests.competition.samples import OTHER, other, write_planet


@pytest.mark.parametrize("name", built_in_names())
def test_every_competition_that_ships_is_shown_in_lines_of_a_page(name: str) -> None:
    competition = load(name)
    text = show(competition)
    assert competition.title in text
    assert competition.metric.title in text
    assert max(map(len, text.splitlines())) <= 110
    assert len(text.splitlines()) < 40


def test_the_example_is_a_row_of_the_kind(tmp_path: Path) -> None:
    assert example_row(load("planet")) == "image_name,tags  ->  x1,agriculture artisinal_mine"
    assert example_row(other(tmp_path)) == "id,sand,rock,kelp  ->  x1,1,0,0"


def test_the_list_has_a_row_for_each() -> None:
    text = list_of(shipped())
    assert all(name in text for name in built_in_names())
    assert len(text.splitlines()) == len(built_in_names()) + 2


def test_kaggles_name_is_as_good_as_ours() -> None:
    for competition in shipped():
        assert load(competition.name) == competition
        if competition.slug:
            assert load(competition.slug) == competition


def test_the_verbs_show_and_list() -> None:
    listed = CliRunner().invoke(main, ["competition", "list"])
    assert (listed.exit_code, "planet" in listed.output) == (0, True)
    slug = str(load("planet").slug)
    shown = CliRunner().invoke(main, ["competition", "show", "--competition", slug])
    assert "17 labels" in shown.output
    wrong = CliRunner().invoke(main, ["competition", "show", "--competition", "nothing"])
    assert (wrong.exit_code, len(wrong.stderr.splitlines())) == (2, 1)


def test_ids_that_carry_the_suffix_are_shown_with_it_once(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(OTHER.replace("[tables]", '[tables]\nids = "name"'))
    text = show(load(str(tmp_path / "c.toml")))
    assert "{id}.png" not in text
    assert "{id}, which ends in .png" in text
    assert "  ->  x1.png,1,0,0" in text


def test_one_class_per_chip_has_no_separator() -> None:
    assert "between them" not in show(load("eurosat"))
    assert "between them ' '" in show(load("planet"))


def test_the_example_is_of_a_real_chip_where_the_data_are_at_hand(tmp_path: Path) -> None:
    workspace, root = Workspace(tmp_path / "w", load("planet")), str(tmp_path / "w")
    prepare(workspace, write_planet(tmp_path / "in"))
    shown = CliRunner().invoke(main, ["competition", "show", "--workspace", root])
    assert f"  ->  {workspace.test_names[0]},agriculture" in shown.output
    shown = CliRunner().invoke(main, ["competition", "show", "--workspace", root, "--competition", "imet-2019"])
    assert (shown.exit_code, "  ->  x1," in shown.output) == (0, True)
