"""A trained model: the networks of its folds, and what they say of any folder of chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.errors import UserError
from competition.workspace import Workspace
from folds.scores import Scores, ScoreStore
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
    from models.backbones import build_extractor
    from models.batches import HEADS_AT_ONCE
    from models.fit import load_weights
    from models.networks import build_network
    from models.predict import Scorer

    if recipe.train == "head":
        extractor = build_extractor(recipe, inputs, pretrained=False)
        load_weights(extractor, folders[0].parent / EXTRACTOR)
        heads = heads_of(recipe, task, extractor.output_shape[-1], folders)
        return Scorer([KerasRunner(head, HEADS_AT_ONCE) for head in heads], runner_of(extractor, sample, say))
    runners = []
    for folder in (path for job in folders for path in seed_folders(job, recipe)):
        network = build_network(recipe, task, inputs, pretrained=False)
        load_weights(network, folder / NETWORK)
        runners.append(runner_of(network, sample, say))
    return Scorer(runners)


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
    from models.backbones import Inputs
    from models.predict import ChipFiles, chip_files, predict_files

    recipe, folds = read_recipe(workspace, model), store.folds_of(model)
    if not folds:
        raise UserError(f"No fold of '{model}' is trained. Run \"python run.py train --models {model}\".")
    for fold in folds:
        store.provenance(model, fold)  # refuses other labels, or another order of them
    jobs = [store.folder(model, fold) for fold in folds]
    job, task = read_job(jobs[0]), Task.of(recipe, workspace.competition)
    inputs, views = Inputs.from_dict(job["inputs"]), VIEW_SETS[recipe.views]
    images = workspace.competition.image_set(recipe.images)
    files = ChipFiles(chip_files(folder), images, recipe, inputs, np.dtype(job["dtype"]), skip_broken)
    print(f"Scoring {len(files.paths):,} chips with {len(folds)} folds of '{model}', {len(views)} views.")
    scorer = scorer_of(recipe, task, inputs, jobs, files.sample(), print)
    scores, broken = predict_files(scorer, files, views)
    return Scores(scores.names, task.spread(scores.values)), broken
