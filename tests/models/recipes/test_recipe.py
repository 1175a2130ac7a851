"""Recipes: what their values may be, what follows from them, and their digests."""

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
from competition.spec.load import load
from competition.task import Task
from models.recipes.flags import recipe_flags
from models.recipes.named import recipe_from, resolve
from models.recipes.recipe import Recipe, softmax_groups
from tests.models.samples import tiny_recipe


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"epochs": "many"}, r"epochs: .*integer.*\(received 'many'\)"),
        ({"batch_size": 2.5}, r"batch_size: .*integer"),
        ({"dense": "256"}, r"dense: expected a list"),
        ({"train": "tail"}, r"train: expected 'head', 'finetune' or 'full' \(received 'tail'\)"),
        ({"optimizer": "lion"}, r"optimizer: expected 'adam', 'adamw' or 'sgd'"),
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


def test_what_is_left_to_the_competition_follows_from_it():
    planet = load("planet")
    classes = planet.model_copy(update={"exclusive": (planet.labels,)})
    recipe = resolve("resnet50", {})
    assert (recipe.groups, recipe.images) == ("auto", "first")
    settled = recipe.settled(planet)
    assert (settled.groups, settled.images) == ("sigmoid", "jpg")
    assert recipe.settled(classes).groups == "softmax"
    assert softmax_groups(recipe.settled(classes), Task(classes, classes.labels)) == (tuple(range(17)),)
    assert resolve("resnet50", {"groups": "sigmoid"}).settled(classes).groups == "sigmoid"
    assert resolve("resnet50", {"only_labels": ("water",)}).settled(classes).groups == "sigmoid"
    linear = {"solver": "ridge", "dense": (), "augment": ("flips",)}
    assert resolve("resnet50", linear).settled(classes).groups == "sigmoid"
    assert settled.settled(classes).groups == "sigmoid"  # what was begun stays as it is


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


def test_the_summary_names_bands_indices_and_how_long_it_takes():
    recipe = tiny_recipe(images="tif", bands="RGBN", indices=("ndvi", "ndwi"), epochs=1)
    assert recipe.summary() == "two_convolutions from scratch, RGBN + ndvi + ndwi at 16 px, at most 1 epoch."
    solved = {"solver": "ridge", "dense": (), "train": "head", "weights": "imagenet", "backbone": "VGG16"}
    assert tiny_recipe(**solved).summary() == "VGG16 frozen, RGB at 16 px, solved by ridge."


def test_a_stage_follows_the_epochs_that_are_finished():
    recipe = resolve("residual", {"progressive": (16, 32), "epochs": 6})
    assert [recipe.stage_after(epochs)[0] for epochs in range(8)] == [16, 16, 32, 32, 64, 64, 64, 64]
    assert [recipe.stage_after(epochs)[1] for epochs in range(8)] == [2, 2, 4, 4, 6, 6, 6, 6]


def test_the_views_of_a_recipe_are_those_of_its_names():
    recipe = resolve("resnet50", {"views": "flips", "augment": ("quarter_turns",)})
    assert recipe.test_views == ("identity", "mirror", "turn180_mirror", "turn180")
    assert set(recipe.drawn_views) == {"identity", "turn90", "turn180", "turn270"}
