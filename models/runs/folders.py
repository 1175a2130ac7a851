"""What lies in a model's folder: its recipe, and one folder per fold, in which one process at a time works.

Layout of a model's folder:

    recipe.json                    the recipe, with every value; written before any long work
    extractor.weights.h5           the backbone, where it is frozen: the folds share it; also .onnx or .zip, and
                                   extractor0.onnx and so on, where several stand side by side
    fold<k>/job.json               what the job is made with: digests of fold table, labels and chips, and the recipe
    fold<k>/made.json              see models/backend/made.py
    fold<k>/train.log              what was shown
    fold<k>/learnt/, heldout/      the epochs for TensorBoard (inner/ in place of heldout/, if so judged); those of the
                                   head that comes before in head/
    fold<k>/checkpoints/, head/checkpoints/, parts/   what is being made; removed at the end
    fold<k>/history.json           the finished epochs
    fold<k>/network.weights.h5     the network of the best epoch; its head, where the backbone is frozen
    fold<k>/seed<n>/               the same of further seeds
    fold<k>/learnt.json            what its networks reach on the chips that they learnt from
    fold<k>/scores.json            see folds/store/score_store.py
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from competition.common.errors import UserError
from competition.common.records import read_record
from competition.common.text import first
from competition.workspace import Workspace
from folds.store.alone import alone, model_and_fold, owner_of
from models.backend.made import MADE
from models.backend.seals import check_seal
from models.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras

RECIPE, JOB, NETWORK, HISTORY, LOG = "recipe.json", "job.json", "network.weights.h5", "history.json", "train.log"
FORMAT = 1  # of recipe.json, job.json and the training state
PARTS = "parts"  # scores made so far
CHECKPOINTS = "checkpoints"
HEAD = "head"  # folder of the training of the head that comes before fine-tuning
VALUES, FOLD = "values", "fold"  # in job.json: those of the recipe, and the number of the fold; older ones lack both
# What a job is made with, and what of it can be restored from a copy.
BEGUN_WITH = {
    "fold table": "folds.csv",
    "recipe": "the weights file",
    "labels": "the table of labels or data/corrections.csv",
    "training chips": "the chips",
    "dtype": "the chips",
    "inputs": "the chips",
    "chips set aside": "folds.json and the groups that it names",
}
EXTRACTOR = "extractor"  # name of what keeps the frozen backbone; of several that stand side by side a number follows
WEIGHTS, GRAPHS = ".weights.h5", (".onnx", ".zip")  # its suffix, and where it is a graph that others made


def extractors_in(folder: Path) -> list[Path]:
    """Return the files that keep the frozen backbone, or backbones, in a model's folder."""
    return sorted(path for path in folder.glob(f"{EXTRACTOR}*") if is_extractor(path))


def is_extractor(path: Path) -> bool:
    """Whether a file is called as what keeps a frozen backbone is."""
    return re.fullmatch(rf"{EXTRACTOR}\d*({'|'.join(map(re.escape, (WEIGHTS, *GRAPHS)))})", path.name) is not None


def _remove_if_empty(folder: Path) -> None:
    """Remove a model that has no folds left."""
    if not any(folder.glob("fold*")):
        shutil.rmtree(folder, ignore_errors=True)


def seed_folders(folder: Path, recipe: Recipe) -> list[Path]:
    """Return the folder of each seed's network in a job's folder: of the first, that folder itself."""
    return [folder, *(folder / f"seed{number}" for number in range(1, recipe.seeds))]


def clear(folder: Path) -> None:
    """Remove what only an interrupted job needs: its checkpoints, and the scores made so far."""
    for network in (folder, *folder.glob("seed*")):
        for name in (f"{HEAD}/{CHECKPOINTS}", CHECKPOINTS):  # what TensorBoard shows of the head's training stays
            shutil.rmtree(network / name, ignore_errors=True)
    shutil.rmtree(folder / PARTS, ignore_errors=True)


@contextmanager
def alone_at_seed(folder: Path) -> Iterator[None]:
    """Keep other processes from the folder of a further seed, which is made.

    Raises:
        BusyError: if another process is at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
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
            kept = (path.is_file() and path.name not in (JOB, LOG, MADE) for path in folder.rglob("*"))
            if not any(kept) and not any(folder.glob("seed*")):  # which another process may be at
                shutil.rmtree(folder)
                _remove_if_empty(folder.parent)
            raise


def begun(folder: Path) -> set[int]:
    """Return the folds of the model in `folder` that were begun."""
    return {int(job.name[4:]) for job in folder.glob("fold*") if job.name[4:].isdigit()}


def restart_command(path: Path) -> str:
    """Return the command that makes a damaged file in a model's folder, or in a job's, again; "" for other files."""
    if is_extractor(path):  # the folds share it
        return f"train --models {path.parent.name} --restart"
    model, fold = model_and_fold(path)
    return f"fold --model {model} --fold {fold} --restart" if model else ""


def check_owner(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return what a record says but for whose it is; older ones do not say that.

    Raises:
        ValueError: if it is another one's.
    """
    own = owner_of(path)
    said = {name: content[name] for name in own if name in content}
    if said != {name: own[name] for name in said}:
        raise ValueError(f"it is that of {', '.join(f'{name} {value!r}' for name, value in said.items())}")
    return {name: value for name, value in content.items() if name not in own}


def read_job(folder: Path) -> dict[str, Any]:
    """Return what the job in `folder` is made with.

    Raises:
        UserError: if that is missing or damaged.
    """

    def parse(content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "inputs": dict(content["inputs"]), "dtype": str(content["dtype"])}

    return read_record(folder / JOB, parse, version=FORMAT, command=restart_command(folder))


def check_job(folder: Path, job: Mapping[str, Any]) -> None:
    """Refuse to go on with a job that was begun with something else than now.

    Args:
        folder: of the job.
        job: what it would be made with now.

    Raises:
        UserError: if that is something else, or what it was begun with is missing or damaged.
    """
    before, (model, fold) = read_job(folder), model_and_fold(folder)
    # Its network may have learnt the chips that this fold holds out.
    if (owner := before.get(FOLD, fold)) != fold:
        raise UserError(
            f"{folder} holds the training of fold {owner}, as its {JOB} says: it was renamed, swapped or copied. "
            f"Rename it back to fold{owner}.",
            command={"to begin this fold again": restart_command(folder)},
        )
    if changed := [name for name in job if before.get(name) != json.loads(json.dumps(job[name]))]:
        had = " and ".join(dict.fromkeys(BEGUN_WITH[name] for name in changed))
        raise UserError(
            f"'{model}' fold {fold} was begun with another {', '.join(changed)}. To go on, restore {had}.",
            command={"to begin it again": restart_command(folder)},
        )


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


def is_a_blend(workspace: Workspace, name: str) -> UserError:
    """Return the error for the name of a blend where that of a model is wanted; it names the blend's members."""
    members = list[str]()
    with suppress(OSError, ValueError, LookupError, TypeError):  # what else it says is for those who know blends
        content = json.loads((workspace.blends / name / "blend.json").read_bytes())
        members = [str(member["name"]) for member in content["members"]]
    named = f": {first(members)}" if members else ""
    return UserError(f"'{name}' is a blend, which has no recipe and no networks. Name one of its members{named}.")
