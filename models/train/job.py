"""A job is one (model, fold): it trains, predicts and writes scores. A model is a recipe trained on every fold."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_file, digest_json, write_json
from competition.common.text import counted, first, short
from competition.data.chip_cache import ChipCache
from competition.task import Task
from competition.workspace import Workspace
from folds.provenance import Provenance
from folds.score_store import FoldScores, ScoreStore
from folds.scores import Scores
from models.backend.interrupts import heeded
from models.backend.load import load_backend, versions
from models.recipes.recipe import Recipe
from models.recipes.view_sets import VIEW_SETS
from models.runs.folders import EXTRACTOR, HISTORY, JOB, LOG, NETWORK, PARTS, attempt, read_job, seed_folders
from models.runs.model_recipe import record
from models.runs.progress import HEAD, has_begun, state_of
from models.runs.status import reached

if TYPE_CHECKING:
    from models.inputs.examples import Material
    from models.inputs.sources import Sources
    from models.predict.scorer import Scorer


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
        with_test: score the test chips too.
    """

    workspace: Workspace
    store: ScoreStore
    model: str
    recipe: Recipe
    fold: int
    skip_broken: bool = False
    with_test: bool = True

    @property
    def folder(self) -> Path:
        """Folder of everything the job makes."""
        return self.store.folder(self.model, self.fold)

    @property
    def task(self) -> Task:
        """What its network has to say."""
        return self.recipe.task(self.workspace.competition)

    def run(self) -> None:
        """Train, predict the held-out and the test chips, and write the scores; do what is left of it.

        Raises:
            UserError: if the data, the fold table or the recipe do not fit what was begun, or another process is at it.
        """
        # An unknown fold or label is refused before anything is written.
        self.store.table.heldout(self.fold)
        self.recipe.task(self.workspace.competition)
        with attempt(self.folder), heeded(), self._log() as say:
            if self._is_done():
                kept = self._reached(self.store.read(self.model, self.fold).heldout)
                say(f"'{self.model}' fold {self.fold} is done: held-out {kept}. --restart does it again.")
            else:
                self._run(say)

    def _is_done(self) -> bool:
        """Whether the scores are there, also of test chips that were added since."""
        if not self.store.is_complete(self.model, self.fold):
            return False
        made, images = self.store.read(self.model, self.fold), self.workspace.competition.image_set(self.recipe.images)
        wanted = self.workspace.test_names_of(images) if self.with_test else ()
        return {*made.test.names, *made.provenance.left_out} >= set(wanted)

    def _run(self, say: Callable[[str], None]) -> None:
        load_backend()
        import keras

        from models.inputs.sources import Sources

        keras.utils.clear_session()  # or the networks of the folds before would stay in memory
        say(f"'{self.model}' fold {self.fold} of {self.store.table.num_folds}: {_summary(self.recipe)}")
        if self.recipe.train == "head" and not self.recipe.on_bank:
            changes = ",".join([*self.recipe.augment, *(["cutmix"] if self.recipe.cutmix else [])])
            say(f"{changes} changes pixels, so the backbone runs in every epoch; with --augment d4 alone it runs once.")
        record(self.workspace, self.model, self.recipe)
        sources = Sources(self.workspace, self.recipe, self.skip_broken, say)
        self._keep_extractor(sources)  # first, as it is quickly seen whether its weights can be had
        train, test = sources.cache("train"), self._test_cache(sources, say)
        self._begin(sources)
        material = self._material(sources)
        self._train(material, say)
        num_test, views = len(test) if test else 0, counted(len(VIEW_SETS[self.recipe.views]), "view")
        say(f"Predicting {len(material.heldout):,} held-out and {num_test:,} test chips, {views}.")
        scorer = self._scorer(sources, say)
        heldout = self._predict(scorer, sources, "train", material.heldout)
        say(f"Held-out {self._reached(heldout)}.")
        tested = self._predict(scorer, sources, "test", np.arange(num_test))
        self.store.write(FoldScores(self._provenance(train, test), heldout, tested))
        for folder in seed_folders(self.folder, self.recipe):
            for name in (HEAD, "checkpoints"):
                shutil.rmtree(folder / name, ignore_errors=True)
        shutil.rmtree(self.folder / PARTS, ignore_errors=True)
        say(f"Wrote {self.folder}: {self._best_epochs()}.")

    def _keep_extractor(self, sources: Sources) -> None:
        """Keep the frozen backbone, which the folds share, beside them; or see that a learning one can be built."""
        from models.networks.build import build_network, save_weights

        kept = self.folder.parent / EXTRACTOR
        if self.recipe.train != "head":
            if not has_begun(self.folder):
                build_network(self.recipe, self.task, sources.inputs)
        elif not (kept.is_file() and any(map(has_begun, self.folder.parent.glob("fold*")))):
            save_weights(sources.extractor, kept)

    def _test_cache(self, sources: Sources, say: Callable[[str], None]) -> ChipCache | None:
        if self.with_test and sources.names("test"):
            train, test = sources.cache("train"), sources.cache("test")
            if test.dtype != train.dtype:
                raise UserError(
                    f"The chips to predict hold {test.dtype} values, those to learn from {train.dtype}: one of them is "
                    "of another rendering. Mend the folders, or give --no-test."
                )
            return test
        why = "There are no test chips in the workspace" if self.with_test else "--no-test"
        say(f"{why}: only held-out chips will be scored.")
        return None

    def _material(self, sources: Sources) -> Material:
        from models.inputs.examples import Material

        cache, table, labelled = sources.cache("train"), self.store.table, self.workspace.labelled
        if set(table.image_names) != set(labelled.image_names):
            odd = sorted(set(table.image_names) ^ set(labelled.image_names))
            raise UserError(
                f"folds.csv and {self.workspace.competition.tables.train} name other chips: {first(odd)}. "
                'Run "python run.py folds --force".'
            )
        row = {name: i for i, name in enumerate(labelled.image_names)}
        held = {name for name, out in zip(table.image_names, table.heldout(self.fold), strict=True) if out}
        is_held = np.array([name in held for name in cache.names])
        if is_held.all() or not is_held.any():
            raise UserError(f"Fold {self.fold} leaves no chips to {'learn from' if is_held.all() else 'hold out'}.")
        truth = labelled.truth[[row[name] for name in cache.names]][:, self.task.columns]
        return Material(self.task, sources, truth, np.flatnonzero(~is_held), np.flatnonzero(is_held))

    def _train(self, material: Material, say: Callable[[str], None]) -> None:
        from models.networks.build import part_to_keep, save_weights
        from models.train.stages import fit_network

        say(f"{len(material.training):,} chips to learn from.")
        for number, folder in enumerate(seed_folders(self.folder, self.recipe)):
            if (folder / NETWORK).is_file():
                continue
            if self.recipe.seeds > 1:
                say(f"Seed {number + 1} of {self.recipe.seeds}.")
            recipe = dataclasses.replace(self.recipe, seed=self.recipe.seed + number)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / HISTORY).unlink(missing_ok=True)  # of a network that was lost
            network = fit_network(recipe, material, folder, say)
            state_of(folder).write(folder / HISTORY)
            save_weights(part_to_keep(network, recipe), folder / NETWORK)

    def _predict(self, scorer: Scorer, sources: Sources, split: str, positions: NDArray[np.int64]) -> Scores:
        """Return the scores of some chips of a split, in that order."""
        from models.predict.scorer import predict_in_parts

        if not len(positions):
            return Scores((), np.zeros((0, len(self.store.labels)), dtype=np.float32))
        cache, views = sources.cache(split), VIEW_SETS[self.recipe.views]
        networks = [digest_file(folder / NETWORK) for folder in seed_folders(self.folder, self.recipe)]
        names = tuple(cache.names[position] for position in positions)
        parts = self.folder / PARTS / f"{split}-{short(digest_json([cache.digest, names, views, networks]))}"
        source = sources.bank(split, views) if self.recipe.on_bank else sources.chips(split)
        return Scores(names, self.task.spread(predict_in_parts(scorer, source, positions, views, parts, split)))

    def _scorer(self, sources: Sources, say: Callable[[str], None]) -> Scorer:
        """Return what scores chips, or the features of chips where there is a bank."""
        from models.backend.runners import KerasRunner
        from models.inputs.batches import HEADS_AT_ONCE
        from models.predict.load_networks import heads_of, scorer_of
        from models.predict.scorer import Scorer

        if self.recipe.on_bank:
            bank = sources.bank("train", VIEW_SETS[self.recipe.views])
            heads = heads_of(self.recipe, self.task, bank.num_features, [self.folder])
            return Scorer([KerasRunner(head, HEADS_AT_ONCE) for head in heads])
        chips = sources.chips("train")
        sample = chips.read(np.arange(min(4, len(chips.cache))))
        return scorer_of(self.recipe, self.task, sources.inputs, [self.folder], sample, say)

    def _begin(self, sources: Sources) -> None:
        """Record what the job is made with; refuse to go on with what was begun with something else."""
        train = sources.cache("train")
        job = {
            "fold table": self.store.table.digest,
            "recipe": self.recipe.digest(),
            "labels": self.workspace.labelled.digest,
            "training chips": train.digest,
            "dtype": str(train.dtype),
            "inputs": asdict(sources.inputs),
        }
        if has_begun(self.folder):
            before = read_job(self.folder)
            if changed := [name for name in job if before.get(name) != json.loads(json.dumps(job[name]))]:
                raise UserError(
                    f"'{self.model}' fold {self.fold} was begun with another {', '.join(changed)}. "
                    f'Run "python run.py fold --model {self.model} --fold {self.fold} --restart".'
                )
        else:
            write_json(self.folder / JOB, job)

    def _provenance(self, train: ChipCache, test: ChipCache | None) -> Provenance:
        return Provenance(
            model=self.model,
            fold=self.fold,
            labels=self.workspace.competition.labels,
            scored=self.task.labels,
            fold_digest=self.store.table.digest,
            label_digest=self.workspace.labelled.digest,
            recipe_digest=self.recipe.digest(),
            views=VIEW_SETS[self.recipe.views],
            left_out=train.left_out + (test.left_out if test else ()),
            versions=versions(),
        )

    def _best_epochs(self) -> str:
        states = [state_of(folder) for folder in seed_folders(self.folder, self.recipe)]
        return "best epoch " + ", ".join(f"{state.best + 1} of {state.epochs}" for state in states)

    def _reached(self, heldout: Scores) -> str:
        metric, recipe = self.task.metric, self.recipe
        value = reached(heldout, self.task, self.workspace.labelled)
        networks = f" and {recipe.seeds} networks" if recipe.seeds > 1 else ""
        views = counted(len(VIEW_SETS[recipe.views]), "view")
        return f"{metric.name} {value:.4f} at cut {metric.prior_cut:.2g}, the mean of {views}{networks}"

    @contextmanager
    def _log(self) -> Iterator[Callable[[str], None]]:
        from tqdm import tqdm

        with (self.folder / LOG).open("a", encoding="utf-8") as log:

            def say(line: str) -> None:
                tqdm.write(line)  # print() would break into a progress bar
                print(line, file=log, flush=True)

            yield say


def _summary(recipe: Recipe) -> str:
    weights = (
        "from scratch"
        if recipe.weights == "none"
        else {"head": "frozen", "finetune": "fine-tuned"}.get(recipe.train, "pretrained")
    )
    bands, sizes = " + ".join([recipe.bands, *recipe.indices]), ", ".join(str(size) for size, _ in recipe.stages)
    how = f"at most {counted(recipe.epochs, 'epoch')}" if recipe.solver == "gradient" else f"solved by {recipe.solver}"
    return f"{recipe.backbone} {weights}, {bands} at {sizes} px, {how}."
