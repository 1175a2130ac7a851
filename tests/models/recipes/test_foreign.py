"""What a recipe may say of a backbone that others made: it fits, or one line says what to give."""

from __future__ import annotations

import json

import pytest

from competition.common.errors import UserError
from models.recipes.foreign import companions
from models.recipes.named import recipe_from, resolve
from tests.models.samples import tiny_recipe

NET = {
    "backbone": "file",
    "weights": "net.onnx",
    "train": "head",
    "pooling": ("avg",),
    "augment": ("d4",),
    "mean": (0.4,),
    "deviation": (0.2, 0.2, 0.3),
}


def recipe_of(**values):
    return tiny_recipe(**{**NET, **values})


def test_a_recipe_of_a_file_is_run_as_a_graph_and_says_which():
    recipe = recipe_of(weights="/far/away/net.onnx")
    assert recipe.of_graph
    assert recipe.on_bank
    assert recipe.summary().startswith("net.onnx frozen, RGB at 16 px")
    assert not tiny_recipe().of_graph
    timm = recipe_of(backbone="timm/resnet18", weights="imagenet", mean=(), deviation=())
    assert timm.of_graph
    assert not recipe_of(backbone="timm/resnet18", weights="imagenet", train="finetune").of_graph


def test_own_moments_are_both_own():
    assert recipe_of(mean="own", deviation=()).by_own_moments
    assert recipe_of(mean="own", deviation="own").by_own_moments
    assert not recipe_of().by_own_moments


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"weights": "imagenet"}, r"backbone file is the network in --weights: expected the path"),
        ({"train": "finetune"}, r"A network from a file stays as it is, and does not learn"),
        ({"mean": ()}, r"backbone file needs mean: nothing in the file says it. Give --mean and --deviation"),
        ({"deviation": ()}, r"backbone file needs deviation: nothing"),
        ({"mean": "own"}, r"mean and deviation are both the training chips' own, or neither"),
        ({"mean": (0.1, 0.2)}, r"mean needs one number for each of the bands RGB.*expected 3, received 2"),
        ({"deviation": (0.0,)}, r"deviation needs numbers above 0"),
        ({"deviation": (float("nan"),)}, r"deviation needs finite numbers"),
        ({"mean": (123.7, 116.8, 103.9)}, r"mean is in 0 to 1.*Divide mean and deviation by 255"),
        ({"deviation": (58.4, 57.1, 57.4)}, r"deviation is in 0 to 1.*Divide mean and deviation by 255"),
        ({"prefix_tokens": -1}, r"prefix_tokens must be 0 to 10,000, received -1"),
        ({"indices": ("ndvi",)}, r"takes its bands alone. Give --indices none"),
        ({"levels": 2}, r"Give --levels 1"),
        ({"augment": ("photometric",)}, r"Give --augment d4"),
        ({"pooling": ("flatten",)}, r"Give --pooling avg"),
        ({"backbone": "DenseNet121"}, r"mean is of networks that others made, and not of DenseNet121"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused_with_what_mends_it(values, line):
    with pytest.raises(UserError, match=line):
        recipe_of(**values)


BESIDE = """
[net]
base = "densenet121"
backbone = "file"
weights = "net.onnx"
mean = [0]
deviation = [1]
outputs = ["cls", "patches"]
prefix_tokens = 5
[other]
base = "net"
{change}
[both]
base = "densenet121"
backbone = ["densenet121", "other", "dinov3_vits16"]
"""


def beside(path, change="", **overrides):
    path.write_text(BESIDE.format(change=change))
    return resolve("both", overrides, path)


def test_it_stands_beside_others_with_all_that_its_features_depend_on(tmp_path):
    path = tmp_path / "own.toml"
    both = beside(path)
    assert both.of_graph
    assert [part.of_graph for part in both.of_parts] == [False, True, True]
    assert both.of_parts[1] == resolve("net", {}, path)
    assert recipe_from(json.loads(json.dumps(both.to_dict())), "saved") == both
    assert both.summary().startswith("DenseNet121 + net.onnx + timm/vit_small")
    with pytest.raises(UserError, match=r"^Each of .* brings its own mean"):
        beside(path, mean=(0.5,))
    with pytest.raises(UserError, match=r"deviation needs one number for each of the bands RGBN"):
        beside(path, "deviation = [1, 1, 1]", bands="RGBN")


def test_whatever_changes_the_features_of_a_part_changes_the_digest_of_the_whole(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"network")
    weights = f"imagenet,{tmp_path / 'net.onnx'},imagenet"
    changes = ("", "mean = [0.5]", 'mean = "own"\ndeviation = []', 'outputs = ["cls"]', "prefix_tokens = 1")
    assert len({beside(tmp_path / "own.toml", change, weights=weights).digest() for change in changes}) == 5


def test_what_others_have_as_defaults_leaves_digests_as_they_were():
    """A digest of before there were such backbones; change it only with what scores a recipe gives."""
    assert resolve("densenet121", {"weights": "imagenet"}).digest().startswith(DIGEST)
    assert resolve("densenet121_vgg16_levels", {}).digest().startswith(OF_JOINT)


DIGEST, OF_JOINT = "c0ebb3188302a0c9", "08937cbf6f1b7140"


def test_files_that_hold_weights_lie_beside_under_the_same_name(tmp_path):
    for name in ("net.onnx", "net.onnx.data", "net.onnx_data_1", "net2.onnx.data", "other.data", "net.xml", "net.bin"):
        (tmp_path / name).touch()
    assert [path.name for path in companions(tmp_path / "net.onnx")] == ["net.onnx.data", "net.onnx_data_1"]
    assert [path.name for path in companions(tmp_path / "net.xml")] == ["net.bin"]
    assert companions(tmp_path / "other.data") == []
