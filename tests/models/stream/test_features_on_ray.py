"""Features made by processes of a Ray cluster: the bank that one process makes, byte by byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import run
from competition.common.errors import UserError
from competition.workspace import Workspace
from models.inputs.fill_banks import fill_banks
from models.recipes.recipe import Recipe
from models.stream import features_on_ray
from models.stream.deal import Cluster
from models.stream.features_on_ray import FeaturesOnRay, Making, as_job, grouped, of_job
from tests.models.samples import content_of, frozen, tiny_recipe
from tests.models.stream.samples import Here


def banks_of(workspace: Workspace) -> dict[str, bytes]:
    return {path: held for path, held in content_of(workspace.cache / "features").items() if not path.endswith(".lock")}


@pytest.fixture
def recipe(tiny_net: str, tiny_weights: str) -> Recipe:
    return tiny_recipe(**frozen(tiny_weights, augment=("flips",), views="flips"))


@pytest.fixture
def other(workspace: Workspace, tmp_path: Path) -> Workspace:
    """The same workspace once more."""
    shutil.copytree(workspace.root, tmp_path / "other")
    return Workspace(tmp_path / "other", workspace.competition)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 8 chips, and jobs of three of them."""
    monkeypatch.setattr("models.inputs.sources.batch_size_for", lambda size: 8)
    monkeypatch.setattr(features_on_ray, "VECTORS", 80)


@pytest.mark.usefixtures("small")
def test_a_bank_made_by_many_is_that_made_by_one(workspace, other, recipe: Recipe, here: Here) -> None:
    fill_banks(other, recipe)
    fill_banks(workspace, recipe, FeaturesOnRay(workspace, Cluster()))
    assert banks_of(workspace) == banks_of(other)
    assert here.dealt == [0, 1, 2, 0]  # 60 labelled chips, and 24 to predict, under four views
    fill_banks(workspace, recipe, FeaturesOnRay(workspace, Cluster()))
    assert len(here.dealt) == 4
    assert not (workspace.root / ".shared").exists()


@pytest.mark.usefixtures("small")
def test_what_was_handed_over_is_not_made_again(workspace, other, recipe: Recipe, here: Here) -> None:
    fill_banks(other, recipe, no_test=True)
    here.stop_after = 2
    with pytest.raises(UserError, match="all machines are lost"):
        fill_banks(workspace, recipe, FeaturesOnRay(workspace, Cluster()), no_test=True)
    here.stop_after = 10**9
    fill_banks(workspace, recipe, FeaturesOnRay(workspace, Cluster()), no_test=True)
    assert here.dealt == [0, 1, 0]  # 48 of 60 were there
    assert banks_of(workspace) == banks_of(other)


def test_a_machine_with_other_chips_says_so(workspace: Workspace, recipe: Recipe) -> None:
    making = Making(workspace, replace(recipe, precision="float32"), "train", "abc", False)
    with pytest.raises(UserError, match=r"^The chips of .*workspace on .* are not those"):
        making()


def test_jobs_are_of_neighbouring_chips_and_travel_as_they_are() -> None:
    asked = [(np.arange(start, min(start + 4, 10)), ["a", "b"]) for start in range(0, 10, 4)]
    groups = list(grouped(asked, 10))
    assert [len(group) for group in groups] == [2, 1]
    for group in groups:
        for (rows, views), (again, views_again) in zip(group, of_job(as_job(group)), strict=True):
            np.testing.assert_array_equal(rows, again)
            assert views == views_again


@pytest.mark.slow
def test_a_cluster_makes_the_bank_of_one_process(workspace: Workspace, other: Workspace, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    weights = tmp_path / "mobile.weights.h5"
    keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3)).save_weights(weights)
    env = {**os.environ, "PYTHONPATH": str(Path(run.__file__).parent)}
    for each, on in ((other, []), (workspace, ["--on", "ray", "--cpus", "1"])):
        command = [sys.executable, run.__file__, "features", "--models", "mobilenet_v2_levels", "--input-size", "32"]
        command += ["--weights", str(weights), "--views", "flips", "--workspace", str(each.root), *on]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len(banks_of(workspace)) == len(banks_of(other)) > 8
    assert banks_of(workspace) == banks_of(other)
