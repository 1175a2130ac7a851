"""Folds of a model that are made again: beside what there is of them, whose place they take when they are complete.

    restarted/<model>/          laid out as runs/<model>/
    restarted/.<model>.json     which folds are made again, and with what

What there is stays as it is until then, for whoever reads scores. `train` goes on with what was begun; `--restart`
begins it anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.files import checked_name
from competition.common.locks import BusyError, locked
from competition.common.progress import reporter
from competition.common.records import DamagedError, read_record, write_record
from competition.workspace import Workspace
from folds.store.alone import alone_with_seeds
from folds.store.provenance import MARKER
from folds.store.score_store import ScoreStore
from folds.store.swaps import swap
from models.recipes.recipe import Recipe
from models.runs.folders import RECIPE, begun, extractors_in
from models.runs.kept_recipe import check_same_weights
from models.runs.model_recipe import read_recipe, record_recipe

FORMAT = 1


@dataclass(frozen=True)
class Restart:
    """What is being made again of a model.

    Attributes:
        workspace: with what there is of it.
        model: its name.
    """

    workspace: Workspace
    model: str

    @cached_property
    def beside(self) -> Workspace:
        """The workspace whose runs are those that are made again."""
        return self.workspace.restarted

    @property
    def old(self) -> Path:
        """Folder of what there is."""
        return self.workspace.runs / checked_name("model", self.model)

    @property
    def new(self) -> Path:
        """Folder of what is made again."""
        return self.beside.runs / checked_name("model", self.model)

    @property
    def record(self) -> Path:
        """Says which folds are made again."""
        return self.beside.runs / f".{self.model}.json"

    def folds(self, store: ScoreStore) -> set[int]:
        """Return the folds that are being made again with the folds and labels that there are; others are none."""

        def parse(content: dict[str, Any]) -> tuple[set[int], dict[str, Any]]:
            return {int(fold) for fold in content["folds"]}, dict(content["made_with"])

        with suppress(DamagedError):
            folds, made_with = read_record(self.record, parse, version=FORMAT)
            if (self.new / RECIPE).is_file() and made_with == self._made_with(store):
                return folds
        return set()

    def begin(self, folds: Collection[int], recipe: Recipe, store: ScoreStore, *, go_on: bool = False) -> None:
        """Begin folds anew.

        Args:
            folds: of the model.
            recipe: that they are made with.
            store: of the workspace.
            go_on: keep what was made of them with the same recipe.

        Raises:
            BusyError: if another process is at one of them.
            UserError: if folds that stay were made with other weights.
        """
        check_same_weights(self.old, recipe, folds)
        with locked(self.beside.runs / f".{self.model}.lock"), ExitStack() as held:
            _keep_others_from(self.old, folds, held)
            before = self.folds(store)
            if before and read_recipe(self.beside, self.model) != recipe:
                before = set()
            if not before:
                self._remove(begun(self.new))
                shutil.rmtree(self.new, ignore_errors=True)
            elif not go_on:
                self._remove(folds)
            record_recipe(self.beside, self.model, recipe)
            content = {"folds": sorted({*before, *folds}), "made_with": self._made_with(store)}
            write_record(self.record, content, version=FORMAT)
        reporter.say(
            f"'{self.model}' is made again in {self.new}. What there is of it stays until that is complete; stopped in "
            "between, the same command without --restart goes on."
        )

    def settle(self, store: ScoreStore) -> None:
        """Put what is complete in its place: the whole model, where all that there is of it is made again."""
        if not (folds := self.folds(store)):
            self._clear()
            return
        asked = {fold for fold in folds if fold < store.table.num_folds}
        done = {fold for fold in asked if (self.new / f"fold{fold}" / MARKER).is_file()}
        with suppress(BusyError), ExitStack() as held:  # whoever is at it comes here afterwards
            if begun(self.old) <= folds:
                if done == asked:
                    for folder in (self.old, self.new):
                        _keep_others_from(folder, folds, held)
                    swap(self.workspace, self.new, self.old)
                    self.record.unlink(missing_ok=True)
                    reporter.say(f"'{self.model}' made again is in {self.old} now.")
            elif done and self._is_of_the_same_recipe():
                for folder in (self.old, self.new):
                    _keep_others_from(folder, done, held)
                self._settle_each(sorted(done), folds, store)
        self._clear()

    def holds_up_others(self, store: ScoreStore) -> bool:
        """Whether the other folds have to wait, as the whole model is being made again by another recipe."""
        return bool(self.folds(store)) and not self._is_of_the_same_recipe()

    def _settle_each(self, done: Collection[int], folds: set[int], store: ScoreStore) -> None:
        for path in extractors_in(self.new):
            if not (self.old / path.name).exists():
                path.rename(self.old / path.name)
        for fold in done:
            swap(self.workspace, self.new / f"fold{fold}", self.old / f"fold{fold}")
            folds.discard(fold)
            content = {"folds": sorted(folds), "made_with": self._made_with(store)}
            write_record(self.record, content, version=FORMAT)
            reporter.say(f"'{self.model}' fold {fold} made again is in {self.old} now.")
        if not folds:
            shutil.rmtree(self.new, ignore_errors=True)

    def _is_of_the_same_recipe(self) -> bool:
        with suppress(UserError):
            return read_recipe(self.workspace, self.model) == read_recipe(self.beside, self.model)
        return False

    def _made_with(self, store: ScoreStore) -> dict[str, Any]:
        return {"fold table": store.table.digest, "labels": self.workspace.labelled.digest}

    def _remove(self, folds: Collection[int]) -> None:
        with ExitStack() as held:
            _keep_others_from(self.new, folds, held)  # from all of them, before the first goes
            for fold in begun(self.new) & set(folds):
                shutil.rmtree(self.new / f"fold{fold}")

    def _clear(self) -> None:
        """Remove what nothing is left of."""
        if not self.new.is_dir():
            self.record.unlink(missing_ok=True)
            self.record.with_suffix(".lock").unlink(missing_ok=True)
            if self.beside.runs.is_dir() and {path.name for path in self.beside.runs.iterdir()} <= {".swap.lock"}:
                shutil.rmtree(self.beside.runs, ignore_errors=True)


def _keep_others_from(folder: Path, folds: Collection[int], held: ExitStack) -> None:
    """Hold the locks of folds in a model's folder."""
    for fold in sorted(begun(folder) & set(folds)):
        held.enter_context(alone_with_seeds(folder / f"fold{fold}"))
