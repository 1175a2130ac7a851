"""The networks that training has kept, loaded to score chips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from competition.task import Task
from models.backend.load import load_backend
from models.recipes.recipe import Recipe
from models.runs.folders import NETWORK, seed_folders

if TYPE_CHECKING:
    import keras

    from models.backend.runners import Runner
    from models.graphs.extractor import Extractor
    from models.networks.input_spec import Inputs
    from models.predict.head_scorer import HeadScorer
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
) -> tuple[list[keras.Model], Extractor | None]:
    """Return the networks that were trained in some jobs' folders of one model, and the extractor that they share.

    Args:
        recipe: the model's recipe.
        task: the labels scored.
        inputs: what the networks are given.
        folders: the jobs' folders.

    Returns:
        Networks from chips to scores, and None; of a frozen backbone the heads, and what makes features of chips.

    Raises:
        UserError: if a file of weights is missing or damaged.
    """
    from models.graphs.extractor import extractor_in
    from models.networks.build import build_network
    from models.runs.folders import load_weights

    recipe = replace(recipe, precision="float32")  # whatever the machine that they were trained on computed in
    if recipe.train == "head":
        extractor = extractor_in(folders[0].parent, recipe, inputs)
        return heads_of(recipe, task, extractor.num_features, folders), extractor
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
    extractor: Extractor | None = None,
) -> Scorer:
    """Return what scores chips with the networks that were trained in some jobs' folders of one model.

    Keras is loaded only where it is needed: not for dense heads on a frozen backbone whose conversion is kept.

    Args:
        recipe: the model's recipe.
        task: the labels scored.
        inputs: what the networks are given.
        folders: the jobs' folders.
        sample: some chips as the networks take them, to check a faster way of running them.
        extractor: the frozen backbone that they share; default: as it lies beside the jobs' folders.

    Raises:
        UserError: if a file of weights is missing or damaged.
    """
    from models.backend.runners import runner_of
    from models.graphs.extractor import extractor_in
    from models.predict.scorer import Scorer

    if recipe.train != "head":
        load_backend()
        networks, _ = networks_of(recipe, task, inputs, folders)
        return Scorer([runner_of(network, sample) for network in networks])
    extractor = extractor or extractor_in(folders[0].parent, replace(recipe, precision="float32"), inputs)
    runner = extractor.runner(sample, mixed=recipe.precision == "mixed")
    if heads := stored_heads(recipe, task, folders):
        return Scorer([heads], runner)
    load_backend()
    return Scorer(_by_keras(heads_of(recipe, task, extractor.num_features, folders)), runner)


def head_runners(recipe: Recipe, task: Task, num_features: int, folders: Sequence[Path]) -> list[Runner]:
    """Return what scores features with the heads in some jobs' folders."""
    if heads := stored_heads(recipe, task, folders):
        return [heads]
    return _by_keras(heads_of(recipe, task, num_features, folders))


def _by_keras(heads: Sequence[keras.Model]) -> list[Runner]:
    from models.backend.runners import KerasRunner
    from models.inputs.batches import HEADS_AT_ONCE

    return [KerasRunner(head, HEADS_AT_ONCE) for head in heads]


def stored_heads(recipe: Recipe, task: Task, folders: Sequence[Path]) -> HeadScorer | None:
    """Return what scores features with all heads in some jobs' folders; None if they are not of dense layers alone."""
    from models.predict.head_scorer import HeadScorer
    from models.predict.stored_heads import read_head

    units = (*recipe.dense, len(task.labels))
    paths = [folder / NETWORK for job in folders for folder in seed_folders(job, recipe)]
    heads = [head for path in paths if (head := read_head(path, units))]
    return HeadScorer(heads, recipe, task) if len(heads) == len(paths) else None
