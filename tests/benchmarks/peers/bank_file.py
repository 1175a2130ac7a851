"""The file that every peer learns from: a feature bank, its labels and its folds.

Arrays: `features` float16 (num_chips, num_features) of the chips as they are, `truth` bool (num_chips, num_labels),
`folds` int64 (num_chips,), `labels` (num_labels,), and `competition`, its content as JSON.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.files import replace_atomically
from competition.spec.competition import Competition
from competition.workspace import Workspace
from folds.dealing.stratify import stratified_folds
from folds.dealing.table import FoldTable

LATENT, NOISE = 24, 0.7  # directions in which made-up features differ by their labels, and the noise of the logits


def write_bank(
    path: Path,
    competition: Competition,
    features: NDArray[np.float16],
    truth: NDArray[np.bool_],
    folds: NDArray[np.int64],
) -> None:
    """Write a bank's file."""
    arrays: dict[str, Any] = {"features": features, "truth": truth, "folds": folds, "labels": competition.labels}
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez(file, competition=competition.model_dump_json(), **arrays)


def from_workspace(path: Path, workspace: Workspace, model: str) -> None:
    """Write the file of a model's bank in a workspace; what the bank lacks is computed.

    Raises:
        UserError: if the model does not learn from features, or has no folds.
    """
    from models.backend.load import load_backend
    from models.inputs.fill_banks import bank_recipe
    from models.runs.model_recipe import ModelRequest

    load_backend()
    from models.inputs.examples import Examples
    from models.inputs.sources import Sources

    sources = Sources(workspace, bank_recipe(workspace, ModelRequest(model)))
    table = FoldTable.read(workspace.fold_table)
    bank, truth = sources.bank("train", ["identity"]), Examples.of_fold(sources, table, 0).truth
    features = np.concatenate(bank.maps["identity"], axis=1)
    write_bank(path, workspace.competition, features, truth, table.folds_of(sources.cache("train").names, 0))


def made_up(path: Path, competition: Competition, num_chips: int, num_features: int) -> None:
    """Write a file of made-up features, of which the labels can be learnt in part."""
    random, number = np.random.default_rng(0), len(competition.labels)
    hidden = random.standard_normal((num_chips, LATENT))
    logits = hidden @ random.standard_normal((LATENT, number)) / LATENT**0.5
    truth = logits + NOISE * random.standard_normal(logits.shape) > np.linspace(-1, 1.5, number)
    features = hidden @ random.standard_normal((LATENT, num_features)) / LATENT**0.5
    features += random.standard_normal(features.shape)
    write_bank(path, competition, features.astype(np.float16), truth, stratified_folds(truth, 5, 0))
