"""Scoring by processes of a Ray cluster: what one process scores, bit by bit, wherever chips and scores lie."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.scores import Scores
from models.predict.predictor import predict_chips
from models.predict.trained_model import predictor_in
from models.stream.on_ray import predict_on_ray
from tests.object_store import object_store

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray warns of itself, in threads of its own
COPIES = 40


@pytest.fixture
def chips(trained: Workspace, tmp_path: Path) -> Path:
    """A folder of 2,400 chips, three parts."""
    folder = tmp_path / "chips"
    for number in range(COPIES):
        shutil.copytree(trained.layout.folders["train-jpg"][0], folder / str(number))
        for path in list((folder / str(number)).iterdir()):
            path.rename(folder / f"{number}_{path.name}")
        (folder / str(number)).rmdir()
    return folder


def read(folder: Path, competition) -> Scores:
    """The scores in a folder of parts."""
    import pandas as pd

    parts = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])
    return Scores(tuple(parts["image_name"]), parts[list(competition.labels)].to_numpy(dtype=np.float32))


def test_scores_on_ray_are_those_of_one_process(trained: Workspace, chips: Path, tmp_path: Path) -> None:
    for name in ("0_train_7.jpg", "33_train_0.jpg"):
        (chips / name).write_bytes(b"broken")
    make = partial(predictor_in, trained, "tiny")
    one = predict_chips(make(), chips, skip_broken=True)
    with pytest.raises(UserError, match=r"Broken chip .*_train_.*\.jpg: .*--skip-broken"):
        predict_on_ray(make, str(chips), str(tmp_path / "strict"), cpus=1, least=1)
    made = predict_on_ray(make, str(chips), str(tmp_path / "many"), skip_broken=True, cpus=1, least=1)
    assert (made.num_chips, made.num_parts, made.left_out) == (2398, 3, one.left_out)
    many = read(tmp_path / "many", trained.competition)
    assert many.names == one.scores.names
    assert np.array_equal(many.values, one.scores.values)


def test_parts_that_are_there_are_left_as_they_are(trained: Workspace, chips: Path, tmp_path: Path) -> None:
    make, out = partial(predictor_in, trained, "tiny"), tmp_path / "many"
    predict_on_ray(make, str(chips), str(out), cpus=1, least=1)
    first = {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
    whole = read(out, trained.competition)
    (out / "part-00001.parquet").unlink()
    (out / "predictions.json").unlink()
    predict_on_ray(make, str(chips), str(out), cpus=1, least=1)
    again = {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
    assert {name for name in first if first[name] != again[name]} == {"part-00001.parquet"}
    assert np.array_equal(read(out, trained.competition).values, whole.values)
    (chips / "0_train_7.jpg").unlink()
    with pytest.raises(UserError, match="holds predictions made with other chips"):
        predict_on_ray(make, str(chips), str(out), cpus=1, least=1)


def test_chips_and_scores_may_lie_in_an_object_store(trained: Workspace, tmp_path: Path) -> None:
    import fsspec

    folder = trained.layout.folders["train-jpg"][0]
    flags = ["--workspace", str(trained.root), "--model", "tiny", "--tags"]

    def predict(*arguments: str) -> str:
        done = CliRunner().invoke(run.main, ["predict", *flags, *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    with object_store() as bucket:
        store = fsspec.filesystem("s3")
        store.put(str(folder), f"{bucket}/chips", recursive=True)
        predict("--images", str(folder), "--output", str(tmp_path / "here.csv"))
        predict("--images", f"{bucket}/chips", "--output", f"{bucket}/out/there.csv")
        assert store.cat(f"{bucket}/out/there.csv") == (tmp_path / "here.csv").read_bytes()
        said = predict("--images", f"{bucket}/chips", "--output", f"{bucket}/parts", "--on", "ray", "--cpus", "1")
        assert "60 chips in 1 Parquet file" in said
        store.get(f"{bucket}/parts/", f"{tmp_path}/parts/", recursive=True)
        one = predict_chips(predictor_in(trained, "tiny"), folder, skip_broken=False)
        assert np.array_equal(read(tmp_path / "parts", trained.competition).values, one.scores.values)
