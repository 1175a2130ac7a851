"""What lies in a model's folder: its recipe, and one folder per fold, in which one process at a time works.

Layout of a model's folder:

    recipe.json                    the recipe, with every value; written before any long work
    extractor.weights.h5           the backbone, where it is frozen: the folds share it
    fold<k>/job.json               what the job is made with: digests of fold table, recipe, labels and chips
    fold<k>/train.log              what was shown
    fold<k>/learnt/, heldout/      the epochs for TensorBoard; those of the head that comes before in head/
    fold<k>/checkpoints/, head/checkpoints/, parts/   what is being made; removed at the end
    fold<k>/history.json           the finished epochs
    fold<k>/network.weights.h5     the network of the best epoch; its head, where the backbone is frozen
    fold<k>/seed<n>/               the same of further seeds
    fold<k>/learnt.json            what its networks reach on the chips that they learnt from
    fold<k>/scores.json            see folds/score_store.py
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from competition.common.errors import UserError
from competition.common.files import checked_name
from competition.common.locks import locked
from competition.common.records import read_record
from competition.workspace import Workspace
from models.backend.seals import check_seal
from models.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras

RECIPE, JOB, NETWORK, HISTORY, LOG = "recipe.json", "job.json", "network.weights.h5", "history.json", "train.log"
FORMAT = 1  # of recipe.json, job.json and the training state
PARTS = "parts"  # scores made so far
EXTRACTOR = "extractor.weights.h5"


def remove(workspace: Workspace, model: str, fold: int) -> None:
    """Remove what was made of one fold of a model, and with the last fold the model.

    Raises:
        UserError: if another process is at it.
    """
    job = workspace.runs / checked_name("model", model) / f"fold{fold}"
    if job.is_dir():
        with alone(job):
            shutil.rmtree(job)
    _remove_if_empty(job.parent)


def _remove_if_empty(folder: Path) -> None:
    """Remove a model that has no folds left."""
    if not any(folder.glob("fold*")):
        shutil.rmtree(folder, ignore_errors=True)


def seed_folders(folder: Path, recipe: Recipe) -> list[Path]:
    """Return the folder of each seed's network in a job's folder: of the first, that folder itself."""
    return [folder, *(folder / f"seed{number}" for number in range(1, recipe.seeds))]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from a job's folder.

    Raises:
        BusyError: if another process is at it.
    """
    job = f"'{folder.parent.name}' {folder.name.replace('fold', 'fold ')}"
    # Beside the folder, so that removing the folder does not remove the lock that guards it.
    with locked(folder.with_name(f".{folder.name}.lock"), busy=job):
        yield


@contextmanager
def attempt(folder: Path) -> Iterator[None]:
    """Work in a job's folder, alone. A start that ends before its first epoch leaves nothing, and binds to nothing.

    Raises:
        BusyError: if another process is at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        try:
            yield
        except BaseException:
            if not any(path.is_file() and path.name not in (JOB, LOG) for path in folder.rglob("*")):
                shutil.rmtree(folder)
                _remove_if_empty(folder.parent)
            raise


def begun(folder: Path) -> set[int]:
    """Return the folds of the model in `folder` that were begun."""
    return {int(job.name[4:]) for job in folder.glob("fold*") if job.name[4:].isdigit()}


def model_and_fold(path: Path) -> tuple[str, int]:
    """Return model and fold of the job in whose folder `path` lies, or which is that folder; "" and -1 if none is."""
    job = next((folder for folder in (path, *path.parents) if re.fullmatch(r"fold\d+", folder.name)), None)
    return (job.parent.name, int(job.name[4:])) if job else ("", -1)


def restart_command(path: Path) -> str:
    """Return the command that makes a damaged file in a model's folder, or in a job's, again; "" for other files."""
    if path.name == EXTRACTOR:  # the folds share it
        return f"train --models {path.parent.name} --restart"
    model, fold = model_and_fold(path)
    return f"fold --model {model} --fold {fold} --restart" if model else ""


def read_job(folder: Path) -> dict[str, Any]:
    """Return what the job in `folder` is made with.

    Raises:
        UserError: if that is missing or damaged.
    """

    def parse(content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "inputs": dict(content["inputs"]), "dtype": str(content["dtype"])}

    return read_record(folder / JOB, parse, version=FORMAT, command=restart_command(folder))


def load_weights(network: keras.Model, path: Path) -> None:
    """Load weights that a job has written.

    Raises:
        UserError: if the file is missing or damaged.
    """
    try:
        check_seal(path)
        network.load_weights(path)
    except Exception as error:  # h5py and Keras raise whatever they like on a damaged file
        raise UserError(f"{path} is missing or damaged.", command=restart_command(path)) from error
