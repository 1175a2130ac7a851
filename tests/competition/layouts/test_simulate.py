"""Made-up data in the layouts of the competitions that ship: what is delivered, the same for the same seed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from competition.common.errors import UserError
from competition.layouts.shipped import DELIVERIES
from competition.layouts.simulate import simulate_layout
from competition.spec.load import load
from run import main
from tests.competition.layouts.samples import fungi

DELIVERED = {
    "plant-pathology-2021": {"plant-pathology-2021-fgvc8.zip"},
    "ranzcr-clip": {"train", "test", "train.csv", "sample_submission.csv", "train_annotations.csv"},
    "human-protein-atlas-2018": {"train.zip", "test.zip", "train.csv", "sample_submission.csv"},
    "imet-2019": {"imet-2019-fgvc6.zip"},
    "chestx-ray14": {f"images_{i:03d}" for i in range(1, 13)}
    | {"Data_Entry_2017.csv", "train_val_list.txt", "test_list.txt"},
    "bigearthnet-s2": {"BigEarthNet-S2", "train.csv"},
    "ucmerced-multilabel": {"UCMerced_LandUse.zip", "LandUse_Multilabeled.txt"},
    "eurosat": {"EuroSAT"},
    "rsna-hemorrhage-2019": {
        "stage_1_train_png_224x", "stage_1_test_png_224x", "stage_1_train.csv.zip", "stage_1_sample_submission.csv",
    },
}  # fmt: skip


def simulate(root: Path, name: str, seed: int = 0) -> Path:
    simulate_layout(root, load(name), num_train=24, num_test=12, size=16, seed=seed)
    return root


def files_in(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def picture_of(path: Path) -> tuple[str, tuple[int, int]]:
    with Image.open(path) as picture:
        return picture.mode, picture.size


@pytest.mark.parametrize("name", DELIVERIES)
def test_files_are_those_that_are_delivered_and_the_seed_decides_them(name, tmp_path):
    root = simulate(tmp_path / "data", name)
    assert {path.name for path in root.iterdir()} == DELIVERED[name]
    assert files_in(root) == files_in(simulate(tmp_path / "again", name))
    assert files_in(root) != files_in(simulate(tmp_path / "other", name, seed=1))


def test_archives_hold_archives_whose_files_lie_bare_in_them(tmp_path):
    with zipfile.ZipFile(simulate(tmp_path / "data", "imet-2019") / "imet-2019-fgvc6.zip") as outer:
        assert outer.namelist() == ["labels.csv", "sample_submission.csv", "test.zip", "train.csv", "train.zip"]
        with zipfile.ZipFile(io.BytesIO(outer.read("test.zip"))) as inner:
            assert len(inner.namelist()) == 12
            assert all(name.endswith(".png") and "/" not in name for name in inner.namelist())


def test_folders_of_one_name_share_the_chips(tmp_path):
    root = simulate(tmp_path / "data", "chestx-ray14")
    assert [len(list((root / f"images_{i:03d}" / "images").iterdir())) for i in range(1, 13)] == [3] * 12
    assert {picture_of(path)[0] for path in root.rglob("*.png")} == {"L", "RGBA"}


def test_some_chips_are_not_square(tmp_path):
    root = simulate(tmp_path / "data", "ranzcr-clip")
    assert {picture_of(path)[1] for path in (root / "train").iterdir()} == {(16, 16), (19, 16), (14, 16)}


def test_any_competition_is_simulated_from_its_file_alone(tmp_path):
    images = {"file": "{id}/{band}", "bands": ["near", "far"], "suffix": ".tif", "train": ["a/chips", "b/chips"]}
    train, test = simulate_layout(tmp_path / "data", fungi(images=images), num_train=4, num_test=2, size=16)
    found = set(files_in(tmp_path / "data"))
    assert found == {"tables/train.csv", "sample.csv"} | {
        f"{folder}/{chip.name}/{band}.tif"
        for band in ("near", "far")
        for chips, folders in ((train, ["a/chips", "b/chips"]), (test, ["test"]))
        for number, chip in enumerate(chips)
        for folder in [folders[number % len(folders)]]
    }


@pytest.mark.parametrize(("what", "value"), [("num_train", 0), ("num_test", 0), ("size", 8), ("seed", -1)])
def test_numbers_out_of_range_are_refused(what, value, tmp_path):
    with pytest.raises(UserError, match=f"Cannot simulate with {what}={value}"):
        simulate_layout(tmp_path / "data", fungi(), **{what: value})


def test_what_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UserError, match="not empty"):
        simulate(tmp_path, "eurosat")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def run(*arguments: object) -> str:
    return CliRunner().invoke(main, ["data", "simulate", *map(str, arguments)]).output


def test_the_command_names_the_competition_in_the_next_one(tmp_path):
    small = ("--train", 3, "--test", 2, "--size", 16)
    shown = run("--competition", "eurosat", "--to", tmp_path / "data", *small)
    assert shown.startswith("Wrote 3 labelled chips and 2 to predict")
    assert shown.rstrip().endswith("--competition eurosat")
    assert "for Planet's chips only" in run("--competition", "eurosat", "--to", tmp_path / "other", "--tif")
    assert "Unknown competition" in run("--competition", "mars", "--to", tmp_path / "other")
    run("--to", tmp_path / "amazon", *small)
    assert (tmp_path / "amazon" / "train-jpg").is_dir()
