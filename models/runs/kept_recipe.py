"""What the folds of a model say of the recipe they were made with, should its file be lost or its weights be others."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from folds.store.provenance import MARKER, read_marker
from models.recipes.recipe import Recipe
from models.runs.folders import VALUES, begun, read_job


def digests_of(folder: Path) -> set[str]:
    """Return the digests of the recipes with which the folds in a model's folder were made, also unfinished ones."""
    return {digest for digest, _ in _made_with(folder)}


def values_of(folder: Path) -> dict[str, Any] | None:
    """Return the values of the recipe with which all folds in a model's folder were made.

    None if no fold has them, as of earlier versions, or folds were made with several.
    """
    every = list(_made_with(folder))
    found = next((values for _, values in every if values is not None), None)
    return found if len({digest for digest, _ in every}) == 1 else None


def check_same_weights(folder: Path, recipe: Recipe, remade: Collection[int] = ()) -> None:
    """Look whether the files of weights that a model's recipe names are still those that its folds were made with.

    Args:
        folder: of the model.
        recipe: of the model.
        remade: folds that are made again, and have no say.

    Raises:
        UserError: if no fold was made with them, or a file is not there.
    """
    digests = {digest for digest, _ in _made_with(folder, remade)}
    if digests and recipe.digest() not in digests:
        raise UserError(
            f"The weights of '{folder.name}', {recipe.weights}, are not those that its other folds were made with. Put "
            "those back.",
            command={"to begin again with these": f"train --models {folder.name} --restart"},
        )


def _made_with(folder: Path, but: Collection[int] = ()) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield digest and values of the recipe of each fold; its scores, if there are any, decide on the digest."""
    for fold in sorted(begun(folder) - {*but}):
        digest, values = "", None
        with suppress(UserError):
            job = read_job(folder / f"fold{fold}")
            digest, values = str(job["recipe"]), job.get(VALUES)
        with suppress(UserError):
            scored = read_marker(folder / f"fold{fold}" / MARKER, "").provenance.recipe_digest
            digest, values = scored, values if scored == digest else None
        if digest:
            yield digest, values
