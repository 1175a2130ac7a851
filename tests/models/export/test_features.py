"""Networks that others made side by side with others': banks, predictions and exports are those of the parts."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from models.artefacts import artefacts_of
from models.export.export import export
from models.export.features import features_as_onnx, features_as_openvino, side_by_side
from models.export.predict_with_file import predict_with_file
from models.graphs.extractor import JointExtractor
from models.inputs.sources import Sources
from models.predict.occlusion import Occlusion
from models.predict.trained_model import predict_folder
from models.recipes.recipe import Recipe
from models.train.job import Job
from models.train.run_jobs import run_jobs
from submissions.share.artefacts import OF_MODEL
from tests.conftest import CHIP_SIZE, NUM_TRAIN, store_of
from tests.models import samples
from tests.models.graphs.samples import MAPS, graph_recipe, network, saved
from tests.models.samples import PLANET, frozen, joint_of, tiny_recipe

ONLY_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="ONNX is written by tensorflow")
CUTS = np.full(len(PLANET.labels), 0.2)


def recipes_in(folder: Path, tiny: str) -> dict[str, Recipe]:
    """Return recipes of networks that are written to a folder, and of one of Keras."""
    net = saved(folder / "net.onnx", opset=13)
    own = saved(folder / "own.onnx", network(("map", "vector")))
    return {
        "net": graph_recipe(net),
        "own": graph_recipe(own, mean="own", deviation=(), outputs=("vector", "map")),
        "larger": graph_recipe(net, input_size=24),
        "keras": tiny_recipe(**frozen(tiny, augment=("d4",))),
    }


def beside(folder: Path, tiny: str, *names: str, **values) -> Recipe:
    """Return a recipe of some of them side by side."""
    recipes = recipes_in(folder, tiny)
    return joint_of(*(recipes[name] for name in names), **values)


@pytest.fixture(autouse=True)
def _quick_trial(monkeypatch) -> None:
    monkeypatch.setattr("models.graphs.running.SECONDS", 0.01)


@pytest.fixture(scope="module")
def begun(prepared, tiny_weights, tmp_path_factory) -> Path:
    """A workspace with a model on a network of Keras and two of others, trained on two folds. Not to be changed."""
    folder = tmp_path_factory.mktemp("joint")
    shutil.copytree(prepared, folder / "workspace")
    workspace = Workspace(folder / "workspace", PLANET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.graphs.running.SECONDS", 0.01)
        patch.setattr(keras.applications, "TinyNet", samples.TinyNet, raising=False)
        recipe = beside(folder, tiny_weights, "net", "keras", "own", epochs=1)
        run_jobs([Job(workspace, store_of(workspace), "both", recipe, fold) for fold in (0, 1)])
    for name in ("net.onnx", "own.onnx"):
        (folder / name).unlink()  # they are needed no more
    return workspace.root


@pytest.fixture
def trained(begun, tmp_path, tiny_net) -> Workspace:
    shutil.copytree(begun, tmp_path / "own")
    return Workspace(tmp_path / "own", PLANET)


def chips_in(workspace: Workspace) -> Path:
    return workspace.layout.folders["test-jpg"][0]


def scores_of(workspace: Workspace) -> np.ndarray:
    return predict_folder(workspace, store_of(workspace), "both", chips_in(workspace)).scores.values


def test_each_part_lies_beside_the_folds_in_a_file_of_its_own(trained):
    kept = sorted((trained.runs / "both").glob("extractor*"))
    assert [path.name for path in kept] == ["extractor0.onnx", "extractor1.weights.h5", "extractor2.onnx"]
    assert all(re.fullmatch(OF_MODEL.inside, path.name) for path in kept)
    looked = [each for each in artefacts_of(trained) if each.path in kept]
    assert [(each.kind, each.state) for each in looked] == [("weights", "whole")] * 3


def test_it_predicts_what_its_folds_have_scored_by_the_bank_without_what_it_came_from(trained):
    folds = [store_of(trained).read("both", fold).test for fold in (0, 1)]
    rows = [folds[0].names.index(path.stem) for path in sorted(chips_in(trained).iterdir())]
    scored = np.mean([fold.values[rows] for fold in folds], axis=0)
    assert np.ptp(scored, axis=0).max() > 1e-4
    np.testing.assert_allclose(scores_of(trained), scored, atol=1e-3)
    shutil.rmtree(trained.cache)
    np.testing.assert_allclose(scores_of(trained), scored, atol=1e-3)


@ONLY_TENSORFLOW
@pytest.mark.parametrize("suffix", [".onnx", pytest.param(".zip", marks=pytest.mark.slow)])
def test_an_exported_model_scores_the_same(trained, tmp_path, suffix):
    report = export(trained, store_of(trained), "both", tmp_path / f"both{suffix}", CUTS)
    assert report.difference < 1e-5
    by_file = predict_with_file(report.path, chips_in(trained)).scores.values
    np.testing.assert_allclose(by_file, scores_of(trained), atol=1e-5)


@ONLY_TENSORFLOW
def test_keras_own_format_is_refused(trained, tmp_path):
    with pytest.raises(UserError, match=r"has no layers of Keras, as a .keras file needs them. Give an --output that"):
        export(trained, store_of(trained), "both", tmp_path / "both.keras", CUTS)


@pytest.mark.parametrize("name", ["extractor0.onnx", "extractor1.weights.h5"])
def test_a_damaged_part_is_named_with_what_makes_it_again(trained, name):
    path = trained.runs / "both" / name
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(UserError, match=rf"{name} is missing or damaged.*train --models both --restart"):
        scores_of(trained)
    (looked,) = [each for each in artefacts_of(trained) if each.path == path]
    assert looked.state == "damaged"


@pytest.mark.slow
def test_where_it_looks_is_said_of_it_too(trained):
    fold = store_of(trained).table
    name = fold.image_names[int(np.flatnonzero(fold.heldout(0))[0])]
    (hidden,) = Occlusion(trained)("both", [name])
    assert np.abs(hidden.hidden - hidden.scores).max() > 0


def test_what_it_makes_of_chips_is_what_the_banks_of_its_parts_hold(workspace, tmp_path, tiny_net, tiny_weights):
    """Also where they take chips of several sizes, made of larger ones."""
    sources = Sources(workspace, beside(tmp_path, tiny_weights, "own", "larger", "keras"))
    extractor, positions = sources.extractor, np.arange(NUM_TRAIN)
    assert isinstance(extractor, JointExtractor)
    assert extractor.num_features == sources.bank("train", ("identity",)).num_features == 2 * MAPS + MAPS + 4
    assert (sources.inputs.size, extractor.sizes) == (CHIP_SIZE, [16, 24, 16])
    chips = sources.sample(NUM_TRAIN)
    held, made = sources.bank("train", ("identity",)).read(positions), extractor.runner(chips)(chips)
    np.testing.assert_allclose(extractor.exact()(chips), made, rtol=1e-3, atol=1e-4)
    off = np.abs(made - held) / np.maximum(np.abs(held), 0.1)
    assert np.median(off) < 1e-3
    assert off.max() < 0.05  # a pixel that lies between two values
    for part, each in zip(sources.parts, ("own", "larger", "keras"), strict=True):
        alone = Sources(workspace, recipes_in(tmp_path, tiny_weights)[each])
        np.testing.assert_array_equal(
            part.bank("train", ("identity",)).read(positions), alone.bank("train", ("identity",)).read(positions)
        )
    assert len(list((workspace.cache / "graphs").glob("*/extractor.onnx"))) == 2


@ONLY_TENSORFLOW
def test_as_one_graph_it_makes_the_same_of_chips_of_several_sizes(workspace, tmp_path, tiny_net, tiny_weights):
    from models.backend.openvino import OpenVinoRunner
    from models.graphs.running import OnnxRunner

    sources = Sources(workspace, beside(tmp_path, tiny_weights, "own", "larger", "keras"))
    extractor, chips = sources.extractor, sources.sample(9)
    expected = extractor.exact()(chips)
    by_onnx = OnnxRunner(features_as_onnx(extractor).SerializeToString())
    np.testing.assert_allclose(by_onnx(chips), expected, rtol=1e-4, atol=1e-4)
    by_openvino = OpenVinoRunner(features_as_openvino(extractor), chips.shape[1:])
    np.testing.assert_allclose(by_openvino(chips), expected, rtol=1e-3, atol=1e-4)


def test_networks_that_take_other_numbers_of_chips_at_once_are_no_one_onnx(workspace, tmp_path, tiny_weights):
    extractor = Sources(workspace, beside(tmp_path, tiny_weights, "net", "own")).extractor
    models = [features_as_onnx(part) for part in extractor.parts]
    for number, model in enumerate(models, 2):
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = number
    with pytest.raises(UserError, match=r"take 2 and 3 chips at once. Give an --output that ends in .zip"):
        side_by_side(models, extractor.shrinkings, 3)
