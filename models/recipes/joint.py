"""Joint recipes: several recipes by name, whose features stand side by side under one head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from competition.common.errors import UserError, unknown_name
from models.recipes.recipe import Recipe
from models.recipes.values import Part

BY_PARTS = tuple(field.name for field in fields(Part))
BROUGHT = tuple(name for name in BY_PARTS if name not in ("backbone", "weights"))  # which a joint recipe says of parts


def names_of(backbone: Any) -> tuple[str, ...]:
    """Return the recipes that a joint backbone names, as a list or joined by commas; none of one that is not joint."""
    if isinstance(backbone, str):
        backbone = backbone.split(",") if "," in backbone else ()
    names = [str(name).strip() for name in backbone] if isinstance(backbone, list | tuple) else []
    return tuple(filter(None, names))


def over(values: Mapping[str, Any], more: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the values of a recipe with some replaced, as a file does with its base's, and flags with a recipe's.

    Where a joint backbone comes or goes, nothing is left of what came with the backbone before.

    Raises:
        UserError: if `more` gives a joint recipe what its parts bring.
    """
    before, merged = names_of(values.get("backbone")), {**values, **more}
    after = names_of(merged.get("backbone"))
    own = [name for name in BROUGHT if name in more]
    if after and own:
        raise UserError(
            f"Each of {', '.join(after)} brings its own {own[0]}, and {source} may not give another. "
            "Name recipes of your own, with the values that they are to have, by --recipes."
        )
    if before != after:
        merged = {name: value for name, value in merged.items() if name in more or name not in (*BY_PARTS, "parts")}
    return merged


def with_parts(
    values: Mapping[str, Any], source: str, known: Callable[[], Mapping[str, Any]], recipe: Callable[[str], Recipe]
) -> dict[str, Any]:
    """Return the values of a recipe, of a joint one with its parts: those it was begun with, or as they are named now.

    Args:
        values: as `over` gives them, or as they were saved with a run.
        source: what they are of, for a line that refuses them.
        known: returns the values of every named recipe.
        recipe: returns the recipe of a name.

    Raises:
        UserError: if a part is unknown, joint itself or learns its backbone, or the weights are not one for each.
    """
    names = names_of(values.get("backbone"))
    if not names:
        return dict(values)
    parts = [dict(part) for part in values.get("parts", ())] or [_part(name, source, known(), recipe) for name in names]
    weights = values.get("weights", _joined(parts))
    if weights != _joined(parts):
        for part, of in zip(parts, _for_each(weights, names), strict=True):
            part["weights"] = of
    largest = max(part["input_size"] for part in parts)
    return {**values, "backbone": ",".join(names), "weights": _joined(parts), "input_size": largest, "parts": parts}


def _joined(parts: list[dict[str, Any]]) -> str:
    return ",".join(part["weights"] for part in parts)


def _part(name: str, source: str, known: Mapping[str, Any], recipe: Callable[[str], Recipe]) -> dict[str, Any]:
    """Return what a joint recipe takes from one that it names."""
    if name not in known:
        fitting = [other for other, values in known.items() if not names_of(values.get("backbone"))]
        frozen = [other for other in fitting if known[other].get("train", "head") == "head"]
        raise unknown_name(f"recipe in the backbone of {source}", name, frozen)
    if inner := names_of(known[name].get("backbone")):
        raise UserError(f"'{name}' in the backbone of {source} is joint itself. Name its parts: {','.join(inner)}.")
    part = recipe(name)
    if part.train != "head":
        raise UserError(
            f"'{name}' in the backbone of {source} learns its backbone (train {part.train}), so that its features are "
            "not made once. Name a recipe with train head."
        )
    return asdict(Part(**{value: getattr(part, value) for value in BY_PARTS}))


def _for_each(weights: Any, names: tuple[str, ...]) -> list[str]:
    """Return the weights of each part."""
    listed = weights if isinstance(weights, list | tuple) else str(weights).split(",")
    given = [str(one).strip() for one in listed]
    if len(given) != len(names):
        raise UserError(
            f"A joint backbone needs weights for each part, joined by commas: expected {len(names)}, for "
            f"{' and '.join(names)}; received {len(given)}: {','.join(given)}."
        )
    return given
