"""A job is one (model, fold): it trains, predicts and writes scores. A model is a recipe trained on every fold."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from competition.chip_cache import ChipCache, open_cache, probe_dtype
from competition.errors import UserError
from competition.files import checked_name, digest_file, digest_json, short, versions_of, write_json
from competition.labels import first
from competition.spec import ImageSet
from competition.workspace import Workspace
from folds.scores import FoldScores, Provenance, Scores, ScoreStore
from models.backend import load_backend
from models.interrupts import heeded
from models.recipes import Recipe, load_recipes, recipe_from, resolve
from models.training_state import state_of
from models.views import VIEW_SETS

if TYPE_CHECKING:
    import keras

    from models.backbones import Inputs
    from models.fit import TrainingChips

RECIPE, JOB, NETWORK, HISTORY, LOG = "recipe.json", "job.json", "network.weights.h5", "history.json", "train.log"
PARTS = "parts"  # scores made so far


def recipe_of(
    workspace: Workspace, model: str, recipe_name: str | None, overrides: dict[str, Any], extra: Path | None = None
) -> Recipe:
    """Return the recipe of a model: the one it was begun with; for a new model the named one with the flags' values.

    Args:
        workspace: where the runs are.
        model: name of the model.
        recipe_name: name of the recipe; None means the model's own name.
        overrides: values given by flags.
        extra: the user's own recipe file.

    Raises:
        UserError: if the recipe is unknown, or the flags ask for other values than the model was begun with.
    """
    # A start that failed, for want of weights or of a band, binds the model to nothing.
    if not is_begun(workspace.runs / checked_name("model", model)):
        recipe = resolve(recipe_name or model, overrides, extra)
        first_images = workspace.competition.default_images
        return dataclasses.replace(recipe, images=first_images) if recipe.images == "first" else recipe
    begun = read_recipe(workspace, model)
    asked = {**(load_recipes(extra).get(recipe_name, {}) if recipe_name else {}), **overrides}
    if asked.get("images") == "first":
        asked["images"] = workspace.competition.default_images
    before = begun.to_dict()
    after = recipe_from({**before, **asked}, f"recipe of '{model}'").to_dict()
    if changed := [f"{name} {before[name]} (received {after[name]})" for name in before if before[name] != after[name]]:
        raise UserError(
            f"Model '{model}' was begun with {', '.join(changed)}. To go on, give --model {model} without these flags; "
            f'for a variant, another --name; to begin again, "python run.py train --models {model} --restart".'
        )
    return begun


def read_recipe(workspace: Workspace, model: str) -> Recipe:
    """Return the recipe that a model was begun with.

    Raises:
        UserError: if the model was not begun, or its recipe is damaged.
    """
    path = workspace.runs / model / RECIPE
    try:
        return recipe_from(json.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise UserError(
            f"No model '{model}' in {workspace.runs}. Run \"python run.py train --models {model}\"."
        ) from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is damaged: {error}. Begin the model again with --restart.") from error


def restart(workspace: Workspace, model: str, fold: int | None = None) -> None:
    """Remove what was made of one fold of a model, or of all of them.

    Raises:
        UserError: if another process is at one of them.
    """
    folder = workspace.runs / checked_name("model", model)
    for job in sorted(folder.glob("fold*" if fold is None else f"fold{fold}")):
        with alone(job):
            shutil.rmtree(job)
    if not any(folder.glob("fold*")):
        shutil.rmtree(folder, ignore_errors=True)


class BusyError(UserError):
    """Another process is at the job."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from a job's folder.

    Raises:
        BusyError: if another process is at it.
    """
    try:
        # Beside the folder, so that removing the folder does not remove the lock that guards it.
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0):
            yield
    except Timeout as error:
        job = f"'{folder.parent.name}' {folder.name.replace('fold', 'fold ')}"
        raise BusyError(f"Another process is at {job}. Wait for it to end.") from error


def is_begun(folder: Path) -> bool:
    """Whether any fold of the model in `folder` has finished an epoch."""
    return any(state_of(job).epochs for job in folder.glob("fold*"))


@dataclass(frozen=True)
class Job:
    """Training of one model on all folds but one.

    Attributes:
        workspace: chips, labels and runs.
        store: receives the scores.
        model: name of the model.
        recipe: its recipe.
        fold: the fold held out.
        skip_broken: leave broken chips out, instead of stopping.
    """

    workspace: Workspace
    store: ScoreStore
    model: str
    recipe: Recipe
    fold: int
    skip_broken: bool = False

    @property
    def folder(self) -> Path:
        """Folder of everything the job makes."""
        return self.store.folder(self.model, self.fold)

    def run(self) -> None:
        """Train, predict the held-out and the test chips, and write the scores; do what is left of it.

        Raises:
            UserError: if the data, the fold table or the recipe do not fit what was begun, or another process is at it.
        """
        self.store.table.heldout(self.fold)  # refuses an unknown fold before anything is written
        self.folder.mkdir(parents=True, exist_ok=True)
        with alone(self.folder), heeded(), self._log() as say:
            if self._is_done():
                say(f"'{self.model}' fold {self.fold} is done: {self._best()}. --restart does it again.")
            else:
                self._run(say)

    def _is_done(self) -> bool:
        """Whether the scores are there, also of test chips that were added since."""
        if not self.store.is_complete(self.model, self.fold):
            return False
        made = self.store.read(self.model, self.fold)
        return {*made.test.names, *made.provenance.left_out} >= set(self._test_names())

    def _run(self, say: Callable[[str], None]) -> None:
        load_backend()
        say(f"'{self.model}' fold {self.fold} of {self.store.table.num_folds}: {_summary(self.recipe)}")
        network = self._network()  # first, as it is quickly seen whether its weights can be had
        train, test = self._cache("train", say), self._test_cache(say)
        self._begin(train)
        self._train(network, train, say)
        views = VIEW_SETS[self.recipe.views]
        chips = self._chips(train)
        num_test = len(test) if test else 0
        say(f"Predicting {len(chips.heldout):,} held-out and {num_test:,} test chips, {len(views)} views.")
        heldout_names = tuple(train.names[i] for i in chips.heldout)
        heldout = self._predict(network, train, chips.heldout, heldout_names, "held-out")
        every = np.arange(num_test)
        tested = self._predict(network, test or train, every, test.names if test else (), "test")
        self.store.write(FoldScores(self._provenance(train, test), heldout, tested))
        for left in ("checkpoints", PARTS):
            shutil.rmtree(self.folder / left, ignore_errors=True)
        say(f"Wrote {self.folder}: {self._best()}, {state_of(self.folder).epochs} epochs.")

    def _network(self) -> keras.Model:
        from models.backbones import build_network

        inputs = self._inputs(probe_dtype(self._files("train"), self._images))
        pretrained = not state_of(self.folder).epochs
        return build_network(self.recipe, len(self.workspace.competition.labels), inputs, pretrained=pretrained)

    def _train(self, network: keras.Model, cache: ChipCache, say: Callable[[str], None]) -> None:
        from models.backbones import compile_network
        from models.fit import train

        trained, chips = self.folder / NETWORK, self._chips(cache)
        if trained.is_file():
            network.load_weights(trained)
            return
        say(f"{len(chips.training):,} chips to learn from, {network.count_params():,} weights.")
        competition = self.workspace.competition
        compile_network(network, self.recipe, competition, chips.steps_per_epoch(self.recipe))
        state = train(network, chips, self.recipe, self.folder, competition.metric.name, say)
        state.write(self.folder / HISTORY)
        save_weights(network, trained)

    def _predict(
        self, network: keras.Model, cache: ChipCache, positions: Any, names: tuple[str, ...], title: str
    ) -> Scores:
        from models.batches import ChipReader
        from models.predict import predict_in_parts

        views = VIEW_SETS[self.recipe.views]
        key = digest_json([cache.digest, names, views, digest_file(self.folder / NETWORK)])
        parts = self.folder / PARTS / f"{title}-{short(key)}"
        reader = ChipReader(cache, self._columns())
        return Scores(names, predict_in_parts(network, reader, positions, views, parts, title))

    def _chips(self, cache: ChipCache) -> TrainingChips:
        from models.batches import ChipReader
        from models.fit import TrainingChips

        table, labelled = self.store.table, self.workspace.labelled
        if set(table.image_names) != set(labelled.image_names):
            odd = sorted(set(table.image_names) ^ set(labelled.image_names))
            raise UserError(
                f"folds.csv and {self.workspace.competition.tables.train} name other chips: {first(odd)}. "
                'Run "python run.py folds --force".'
            )
        row = {name: i for i, name in enumerate(labelled.image_names)}
        held = {name for name, out in zip(table.image_names, table.heldout(self.fold), strict=True) if out}
        is_held = np.array([name in held for name in cache.names])
        truth = labelled.truth[[row[name] for name in cache.names]]
        if is_held.all() or not is_held.any():
            raise UserError(f"Fold {self.fold} leaves no chips to {'learn from' if is_held.all() else 'hold out'}.")
        read = ChipReader(cache, self._columns())
        return TrainingChips(read, truth, np.flatnonzero(~is_held), np.flatnonzero(is_held))

    def _columns(self) -> tuple[int, ...]:
        from models.backbones import columns_of

        return columns_of(self.recipe, self._images)

    def _inputs(self, dtype: np.dtype[Any]) -> Inputs:
        from models.backbones import Inputs

        return Inputs.of(self.recipe, self._images, dtype)

    @property
    def _images(self) -> ImageSet:
        return self.workspace.competition.image_set(self.recipe.images)

    def _names(self, split: str) -> tuple[str, ...]:
        return self.workspace.labelled.image_names if split == "train" else self._test_names()

    def _test_names(self) -> tuple[str, ...]:
        there = any(name in self.workspace.layout.folders for name in self._images.test)
        return self.workspace.test_names if there else ()

    def _files(self, split: str) -> list[Path]:
        return self.workspace.layout.locate(self._images, split, self._names(split))

    def _cache(self, split: str, say: Callable[[str], None]) -> ChipCache:
        names, files, size = self._names(split), self._files(split), self.recipe.input_size
        root, skip = self.workspace.cache, self.skip_broken
        return open_cache(root, split, names, files, self._images, size, skip_broken=skip, say=say)

    def _test_cache(self, say: Callable[[str], None]) -> ChipCache | None:
        if not self._test_names():
            say("There are no test chips in the workspace: only held-out chips will be scored.")
            return None
        return self._cache("test", say)

    def _begin(self, train: ChipCache) -> None:
        """Record what the job is made with; refuse to go on with what was begun with something else."""
        recipe_path, job_path = self.folder.parent / RECIPE, self.folder / JOB
        competition, labelled = self.workspace.competition, self.workspace.labelled
        if not is_begun(self.folder.parent):
            write_json(recipe_path, self.recipe.to_dict())
        elif read_recipe(self.workspace, self.model) != self.recipe:
            raise UserError(f"'{self.model}' was meanwhile begun with another recipe. Give this one another --name.")
        job = {
            "fold table": self.store.table.digest,
            "recipe": self.recipe.digest(),
            "labels": digest_json([competition.labels, labelled.image_names, labelled.truth.tobytes().hex()]),
            "training chips": train.digest,
            "dtype": str(train.dtype),
            "inputs": asdict(self._inputs(train.dtype)),
        }
        if state_of(self.folder).epochs:
            begun = json.loads(job_path.read_text(encoding="utf-8"))
            if changed := [name for name in job if begun.get(name) != json.loads(json.dumps(job[name]))]:
                raise UserError(
                    f"'{self.model}' fold {self.fold} was begun with another {', '.join(changed)}. "
                    f'Run "python run.py fold --model {self.model} --fold {self.fold} --restart".'
                )
        else:
            write_json(job_path, job)

    def _provenance(self, train: ChipCache, test: ChipCache | None) -> Provenance:
        return Provenance(
            model=self.model,
            fold=self.fold,
            labels=self.workspace.competition.labels,
            fold_digest=self.store.table.digest,
            recipe_digest=self.recipe.digest(),
            views=VIEW_SETS[self.recipe.views],
            left_out=train.left_out + (test.left_out if test else ()),
            versions=versions(),
        )

    def _best(self) -> str:
        state, metric = state_of(self.folder), self.workspace.competition.metric
        best = f"{state.best_metric:.4f} at cut {metric.prior_cut:.2g}"
        return f"best held-out {metric.name} {best} in epoch {state.best + 1}"

    @contextmanager
    def _log(self) -> Iterator[Callable[[str], None]]:
        from tqdm import tqdm

        with (self.folder / LOG).open("a", encoding="utf-8") as log:

            def say(line: str) -> None:
                tqdm.write(line)  # print() would break into a progress bar
                print(line, file=log, flush=True)

            yield say


def save_weights(network: keras.Model, path: Path) -> None:
    """Write a network's weights without its optimiser's state, atomically."""
    import keras

    from competition.files import replace_atomically

    with replace_atomically(path) as temporary:
        keras.Model(network.inputs, network.outputs).save_weights(temporary)


def versions() -> dict[str, str]:
    """Return the versions of what makes scores, by package, and the backend."""
    import keras

    backend = keras.backend.backend()
    # Asked of the module: its distribution may have another name, such as tensorflow-cpu.
    return {**versions_of("planet-toolkit", "keras", "numpy"), backend: str(sys.modules[backend].__version__)}


def load_networks(workspace: Workspace, store: ScoreStore, model: str) -> tuple[list[keras.Model], np.dtype[Any]]:
    """Return the networks of a model's complete folds, and the data type of the chips they take.

    Raises:
        UserError: if no fold is complete, or one was made with other labels or another fold table.
    """
    load_backend()
    from models.backbones import Inputs, build_network

    recipe, folds = read_recipe(workspace, model), store.folds_of(model)
    if not folds:
        raise UserError(f"No fold of '{model}' is trained. Run \"python run.py train --models {model}\".")
    networks = []
    for fold in folds:
        store.provenance(model, fold)  # refuses other labels, or another order of them
        folder = store.folder(model, fold)
        job = json.loads((folder / JOB).read_text(encoding="utf-8"))
        inputs = Inputs(job["inputs"]["bands"], tuple(job["inputs"]["low"]), tuple(job["inputs"]["high"]))
        network = build_network(recipe, len(store.labels), inputs, pretrained=False)
        network.load_weights(folder / NETWORK)
        networks.append(network)
    return networks, np.dtype(job["dtype"])


def _summary(recipe: Recipe) -> str:
    weights = "from scratch" if recipe.weights == "none" else "frozen" if recipe.train == "head" else "pretrained"
    return f"{recipe.backbone} {weights}, {recipe.bands} at {recipe.input_size} px, at most {recipe.epochs} epochs."


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
