"""What a notebook finds on Kaggle."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.kernels.inputs import Inputs
from competition.spec.load import load

PLANET = load("planet")


def laid(folder: Path, names: list[str]) -> Path:
    """Lay chips and a sample submission as Kaggle does."""
    (folder / "test-jpg" / "more").mkdir(parents=True)
    for name in names:
        (folder / "test-jpg" / f"{name}.jpg").touch()
    (folder / "train-jpg").mkdir()
    (folder / "train-jpg" / f"{names[0]}.jpg").touch()  # another chip of the same name
    rows = "\n".join(f"{name},primary" for name in reversed(names))
    (folder / "sample_submission_v2.csv").write_text(f"image_name,tags\n{rows}\nlost,primary\n")
    return folder


@pytest.mark.parametrize("within", ["", "planet", PLANET.slug, f"competitions/{PLANET.slug}", "deep/er/data"])
def test_chips_and_their_ids_are_those_that_are_there(tmp_path: Path, within: str) -> None:
    folder = laid(tmp_path / "input" / within, ["a", "b"])
    inputs = Inputs.in_folder(tmp_path / "input", PLANET)
    assert inputs.sample.names == ("b", "a", "lost")
    assert inputs.files("jpg") == {name: folder / "test-jpg" / f"{name}.jpg" for name in "ba"}
    assert inputs.files("tif") == {}


def test_without_a_sample_submission_nothing_is_made_up(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No sample_submission_v2\.csv in"):
        Inputs.in_folder(tmp_path, PLANET)
