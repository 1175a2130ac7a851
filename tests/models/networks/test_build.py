"""Networks from recipes: they build and score, and what is to stand still stands still."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

from models.networks.build import backbone_variables, part_to_keep, save_weights
from models.recipes.named import load_recipes, resolve
from models.recipes.recipe import Recipe
from models.recipes.values import TIMM
from tests.models.samples import (
    NUM_LABELS,
    built,
    chips_for,
    compiled,
    frozen,
    moved,
    output_of,
    tiny_recipe,
)

QUICK = {"baseline", "residual", "mobilenet_v2"}
SMALLEST = {"inception_v3": 75}
JOINT = ("densenet121_vgg16_levels",)


# Heads whose members share kernels, and those on several backbones, are no networks by themselves.
WHOLE = [name for name, values in load_recipes().items() if not values.get("members") and name not in JOINT]
WHOLE = [name for name in WHOLE if not resolve(name, {}).backbone.startswith(TIMM)]  # which takes torch


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in WHOLE]
)
def test_every_recipe_builds_and_scores(name):
    values = {"weights": "none", "train": "full", "images": "jpg", "input_size": SMALLEST.get(name, 32)}
    network = built(resolve(name, values))
    scores = output_of(network, chips_for(network))
    assert scores.shape == (2, NUM_LABELS)
    assert ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize(
    "name", ["baseline", "residual", "mobilenet_v2", pytest.param("efficientnet_v2_b0", marks=pytest.mark.slow)]
)
def test_four_bands_are_taken_without_weights(name):
    values = {"weights": "none", "train": "full", "images": "tif", "bands": "RGBN", "input_size": 32}
    network = built(resolve(name, values))
    assert network.input_shape == (None, 32, 32, 4)
    assert output_of(network, chips_for(network)).shape == (2, NUM_LABELS)


def test_a_specialist_scores_its_labels_alone():
    assert built(tiny_recipe(only_labels=("water", "haze"))).output_shape == (None, 2)


def test_first_weights_depend_on_the_seed_alone():
    one, same, other = (built(tiny_recipe(seed=seed)).get_weights() for seed in (1, 1, 2))
    assert not any(moved(one, same))
    assert not np.array_equal(one[-2], other[-2])


def test_the_cosine_schedule_ends_at_zero_with_the_last_epoch():
    recipe = tiny_recipe(schedule="cosine", learning_rate=0.5, epochs=4)
    network = compiled(built(recipe), recipe, steps_per_epoch=3)
    rates = []
    for step in (0, 6, 12):
        network.optimizer.iterations.assign(step)
        rates.append(float(network.optimizer.learning_rate))
    assert rates == pytest.approx([0.5, 0.25, 0.0], abs=1e-6)


# What learns


def learnt(recipe: Recipe) -> tuple[keras.Model, dict[str, bool]]:
    """Train a network for a step; return it, and whether each weight of its backbone moved."""
    network = compiled(built(recipe), recipe)
    before = [weights.copy() for weights in network.get_weights()]
    truth = np.random.default_rng(0).integers(0, 2, (8, NUM_LABELS)).astype(np.float32)
    network.fit(chips_for(network, 8), truth, verbose=0)
    changed = dict(zip((weight.path for weight in network.weights), moved(before, network.get_weights()), strict=True))
    assert all(value for path, value in changed.items() if path.startswith("logits/"))
    ours = ("conv/", "norm/", "last/")
    return network, {path: value for path, value in changed.items() if path.startswith(ours)}


def test_a_frozen_backbone_and_its_statistics_stand_still(tiny_net, tiny_weights):
    network, changed = learnt(tiny_recipe(**frozen(tiny_weights)))
    assert len(changed) == 7
    assert not any(changed.values())
    assert len(network.trainable_weights) == 4  # the head's two dense layers


def test_a_backbone_that_learns_moves_with_its_statistics(tiny_net, tiny_weights):
    _, changed = learnt(tiny_recipe(**frozen(tiny_weights, train="full")))
    assert all(changed.values())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"conv", "last"}),
        ({"batch_norm": "learnt"}, {"conv", "norm", "last"}),
        ({"unfrozen": 0.67, "batch_norm": "learnt"}, {"norm", "last"}),
        ({"unfrozen": 0.67}, {"last"}),
        ({"unfrozen": 0.01}, {"last"}),
    ],
)
def test_fine_tuning_moves_the_last_layers_asked_for_and_leaves_normalisations_unless_told(
    tiny_net, tiny_weights, values, expected
):
    _, changed = learnt(tiny_recipe(**frozen(tiny_weights, train="finetune"), **values))
    assert {path.split("/")[0] for path, value in changed.items() if value} == expected
    assert {path.split("/")[0] for path, value in changed.items() if not value} == {"conv", "norm", "last"} - expected


def test_the_backbones_variables_are_told_from_the_heads(tiny_net, tiny_weights):
    recipe = tiny_recipe(**frozen(tiny_weights, train="finetune"))
    paths = backbone_variables(built(recipe), recipe)
    assert {path.split("/")[0] for path in paths} == {"conv", "last"}
    for other in (tiny_recipe(**frozen(tiny_weights, train="full")), tiny_recipe()):
        assert not backbone_variables(built(other), other)


# What is kept


def test_of_a_frozen_backbone_the_head_alone_is_kept(tiny_net, tiny_weights):
    for train, name in (("head", "head"), ("full", "network"), ("finetune", "network")):
        recipe = tiny_recipe(**frozen(tiny_weights, train=train))
        network = built(recipe)
        assert part_to_keep(network, recipe).name == name
    head = network.get_layer("head")
    assert part_to_keep(head, tiny_recipe(**frozen(tiny_weights))) is head


def test_weights_are_saved_without_the_optimiser_and_come_back(tmp_path):
    recipe = tiny_recipe()
    network = compiled(built(recipe), recipe)
    save_weights(network, tmp_path / "network.weights.h5")
    found: list[str] = []
    with h5py.File(tmp_path / "network.weights.h5") as file:
        file.visit(found.append)
    assert any("dense" in name for name in found)
    assert not any("optimizer" in name for name in found)
    other = built(tiny_recipe(seed=9))
    other.load_weights(tmp_path / "network.weights.h5")
    assert not any(moved(network.get_weights(), other.get_weights()))
