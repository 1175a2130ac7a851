"""What is searched: settings of heads, the ranges they are drawn from, and what a person restricts them to."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from competition.common.errors import UserError
from competition.terminal.command_line import shown
from models.recipes.recipe import Recipe

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Settings = dict[str, Any]  # values of a recipe by name


@dataclass(frozen=True)
class Range:
    """Any number from `low` to `high`; where `log`, as many between 1 and 2 as between 2 and 4."""

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def with_value(self, value: float) -> Range:
        """Return the range made wide enough for a value; a logarithmic one has no place for 0."""
        if self.log and value <= 0:
            return self
        return dataclasses.replace(self, low=min(self.low, value), high=max(self.high, value))


Choice = Range | tuple[Any, ...]

SEARCHED: dict[str, Choice] = {
    "learning_rate": Range(2e-4, 5e-3, log=True),
    "dropout": Range(0.1, 0.8),
    "input_dropout": Range(0.0, 0.7),
    "weight_decay": Range(1e-4, 1e-1, log=True),
    "dense": ((), (256,), (512,), (1024,), (512, 256)),
    "label_smoothing": Range(0.0, 0.1),
    "mixup": (0.0, 0.2, 0.4),
    "ema": (0.0, 0.99),
    "batch_size": (128, 256, 512),
    "epochs": (12, 24, 48, 72),
}
MOST_WEIGHTS = 5_000_000  # of a head's layers that are drawn: they train in seconds to a few minutes on two cores
DIGITS = 3  # of numbers drawn


@dataclass(frozen=True)
class Space:
    """The settings among which a search draws.

    Attributes:
        start: the recipe that the search begins from; it has all that is not searched.
        choices: by name of a setting, what it may be.
        is_grid: whether every combination is tried, and nothing is drawn.
    """

    start: Recipe
    choices: Mapping[str, Choice]
    is_grid: bool

    @classmethod
    def of(
        cls,
        start: Recipe,
        fixed: Collection[str],
        given: Mapping[str, tuple[Any, ...]],
        sizes: tuple[int, int],
        *,
        grid: bool = False,
    ) -> Space:
        """Return the settings to search.

        What the recipe has itself belongs to each range; a value with which it would not be valid does not.

        Args:
            start: the recipe, with the values that are fixed.
            fixed: names of those.
            given: by name the values to which a setting is restricted.
            sizes: numbers of features and of labels; too large layouts of dense layers are left out.
            grid: search what is in `given` alone.
        """
        start = dataclasses.replace(start, input_dropout=start.feature_dropout)  # a number, as ranges want it
        known = {name: choice for name, choice in SEARCHED.items() if not grid and name not in fixed}
        widened = {name: _fitting(start, name, choice, sizes) for name, choice in known.items() if name not in given}
        choices = {name: choice for name, choice in {**widened, **given}.items() if choice}
        order = [*(name for name in SEARCHED if name in choices), *(name for name in given if name not in SEARCHED)]
        return cls(start, {name: choices[name] for name in order}, choices.keys() <= given.keys())

    @property
    def start_settings(self) -> Settings:
        """The settings of the recipe that the search begins from."""
        return {name: getattr(self.start, name) for name in self.choices}

    def recipe(self, settings: Settings) -> Recipe:
        """Return the recipe with some settings.

        Raises:
            UserError: if they do not go with each other.
        """
        recipe = dataclasses.replace(self.start, **settings)
        as_dropout = recipe.input_dropout == recipe.dropout
        return dataclasses.replace(recipe, input_dropout=None) if as_dropout else recipe  # one recipe, one digest

    def is_valid(self, settings: Settings) -> bool:
        """Whether settings go with each other."""
        try:
            self.recipe(settings)
        except UserError:
            return False
        return True

    def holds(self, recipe: Recipe) -> bool:
        """Whether a recipe is one that the search may try: nothing else differs from the start."""
        settings = {name: getattr(recipe, name) for name in self.choices}
        if "input_dropout" in settings:
            settings["input_dropout"] = recipe.feature_dropout
        chosen = settings == self.start_settings or all(value in self.choices[name] for name, value in settings.items())
        return chosen and self.is_valid(settings) and self.recipe(settings) == recipe

    def grid(self) -> list[Settings]:
        """Return all combinations that are valid."""
        values = [choice for choice in self.choices.values() if isinstance(choice, tuple)]
        every = (dict(zip(self.choices, one, strict=True)) for one in itertools.product(*values))
        return [settings for settings in every if self.is_valid(settings)]

    @property
    def num_combinations(self) -> int:
        """How many combinations a grid has, with those that are not valid."""
        return math.prod(len(choice) for choice in self.choices.values() if isinstance(choice, tuple))

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The choices as Optuna takes them."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        return {
            name: FloatDistribution(choice.low, choice.high, log=choice.log)
            if isinstance(choice, Range)
            else CategoricalDistribution([as_plain(value) for value in choice])
            for name, choice in self.choices.items()
        }

    def settings(self, params: Mapping[str, Any]) -> Settings:
        """Return the settings of an Optuna trial's parameters, numbers from ranges rounded."""
        return {name: self.value(name, params[name]) for name in self.choices}

    def value(self, name: str, plain: Any) -> Any:
        """Return a setting of what `as_plain` made of it; numbers from ranges are rounded."""
        own = getattr(self.start, name)
        if isinstance(own, tuple):
            return tuple(map(int, filter(str.isdigit, plain.split(","))))
        if isinstance(choice := self.choices[name], Range) and plain != own:
            return min(max(float(f"{plain:.{DIGITS}g}"), choice.low), choice.high)
        return type(own)(plain)

    def params(self, settings: Settings) -> dict[str, Any] | None:
        """Return settings as an Optuna trial's parameters; None if there is one that cannot be drawn."""
        if any(settings[name] not in choice for name, choice in self.choices.items()):
            return None
        return plain_settings(settings)

    def as_dict(self) -> dict[str, Any]:
        """Return the choices as values that JSON knows."""
        return {
            name: dataclasses.asdict(choice) if isinstance(choice, Range) else [as_plain(value) for value in choice]
            for name, choice in self.choices.items()
        }


def check_choices(start: Recipe, fixed: Collection[str], given: Mapping[str, tuple[Any, ...]], *, grid: bool) -> None:
    """Refuse what cannot be searched, before any work; arguments as of `Space.of`.

    Raises:
        UserError: if a value given is not valid, or nothing is left to search.
    """
    for name, values in given.items():
        for value in values:
            dataclasses.replace(start, **{name: value})  # refuses what is not valid
    if not given and (grid or SEARCHED.keys() <= set(fixed)):
        raise UserError(
            "Nothing is left to search, as no setting has several values. Give some, such as --dropout .3,.5."
        )


def as_plain(value: Any) -> Any:
    """Return a setting as Optuna and JSON know it: a layout of dense layers as its flag takes it."""
    return shown(value) if isinstance(value, tuple) else value


def plain_settings(settings: Settings) -> dict[str, Any]:
    """Return settings as Optuna and JSON know them."""
    return {name: as_plain(value) for name, value in settings.items()}


def _fitting(start: Recipe, name: str, choice: Choice, sizes: tuple[int, int]) -> Choice:
    """Return what a setting may be that is not restricted: () if nothing but what the recipe has."""
    own = getattr(start, name)

    def fits(value: Any) -> bool:
        try:
            dataclasses.replace(start, **{name: value})
        except UserError:
            return False
        return name != "dense" or num_weights(value, sizes) <= max(MOST_WEIGHTS, num_weights(own, sizes))

    if isinstance(choice, Range):
        return choice.with_value(own) if fits(choice.low) and fits(choice.high) else ()
    values = tuple(value for value in dict.fromkeys((own, *choice)) if fits(value))
    return values if len(values) > 1 else ()


def num_weights(dense: Sequence[int], sizes: tuple[int, int]) -> int:
    """Return how many weights the kernels of a head have, with some dense layers between (num_features, num_labels)."""
    return sum(map(math.prod, itertools.pairwise((sizes[0], *dense, sizes[1]))))
