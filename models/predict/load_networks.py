"""The networks that training has kept, loaded to score chips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from competition.task import Task
from models.recipes.recipe import Recipe
from models.runs.folders import EXTRACTOR, NETWORK, seed_folders

if TYPE_CHECKING:
    import keras

    from models.networks.input_spec import Inputs
    from models.predict.scorer import Scorer


def heads_of(recipe: Recipe, task: Task, num_features: int, folders: Sequence[Path]) -> list[keras.Model]:
    """Return the heads that were trained in some jobs' folders on a frozen backbone."""
    from models.networks.heads import build_head
    from models.runs.folders import load_weights

    heads = []
    for folder in (path for job in folders for path in seed_folders(job, recipe)):
        heads.append(build_head(recipe, num_features, task))
        load_weights(heads[-1], folder / NETWORK)
    return heads


def networks_of(
    recipe: Recipe, task: Task, inputs: Inputs, folders: Sequence[Path]
) -> tuple[list[keras.Model], keras.Model | None]:
    """Return the networks that were trained in some jobs' folders of one model, and the extractor that they share.

    Args:
        recipe: the model's recipe.
        task: the labels scored.
        inputs: what the networks are given.
        folders: the jobs' folders.

    Returns:
        Networks from chips to scores, and None; of a frozen backbone the heads, and the network from chips to features.

    Raises:
        UserError: if a file of weights is missing or damaged.
    """
    from models.networks.backbones import build_extractor
    from models.networks.build import build_network
    from models.runs.folders import load_weights

    recipe = replace(recipe, precision="float32")  # whatever the machine that they were trained on computed in
    if recipe.train == "head":
        extractor = build_extractor(recipe, inputs, pretrained=False)
        load_weights(extractor, folders[0].parent / EXTRACTOR)
        return heads_of(recipe, task, extractor.output_shape[-1], folders), extractor
    networks = []
    for folder in (path for job in folders for path in seed_folders(job, recipe)):
        networks.append(build_network(recipe, task, inputs, pretrained=False))
        load_weights(networks[-1], folder / NETWORK)
    return networks, None


def scorer_of(
    recipe: Recipe,
    task: Task,
    inputs: Inputs,
    folders: Sequence[Path],
    sample: NDArray[Any],
) -> Scorer:
    """Return what scores chips with the networks that were trained in some jobs' folders of one model.

    Args:
        recipe: the model's recipe.
        task: the labels scored.
        inputs: what the networks are given.
        folders: the jobs' folders.
        sample: some chips as the networks take them, to check a faster way of running them.

    Raises:
        UserError: if a file of weights is missing or damaged.
    """
    from models.backend.runners import KerasRunner, runner_of
    from models.inputs.batches import HEADS_AT_ONCE
    from models.predict.scorer import Scorer

    networks, extractor = networks_of(recipe, task, inputs, folders)
    if extractor:
        return Scorer([KerasRunner(head, HEADS_AT_ONCE) for head in networks], runner_of(extractor, sample))
    return Scorer([runner_of(network, sample) for network in networks])
