"""Scoring by processes of a Ray cluster: what one process scores, bit by bit, wherever chips and scores lie."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import run
from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.store.scores import Scores
from models.predict.predictor import Predictor, predict_chips
from models.predict.scorer import Scorer
from models.predict.trained_model import predictor_in
from models.stream.deal import Cluster
from models.stream.parts import Tagging
from models.stream.predict_on_ray import Streamed, predict_on_ray
from tests.models.predict.test_predictor import predictor_for
from tests.models.samples import PLANET
from tests.models.stream.samples import Here
from tests.object_store import object_store

on_a_cluster = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray warns of itself, in threads of its own
NUM_CHIPS = 2600
BROKEN = ("a_0007.png", "b_1300.png")


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """A folder of chips of 12 pixels, three parts of them; two are broken."""
    folder = tmp_path_factory.mktemp("many")
    random = np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(random.integers(1, 255, (12, 12, 3)).astype(np.uint8)).save(folder / f"x{number}.png")
    for number in range(NUM_CHIPS):
        os.link(folder / f"x{number % 40}.png", folder / f"{'ab'[number // 1300]}_{number:04}.png")
    for number in range(40):
        (folder / f"x{number}.png").unlink()
    for name in BROKEN:
        (folder / name).unlink()
        (folder / name).write_bytes(b"half")
    return folder


def read(folder: Path) -> Scores:
    """The scores in a folder of parts."""
    table = pd.read_parquet(folder)
    return Scores(tuple(table["image_name"]), table[list(PLANET.labels)].to_numpy(dtype=np.float32))


def streamed(many: Path, output: Path, **options) -> Streamed:
    return predict_on_ray(predictor_for, str(many), str(output), Cluster(), **{"skip_broken": True, **options}, least=1)


def test_scores_of_many_are_those_of_one(many: Path, tmp_path: Path, here: Here) -> None:
    one = predict_chips(predictor_for(), many, skip_broken=True)
    made = streamed(many, tmp_path / "parts")
    assert (made.num_chips, made.num_parts, made.left_out) == (NUM_CHIPS - 2, 3, one.left_out)
    assert made.text().splitlines()[-1] == f"Wrote {tmp_path}/parts: 2,598 chips in 3 Parquet files."
    assert read(tmp_path / "parts").names == one.scores.names
    np.testing.assert_array_equal(read(tmp_path / "parts").values, one.scores.values)
    assert not (tmp_path / "parts" / ".shared").exists()


def wet(scores: Scores, cuts: np.ndarray, _: object) -> list[str]:
    return ["water" if score >= cuts[0] else "" for score in scores.values[:, 0]]


def test_a_csv_is_that_of_one_process_and_its_parts_go(many: Path, tmp_path: Path, here: Here) -> None:
    one, tagging = predict_chips(predictor_for(), many, skip_broken=True), Tagging(np.full(17, 0.5), wet)
    one.write(tmp_path / "one.csv", tagging(one))
    made = streamed(many, tmp_path / "many.csv", tagging=tagging)
    assert (tmp_path / "many.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert made.text() == one.text(tmp_path / "many.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many.csv", "one.csv"]


def test_what_was_scored_is_left_as_it_is(many: Path, tmp_path: Path, here: Here) -> None:
    here.stop_after = 2
    with pytest.raises(UserError, match="all machines are lost"):
        streamed(many, tmp_path / "parts")
    assert not (tmp_path / "parts" / "_done.json").exists()
    first = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "parts").glob("*.parquet")}
    here.stop_after = 10**9
    streamed(many, tmp_path / "parts")
    assert (here.dealt, len(first)) == ([2, 1, 0], 2)
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "parts").glob("*.parquet")}
    assert {name: again[name] for name in first} == first
    streamed(many, tmp_path / "parts")
    assert len(here.dealt) == 3
    with pytest.raises(UserError, match="made with other broken chips"):
        streamed(many, tmp_path / "parts", skip_broken=False)
    with pytest.raises(UserError, match="made with other cuts"):
        streamed(many, tmp_path / "parts", tagging=Tagging(np.full(17, 0.5), wet))
    (few := tmp_path / "few").mkdir()
    shutil.copy(many / "a_0000.png", few)
    with pytest.raises(UserError, match="made with other chips"):
        streamed(few, tmp_path / "parts")


def test_a_broken_chip_stops_it_in_one_line(many: Path, tmp_path: Path, here: Here) -> None:
    with pytest.raises(UserError, match=r"^Broken chip .*/b_1300\.png: .* Mend it, or add --skip-broken\.$"):
        streamed(many, tmp_path / "parts", skip_broken=False)


def predict(*arguments: object) -> str:
    done = CliRunner().invoke(run.main, ["predict", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def copied(trained: Workspace, folder: Path, times: int) -> Path:
    folder.mkdir()
    for path in trained.layout.folders["train-jpg"][0].iterdir():
        for number in range(times):
            shutil.copy(path, folder / f"{number}_{path.name}")
    return folder


def dying(workspace: Workspace, died: Path) -> Predictor:
    """Return what scores chips, and dies once, as it has the third of its batches."""
    predictor, batches = predictor_in(workspace, "tiny"), itertools.count(1)

    def scorer(sample: np.ndarray) -> Scorer:
        score = predictor.scorer(sample)

        def scored(under_views: Iterable[np.ndarray]) -> np.ndarray:
            if next(batches) == 3 and not died.exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return score(under_views)

        return scored

    return replace(predictor, scorer=scorer)


class TestOnACluster:
    pytestmark = on_a_cluster

    def test_scores_are_those_of_one_process_though_a_worker_is_killed(self, trained: Workspace, tmp_path) -> None:
        chips = copied(trained, tmp_path / "chips", 100)
        one = predict_chips(predictor_in(trained, "tiny"), chips)
        make = partial(dying, trained, tmp_path / "died")
        made = predict_on_ray(make, str(chips), str(tmp_path / "parts"), Cluster(cpus=1), least=1)
        assert (tmp_path / "died").exists()
        assert made.num_parts == 6
        assert read(tmp_path / "parts").names == one.scores.names
        np.testing.assert_array_equal(read(tmp_path / "parts").values, one.scores.values)

    def test_a_broken_chip_stops_it_in_one_line(self, trained: Workspace, tmp_path: Path) -> None:
        chips = copied(trained, tmp_path / "chips", 2)
        here = ["--workspace", str(trained.root), "--model", "tiny", "--images", str(chips), "--tags", "--cpus", "1"]
        (chips / "1_train_7.jpg").write_bytes(b"half")
        env = {**os.environ, "PYTHONPATH": str(Path(run.__file__).parent)}
        command = [sys.executable, run.__file__, "predict", *here, "--on", "ray", "--output", str(tmp_path / "x.csv")]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith("Error: Broken chip ")
        assert line.endswith("1_train_7.jpg: it is no image of a known format. Mend it, or add --skip-broken.")

    def test_chips_and_scores_may_lie_in_an_object_store(self, trained: Workspace, tmp_path: Path) -> None:
        import fsspec

        folder = trained.layout.folders["train-jpg"][0]
        flags = ["--workspace", trained.root, "--model", "tiny", "--tags"]
        with object_store() as bucket:
            store = fsspec.filesystem("s3")
            store.put(str(folder), f"{bucket}/chips", recursive=True)
            predict(*flags, "--images", folder, "--output", tmp_path / "here.csv")
            expected = (tmp_path / "here.csv").read_bytes()
            predict(*flags, "--images", f"{bucket}/chips", "--output", f"{bucket}/out/there.csv")
            assert store.cat(f"{bucket}/out/there.csv") == expected
            ray = ["--images", f"{bucket}/chips", "--on", "ray", "--cpus", 1]
            predict(*flags, *ray, "--output", f"{bucket}/out/many.csv")
            assert store.cat(f"{bucket}/out/many.csv") == expected
            assert store.find(f"{bucket}/out") == ["team/out/many.csv", "team/out/there.csv"]
            said = predict(*flags, *ray, "--output", f"{bucket}/parts")
            assert "60 chips in 1 Parquet file" in said
            store.get(f"{bucket}/parts/", f"{tmp_path}/parts/", recursive=True)
            one = predict_chips(predictor_in(trained, "tiny"), folder)
            np.testing.assert_array_equal(read(tmp_path / "parts").values, one.scores.values)
