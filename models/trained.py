"""A trained model: the networks of its folds, and what they say of any folder of chips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.errors import UserError
from competition.workspace import Workspace
from folds.scores import Scores, ScoreStore
from models.backend import load_backend
from models.runs import NETWORK, read_job, read_recipe
from models.views import VIEW_SETS

if TYPE_CHECKING:
    import keras


def load_networks(workspace: Workspace, store: ScoreStore, model: str) -> tuple[list[keras.Model], np.dtype[Any]]:
    """Return the networks of a model's complete folds, and the data type of the chips they take.

    Raises:
        UserError: if no fold is complete, or one was made with other labels or another fold table.
    """
    load_backend()
    from models.backbones import Inputs, build_network
    from models.fit import load_weights

    recipe, folds = read_recipe(workspace, model), store.folds_of(model)
    if not folds:
        raise UserError(f"No fold of '{model}' is trained. Run \"python run.py train --models {model}\".")
    networks = []
    for fold in folds:
        store.provenance(model, fold)  # refuses other labels, or another order of them
        folder = store.folder(model, fold)
        job = read_job(folder)
        inputs = Inputs(job["inputs"]["bands"], tuple(job["inputs"]["low"]), tuple(job["inputs"]["high"]))
        network = build_network(recipe, len(store.labels), inputs, pretrained=False)
        load_weights(network, folder / NETWORK)
        networks.append(network)
    return networks, np.dtype(job["dtype"])


def predict_folder(
    workspace: Workspace, store: ScoreStore, model: str, folder: Path, *, skip_broken: bool = False
) -> tuple[Scores, list[str]]:
    """Return the scores of every chip in a folder, averaged over the model's complete folds and views.

    Returns:
        The scores, and a line for each chip left out as broken.

    Raises:
        UserError: if the model is not trained, or the folder holds no chips it can take.
    """
    recipe = read_recipe(workspace, model)
    networks, dtype = load_networks(workspace, store, model)
    from models.backbones import columns_of
    from models.predict import chip_files, predict_files

    files = chip_files(folder)
    images, views = workspace.competition.image_set(recipe.images), VIEW_SETS[recipe.views]
    print(f"Scoring {len(files):,} chips with {len(networks)} folds of '{model}', {len(views)} views.")
    columns = columns_of(recipe, images)
    return predict_files(networks, files, images, columns, dtype, recipe.input_size, views, skip_broken=skip_broken)
