"""A model on a network that others made: trained, kept, exported, predicting without what it came from."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from competition.workspace import Workspace
from models.artefacts import artefacts_of
from models.export.export import export
from models.export.predict_with_file import predict_with_file
from models.graphs.extractor import GraphExtractor, extractor_in
from models.inputs.sources import Sources
from models.predict.occlusion import Occlusion
from models.predict.trained_model import predict_folder
from models.train.job import Job
from models.train.run_jobs import run_jobs
from submissions.share.artefacts import OF_MODEL
from tests.conftest import CHIP_SIZE, NUM_TRAIN, store_of
from tests.models.graphs.samples import graph_recipe, saved
from tests.models.samples import PLANET

ONLY_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="ONNX is written by tensorflow")
CUTS = np.full(len(PLANET.labels), 0.2)


@pytest.fixture(scope="module")
def begun(prepared, tmp_path_factory) -> Path:
    """A workspace with a model on a network from a file, trained on two folds. Not to be changed."""
    folder = tmp_path_factory.mktemp("graph")
    shutil.copytree(prepared, folder / "workspace")
    workspace = Workspace(folder / "workspace", PLANET)
    recipe = graph_recipe(saved(folder / "net.onnx"), pooling=("avg", "max"), head_norm="batch", epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.graphs.running.SECONDS", 0.01)
        for fold in (0, 1):
            run_jobs([Job(workspace, store_of(workspace), "net", recipe, fold, with_test=False)])
    (folder / "net.onnx").unlink()  # it is needed no more
    return workspace.root


@pytest.fixture
def trained(begun, tmp_path) -> Workspace:
    shutil.copytree(begun, tmp_path / "own")
    return Workspace(tmp_path / "own", PLANET)


def chips_in(workspace: Workspace) -> Path:
    return workspace.layout.folders["test-jpg"][0]


def scores_of(workspace: Workspace) -> np.ndarray:
    return predict_folder(workspace, store_of(workspace), "net", chips_in(workspace)).scores.values


def test_what_makes_features_lies_beside_the_folds_and_is_shared(trained):
    kept = trained.runs / "net" / "extractor.onnx"
    assert kept.is_file()
    assert not kept.with_name("extractor.weights.h5").exists()
    import re

    assert re.fullmatch(OF_MODEL.inside, kept.name)
    looked = [each for each in artefacts_of(trained) if "extractor.onnx" in each.path.name]
    assert [each.state for each in looked] == ["whole", "whole"]  # with that of the cache
    assert {each.kind for each in artefacts_of(trained)} >= {"graphs", "trials"}


def test_it_predicts_what_the_bank_gives_without_keras_and_the_file(trained, tmp_path):
    expected = scores_of(trained)
    assert np.ptp(expected, axis=0).max() > 1e-4
    shutil.rmtree(trained.cache)
    script = """
import sys
for name in ("keras", "tensorflow", "torch", "onnx"):
    sys.modules[name] = None  # whoever imports it fails
import numpy as np
from pathlib import Path
from competition.spec.load import load
from competition.workspace import Workspace
from models.graphs import running
from models.predict.trained_model import predict_folder
from folds.store.score_store import ScoreStore

running.SECONDS = 0.01
workspace = Workspace(Path(sys.argv[1]), load("planet"))
found = predict_folder(workspace, ScoreStore.of(workspace), "net", workspace.layout.folders["test-jpg"][0])
np.save(sys.argv[2], found.scores.values)
"""
    command = [sys.executable, "-c", script, str(trained.root), str(tmp_path / "scores.npy")]
    done = subprocess.run(command, cwd=Path(run.__file__).parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=1e-5)


@ONLY_TENSORFLOW
@pytest.mark.parametrize("suffix", [".onnx", pytest.param(".zip", marks=pytest.mark.slow)])
def test_an_exported_model_scores_the_same(trained, tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    report = export(trained, store_of(trained), "net", path, CUTS)
    assert report.averaged == 2
    assert report.difference < 1e-5
    by_file = predict_with_file(path, chips_in(trained)).scores.values
    np.testing.assert_allclose(by_file, scores_of(trained), atol=1e-5)


@ONLY_TENSORFLOW
def test_keras_own_format_is_refused_and_nothing_is_left(trained, tmp_path):
    with pytest.raises(UserError, match=r"has no layers of Keras, as a .keras file needs them. Give an --output that"):
        export(trained, store_of(trained), "net", tmp_path / "x" / "net.keras", CUTS)
    assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.parametrize("damage", ["gone", "changed", "cut"])
def test_damage_is_named_with_what_makes_it_again(trained, damage):
    kept = trained.runs / "net" / "extractor.onnx"
    content = kept.read_bytes()
    if damage == "gone":
        kept.unlink()
    else:
        kept.write_bytes(content[:-300] if damage == "cut" else content[:400] + b"x" + content[401:])
    with pytest.raises(UserError, match=r"extractor.onnx is missing or damaged.*train --models net --restart"):
        scores_of(trained)


def test_a_damaged_graph_in_the_cache_is_made_again(trained, tmp_path):
    recipe = graph_recipe(saved(tmp_path / "net.onnx"), pooling=("avg", "max"))
    (cached,) = (trained.cache / "graphs").glob("*/extractor.onnx")
    content = cached.read_bytes()
    cached.write_bytes(content[:-9])
    extractor = Sources(trained, recipe).extractor
    assert isinstance(extractor, GraphExtractor)
    assert extractor.content == cached.read_bytes()
    assert len(extractor.content) >= len(content) - 100


@pytest.mark.slow
def test_where_it_looks_is_said_of_it_too(trained):
    fold = store_of(trained).table
    name = fold.image_names[int(np.flatnonzero(fold.heldout(0))[0])]
    (hidden,) = Occlusion(trained)("net", [name])
    assert np.abs(hidden.hidden - hidden.scores).max() > 0


def test_own_moments_are_those_of_the_training_chips(workspace, tmp_path):
    path = saved(tmp_path / "net.onnx")
    sources = Sources(workspace, graph_recipe(path, mean="own", deviation=(), input_size=CHIP_SIZE))
    chips = sources.chips("train").read(np.arange(NUM_TRAIN)) / 255
    np.testing.assert_allclose(sources.inputs.mean, chips.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(sources.inputs.deviation, chips.std((0, 1, 2)), atol=1e-5)
    given = {"mean": sources.inputs.mean, "deviation": sources.inputs.deviation}
    same = Sources(workspace, graph_recipe(path, **given, input_size=CHIP_SIZE))
    for split in ("train", "test"):
        one, other = (each.bank(split, ("identity",)).under("identity", np.arange(9)) for each in (sources, same))
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)


def test_a_folder_without_one_is_an_error_that_names_it(tmp_path):
    recipe = graph_recipe(tmp_path / "net.onnx")
    extractor = extractor_in(tmp_path / "runs" / "net", recipe, None)
    with pytest.raises(UserError, match=r"extractor.onnx is missing or damaged"):
        extractor.exact()


@pytest.mark.slow
def test_a_command_takes_the_door(workspace, tmp_path):
    weights = saved(tmp_path / "net.onnx")
    flags = f"--backbone file --weights {weights} --mean own --input-size 16 --epochs 1 --no-test --seed 3"
    command = f"train --models mobilenet_v2 --name net {flags} --workspace {workspace.root}"
    done = CliRunner().invoke(run.main, command.split(), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "Made a graph of net.onnx; on 8 chips its features are " in done.output
    refused = CliRunner().invoke(run.main, command.replace("--mean own", "--mean 0.4").split(), catch_exceptions=False)
    assert refused.exit_code == 2
