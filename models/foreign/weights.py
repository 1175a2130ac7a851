"""Weights of networks of timm: from a .safetensors file, and filters for bands that they were not trained on."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from competition.common.errors import UserError
from models.foreign.modules import RGB, build_module, require_timm
from models.recipes.foreign import SAFE
from models.recipes.recipe import Recipe
from models.recipes.values import TIMM


def timm_module(recipe: Recipe, bands: Sequence[str], *, pretrained: bool = True) -> Any:
    """Return a recipe's network of timm, a `torch.nn.Module`, for any bands.

    R, G and B keep their pretrained filters. Those of every other band start from the mean of theirs, or from zero, as
    `new_bands` says. A file may be of a network for the very bands that are asked for, which then come in its order.

    Args:
        recipe: gives the backbone, its weights, the input size and what new bands' filters start from.
        bands: one name per band, in the order of the chips' bands.
        pretrained: load the recipe's weights; False where others are loaded next.

    Raises:
        UserError: if torch or timm is not installed, timm does not know the network, or its weights cannot be had or
            do not fit.
    """
    require_timm(recipe.backbone)
    backbone, size = recipe.backbone, recipe.input_size
    if not pretrained or recipe.weights == "none":
        return build_module(backbone, len(bands), size)
    if recipe.weights == "imagenet":
        three = build_module(backbone, len(RGB), size, pretrained=True)
        return three if tuple(bands) == RGB else _with_bands(three, recipe, bands)
    path, own = recipe.weights_path(), build_module(backbone, len(bands), size)
    state = _read(path, backbone)
    if tuple(bands) == RGB or (len(bands) != len(RGB) and _is_for(own, state, backbone)):
        _load(own, state, path, backbone)
        return own
    three = build_module(backbone, len(RGB), size)
    _load(three, state, path, backbone)
    return _with_bands(three, recipe, bands)


def _read(path: Path, backbone: str) -> dict[str, Any]:
    try:
        return dict(importlib.import_module("safetensors.torch").load_file(path))
    except Exception as error:  # safetensors has errors of its own
        raise _unfit(path, backbone, f"it is no {SAFE} file ({shorten(str(error), 100)})") from error


def _load(module: Any, state: dict[str, Any], path: Path, backbone: str) -> None:
    """Load tensors into a network, and make sure that they gave every weight; a classifier's are left out."""
    adapt = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)  # timm's name for it
    held = module.state_dict()
    try:
        state = adapt(state, module) if adapt else state
        missing = module.load_state_dict({key: state[key] for key in held if key in state}, strict=False).missing_keys
    except Exception as error:  # timm and torch raise whatever they like on tensors of something else
        raise _unfit(path, backbone, " ".join(str(error).split())[:200]) from error
    if deeper := _deeper(state, held, module):
        raise _unfit(path, backbone, f"it is of a deeper one, which has {deeper} too")
    if missing:
        raise _unfit(path, backbone, f"{len(missing)} of {len(held)} are missing, such as {missing[0]}")


def _deeper(state: Mapping[str, Any], held: Mapping[str, Any], module: Any) -> str:
    """Return a tensor of a layer beyond the last of a row of layers that a network has; "" if there is none.

    Of those before it the names and shapes may be the same, as ResNet-34's are ResNet-18's.
    """
    heads = module.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    rows: dict[str, set[str]] = {}
    for key in held:
        for before, number in _places(key):
            rows.setdefault(before, set()).add(number)
    for key in state:
        if any(number not in rows.get(before, (number,)) for before, number in _places(key)) and not (
            heads and key.startswith(heads)
        ):
            return key
    return ""


def _places(key: str) -> Iterator[tuple[str, str]]:
    """Yield each number in a tensor's name, such as layer1.2.conv1.weight, after what stands before it."""
    parts = key.split(".")
    return ((".".join(parts[:at]), part) for at, part in enumerate(parts) if part.isdecimal())


def _unfit(path: Path, backbone: str, fault: str) -> UserError:
    name = backbone.removeprefix(TIMM)
    return UserError(
        f"{path} does not hold the weights of timm's {name}: {fault.rstrip('.')}. Give --weights with a file of "
        f"{name}, or the --backbone that this file is of."
    )


def _is_for(module: Any, state: dict[str, Any], backbone: str) -> bool:
    """Whether the first filters among some tensors are of as many bands as a network is given."""
    name = _stem(module, backbone)
    return f"{name}.weight" in state and state[f"{name}.weight"].shape == module.get_submodule(name).weight.shape


def _stem(module: Any, backbone: str) -> str:
    """Return the name of the layer that is given the bands."""
    name = module.pretrained_cfg.get("first_conv")
    if not isinstance(name, str):
        raise UserError(f"{backbone} has no one layer that is given the bands: it takes --bands RGB alone.")
    return name


def _with_bands(three: Any, recipe: Recipe, bands: Sequence[str]) -> Any:
    """Return the network for other bands with the weights of one for R, G and B."""
    torch = importlib.import_module("torch")
    module = build_module(recipe.backbone, len(bands), recipe.input_size)
    state, name = three.state_dict(), f"{_stem(three, recipe.backbone)}.weight"
    filters = state[name]
    if filters.ndim != 4 or filters.shape[1] != len(RGB):
        raise UserError(f"The first filters of {recipe.backbone} are of no one band each: it takes --bands RGB alone.")
    new = filters.mean(dim=1) if recipe.new_bands == "mean" else torch.zeros_like(filters[:, 0])
    state[name] = torch.stack([filters[:, RGB.index(band)] if band in RGB else new for band in bands], dim=1)
    module.load_state_dict(state)
    return module
