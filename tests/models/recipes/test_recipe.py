"""Recipes: flags over a user's file over the built-in ones, and one line for each mistake."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil

import click
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.common.errors import UserError
from models.recipes.flags import recipe_flags
from models.recipes.named import load_recipes, recipe_from, resolve
from models.recipes.recipe import Recipe

BUILT_IN = {
    "baseline", "residual", "vgg16", "inception_v3", "resnet50", "densenet121", "mobilenet_v2", "efficientnet_v2_b0",
    "convnext_tiny",
}  # fmt: skip


def saved(tmp_path, text):
    path = tmp_path / "recipes.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_built_in_recipe_is_valid():
    assert load_recipes().keys() >= BUILT_IN
    for name in load_recipes():
        assert isinstance(resolve(name, {}), Recipe)


def test_the_papers_head_loss_and_optimiser_are_the_defaults():
    recipe = resolve("resnet50", {})
    assert (recipe.backbone, recipe.weights, recipe.train) == ("ResNet50", "imagenet", "head")
    assert (recipe.pooling, len(recipe.dense), recipe.loss, recipe.optimizer) == (
        ("avg",), 2, "binary_crossentropy", "adam",
    )  # fmt: skip
    assert (recipe.input_size, resolve("inception_v3", {}).input_size) == (224, 299)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"epochs": 3}, 3), ({"dense": (5, 4)}, (5, 4)), ({"dense": ()}, ()), ({"augment": ()}, ()),
        ({"learning_rate": 0.5}, 0.5), ({"views": "identity"}, "identity"), ({"weights": "some.h5"}, "some.h5"),
    ],
)  # fmt: skip
def test_flags_override_the_recipe(value, expected):
    (name,) = value
    recipe = resolve("vgg16", value)
    assert getattr(recipe, name) == expected
    assert recipe == dataclasses.replace(resolve("vgg16", {}), **value)


def test_a_users_file_adds_recipes_and_changes_built_in_ones(tmp_path):
    path = saved(
        tmp_path,
        """
        [mine]
        base = "resnet50"
        epochs = 3
        [vgg16]
        dropout = 0.1
        [scratch]
        backbone = "residual"
        weights = "none"
        train = "full"
        dense = [7]
        [child]
        base = "mine"
        seed = 4
        """,
    )
    assert resolve("mine", {}, path) == dataclasses.replace(resolve("resnet50", {}), epochs=3)
    assert resolve("vgg16", {}, path) == dataclasses.replace(resolve("vgg16", {}), dropout=0.1)
    assert resolve("scratch", {}, path).dense == (7,)
    assert resolve("child", {}, path) == dataclasses.replace(resolve("resnet50", {}), epochs=3, seed=4)
    assert resolve("mine", {"epochs": 9}, path).epochs == 9
    assert resolve("resnet50", {}, path) == resolve("resnet50", {})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[mine]\nbase = "resnet5"', r"Unknown base recipe 'resnet5'\. Known: .*resnet50"),
        ('[mine]\nbase = ["vgg16"]', r"Unknown base recipe"),
        ("epochs = 3", r"must hold one table a recipe, such as \[epochs\]"),
        ("[mine", r"recipes\.toml is not valid TOML"),
        ("[mine]\nepochs = 3", r"recipe 'mine' is not valid: backbone: Field required"),
        ('[mine]\nbase = "vgg16"\nepoch = 3', r"Unknown value of recipe 'mine' 'epoch'\. Known: .*epochs"),
    ],
)
def test_mistakes_in_a_users_file_are_named_in_one_line(tmp_path, text, line):
    with pytest.raises(UserError, match=line) as caught:
        resolve("mine", {}, saved(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"Cannot read the recipe file .*none\.toml: No such file"):
        load_recipes(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"epochs": "many"}, r"epochs: .*integer.*\(received 'many'\)"),
        ({"batch_size": 2.5}, r"batch_size: .*integer"),
        ({"dense": "256"}, r"dense: .*tuple"),
        ({"train": "tail"}, r"train: Input should be 'head', 'finetune' or 'full' \(received 'tail'\)"),
        ({"optimizer": "lion"}, r"optimizer: Input should be 'adam', 'adamw' or 'sgd'"),
        ({"epochs": 0}, r"epochs must be above 0, received 0\.$"),
        ({"learning_rate": float("nan")}, r"learning_rate must be a finite number, received nan\.$"),
        ({"learning_rate": -1.0}, r"learning_rate must be above 0, received -1\.0\.$"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), received 1\.0\.$"),
        ({"shift": -0.1}, r"shift must be in \[0, 1\), received -0\.1\.$"),
        ({"patience": -1}, r"patience cannot be below 0, received -1\.$"),
        ({"dense": (256, 0)}, r"dense needs whole numbers above 0, received \(256, 0\)\.$"),
        ({"progressive": (0,)}, r"progressive needs whole numbers above 0, received \(0,\)\.$"),
        ({"pooling": ()}, r"pooling must be avg, max, both of these, or flatten; received none\.$"),
        ({"pooling": ("avg", "flatten")}, r"pooling must be .*; received avg,flatten\.$"),
        ({"progressive": (32,)}, r"pooling flatten fits one input size only\. Give --pooling avg"),
        ({"progressive": (16, 32), "pooling": ("avg",), "epochs": 2}, r"3 input sizes need as many epochs, received 2"),
        (
            {"train": "head", "pooling": ("avg",), "progressive": (8,)},
            r"A frozen backbone sees one input size\. Give --progr",
        ),
        ({"train": "finetune", "pooling": ("avg",)}, r"without weights has nothing to keep or tune\. Give --weights"),
        ({"warmup": 20}, r"warm-up of 20 epochs leaves none of 20 at the peak .*--warmup below 20"),
        ({"unfrozen": 0.0}, r"unfrozen must be above 0 and at most 1, received 0\.0\.$"),
        ({"bands": "RGR"}, r"bands names a band twice: 'RGR'\.$"),
        ({"views": "d8"}, r"valid: Unknown set of views 'd8'\. Known: d4, flips, identity\.$"),
        ({"augment": ("d4", "blur")}, r"valid: Unknown augmentation 'blur'\. Known: d4, flips, none, photometric"),
    ],
)
def test_wrong_values_are_named_in_one_line(values, line):
    with pytest.raises(UserError, match=line) as caught:
        resolve("baseline", values)
    assert str(caught.value).startswith("recipe 'baseline' is not valid: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Recipe) if field.type == "float"])
@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_no_number_may_be_infinite_or_none_at_all(name, value):
    with pytest.raises(UserError, match=rf"valid: {name} must be a finite number, received {value}\.$"):
        resolve("resnet50", {name: float(value)})


@pytest.mark.parametrize(
    "spoilt",
    [
        {"dense": (8,)}, {"augment": ("shifts",)}, {"train": "finetune"}, {"mixup": 0.2}, {"groups": "softmax"},
        {"train": "full", "weights": "none"}, {"dense": (8,), "head_norm": "batch", "cutmix": 0.5},
        {"train": "finetune", "progressive": (64,), "loss": "soft_f_beta", "sampling": "balanced"},
        {"train": "head", "progressive": (64,)}, {"augment": ("d4", "photometric"), "label_smoothing": 0.1},
    ],
)  # fmt: skip
def test_the_flags_that_a_solver_asks_for_are_named_together_and_are_enough(spoilt):
    linear = {"solver": "logistic", "dense": (), "augment": ("flips",)}
    with pytest.raises(UserError, match="solver logistic fits nothing but a plain linear head") as caught:
        resolve("resnet50", {**linear, **spoilt})
    (flags,) = re.findall(r"Give (--.*), or --solver gradient\.$", str(caught.value))
    named = {}

    @click.command()
    @recipe_flags
    def verb(overrides):
        named.update(overrides)

    verb(flags.split(), standalone_mode=False)
    assert resolve("resnet50", {**linear, **spoilt, **named}).on_bank
    assert named.keys() <= {*spoilt, "train", "weights"}  # nothing is asked for that was right already


def test_a_solver_takes_what_it_knows():
    assert resolve("resnet50", {"solver": "logistic", "dense": (), "augment": ("flips",)}).solver == "logistic"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True), ({"augment": ()}, True), ({"augment": ("flips", "quarter_turns")}, True),
        ({"augment": ("d4", "shifts")}, False), ({"mixup": 0.2}, True), ({"cutmix": 1.0}, False),
        ({"train": "finetune"}, False), ({"train": "full"}, False),
    ],
)  # fmt: skip
def test_a_head_learns_from_features_where_no_pixel_changes_its_value(values, expected):
    assert resolve("resnet50", values).on_bank == expected


@given(st.lists(st.integers(1, 300), max_size=4), st.integers(1, 40))
def test_input_sizes_share_the_epochs_and_the_recipes_own_comes_last(progressive, more):
    epochs = len(progressive) + more
    stages = resolve("residual", {"progressive": tuple(progressive), "epochs": epochs}).stages
    assert [size for size, _ in stages] == [*progressive, 64]
    lasting = np.diff([0, *(last for _, last in stages)])
    assert lasting.min() >= 1
    assert lasting.max() - lasting.min() <= 1
    assert stages[-1][1] == epochs


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(UserError, match="Unknown recipe 'resnet5'") as caught:
        resolve("resnet5", {})
    assert all(name in str(caught.value) for name in BUILT_IN)


def test_a_saved_recipe_comes_back_as_it_was():
    recipe = resolve("baseline", {"dense": (5,), "augment": ("flips", "shifts")})
    assert recipe_from(json.loads(json.dumps(recipe.to_dict())), "saved") == recipe


def test_the_digest_depends_on_every_value():
    recipe = resolve("baseline", {})
    others = [{"seed": 1}, {"dense": (8, 8)}, {"views": "flips"}, {"learning_rate": 2e-3}, {"weights": "imagenet"}]
    digests = {recipe.digest(), *(dataclasses.replace(recipe, **other).digest() for other in others)}
    assert len(digests) == 6
    assert resolve("baseline", {}).digest() == recipe.digest()


def test_the_digest_depends_on_a_weights_files_content_and_not_on_its_path(tmp_path):
    one, copy = tmp_path / "one.weights.h5", tmp_path / "copy.weights.h5"
    one.write_bytes(b"weights")
    shutil.copy(one, copy)

    def digest(path):
        return resolve("vgg16", {"weights": str(path)}).digest()

    before = digest(one)
    assert digest(copy) == digest(os.path.relpath(copy)) == before
    copy.write_bytes(b"others")
    assert digest(copy) != before


def test_a_weights_file_that_is_not_there_is_named(tmp_path):
    recipe = resolve("vgg16", {"weights": str(tmp_path / "none.weights.h5")})
    with pytest.raises(UserError, match=r"No weights file .*none\.weights\.h5\. Give --weights imagenet"):
        recipe.digest()


def test_every_value_has_a_line_of_help():
    assert all(field.metadata["help"] for field in dataclasses.fields(Recipe))
