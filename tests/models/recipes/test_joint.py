"""Joint recipes: recipes by name become parts that no later change of theirs reaches."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from competition.common.errors import UserError
from models.recipes.joint import names_of, over
from models.recipes.named import listing, recipe_from, resolve

NAMES = "densenet121_levels,vgg16_levels"
OF_PARTS = ("backbone", "weights", "input_size", "levels", "pooling", "indices", "new_bands")
OWN_FILE = """
[large]
base = "densenet121_levels"
input_size = 256
indices = ["ndvi"]
new_bands = "zero"
weights = "dense.weights.h5"
bands = "RGBN"
dense = [3]
dropout = 0.0
[joint]
base = "mobilenet_v2_levels"
backbone = ["large", "vgg16_levels"]
dense = [7]
[other]
base = "joint"
backbone = "vgg16_levels,large"
[child]
base = "joint"
weights = ["imagenet", "vgg.h5"]
epochs = 3
[single]
base = "joint"
backbone = "VGG16"
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "recipes.toml"
    path.write_text(OWN_FILE)
    return path


def values_of(recipe):
    return [getattr(recipe, name) for name in OF_PARTS]


def test_each_part_brings_what_its_features_depend_on_and_the_joint_recipe_the_rest(own):
    joint = resolve("joint", {}, own)
    large, vgg = joint.of_parts
    assert values_of(large) == values_of(resolve("large", {}, own))
    assert values_of(vgg) == values_of(resolve("vgg16_levels", {}))
    assert (large.bands, large.dense, large.dropout, joint.input_size) == ("RGB", (7,), 0.5, 256)
    assert (joint.backbone, joint.weights) == ("large,vgg16_levels", "dense.weights.h5,imagenet")
    assert joint.summary() == "DenseNet121 + VGG16 frozen, RGB + ndvi at 256, 224 px, at most 48 epochs."
    assert values_of(resolve("vgg16", {}).of_parts[0]) == values_of(resolve("vgg16", {}))
    assert "backbone=large,vgg16_levels  weights=dense.weights.h5,imagenet" in listing(own)
    assert "parts=" not in listing(own)


def test_a_list_a_text_and_a_flag_are_the_same(own):
    joint = resolve("vgg16_levels", {"backbone": NAMES})
    assert resolve("vgg16_levels", {"backbone": "densenet121_levels, vgg16_levels,"}) == joint
    assert resolve("densenet121_vgg16_levels", {}) == joint
    assert [part.backbone for part in resolve("other", {}, own).parts] == ["VGG16", "DenseNet121"]
    assert names_of("VGG16") == names_of(None) == names_of(3) == ()


def test_weights_are_one_for_each_in_their_order_and_leave_with_the_backbone(own):
    joint = resolve("densenet121_vgg16_levels", {"weights": "a.h5, b.h5"})
    assert [part.weights for part in joint.parts] == ["a.h5", "b.h5"]
    assert joint.weights == "a.h5,b.h5"
    child = resolve("child", {}, own)
    assert ([part.weights for part in child.parts], child.epochs) == (["imagenet", "vgg.h5"], 3)
    assert resolve("child", {"backbone": NAMES}, own).weights == "imagenet,imagenet"
    single = resolve("single", {}, own)
    assert (values_of(single), single.parts, single.dense) == (values_of(resolve("vgg16", {})), (), (7,))


def test_a_saved_joint_recipe_comes_back_without_its_parts_recipes(own):
    joint = resolve("joint", {}, own)
    own.unlink()
    saved = json.loads(json.dumps(joint.to_dict()))
    assert recipe_from(saved, "saved") == joint
    assert recipe_from(over(saved, {"epochs": 3}, "flags"), "saved") == dataclasses.replace(joint, epochs=3)
    assert recipe_from(over(saved, {"backbone": joint.backbone}, "flags"), "saved") == joint
    other = recipe_from(over(saved, {"weights": "x,y"}, "flags"), "saved")
    assert values_of(other.of_parts[0]) == ["DenseNet121", "x", *values_of(joint.of_parts[0])[2:]]


def test_a_path_with_a_comma_is_one_path_in_a_list(tmp_path):
    weights = ["a,b/dense.h5", "vgg.h5"]
    joint = resolve("densenet121_vgg16_levels", {"weights": weights})
    assert [part.weights for part in joint.parts] == weights
    assert recipe_from(joint.to_dict(), "saved") == joint


def test_the_digest_counts_each_file_by_its_content(tmp_path):
    one, two, copy = (tmp_path / name for name in ("one.h5", "two.h5", "copy.h5"))
    one.write_bytes(b"one")
    two.write_bytes(b"two")
    shutil.copy(one, copy)

    def digest(*weights, **values):
        return resolve("densenet121_vgg16_levels", {"weights": ",".join(map(str, weights)), **values}).digest()

    assert digest(one, two) == digest(copy, two)
    others = [digest(two, one), digest(one, copy), digest("imagenet", two), digest(one, two, dense=(3,))]
    assert len({digest(one, two), *others}) == 5
    joint = resolve("densenet121_vgg16_levels", {})
    smaller = dataclasses.replace(joint.parts[1], levels=2)
    assert dataclasses.replace(joint, parts=(joint.parts[0], smaller)).digest() != joint.digest()
    with pytest.raises(UserError, match=r"^No weights file .*three\.h5\. Give --weights with one for each of densenet"):
        digest(one, tmp_path / "three.h5")


def test_the_paths_of_weights_are_left_behind():
    plain = resolve("vgg16", {"weights": "secret/vgg.h5"}).without_paths()
    joint = resolve("densenet121_vgg16_levels", {"weights": "imagenet,secret/vgg.h5"}).without_paths()
    assert (plain.weights, joint.weights) == ("vgg.h5", "imagenet,vgg.h5")
    assert "secret" not in f"{plain}{joint}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('backbone = ["vgg16", "vgg"]', r"Unknown recipe in the backbone of recipe 'mine' 'vgg'\. Known: convnext"),
        ('backbone = ["DenseNet121", "VGG16"]', r"Unknown recipe in the backbone .* 'DenseNet121'\. Known: .*vgg16"),
        ('backbone = ["mine", "vgg16"]', r"'mine' in the backbone .* is joint itself\. Name its parts: mine,vgg16"),
        ('backbone = ["vgg16", "densenet121_vgg16_levels"]', r"joint itself\. Name its parts: densenet121_level"),
        ('backbone = ["vgg16", "resnet50_tuned"]', r"learns its backbone \(train finetune\), .* with train head"),
        ('backbone = ["vgg16", "baseline"]', r"'baseline' in the backbone .* learns its backbone \(train full\)"),
        ('backbone = ["vgg16"]', r"joint backbone is two recipes or more, joined by commas; received 'vgg16'"),
        ("backbone = []", r"recipe 'mine' is not valid: backbone: expected text \(received \[\]\)"),
        ('backbone = ["vgg16", 3]', r"Unknown recipe in the backbone of recipe 'mine' '3'"),
        ('backbone = ["vgg16", "vgg16"]', r"backbone has the same features twice, by vgg16 and vgg16: leave one out"),
        ('backbone = "vgg16,densenet121"\nweights = "x.h5"', r"expected 2, for vgg16 and .*; received 1: x\.h5"),
        ('backbone = "vgg16,densenet121"\nweights = ["a", "b", "c"]', r"expected 2, .*; received 3: a,b,c"),
        ('backbone = "vgg16,densenet121"\nweights = 3', r"expected 2, .*; received 1: 3"),
        ('backbone = "vgg16,densenet121"\nweights = "none,none"', r"without weights has nothing to keep"),
        ('backbone = "VGG16"\nweights = ["a.h5"]', r"recipe 'mine' is not valid: weights: expected text"),
        ('backbone = "vgg16,densenet121"\nlevels = 2', r"Each of vgg16, densenet121 brings its own levels, and reci"),
        ('backbone = "vgg16,densenet121"\nparts = []', r"Unknown value of recipe 'mine' 'parts'"),
        ('backbone = ","', r"joint backbone is two recipes or more, joined by commas; received ','"),
    ],
)  # fmt: skip
def test_what_does_not_join_is_named_in_one_line(tmp_path, text, line):
    path = tmp_path / "recipes.toml"
    path.write_text(f"[mine]\n{text}\n")
    with pytest.raises(UserError, match=line) as caught:
        resolve("mine", {}, path)
    assert "\n" not in str(caught.value)


def test_the_same_backbone_with_other_weights_is_another_part():
    joint = resolve("vgg16_levels", {"backbone": "vgg16_levels,vgg16_levels", "weights": "imagenet,places.h5"})
    assert [part.weights for part in joint.parts] == ["imagenet", "places.h5"]


def test_a_flag_for_what_parts_bring_is_refused():
    with pytest.raises(UserError, match=r"^Each of densenet121_levels, vgg16_levels brings its own input_size, and"):
        resolve("densenet121_vgg16_levels", {"input_size": 96})
    with pytest.raises(UserError, match="brings its own pooling"):
        resolve("vgg16_levels", {"backbone": NAMES, "pooling": ("max",)})
