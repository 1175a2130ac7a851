"""Named recipes: flags over a user's file over the built-in ones, and one line for each mistake."""

from __future__ import annotations

import dataclasses

import pytest

from competition.common.errors import UserError
from models.recipes.named import listing, load_recipes, resolve
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


def test_a_licence_is_shown_and_is_no_part_of_the_recipe(tmp_path):
    assert "licence=Apache-2.0" in next(line for line in listing().splitlines() if line.startswith("convnext_tiny_in"))
    path = saved(tmp_path, '[mine]\nbase = "resnet50"\nlicence = "CC0"')
    assert resolve("mine", {}, path) == resolve("resnet50", {})
    assert "licence=CC0" in listing(path)


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
        ("epochs = 3", r"must hold one table per recipe, such as \[epochs\]"),
        ("[mine", r"recipes\.toml is not valid TOML"),
        ("[mine]\nepochs = 3", r"recipe 'mine' is not valid: backbone is missing"),
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


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(UserError, match="Unknown recipe 'resnet5'") as caught:
        resolve("resnet5", {})
    assert all(name in str(caught.value) for name in BUILT_IN)


def test_the_list_shows_of_each_recipe_what_differs_from_what_it_starts_from(monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    shown = {line.split()[0]: line.split()[1:] for line in listing().splitlines()[2:]}
    assert shown.keys() == load_recipes().keys()
    assert shown["vgg16"] == ["backbone=VGG16"]
    assert shown["densenet121_levels"] == ["as", "vgg16_levels:", "backbone=DenseNet121", "levels=4"]
    assert {"weights=none", "train=full", "dense=256", "augment=d4"} & set(shown["baseline"]) == {
        "weights=none", "train=full", "dense=256",
    }  # fmt: skip
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, listing().splitlines())) <= 80
