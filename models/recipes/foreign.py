"""Backbones that others made, by a file or by timm: what a recipe may say of them, and where their weights lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from models.recipes.values import FILE, TIMM, Values

OF_FOREIGN = ("mean", "deviation", "outputs", "prefix_tokens")
MOST_TOKENS = 10_000
LARGEST_MOMENT = 2.0  # of values in 0 to 1 none is above 1; twice that leaves room for units of one's own
SAFE = ".safetensors"


def companions(path: Path) -> list[Path]:
    """Return the files beside a network's that hold its weights: of NET.xml NET.bin, of NET.onnx NET.onnx.data."""
    if path.suffix == ".xml":
        beside = [path.with_suffix(".bin")]
    elif path.suffix == ".onnx":
        beside = [other for other in path.parent.iterdir() if is_companion(path, other.name)]
    else:
        beside = []
    return sorted(other for other in beside if other.is_file())


def is_companion(path: Path, name: str) -> bool:
    """Whether a file of that name in the folder of an ONNX network may hold weights of it."""
    return Path(name).name == name and name.startswith((f"{path.name}.data", f"{path.name}_data"))


def check_foreign(values: Values) -> None:
    """Refuse what does not go with a backbone that others made, or goes with such a one alone.

    Raises:
        UserError: with the flags that mend it.
    """
    if values.backbone != FILE and not values.backbone.startswith(TIMM):
        if given := [name for name in OF_FOREIGN if getattr(values, name) not in ((), None)]:
            raise UserError(
                f"{given[0]} is of networks that others made, and not of {values.backbone}. Give --backbone file or "
                f"timm/NAME, or leave --{given[0].replace('_', '-')} out."
            )
        return
    _check_moments(values)
    if values.prefix_tokens is not None and not 0 <= values.prefix_tokens <= MOST_TOKENS:
        raise UserError(f"prefix_tokens must be 0 to {MOST_TOKENS:,}, received {values.prefix_tokens}.")
    if values.backbone == FILE:
        _check_file(values)
    elif values.weights not in ("imagenet", "none") and Path(values.weights).suffix != SAFE:
        raise UserError(
            f"{Path(values.weights).name} is no {SAFE} file, and others may run code where they are read. Write it as "
            "one, from what you trust: safetensors.torch.save_file(torch.load(OLD, weights_only=True), NEW)."
        )
    _check_whole(values)


def _check_file(values: Values) -> None:
    if values.weights in ("imagenet", "none"):
        raise UserError(
            f"backbone file is the network in --weights: expected the path of an .onnx, .xml, .zip, .pt or .pt2 "
            f"file, received {values.weights}."
        )
    if values.train != "head":
        raise UserError(
            f"A network from a file stays as it is, and does not learn: expected train head, received {values.train}. "
            "Give --train head, or --backbone timm/NAME with its weights as .safetensors."
        )
    for name in (name for name in ("mean", "deviation") if not getattr(values, name) and not values.by_own_moments):
        raise UserError(
            f"backbone file needs {name}: nothing in the file says it. Give --mean and --deviation of each band in 0 "
            "to 1 as the network's authors write them, such as ImageNet's --mean .485,.456,.406 --deviation "
            ".229,.224,.225; --mean own for the training chips' own; or --mean 0 --deviation 1 for none."
        )


def _check_whole(values: Values) -> None:
    """Refuse what is not done to a network that others made: it is run whole, a frozen one once for each view."""
    wanted: dict[str, Any] = {"levels": 1, "indices": ()} | ({"cutmix": 0.0} if values.of_graph else {})
    wanted = {name: value for name, value in wanted.items() if getattr(values, name) != value}
    if values.of_graph and not values.augments_by_views:
        wanted["augment"] = ("d4",)
    if "flatten" in values.pooling:
        wanted["pooling"] = ("avg",)
    if wanted:
        once = "A frozen network that others made is run once over each view of a chip, and"
        which = once if values.of_graph else "A network that others made is run as a whole, and"
        from competition.terminal.command_line import as_flags  # only where there is a command line

        raise UserError(f"{which} takes its bands alone. Give{as_flags(wanted)}.")


def _check_moments(values: Values) -> None:
    for name in ("mean", "deviation"):
        given: Sequence[float] | str = getattr(values, name)
        if isinstance(given, str):
            continue
        if values.by_own_moments and given:
            raise UserError(f"mean and deviation are both the training chips' own, or neither. Leave --{name} out.")
        bands = len(values.band_names)
        if given and len(given) not in (1, bands):
            raise UserError(
                f"{name} needs one number for each of the bands {values.bands}, or one for all: expected {bands}, "
                f"received {len(given)}."
            )
        if not all(math.isfinite(number) for number in given):
            raise UserError(f"{name} needs finite numbers, received {given}.")
        if any(abs(number) > LARGEST_MOMENT for number in given):
            raise UserError(
                f"{name} is in 0 to 1, as of values that were divided by the largest: received {given}. Divide mean "
                "and deviation by 255, or by what the network's authors count to."
            )
    if not isinstance(values.deviation, str) and not all(number > 0 for number in values.deviation):
        raise UserError(f"deviation needs numbers above 0, received {values.deviation}.")
