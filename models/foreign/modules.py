"""Networks of timm by name, built for chips of any bands and size, and what they say of what they are given."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from models.backend.devices import backend_name
from models.backend.downloads import bounded
from models.foreign.outputs import Layout
from models.recipes.recipe import Recipe
from models.recipes.values import TIMM

HUB = "https://huggingface.co"
RGB = ("R", "G", "B")
OUTPUTS = ("features", "vector")  # what timm's forward_features gives, and what its own pooling makes of that


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


def require_installed(backbone: str, more: Sequence[str] = ()) -> None:
    """Refuse a network of timm where torch, timm or what else is needed is not installed.

    Raises:
        UserError: with the command that installs them.
    """
    if missing := [name for name in ("torch", "timm", "safetensors", *more) if importlib.util.find_spec(name) is None]:
        raise UserError(f"{backbone} needs {' and '.join(missing)}. Run 'pip install -e \".[timm]\"'.")


def require_timm(backbone: str, more: Sequence[str] = ()) -> None:
    """Refuse a network that timm does not know, or any where torch, timm or what else is needed is not installed.

    Raises:
        UserError: with the command that installs them, or names that are like it.
    """
    require_installed(backbone, more)
    timm, name = importlib.import_module("timm"), backbone.removeprefix(TIMM)
    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        close = difflib.get_close_matches(base, timm.list_models(), 3) or timm.list_models(f"*{base[:6]}*")
        alike = f" Alike: {first(close)}." if close else ""
        raise UserError(f"timm {timm.__version__} knows no network {base!r}.{alike} timm.list_models() has them all.")
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
    options = {"pretrained": pretrained, "num_classes": 0, "in_chans": num_bands}
    try:
        with warnings.catch_warnings(), bounded(with_hub=True) if pretrained else nullcontext():
            warnings.simplefilter("ignore")
            try:  # networks whose positions are fixed take the size, others know no such argument
                return timm.create_model(name, img_size=size, **options)
            except TypeError:
                return timm.create_model(name, **options)
    except Exception as error:  # timm, torch and the hub raise whatever they like
        what = "Cannot get the weights of" if pretrained else "Cannot build"
        config = timm.models.get_pretrained_cfg(name) if pretrained else None
        hub_id = getattr(config, "hf_hub_id", None)
        source = f", such as {HUB}/{hub_id} has" if hub_id else ""
        hint = f" Accept its licence where it is gated, or give --weights with a .safetensors file of them{source}."
        raise UserError(
            f"{what} timm's {name} at {size} px: {shorten(str(error), 200)}.{hint if pretrained else ''}"
        ) from error


def takes_one_size(backbone: str) -> bool:
    """Whether weights of a network of timm are for chips of one size alone, as those of positions are."""
    config = importlib.import_module("timm").models.get_pretrained_cfg(backbone.removeprefix(TIMM))
    return bool(config is not None and config.fixed_input_size)


def moments_of(module: Any, recipe: Recipe, bands: Sequence[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each band, in 0 to 1, by which chips are standardised.

    They are the recipe's, or else those that the network was trained with; bands other than R, G and B take the mean
    of theirs.

    Args:
        module: of `build_module`.
        recipe: gives them, unless they are the training chips' own.
        bands: one name per band.
    """
    mean, deviation = (
        _of_bands(given if isinstance(given, tuple) else (), tuple(map(float, module.pretrained_cfg[name])), bands)
        for name, given in (("mean", recipe.mean), ("std", recipe.deviation))
    )
    return mean, deviation


def _of_bands(given: tuple[float, ...], trained: tuple[float, ...], bands: Sequence[str]) -> tuple[float, ...]:
    if given:
        return given * len(bands) if len(given) == 1 else given
    if len(trained) != len(RGB):
        return (sum(trained) / len(trained),) * len(bands)
    return tuple(trained[RGB.index(band)] if band in RGB else sum(trained) / len(trained) for band in bands)


def layout_of(module: Any) -> Layout:
    """Return what a network of timm says of its outputs."""
    norm, pool = (getattr(module, name, None) for name in ("fc_norm", "attn_pool"))
    return Layout(
        prefix=getattr(module, "num_prefix_tokens", None),
        has_class=getattr(module, "cls_token", None) is not None,
        ends_in_vector=any(part is not None and any(True for _ in part.parameters()) for part in (norm, pool)),
    )


def outputs_of(module: Any, chips: Any, names: Sequence[str] = OUTPUTS) -> list[Any]:
    """Return some of the outputs `OUTPUTS` of a network for what it is given, (num_chips, num_bands, size, size)."""
    features = module.forward_features(chips)
    return [features if name == OUTPUTS[0] else module.forward_head(features, pre_logits=True) for name in names]


def tried(module: Any, chips: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return all outputs of a network by name for some chips (num_chips, num_bands, size, size).

    Raises:
        UserError: if it does not take chips of that size, or makes of them what is no features.
    """
    torch = importlib.import_module("torch")
    try:
        with torch.no_grad():  # no inference mode: what a network keeps of it could not learn
            made = outputs_of(module.eval(), torch.from_numpy(chips))
            return {name: each.numpy() for name, each in zip(OUTPUTS, made, strict=True)}
    except Exception as error:  # timm and torch raise whatever they like on a size that a network does not take
        raise UserError(
            f"timm's {module.pretrained_cfg['architecture']} makes no features of chips of {chips.shape[-1]} px: "
            f"{shorten(str(error), 200).rstrip('.')}. Give another --input-size, or another --backbone."
        ) from error
