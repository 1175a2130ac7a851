"""A job is one (model, fold): it trains, predicts and writes scores. A model is a recipe trained on every fold."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_file, digest_json
from competition.common.progress import reporter
from competition.common.records import write_record
from competition.common.text import counted, short
from competition.data.chip_cache import ChipCache
from competition.task import Task
from competition.workspace import Workspace
from folds.store.provenance import Provenance, PseudoLearnt
from folds.store.score_store import FoldScores, ScoreStore
from folds.store.scores import Scores
from models.backend.load import versions
from models.recipes.recipe import Recipe
from models.runs.curves import write_learnt
from models.runs.folders import (
    FOLD,
    FORMAT,
    HISTORY,
    JOB,
    LOG,
    NETWORK,
    PARTS,
    VALUES,
    alone_at_seed,
    attempt,
    check_job,
    clear,
    extractors_in,
    seed_folders,
)
from models.runs.kept_recipe import check_same_weights
from models.runs.model_recipe import record_recipe
from models.runs.status import reached
from models.runs.training_state import best_epochs, has_begun, state_of
from models.train.diverged import check_learnt, check_scores

if TYPE_CHECKING:
    from models.inputs.examples import Examples
    from models.inputs.sources import Sources
    from models.networks.input_spec import Inputs
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
        only: train the network of this seed alone, from 0, and score nothing; None: all of them.
    """

    workspace: Workspace
    store: ScoreStore
    model: str
    recipe: Recipe
    fold: int
    skip_broken: bool = False
    with_test: bool = True
    only: int | None = None

    @property
    def folder(self) -> Path:
        """Folder of everything the job makes."""
        return self.store.folder(self.model, self.fold)

    @property
    def place(self) -> Path:
        """Folder that it works in: that of the one seed, or of the first for all."""
        return seed_folders(self.folder, self.recipe)[self.only or 0]

    @property
    def task(self) -> Task:
        """What its network scores."""
        return self.recipe.task(self.workspace.competition)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Work in the job's folder, alone, and write what is said to its log.

        Raises:
            UserError: if there is no such fold, or the recipe names an unknown label.
            BusyError: if another process is at it.
        """
        # An unknown fold or label is refused before anything is written.
        self.store.table.heldout(self.fold)
        self.recipe.task(self.workspace.competition)
        with alone_at_seed(self.place) if self.only else attempt(self.place), reporter.log_to(self.place / LOG):
            yield

    def is_done(self) -> bool:
        """Return whether the scores are there, also of test chips that were added since; say so."""
        if self.only is not None and (seed_folders(self.folder, self.recipe)[self.only] / NETWORK).is_file():
            return True
        if not self.store.is_complete(self.model, self.fold):
            return False
        if self._lacks_test_chips():
            return False
        kept = self._reached(self.store.read(self.model, self.fold).heldout)
        reporter.say(f"'{self.model}' fold {self.fold} is done: held-out {kept}. --restart does it again.")
        return True

    def _lacks_test_chips(self) -> bool:
        scores, workspace = self.store.read(self.model, self.fold), self.workspace
        images, made = workspace.competition.image_set(self.recipe.images), scores.provenance
        wanted = {*workspace.test_names_of(images), *workspace.further_names_of(images)} if self.with_test else set()
        return not wanted <= {*scores.test.names, *scores.further.names, *made.broken_test, *made.further_left_out}

    def prepare(self, sources: Sources) -> None:
        """See that all is there that the model needs, whatever the fold, and write down what it begins with.

        Raises:
            UserError: if weights cannot be had or are others, or the chips to predict do not fit those to learn from.
        """
        record_recipe(self.workspace, self.model, self.recipe)
        check_same_weights(self.folder.parent, self.recipe, {self.fold})
        self._keep_extractor(sources)  # first, as it is quickly seen whether its weights can be had
        train, others = sources.cache("train"), self._others(sources)
        if "test" not in others:
            why = "There are no test chips in the workspace" if self.with_test else "--no-test"
            reporter.say(f"{why}: only held-out chips will be scored.")
        for split, cache in others.items():
            if cache.dtype != train.dtype:
                raise UserError(
                    f"The {split} chips hold {cache.dtype} values, those to learn from {train.dtype}: one of them is "
                    "of another rendering. Mend the folders, or give --no-test."
                )

    def begin(self, sources: Sources) -> Examples:
        """Return the chips to learn from and those held out, once they are seen to be those that it began with."""
        from models.inputs.examples import Examples

        reporter.say(f"'{self.model}' fold {self.fold} of {self.store.table.num_folds}: {self.recipe.summary()}")
        examples = Examples.of_fold(sources, self.store.table, self.fold, self.model)
        self._record(sources.cache("train"), sources.inputs, examples)
        reporter.say(examples.text())
        return examples

    @property
    def is_trained(self) -> bool:
        """Whether every network is kept."""
        return all((folder / NETWORK).is_file() for folder in seed_folders(self.folder, self.recipe))

    def finish(self, sources: Sources, examples: Examples) -> None:
        """Score the chips held out and those to predict, and write the scores; and what is reached on those learnt."""
        train, others = sources.cache("train"), self._others(sources)
        check_learnt(self.folder, self.recipe, examples)
        scorer, views = self._scorer(sources), counted(len(self.recipe.test_views), "view")
        num_test, num_further = (len(others.get(split, ())) for split in ("test", "further"))
        tests = f", {num_test:,} test and {num_further:,} further" if num_further else f" and {num_test:,} test"
        reporter.say(f"Predicting {len(examples.heldout):,} held-out{tests} chips, {views}.")
        heldout = self._predict(scorer, sources, "train", examples.heldout)
        reporter.say(f"Held-out {self._reached(heldout)}.")
        tested = self._predict(scorer, sources, "test", np.arange(num_test))
        further = self._predict(scorer, sources, "further", np.arange(num_further))
        task, labelled, bare = self.task, self.workspace.labelled, ("identity",)
        learnt = (self._predict(scorer, sources, "train", of, bare) for of in (examples.training, examples.heldout))
        write_learnt(self.folder, *(reached(scores, task, labelled) for scores in learnt))
        self.store.write(FoldScores(self._provenance(train, others, examples.learnt), heldout, tested, further))
        clear(self.folder)
        reporter.say(f"Wrote {self.folder}: {best_epochs(seed_folders(self.folder, self.recipe), self.recipe.swa)}.")

    def _keep_extractor(self, sources: Sources) -> None:
        """Keep the frozen backbone, which the folds share, beside them; or see that a learning one can be built."""
        from models.networks.build import build_network

        if self.recipe.train != "head":
            if not has_begun(self.folder):
                build_network(self.recipe, self.task, sources.inputs)
        elif not (extractors_in(self.folder.parent) and any(map(has_begun, self.folder.parent.glob("fold*")))):
            sources.extractor.write(self.folder.parent)

    def _others(self, sources: Sources) -> dict[str, ChipCache]:
        return {split: sources.cache(split) for split in sources.unlabelled} if self.with_test else {}

    def fit(self, examples: Examples, sources: Sources) -> None:
        """Train the networks of a backbone that learns, or sees other pixels in every epoch, seed after seed."""
        if self.recipe.train == "head":
            changes = ",".join([*self.recipe.augment, *(["cutmix"] if self.recipe.cutmix else [])])
            once = "with --augment d4 alone it runs once"
            reporter.say(f"{changes} changes pixels, so the backbone runs in every epoch; {once}.")
        for number, folder in enumerate(seed_folders(self.folder, self.recipe)):
            if self.only in (None, number):
                # A further seed may be another process's; the first is guarded with the job.
                with alone_at_seed(folder) if number and self.only is None else nullcontext():
                    if not (folder / NETWORK).is_file():
                        self._fit_one(number, folder, examples, sources)

    def _fit_one(self, number: int, folder: Path, examples: Examples, sources: Sources) -> None:
        from models.networks.build import part_to_keep
        from models.train.checkpoints import write_network
        from models.train.stages import fit_network

        if self.recipe.seeds > 1:
            reporter.say(f"Seed {number + 1} of {self.recipe.seeds}.")
        recipe = dataclasses.replace(self.recipe, seed=self.recipe.seed + number)
        (folder / HISTORY).unlink(missing_ok=True)  # of a network that was lost
        network = fit_network(recipe, examples, sources, folder)
        state_of(folder).write(folder / HISTORY)
        write_network(part_to_keep(network, recipe), folder / NETWORK)

    def _scorer(self, sources: Sources) -> Scorer:
        """Return what scores chips, or the features of chips where there is a bank."""
        from models.predict.load_networks import head_runners, scorer_of
        from models.predict.scorer import Scorer

        if self.recipe.on_bank:
            num_features = sources.bank("train", self.recipe.test_views).num_features
            return Scorer(head_runners(self.recipe, self.task, num_features, [self.folder]))
        chips = sources.chips("train")
        sample = chips.read(np.arange(min(4, len(chips.cache))))
        return scorer_of(self.recipe, self.task, sources.inputs, [self.folder], sample)

    def _predict(
        self,
        scorer: Scorer,
        sources: Sources,
        split: str,
        positions: NDArray[np.int64],
        views: tuple[str, ...] | None = None,
    ) -> Scores:
        """Return the scores of some chips of a split, in that order; the mean over some views, or those to test by."""
        from models.predict.scorer import predict_in_parts

        if not len(positions):
            return Scores((), np.zeros((0, len(self.store.labels)), dtype=np.float32))
        cache, views = sources.cache(split), views or self.recipe.test_views
        networks = [digest_file(folder / NETWORK) for folder in seed_folders(self.folder, self.recipe)]
        names = tuple(cache.names[position] for position in positions)
        parts = self.folder / PARTS / f"{split}-{short(digest_json([cache.digest, names, views, networks]))}"
        source = sources.bank(split, views) if self.recipe.on_bank else sources.chips(split)
        scores = predict_in_parts(scorer, source, positions, views, parts, split)
        check_scores(scores, self.folder, self.recipe)
        return Scores(names, self.task.spread(scores))

    def _record(self, train: ChipCache, inputs: Inputs, examples: Examples) -> None:
        """Record what the job is made with; refuse to go on with what was begun with something else."""
        job = {
            "fold table": self.store.table.digest,
            "recipe": self.recipe.digest(),
            "labels": self.workspace.labelled.digest,
            "training chips": train.digest,
            "dtype": str(train.dtype),
            "inputs": inputs.as_dict(),
        }
        if examples.inner is not None:
            job["chips set aside"] = digest_json([train.names[position] for position in examples.inner])
        if any(map(has_begun, seed_folders(self.folder, self.recipe))):
            check_job(self.folder, job)
        else:
            # The values too, from which recipe.json is written again where it is lost.
            write_record(self.folder / JOB, {**job, VALUES: self.recipe.to_dict(), FOLD: self.fold}, version=FORMAT)

    def _provenance(self, train: ChipCache, others: dict[str, ChipCache], pseudo: PseudoLearnt | None) -> Provenance:
        test, further = (others[split].left_out if split in others else () for split in ("test", "further"))
        return Provenance(
            model=self.model,
            fold=self.fold,
            labels=self.workspace.competition.labels,
            scored=self.task.labels,
            fold_digest=self.store.table.digest,
            label_digest=self.workspace.labelled.digest,
            recipe_digest=self.recipe.digest(),
            views=self.recipe.test_views,
            left_out=train.left_out,
            versions=versions(),
            test_left_out=test,
            further_left_out=further,
            delivered_digest=self.workspace.delivered.digest,
            pseudo=pseudo,
        )

    def _reached(self, heldout: Scores) -> str:
        task, recipe = self.task, self.recipe
        value = reached(heldout, task, self.workspace.labelled)
        views = counted(len(recipe.test_views), "view") + (f" and {recipe.seeds} networks" if recipe.seeds > 1 else "")
        at_cut = "" if task.cut is None else f" at cut {task.cut:.2g}"
        return f"{task.metric.title} {value:.4f}{at_cut}, the mean of {views}"
