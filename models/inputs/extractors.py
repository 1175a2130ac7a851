"""Which frozen backbone it is: what its features depend on, and where its conversion is kept."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from models.backend.kept import Kept
from models.foreign.modules import require_installed
from models.networks.input_spec import Inputs
from models.recipes.recipe import Recipe
from models.recipes.values import TIMM

FORMAT = 1  # raise it, and that of the feature bank, when the same values make another network
VALUES = ("backbone", "input_size", "pooling", "levels", "indices", "new_bands")
OF_GRAPHS = ("mean", "deviation", "outputs", "prefix_tokens")  # values that count where the backbone is one


def extractor_key(recipe: Recipe, inputs: Inputs, weights: str = "") -> dict[str, Any]:
    """Return everything that the features of a recipe's frozen backbone depend on, besides the chips.

    Args:
        recipe: the recipe; of a joint one every part counts.
        inputs: what it is given.
        weights: digest of a file that holds the weights of the whole; default: the files that the recipe names count.

    Raises:
        UserError: if a weights file that it names cannot be read, or timm, which would fetch it, is not installed.
    """
    parts = [{"weights": weights or _weights_of(part), **_values_of(part)} for part in recipe.of_parts]
    return {"format": FORMAT, **({"parts": parts} if recipe.parts else parts[0]), "inputs": inputs.as_dict()}


def kept_extractor(cache: Path, key: dict[str, Any]) -> Kept:
    """Return where the conversion of a frozen backbone is kept.

    Args:
        cache: the workspace's folder of what can be made again.
        key: see `extractor_key`.
    """
    return Kept(cache / "networks", key)


def _values_of(recipe: Recipe) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in (*VALUES, *(OF_GRAPHS if recipe.of_graph else ()))}


def _weights_of(recipe: Recipe) -> str:
    if recipe.weights != "imagenet":
        return recipe.weights_digest()
    if not recipe.backbone.startswith(TIMM):
        return f"Keras {version('keras')}"  # which fetches them, by their digest
    try:
        return f"timm {version('timm')}"  # which fetches what it then knows by that name
    except PackageNotFoundError:
        require_installed(recipe.backbone)
        raise
