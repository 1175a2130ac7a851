"""The sanity probe: features that say no more than colours, and networks given something else, are noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from competition.common.errors import UserError
from competition.workspace import Workspace
from models.inputs.fill_banks import fill_banks
from models.linear.probe import Probe, compared, probe_features, probed
from models.recipes.recipe import Recipe
from tests.conftest import prepared_in
from tests.models.graphs.samples import graph_recipe
from tests.models.samples import joint_of

COUNT, SIZE = 200, 8


@pytest.fixture(autouse=True)
def _quick_trial(monkeypatch) -> None:
    monkeypatch.setattr("models.graphs.running.SECONDS", 0.01)


@pytest.fixture(scope="module")
def striped(tmp_path_factory) -> Path:
    """A workspace of chips whose labels are the direction of faint stripes in their red band, on any colour."""
    root, random = tmp_path_factory.mktemp("striped"), np.random.default_rng(0)
    for folder in ("train-jpg", "test-jpg"):
        (root / "kaggle" / folder).mkdir(parents=True)
    rows, wave = ["image_name,tags"], np.tile([20, -20], SIZE // 2)
    for number in range(COUNT):
        chip = random.uniform(90, 160, (1, 1, 3)) + random.normal(0, 3, (SIZE, SIZE, 3))
        along = number % 2
        chip[..., 0] += wave[:, None] if along else wave[None]
        chip[..., 1:] += wave[:, None, None] if random.random() < 0.5 else wave[None, :, None]
        Image.fromarray(chip.clip(0, 255).astype(np.uint8)).save(
            root / "kaggle/train-jpg" / f"train_{number}.jpg", quality=100, subsampling=0
        )
        rows.append(f"train_{number},{'clear road' if along else 'clear water'}")
    Image.fromarray(np.zeros((SIZE, SIZE, 3), np.uint8) + 99).save(root / "kaggle/test-jpg/test_0.jpg")
    (root / "kaggle/train_v2.csv").write_text("\n".join(rows) + "\n")
    (root / "kaggle/sample_submission_v2.csv").write_text("image_name,tags\ntest_0,clear primary\n")
    return prepared_in(root / "workspace", root / "kaggle").root


def network_of(path: Path, saturating: bool = False, cut_at: float | None = None) -> str:
    """Write a network that sees which way the stripes of its first band go; saturated, or cut, it sees nothing."""
    kernel = np.zeros((4, 3, 2, 2), dtype=np.float32)
    kernel[0, 0], kernel[1, 0] = [[1, 1], [-1, -1]], [[1, -1], [1, -1]]
    kernel[2:] = -kernel[:2]
    constants = [numpy_helper.from_array(kernel, "kernel")]
    nodes = [helper.make_node("Sigmoid" if saturating else "Identity", ["pixels"], ["seen"])]
    if cut_at is not None:
        constants.append(numpy_helper.from_array(np.array(cut_at, dtype=np.float32), "cut_at"))
        nodes = [helper.make_node("Min", ["pixels", "cut_at"], ["seen"])]
    nodes += [helper.make_node("Conv", ["seen", "kernel"], ["edges"]), helper.make_node("Relu", ["edges"], ["map"])]
    graph = helper.make_graph(
        nodes,
        "stripes",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, None)],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


def found_of(root: Path, recipe: Recipe) -> Probe:
    workspace = Workspace(root, Workspace.open(root).competition)
    fill_banks(workspace, recipe, no_test=True)
    found = probe_features(workspace, recipe)
    assert found is not None
    return found


def recipe_of(path: Path, saturating: bool = False, cut_at: float | None = None, **values) -> Recipe:
    moments = {"mean": (0.49,), "deviation": (0.12,), "input_size": SIZE}
    return graph_recipe(network_of(path, saturating, cut_at), augment=(), views="identity", **{**moments, **values})


def test_features_that_see_more_than_colours_are_left_alone(striped, tmp_path):
    found = found_of(striped, recipe_of(tmp_path / "net.onnx"))
    assert found.is_better
    assert (found.chips, found.labels) == (COUNT, 2)
    assert found.features > 0.9 > found.colours
    assert found.doubts == []
    assert "\n" not in found.text()


def test_a_wrong_mean_is_noticed(striped, tmp_path):
    """By what the network is given; and where that drives its first function to its end, by what it makes of it."""
    wrong = found_of(striped, recipe_of(tmp_path / "net.onnx", mean=(0.0,)))
    assert any(line.startswith("The network is given bands of mean 4.1, 4") for line in wrong.doubts)
    assert found_of(striped, recipe_of(tmp_path / "net.onnx", saturating=True)).is_better
    with pytest.raises(UserError, match=r"makes the same features of every chip. Look at --mean and --deviation"):
        found_of(striped, recipe_of(tmp_path / "net.onnx", saturating=True, mean=(-2.0,), deviation=(0.1,)))


def test_a_mean_that_is_left_out_is_noticed_by_what_it_costs(striped, tmp_path):
    """Bands are not far from what others are given, but half of the network's work is undone by its first function."""
    values = {"mean": (0.0,), "deviation": (0.25,)}
    wrong = found_of(striped, recipe_of(tmp_path / "net.onnx", cut_at=1.4, **values))
    (line,) = wrong.doubts
    assert line.startswith("With the chips' own mean and deviation the network does better, by 0.")
    assert line.endswith("Look at --mean and --deviation, which are in 0 to 1, or give --mean own.")
    right = found_of(striped, recipe_of(tmp_path / "net.onnx", cut_at=1.4, mean=(0.49,), deviation=(0.12,)))
    assert right.doubts == []
    own = found_of(striped, recipe_of(tmp_path / "net.onnx", cut_at=1.4, mean="own", deviation="own"))
    assert own.doubts == []


def test_wrong_units_are_noticed(striped, tmp_path):
    wrong = found_of(striped, recipe_of(tmp_path / "net.onnx", mean=(0.0,), deviation=(1 / 255,)))
    assert any(line.startswith("The network is given bands of mean 1.2e+02, 1.2e+02") for line in wrong.doubts)
    wrong = found_of(striped, recipe_of(tmp_path / "net.onnx", mean=(0.49,), deviation=(2.0,)))
    assert any("where most expect about 0 and 1" in line for line in wrong.doubts)


def test_bands_in_the_wrong_order_are_noticed(striped, tmp_path):
    wrong = found_of(striped, recipe_of(tmp_path / "net.onnx", bands="BGR"))
    assert not wrong.is_better
    assert any("it may expect --bands RGB" in line for line in wrong.doubts)
    assert "The features are no better than mean colours. Look at --mean" in wrong.text()


def test_beside_others_it_says_whose_bands_are_wrong(striped, tmp_path):
    path = tmp_path / "net.onnx"
    one, other = (recipe_of(path, mean=mean) for mean in ((0.49,), (0.0,)))
    joint = found_of(striped, joint_of(one, other))
    assert joint.is_better
    (line,) = joint.doubts
    assert line.startswith("part1: The network is given bands of mean 4.1, 4")


def test_a_probe_learns_what_can_be_learnt_and_nothing_else():
    random = np.random.default_rng(1)
    features = random.normal(size=(300, 20))
    truth = np.stack([features[:, 0] + features[:, 1] > 0, random.random(300) < 0.5], axis=1)
    scores = probed(features, truth)
    one, other = (compared(truth[:, [k]], scores[:, [k]], random.random((300, 1))) for k in (0, 1))
    assert one[0] > 0.4
    assert one[0] > 5 * one[1]
    assert abs(other[0]) < 3 * other[1]


def test_of_few_chips_nothing_is_said(workspace, tiny_net, tiny_weights):
    from tests.models.samples import frozen, tiny_recipe

    assert probe_features(workspace, tiny_recipe(**frozen(tiny_weights, augment=("d4",)))) is None
