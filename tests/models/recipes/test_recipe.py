"""Recipes: what their values may be, what follows from them, and their digests."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil

import pytest

from competition.common.errors import UserError
from competition.spec.load import load
from competition.task import Task
from models.recipes.named import recipe_from, resolve
from models.recipes.recipe import softmax_groups
from tests.models.samples import tiny_recipe


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


def test_a_saved_recipe_comes_back_as_it_was():
    recipe = resolve("baseline", {"dense": (5,), "augment": ("flips", "shifts")})
    assert recipe_from(json.loads(json.dumps(recipe.to_dict())), "saved") == recipe


RECORDED = {  # by the workspaces of others
    "baseline": "e719fa7fda92ecc7",
    "residual": "879ffef86783d7ca",
    "vgg16": "14b3e7814c18ae52",
    "inception_v3": "fb5cf47fc1fe8da2",
    "resnet50": "1e08841305b52d43",
    "densenet121": "c0ebb3188302a0c9",
    "mobilenet_v2": "6d685d05bbb92350",
    "efficientnet_v2_b0": "e72a07aee08e77c5",
    "convnext_tiny": "247729d26aa3d1d9",
    "vgg16_levels": "7ed751ab703a0e73",
    "densenet121_levels": "a769bc3775dd8d09",
    "mobilenet_v2_levels": "3a7370a9a1a63ff6",
    "resnet50_tuned": "99ca51e5055281f5",
    "densenet121_tuned": "0dc587ddf7e7b47e",
    "mobilenet_v2_tuned": "6ffd30418105c26a",
}


def test_values_that_recipes_had_not_at_first_leave_the_recorded_digests_as_they_are():
    before = {"dense": (512,), "input_dropout": None, "epochs": 20}  # of heads on several levels
    values = {name: before if name.endswith("levels") else {} for name in RECORDED}
    assert {name: resolve(name, values[name]).digest()[:16] for name in RECORDED} == RECORDED
    weighted = {"weighted_to": "test", "weighted_digest": "1"}
    for later in ({"members": 8}, weighted):
        digest = dataclasses.replace(resolve("densenet121_levels", values["densenet121_levels"]), **later).digest()
        assert digest[:16] != RECORDED["densenet121_levels"]
    others = dataclasses.replace(resolve("baseline", {}), **{**weighted, "weighted_digest": "2"})
    assert others.digest() != dataclasses.replace(others, weighted_digest="1").digest()


def test_a_recipe_recorded_before_comes_back_as_one_that_is_not_joint_and_has_one_head():
    recipe = resolve("vgg16_levels", {})
    recorded = {name: value for name, value in recipe.to_dict().items() if name not in ("members", "parts")}
    assert recipe_from(json.loads(json.dumps(recorded)), "saved") == recipe


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


def test_the_summary_names_bands_indices_and_how_long_it_takes():
    recipe = tiny_recipe(images="tif", bands="RGBN", indices=("ndvi", "ndwi"), epochs=1)
    assert recipe.summary() == "two_convolutions from scratch, RGBN + ndvi + ndwi at 16 px, at most 1 epoch."
    solved = {"solver": "ridge", "dense": (), "train": "head", "weights": "imagenet", "backbone": "VGG16"}
    assert tiny_recipe(**solved).summary() == "VGG16 frozen, RGB at 16 px, solved by ridge."
    weighted = tiny_recipe(pseudo="p", weighted_to="test").summary()
    assert weighted.endswith("at most 2 epochs, also from pseudo-labels 'p', chips weighted to test.")


def test_the_views_of_a_recipe_are_those_of_its_names():
    recipe = resolve("resnet50", {"views": "flips", "augment": ("quarter_turns",)})
    assert recipe.test_views == ("identity", "mirror", "turn180_mirror", "turn180")
    assert set(recipe.drawn_views) == {"identity", "turn90", "turn180", "turn270"}
