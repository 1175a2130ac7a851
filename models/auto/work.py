"""Carrying out a step: filling its banks and training its model, by what `features` and `train` do."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from competition.common.files import write_text
from competition.common.folders import free_bytes
from competition.workspace import Workspace
from models.backend.load import load_backend
from models.plan.candidates import Candidate, Settings
from models.plan.cost import Facts, Made
from models.plan.steps import Bank, Step
from models.recipes.joint import BY_PARTS
from models.recipes.recipe import Recipe
from models.recipes.values import FLAGS
from models.runs.folders import begun
from models.runs.model_recipe import ModelRequest

RECIPES = "recipes.toml"
ROOM_KEPT = 0.1  # share of the free disk that is left free


class Work:
    """Carries out the steps of a run.

    Args:
        workspace: chips, labels and runs.
        name: of the run.
        folder: of its records.
        settings: its flags.
        candidates: by the name of the recipe.
    """

    def __init__(
        self, workspace: Workspace, name: str, folder: Path, settings: Settings, candidates: Mapping[str, Candidate]
    ) -> None:
        self.workspace, self.name, self.folder = workspace, name, folder
        self.settings, self.candidates = settings, candidates
        # By rendering, the paths of chips, and the caches that are open: looked up once for all banks.
        self._opened: dict[str | None, tuple[dict[str, Any], dict[tuple[str, int], Any]]] = {}

    def model(self, step: Step) -> str:
        """Return the name of a step's model."""
        return f"{self.name}-{step.name}"

    @property
    def room(self) -> int:
        """Bytes that banks may take."""
        return round((1 - ROOM_KEPT) * free_bytes(self.workspace.cache))

    def facts(self) -> Facts:
        """Return the numbers of chips and the like, and how large the chips are in their files."""
        from competition.data.chips import probe
        from folds.store.kept import KeptFolds

        workspace, labelled = self.workspace, self.workspace.labelled
        recipe = next(iter(self.candidates.values())).recipe.settled(workspace.competition)
        images = workspace.competition.image_set(recipe.images)
        files = workspace.layout.locate(images, "train", labelled.image_names)
        others = () if self.settings.no_test else (workspace.test_names_of, workspace.further_names_of)
        num_test = sum(len(names_of(images)) for names_of in others)
        folds, k = 5, 5
        if workspace.fold_table.is_file():
            table = KeptFolds(workspace).read()
            folds, k = table.num_folds, table.k
        size = probe(files, images).size
        return Facts(len(labelled.image_names), num_test, labelled.truth.shape[1], folds, 1 / k, size)

    def fill(self, step: Step) -> float:
        """Fill the banks of a step; return the seconds that it took."""
        load_backend()
        from models.inputs.fill_banks import fill_banks

        started = time.monotonic()
        for bank in () if step.from_scratch else step.banks:
            recipe = replace(self._sized(bank), augment=bank.views.augment, views=bank.views.views)
            fill_banks(self.workspace, recipe, **self.settings.of_work)
        return time.monotonic() - started

    def train(self, step: Step) -> tuple[float, bool]:
        """Train the model of a step on every fold.

        Returns:
            The seconds that it took, 0 if a part was trained before, and whether all folds have scores.
        """
        from models.train.train_folds import train_models

        started, was_begun = time.monotonic(), bool(begun(self.workspace.runs / self.model(step)))
        is_whole = train_models(self.workspace, [self._request(step)], **self.settings.of_work)
        return 0.0 if was_begun else time.monotonic() - started, is_whole

    def decoded(self) -> set[int]:
        """Return the pixels along each side at which chips of every split were decoded, as far as the folders tell."""
        splits = ["train"] if self.settings.no_test else ["train", "test"]
        sizes = []
        for split in splits:
            names = (path.parent.name for path in self.workspace.cache.glob(f"{split}-*px-*/rows.npy"))
            found = (re.search(r"-(\d+)px-", name) for name in names)
            sizes.append({int(each[1]) for each in found if each})
        return set.intersection(*sizes)

    def made(self, bank: Bank) -> Made:
        """Return how many rows of a bank are made, by recipe, size, split and view; its chips are decoded for that."""
        load_backend()
        from models.inputs.sources import Sources

        if self.candidates[bank.source].from_scratch:
            return {}
        recipe = self._sized(bank)
        opened = self._opened.setdefault(recipe.images, ({}, {}))
        sources = Sources(self.workspace, recipe, self.settings.skip_broken, *opened)
        found = Counter[tuple[str, int, str, str]]()
        for split in ["train", *([] if self.settings.no_test else sources.unlabelled)]:
            counts_as = "train" if split == "train" else "test"  # as further chips are scored like those to predict
            for view, rows in sources.rows_made(split).items():
                found[bank.source, bank.size, counts_as, view] += rows
        return dict(found)

    def _sized(self, bank: Bank) -> Recipe:
        recipe = replace(self.candidates[bank.source].recipe, input_size=bank.size)
        return recipe.settled(self.workspace.competition)

    def _request(self, step: Step) -> ModelRequest:
        """Return the model of a step, as the flags of `train` would ask for it."""
        values = {**self.settings.overrides, **step.values()}
        if len(step.banks) == 1:
            source = step.banks[0].source
            recipe = self.candidates[source].recipe
            values |= {"weights": recipe.weights, "precision": recipe.precision}
            return ModelRequest(source, self.model(step), values, self.settings.recipes)
        path, parts = self.folder / RECIPES, {self._part(bank): self._sized(bank) for bank in step.banks}
        first = next(iter(parts.values())).to_dict()
        joint = {name: first[name] for name in FLAGS if name not in BY_PARTS} | values | {"backbone": list(parts)}
        write_recipes(path, {**{name: recipe.to_dict() for name, recipe in parts.items()}, self.model(step): joint})
        return ModelRequest(self.model(step), None, {}, path)

    def _part(self, bank: Bank) -> str:
        return f"{self.name}-{bank.label}-{bank.size}px"


def write_recipes(path: Path, recipes: Mapping[str, Mapping[str, Any]]) -> None:
    """Write recipes as a file that `--recipes` takes: JSON's words, numbers and lists of them are TOML's too."""
    lines = []
    for name, values in recipes.items():
        shown = (
            f"{key} = {json.dumps(values[key], ensure_ascii=False)}" for key in FLAGS if values.get(key) is not None
        )
        lines += [f"[{json.dumps(name)}]", *shown, ""]
    write_text(path, "\n".join(lines))
