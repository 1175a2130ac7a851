"""Steps of a plan: models, by the banks and the head that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from models.plan.worth import BRIEF, HEADS, JOINT, LINEAR, QUICK, SCRATCH_HEAD, VIEWS, WIDE, Views
from models.recipes.view_sets import drawn_views, views_of


@dataclass(frozen=True)
class Bank:
    """A network, and how chips are shown to it.

    Attributes:
        source: name of the recipe.
        label: what it is called in the names of models.
        size: input size.
        views: of learning and scoring.
        epochs: of a network that learns from scratch; 0: its features are made once.
        short: how far its plain head falls short of the best.
    """

    source: str
    label: str
    size: int
    views: Views
    epochs: int = 0
    short: float = field(default=0.0, compare=False)

    @property
    def drawn_views(self) -> tuple[str, ...]:
        """The views that its heads learn from."""
        return drawn_views(self.views.augment)

    @property
    def test_views(self) -> tuple[str, ...]:
        """The views over which scores are averaged."""
        return views_of(self.views.views)

    def rows(self, num_train: int, num_test: int) -> dict[tuple[str, int, str, str], int]:
        """Return how many feature vectors it needs, by recipe, size, split and view."""
        train, test = _views_needed(self.views)
        rows = {(self.source, self.size, "train", view): num_train for view in train}
        return rows | {(self.source, self.size, "test", view): num_test for view in test if num_test}

    @property
    def name(self) -> str:
        """What it is, in the names of models."""
        epochs = f"-{self.epochs}-epochs" if self.epochs else ""
        return f"{self.label}-{self.size}px-{self.views.tag}{epochs}"


@dataclass(frozen=True)
class Step:
    """A model to train.

    Attributes:
        banks: whose features its heads take; several stand side by side.
        head: one of `HEADS`.
    """

    banks: tuple[Bank, ...]
    head: str

    @property
    def name(self) -> str:
        """What it is, behind the name of the run."""
        if self.head == JOINT:
            parts = "-".join(f"{bank.label}-{bank.size}px" for bank in self.banks)
            return f"joint-{parts}-{self.views.tag}"
        kind = {LINEAR: "-linear", QUICK: "-quick", BRIEF: "-brief", WIDE: "-wide"}.get(self.head, "")
        return f"{self.banks[0].name}{kind}"

    @property
    def views(self) -> Views:
        """Of learning and scoring; of several banks those that all of them have."""
        return min((bank.views for bank in self.banks), key=VIEWS.index)

    @property
    def features(self) -> tuple[tuple[str, int], ...]:
        """The backbones and input sizes that it takes features of."""
        return tuple(sorted((bank.label, bank.size) for bank in self.banks))

    @property
    def short(self) -> float:
        """How far it falls short of the best."""
        return min(bank.short for bank in self.banks) + HEADS[self.head].short

    @property
    def from_scratch(self) -> bool:
        """Whether every layer learns."""
        return self.head == SCRATCH_HEAD

    def values(self) -> dict[str, Any]:
        """Return the values of its recipe that a plan decides; those of a joint one without its backbones."""
        values = {**HEADS[self.head].values, "augment": self.views.augment, "views": self.views.views}
        if self.head != JOINT:
            values["input_size"] = self.banks[0].size
        if self.from_scratch:
            values |= {"epochs": self.banks[0].epochs, "patience": 0}
        return values


def same_views(banks: Sequence[Bank]) -> tuple[Bank, ...]:
    """Return banks with the views that all of them have, for one head on all of them."""
    views = min((bank.views for bank in banks), key=VIEWS.index)
    return tuple(replace(bank, views=views, short=bank.short + views.short - bank.views.short) for bank in banks)


@cache
def _views_needed(views: Views) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the views of the labelled chips and of those to predict that learning and scoring ask for."""
    test = views_of(views.views)
    return tuple(sorted({"identity", *drawn_views(views.augment), *test})), test
