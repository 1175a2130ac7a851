"""The recipes that a run chooses from: those whose weights are at hand, or else those that learn from scratch.

Networks of others are among them where they are named, by `--models` or in the user's own recipe file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from competition.common.errors import UserError, unknown_name
from competition.common.progress import reporter
from models.plan.weights import can_download, described, downloaded, keras_folder, weights_in
from models.recipes.foreign import SAFE, companions
from models.recipes.named import load_recipes, resolve
from models.recipes.recipe import Recipe
from models.recipes.values import FILE, TIMM


@dataclass(frozen=True)
class Settings:
    """What a run is told by flags; one name goes with one set of them.

    Attributes:
        weights: folder with weights files; None: what Keras or timm has downloaded, or can.
        models: recipes to choose from; none: all whose weights are at hand.
        recipes: the user's own recipe file.
        images: rendering of the chips; None: as the recipes say.
        bands: given to the networks; None: as the recipes say.
        skip_broken: leave broken chips out, instead of stopping.
        no_test: make no submission.
    """

    weights: Path | None = None
    models: tuple[str, ...] = ()
    recipes: Path | None = None
    images: str | None = None
    bands: str | None = None
    skip_broken: bool = False
    no_test: bool = False

    @property
    def overrides(self) -> dict[str, Any]:
        """The values of recipes that flags give."""
        given = {"images": self.images, "bands": self.bands}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def of_work(self) -> dict[str, bool]:
        """The flags that training and the feature banks take too."""
        return {"skip_broken": self.skip_broken, "no_test": self.no_test}

    def as_dict(self) -> dict[str, Any]:
        """Return them by the names of their flags, for JSON; paths are whole, so that they mean the same elsewhere."""
        values = asdict(self)
        for name in ("weights", "recipes"):
            values[name] = None if values[name] is None else str(values[name].expanduser().resolve())
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True)
class Candidate:
    """A recipe to choose from.

    Attributes:
        source: its name.
        label: what it is called in the names of models.
        recipe: with the weights that were found.
    """

    source: str
    label: str
    recipe: Recipe

    @property
    def from_scratch(self) -> bool:
        """Whether every layer learns, from no weights."""
        return self.recipe.weights == "none"

    def sizes(self, fitting: Sequence[int]) -> Sequence[int]:
        """Return the input sizes at which it is weighed, of those that suit the chips.

        A network of others has the one of its recipe: most know no other, and each is a graph of its own.
        """
        return (self.recipe.input_size,) if self.recipe.of_graph else fitting


def candidates_of(settings: Settings, known: Sequence[str], *, mixed: bool = False) -> list[Candidate]:
    """Return the recipes to choose from; what is left out, and why, is said in one line each.

    Args:
        settings: of the run.
        known: the backbones of keras.applications.
        mixed: make frozen features in bfloat16. On 9,000 chips of Planet, DenseNet121's at 64 px were made some two
            times as fast, and cost .0007 +- .0004 of F2; in the same time other sizes, views and backbones bring more.

    Raises:
        UserError: if a recipe that was asked for is unknown or none of these kinds, or no weights are in the folder.
    """
    named = {name: resolve(name, settings.overrides, settings.recipes) for name in load_recipes(settings.recipes)}
    for name in (name for name in settings.models if name not in named):
        raise unknown_name("recipe", name, list(named))
    for name in (name for name in settings.models if not _is_frozen(named[name]) and not _is_scratch(named[name])):
        raise UserError(
            f"--models: '{name}' is neither a single frozen backbone whose features are made once nor a network from "
            f"scratch. Known: {', '.join(other for other in named if _is_frozen(named[other]))}."
        )
    frozen = [name for name in settings.models or _proposed(named, settings) if _is_frozen(named[name])]
    found = _with_weights({name: named[name] for name in frozen}, settings, known)
    if mixed:  # unless the recipe says otherwise
        found = {
            name: replace(recipe, precision="mixed") if recipe.precision == "auto" else recipe
            for name, recipe in found.items()
        }
    scratch = [name for name in settings.models or named if _is_scratch(named[name])]
    if frozen and not found and scratch:
        reporter.say(f"No weights are at hand: networks learn from scratch ({', '.join(scratch)}).")
    if not settings.models and found:
        scratch = []
    chosen = {**found, **{name: named[name] for name in scratch}}
    if not chosen:
        raise UserError(
            f"No weights for {', '.join(frozen)}, and nothing else to choose from. Give --weights with a folder that "
            "has them, or --models with a recipe from scratch, such as residual."
        )
    return _labelled(dict(sorted(chosen.items(), key=lambda item: _weight(item[1], known))))


def _weight(recipe: Recipe, known: Sequence[str]) -> float:
    """Return the bytes of a recipe's weights, as far as they are known: small networks are the quick ones."""
    path = downloaded(known).get(recipe.backbone) if recipe.weights == "imagenet" else Path(recipe.weights).expanduser()
    if path is None or not path.is_file():
        return 0.0 if recipe.weights == "none" else math.inf
    return float(sum(each.stat().st_size for each in (path, *companions(path))))


def _is_frozen(recipe: Recipe) -> bool:
    whole = not recipe.parts and recipe.members == 1 and not recipe.only_labels
    return recipe.on_bank and whole


def _is_scratch(recipe: Recipe) -> bool:
    return recipe.train == "full" and recipe.weights == "none" and not recipe.progressive and not recipe.only_labels


def _proposed(named: dict[str, Recipe], settings: Settings) -> list[str]:
    """Return the recipe of each backbone that pools the most resolutions; of several, the last, which is the user's.

    Networks of others that ship as recipes are large downloads under licences of their own, and have to be named.
    """
    shipped, best = load_recipes(), dict[str, str]()
    own = {name for name, values in load_recipes(settings.recipes).items() if values != shipped.get(name)}
    for name, recipe in named.items():
        backbone = f"{FILE} {recipe.weights}" if recipe.backbone == FILE else recipe.backbone
        levels = named[best[backbone]].levels if backbone in best else 0
        if _is_frozen(recipe) and recipe.levels >= levels and (name in own or not recipe.of_graph):
            best[backbone] = name
    return list(best.values())


def _with_weights(recipes: dict[str, Recipe], settings: Settings, known: Sequence[str]) -> dict[str, Recipe]:
    """Return the recipes whose weights are at hand, with these."""
    folder = settings.weights and settings.weights.expanduser()
    files, found = weights_in(folder, known) if folder else downloaded(known), dict[str, Recipe]()
    for name, recipe in recipes.items():
        path = _file_of(recipe, folder, files) if folder or recipe.weights != "imagenet" else None
        if path and path.is_file():
            weights = recipe.weights if path == Path(recipe.weights).expanduser() else str(path.resolve())
            found[name] = resolve(name, {**settings.overrides, "weights": weights}, settings.recipes)
        elif recipe.weights != "imagenet":
            reporter.say(f"{name} is left out: there is no {recipe.weights}{f' in {folder} either' if folder else ''}.")
        elif folder:
            lacks = f"no {path.name}" if path else "no weights of it"
            reporter.say(f"{recipe.backbone} is left out: {lacks} in {settings.weights}.")
        elif recipe.of_graph or recipe.backbone in files or can_download():  # timm knows by itself what it has
            found[name] = recipe
        else:
            where = f"no weights of it in {keras_folder()}, and no network to download them"
            reporter.say(f"{recipe.backbone} is left out: {where}. --weights FOLDER says where others are.")
    if folder and recipes and not found:
        raise described(folder, dict.fromkeys(recipe.backbone for recipe in recipes.values()))
    return found


def _file_of(recipe: Recipe, folder: Path | None, files: Mapping[str, Path]) -> Path | None:
    """Return the file of a recipe's weights: its own, also where it lies in the folder, or one of the backbone there.

    Args:
        recipe: the recipe.
        folder: that may have it; None: no other than where the recipe says.
        files: of the folder, by backbones of keras.applications.
    """
    if recipe.weights != "imagenet":
        own = Path(recipe.weights).expanduser()
        return own if own.is_file() or folder is None else folder / own.name
    if recipe.of_graph and folder:
        return folder / f"{recipe.backbone.removeprefix(TIMM)}{SAFE}"
    return files.get(recipe.backbone)


def _labelled(recipes: dict[str, Recipe]) -> list[Candidate]:
    """Return the recipes as candidates, called by their backbones where these tell them apart."""
    backbones = [recipe.backbone for recipe in recipes.values()]

    def label(name: str, recipe: Recipe) -> str:
        is_one = backbones.count(recipe.backbone) == 1 and not recipe.of_graph
        return (recipe.backbone if is_one else name).lower().replace("_", "-")

    return [Candidate(name, label(name, recipe), recipe) for name, recipe in recipes.items()]
