"""A trained model: the networks of its folds, and what they say of any folder of chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.errors import UserError
from competition.labels import counted
from competition.workspace import Workspace
from folds.scores import Provenance, Scores, ScoreStore
from models.backend import load_backend
from models.recipes import Recipe
from models.runs import EXTRACTOR, NETWORK, read_job, read_recipe, seed_folders
from models.tasks import Task
from models.views import VIEW_SETS

if TYPE_CHECKING:
    import keras

    from models.backbones import Inputs
    from models.predict import Scorer


def heads_of(recipe: Recipe, task: Task, num_features: int, folders: Sequence[Path]) -> list[keras.Model]:
    """Return the heads that were trained in some jobs' folders on a frozen backbone."""
    from models.fit import load_weights
    from models.heads import build_head

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
    from models.backbones import build_extractor
    from models.fit import load_weights
    from models.networks import build_network

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
    say: Callable[[str], None],
) -> Scorer:
    """Return what scores chips with the networks that were trained in some jobs' folders of one model.

    Args:
        recipe: the model's recipe.
        task: the labels scored.
        inputs: what the networks are given.
        folders: the jobs' folders.
        sample: some chips as the networks take them, to check a faster way of running them.
        say: receives a line on what runs them.

    Raises:
        UserError: if a file of weights is missing or damaged.
    """
    from models.accelerate import KerasRunner, runner_of
    from models.batches import HEADS_AT_ONCE
    from models.predict import Scorer

    networks, extractor = networks_of(recipe, task, inputs, folders)
    if extractor:
        return Scorer([KerasRunner(head, HEADS_AT_ONCE) for head in networks], runner_of(extractor, sample, say))
    return Scorer([runner_of(network, sample, say) for network in networks])


@dataclass(frozen=True)
class Trained:
    """A model of which at least one fold is complete.

    Attributes:
        model: its name.
        recipe: its recipe.
        task: the labels it scores.
        inputs: what its networks are given.
        dtype: data type of the chips' files.
        folders: the folder of each complete fold's job.
        provenance: what the scores of the first of them were made with.
    """

    model: str
    recipe: Recipe
    task: Task
    inputs: Inputs
    dtype: str
    folders: dict[int, Path]
    provenance: Provenance

    @classmethod
    def of(cls, workspace: Workspace, store: ScoreStore, model: str) -> Trained:
        """Return a model of a workspace.

        Raises:
            UserError: if it is unknown, no fold of it is complete, or a fold was made with other labels or folds.
        """
        from models.backbones import Inputs

        recipe, folds = read_recipe(workspace, model), store.folds_of(model)
        if not folds:
            raise UserError(f"No fold of '{model}' is trained. Run \"python run.py train --models {model}\".")
        made = [store.provenance(model, fold) for fold in folds]  # refuses other labels, or another order of them
        for fold, one in zip(folds, made, strict=True):
            if one.recipe_digest != made[0].recipe_digest:
                raise UserError(
                    f"Folds {folds[0]} and {fold} of '{model}' were trained with different recipes. "
                    f'Run "python run.py fold --model {model} --fold {fold} --restart".'
                )
        folders = {fold: store.folder(model, fold) for fold in folds}
        job, task = read_job(folders[folds[0]]), Task.of(recipe, workspace.competition)
        return cls(model, recipe, task, Inputs.from_dict(job["inputs"]), job["dtype"], folders, made[0])


def predict_folder(
    workspace: Workspace, store: ScoreStore, model: str, folder: Path, *, skip_broken: bool = False
) -> tuple[Scores, list[str]]:
    """Return the scores of every chip in a folder, averaged over the model's complete folds and views.

    Returns:
        The scores, NaN for labels that the model does not score, and a line for each chip left out as broken.

    Raises:
        UserError: if the model is not trained, or the folder holds no chips it can take.
    """
    load_backend()
    from models.predict import ChipFiles, chip_files, predict_files

    made = Trained.of(workspace, store, model)
    recipe, task, folders = made.recipe, made.task, list(made.folders.values())
    images, views = workspace.competition.image_set(recipe.images), VIEW_SETS[recipe.views]
    files = ChipFiles(chip_files(folder), images, recipe, made.inputs, np.dtype(made.dtype), skip_broken)
    by = f"{counted(len(folders), 'fold')} of '{model}', {counted(len(views), 'view')}"
    print(f"Scoring {counted(len(files.paths), 'chip')} with {by}.")
    scorer = scorer_of(recipe, task, made.inputs, folders, files.sample(), print)
    scores, broken = predict_files(scorer, files, views)
    return Scores(scores.names, task.spread(scores.values)), broken
