"""A job is one (model, fold): it trains, predicts and writes scores. A model is a recipe trained on every fold."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.chip_cache import ChipCache, open_cache, probe_dtype
from competition.errors import UserError
from competition.files import digest_file, digest_json, short, versions_of, write_json
from competition.labels import first
from competition.spec import ImageSet
from competition.workspace import Workspace
from folds.scores import FoldScores, Provenance, Scores, ScoreStore
from models.backend import load_backend
from models.interrupts import heeded
from models.recipes import Recipe
from models.runs import HISTORY, JOB, LOG, NETWORK, PARTS, RECIPE, alone, begun, read_job, read_recipe
from models.training_state import state_of
from models.views import VIEW_SETS

if TYPE_CHECKING:
    import keras

    from models.backbones import Inputs
    from models.fit import TrainingChips


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
        import keras

        from models.backbones import build_network

        keras.utils.clear_session()  # or the networks of the folds before would stay in memory
        inputs = self._inputs(probe_dtype(self._files("train"), self._images))
        pretrained = not state_of(self.folder).epochs
        return build_network(self.recipe, len(self.workspace.competition.labels), inputs, pretrained=pretrained)

    def _train(self, network: keras.Model, cache: ChipCache, say: Callable[[str], None]) -> None:
        from models.backbones import compile_network
        from models.fit import load_weights, train

        trained, chips = self.folder / NETWORK, self._chips(cache)
        if trained.is_file():
            load_weights(network, trained)
            return
        say(f"{len(chips.training):,} chips to learn from, {network.count_params():,} weights.")
        competition = self.workspace.competition
        steps, truth = chips.steps_per_epoch(self.recipe), chips.truth[chips.training]
        compile_network(network, self.recipe, competition, steps, truth)
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
        if not begun(self.folder.parent):
            write_json(recipe_path, self.recipe.to_dict())
        elif read_recipe(self.workspace, self.model) != self.recipe:
            raise UserError(f"'{self.model}' was meanwhile begun with another recipe. Give this one another --name.")
        job = {
            "fold table": self.store.table.digest,
            "recipe": self.recipe.digest(),
            "labels": self.workspace.labelled.digest,
            "training chips": train.digest,
            "dtype": str(train.dtype),
            "inputs": asdict(self._inputs(train.dtype)),
        }
        if state_of(self.folder).epochs:
            before = read_job(self.folder)
            if changed := [name for name in job if before.get(name) != json.loads(json.dumps(job[name]))]:
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
            label_digest=self.workspace.labelled.digest,
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


def _summary(recipe: Recipe) -> str:
    weights = "from scratch" if recipe.weights == "none" else "frozen" if recipe.train == "head" else "pretrained"
    return f"{recipe.backbone} {weights}, {recipe.bands} at {recipe.input_size} px, at most {recipe.epochs} epochs."
