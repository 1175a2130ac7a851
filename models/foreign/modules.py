"""Networks of timm by name, built for chips of any bands and size, and what they say of what they are given."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Sequence
from textwrap import shorten
from typing import Any

from competition.common.errors import UserError
from models.backend.devices import backend_name
from models.recipes.recipe import Recipe
from models.recipes.values import TIMM

RGB = ("R", "G", "B")
PROPOSED = 5  # names that are like one that timm does not know


def check_timm(recipe: Recipe) -> None:
    """Refuse a network of timm that learns where it cannot: by another backend, or at sizes that it does not take.

    Raises:
        UserError: with what mends it.
    """
    require_timm(recipe.backbone)
    if (backend := backend_name()) != "torch":
        raise UserError(
            f"{recipe.backbone} learns, and is a network of the backend torch alone: received {backend}. Set "
            "KERAS_BACKEND=torch for this command; models of other backbones go by it, too."
        )
    if recipe.progressive and takes_one_size(recipe.backbone):
        raise UserError(f"The weights of {recipe.backbone} are for chips of one size. Give --progressive none.")


def require_timm(backbone: str) -> None:
    """Refuse a network that timm does not know, or any where torch or timm is not installed.

    Raises:
        UserError: with the command that installs them, or names that are like it.
    """
    if missing := [name for name in ("torch", "timm", "safetensors") if importlib.util.find_spec(name) is None]:
        raise UserError(f"{backbone} needs {' and '.join(missing)}. Run 'pip install -e \".[timm]\"'.")
    timm, name = importlib.import_module("timm"), backbone.removeprefix(TIMM)
    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        alike = difflib.get_close_matches(base, timm.list_models(), PROPOSED, cutoff=0.0)
        raise UserError(f"timm {timm.__version__} has no network {base!r}. Alike: {', '.join(alike)}.")
    tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{base}.*")]
    if tag and tag not in tags:
        known = ", ".join(f"{TIMM}{base}.{each}" for each in tags) or "none"
        raise UserError(f"timm {timm.__version__} knows no weights {tag!r} of {base}. Known: {known}.")


def build_module(backbone: str, num_bands: int, size: int, *, pretrained: bool = False) -> Any:
    """Return a network of timm without its classifier, a `torch.nn.Module`.

    Args:
        backbone: timm/NAME, with the tag of its weights or without.
        num_bands: of the chips.
        size: pixels along each side of them, which counts where the network takes one size alone.
        pretrained: with the weights that timm downloads.

    Raises:
        UserError: if it cannot be built or its weights cannot be had.
    """
    timm, name = importlib.import_module("timm"), backbone.removeprefix(TIMM)
    config = timm.models.get_pretrained_cfg(name)
    sized = {"img_size": size} if config is not None and config.fixed_input_size else {}
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=0, in_chans=num_bands, **sized)
    except Exception as error:  # timm and the hub raise whatever they like
        text = shorten(str(error), 300)
        if not pretrained:
            raise UserError(f"Cannot build {backbone} for {num_bands} bands at {size} px: {text}.") from error
        raise UserError(
            f"Cannot have the weights of {backbone} from timm: {text}. Look at the network's name and at the "
            "connection, or give --weights with the path of a .safetensors file."
        ) from error


def takes_one_size(backbone: str) -> bool:
    """Whether weights of a network of timm are for chips of one size alone, as those of positions are."""
    config = importlib.import_module("timm").models.get_pretrained_cfg(backbone.removeprefix(TIMM))
    return bool(config is not None and config.fixed_input_size)


def moments_of(module: Any, recipe: Recipe, bands: Sequence[str]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each band, in 0 to 1, by which chips are standardised.

    They are the recipe's, or else those that the network was trained with; bands other than R, G and B take the mean
    of theirs.

    Args:
        module: of `build_module`.
        recipe: gives them, unless they are the training chips' own.
        bands: one name per band.
    """
    found = []
    for name, given in (("mean", recipe.mean), ("std", recipe.deviation)):
        own = [float(value) for value in given] if given and not isinstance(given, str) else module.pretrained_cfg[name]
        if len(own) == 1:
            own = list(own) * len(bands)
        if len(own) != len(bands) or own is module.pretrained_cfg[name]:
            own = [own[RGB.index(band)] if band in RGB else sum(own) / len(own) for band in bands]
        found.append(list(own))
    return found[0], found[1]


def prefix_of(module: Any) -> int:
    """Return the number of a transformer's tokens before those of patches: class token and registers."""
    return int(getattr(module, "num_prefix_tokens", 0))


def bands_last(module: Any) -> bool:
    """Whether the network's maps have their values last."""
    return bool(getattr(module, "output_fmt", "NCHW") == "NHWC")
