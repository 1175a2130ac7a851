"""The steps of tuning: the bank, the search, the winner's model, and what all of that is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.inputs.examples import Examples
from models.inputs.sources import Sources
from models.recipes.recipe import Recipe
from models.runs.folders import RECIPE, begun
from models.runs.model_recipe import ModelRequest, read_recipe, record_recipe
from models.runs.restarts import Restart
from models.train.train_folds import train_folds
from models.tune.figures import Figures, Scores, best_by_fold, best_of, figures_of, stored_scores
from models.tune.inner import Trial, inner_folds
from models.tune.report import Tuned
from models.tune.request import TuneRequest
from models.tune.search import Budget, importances, open_study, search, study_name
from models.tune.space import Space


class Tuning:
    """The steps of tuning.

    Args:
        workspace: chips, labels and runs.
        request: what is tuned.
        store: of scores.
        start: the recipe that the search begins from.
    """

    def __init__(self, workspace: Workspace, request: TuneRequest, store: ScoreStore, start: Recipe) -> None:
        self.workspace, self.request, self.store, self.start = workspace, request, store, start
        self.sources = Sources(workspace, start, request.skip_broken)
        bank = self.sources.bank("train", ("identity", *start.drawn_views, *start.test_views))
        self.names = self.sources.cache("train").names
        self.outer = [
            dataclasses.replace(Examples.of_fold(self.sources, store.table, fold, request.source), source=bank)
            for fold in range(store.table.num_folds)
        ]
        sizes = bank.num_features, len(self.outer[0].task.labels)
        self.space = Space.of(start, request.overrides, request.choices, sizes, grid=request.grid)

    def run(self, budget: Budget) -> Tuned:
        """Search, train the winner, and measure."""
        table, workspace, source = self.store.table, self.workspace, self.request.source
        made_with = table.digest, workspace.labelled.digest, self.sources.cache("train").digest
        name = study_name(source, self.space, *made_with, str(self.sources.inputs))
        self._check_model()
        with open_study(workspace.studies, name, self.space) as study:
            trials = search(study, self.space, inner_folds(self.outer, table.k), budget)
        self._check_model(trials)
        start = self.space.start_settings
        tuned = Tuned(source, self.request.model, start, trials, importances(trials, self.space))
        if not tuned.is_better or not self._train(self.space.recipe(tuned.winner.settings)):
            return tuned
        return dataclasses.replace(tuned, figures=self._figures(trials))

    def _check_model(self, trials: Sequence[Trial] | None = None) -> None:
        """Refuse to replace a model that this search did not make: before it, one that it cannot have made.

        What it has tried is known only after it: the file of studies may have been lost, and the same seed draws the
        same trials again.
        """
        name, source = self.request.model, self.request.source
        if not (self.workspace.runs / name / RECIPE).is_file():
            return
        recipe = read_recipe(self.workspace, name)
        for fold in self.store.folds_of(name):
            self.store.provenance(name, fold)  # refuses one of other folds, or labels
        if not self.space.holds(recipe):
            fault = "it has other settings"
        elif trials is not None and all(recipe != self.space.recipe(trial.settings) for trial in trials):
            fault = "none of its trials has that model's settings. They are kept for a model of another name"
        else:
            return
        raise UserError(
            f"'{name}' is there already, and not by this search: {fault}.",
            command=f"tune --model {source} --name {name}-2{self.request.flags}",
        )

    def _train(self, recipe: Recipe) -> bool:
        """Train the winner on every fold; return whether all have scores now."""
        workspace, name = self.workspace, self.request.model
        if (workspace.runs / name / RECIPE).is_file() and read_recipe(workspace, name) != recipe:
            reporter.say(f"'{name}' was made with what was best before: it begins again.")
            every = {*range(self.store.table.num_folds), *begun(workspace.runs / name)}
            Restart(workspace, name).begin(every, recipe, self.store, go_on=True)
        else:
            record_recipe(workspace, name, recipe)
        skip_broken, no_test = self.request.skip_broken, self.request.no_test
        return train_folds(workspace, ModelRequest(name), skip_broken=skip_broken, no_test=no_test)

    def _figures(self, trials: Sequence[Trial]) -> Figures:
        winner = self.space.recipe(best_of(trials).settings)
        chosen = [self.space.recipe(trial.settings) for trial in best_by_fold(trials)]
        known = {**self._stored(self.request.source), **self._stored(self.request.model)}
        return figures_of(self.start, winner, chosen, self.outer, known)

    def _stored(self, model: str) -> Scores:
        """Return what there is of a model's scores."""
        if not (self.workspace.runs / model / RECIPE).is_file():
            return {}
        recipe = read_recipe(self.workspace, model)
        return stored_scores(self.store, model, recipe, self.names, self.outer)
