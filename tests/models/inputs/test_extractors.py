"""A frozen backbone is known by what its features depend on, and by nothing else."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from competition.common.errors import UserError
from models.inputs.extractors import extractor_key, kept_extractor
from models.recipes.recipe import Recipe
from tests.models.samples import frozen, inputs_of, tiny_recipe


def recipe_of(weights: Path, **values) -> Recipe:
    return tiny_recipe(**{**frozen(str(weights)), "augment": ("d4",), **values})


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "a.weights.h5"
    path.write_bytes(b"weights")
    return path


def folder_of(recipe: Recipe, size: int = 16, weights: str = "") -> Path:
    return kept_extractor(Path("cache"), extractor_key(recipe, inputs_of(recipe, size), weights)).folder


def test_recipes_that_share_a_backbone_share_its_conversion(weights, tmp_path):
    begun = folder_of(recipe_of(weights))
    assert begun.parent == Path("cache/networks")
    assert folder_of(recipe_of(weights, epochs=9, dense=(), dropout=0.1, seed=4, views="d4")) == begun
    moved = tmp_path / "b.weights.h5"
    moved.write_bytes(b"weights")
    assert folder_of(recipe_of(moved)) == begun


def test_whatever_changes_features_changes_where_it_is_kept(weights):
    recipe = recipe_of(weights)
    found = {
        folder_of(recipe),
        folder_of(recipe, size=8),
        folder_of(recipe, weights="0" * 64),
        folder_of(recipe_of(weights, input_size=20)),
        folder_of(recipe_of(weights, pooling=("avg", "max"))),
        folder_of(recipe_of(weights, bands="BGR")),
        folder_of(recipe_of(weights, levels=2)),
        folder_of(recipe_of(Path("imagenet"))),
    }
    weights.write_bytes(b"others")
    found.add(folder_of(recipe))
    assert len(found) == 9


def test_weights_that_are_gone_are_an_error_unless_others_count(weights):
    recipe = recipe_of(weights)
    weights.unlink()
    with pytest.raises(UserError, match="No weights file"):
        folder_of(recipe)
    assert folder_of(recipe, weights="0" * 64)


def test_a_download_of_timm_is_not_asked_for_where_timm_is_not_installed(monkeypatch):
    def not_there(name: str) -> str:
        raise PackageNotFoundError(name)

    recipe = recipe_of(Path("imagenet"), backbone="timm/vit_small", pooling=("avg",))
    monkeypatch.setattr("models.inputs.extractors.version", not_there)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"^timm/vit_small.* needs torch and timm .*Run 'pip install -e \"\.\[timm\]\"'"
    ):
        extractor_key(recipe, inputs_of(recipe, 16))
