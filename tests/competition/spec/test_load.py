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
