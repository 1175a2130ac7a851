"""Where the chips of a recipe come from: files, chip caches and feature banks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import keras

from competition.common.errors import UserError
from competition.data.chip_cache import ChipCache, open_cache
from competition.data.chips import probe
from competition.index.chip_index import ChipFile
from competition.spec.images import ImageSet
from competition.workspace import Workspace
from models.backend.devices import batch_size_for
from models.backend.kept import Kept
from models.inputs.augment import Span
from models.inputs.batches import Chips
from models.inputs.extractors import extractor_key, kept_extractor
from models.inputs.feature_bank import FeatureBank, Maker, bank_key, open_bank, rows_made
from models.networks.backbones import build_extractor
from models.networks.input_spec import Inputs, columns_of
from models.recipes.recipe import Recipe

# Given a recipe, a split and the digest of its chips, returns what makes their features.
Elsewhere = Callable[[Recipe, str, str], Maker]
LARGER = 4  # times as large as the largest part takes them are chips of which parts of several sizes make their own


@dataclass(eq=False)
class Sources:
    """The chips of a workspace as one recipe takes them.

    Attributes:
        workspace: where the chips are.
        recipe: rendering, bands, input size and backbone.
        skip_broken: leave broken chips out, instead of stopping.
        elsewhere: makes the features; None: this process does.
    """

    workspace: Workspace
    recipe: Recipe
    skip_broken: bool = False
    _paths: dict[str, list[ChipFile]] = field(default_factory=dict)
    _caches: dict[tuple[str, int], ChipCache] = field(default_factory=dict)
    elsewhere: Elsewhere | None = None

    @functools.cached_property
    def images(self) -> ImageSet:
        """The rendering."""
        return self.workspace.competition.image_set(self.recipe.images)

    @functools.cached_property
    def inputs(self) -> Inputs:
        """What the network is given. Chips are kept no larger than they are: networks enlarge them.

        Parts that take chips of several sizes shrink the same chips, which are larger: shrunk twice they would not be
        those whose features a part's bank holds.
        """
        kind, largest = probe(self._files("train"), self.images), max(size for size, _ in self.recipe.stages)
        if len({part.inputs.size for part in self.parts}) > 1:
            largest *= LARGER
        return Inputs.of(self.recipe, self.images, kind.dtype, min(largest, kind.size))

    def names(self, split: str) -> tuple[str, ...]:
        """Return the ids of the labelled chips ("train") or of those to predict ("test"), if they are there."""
        if split == "train":
            return self.workspace.labelled.image_names
        return self.workspace.test_names_of(self.images)

    def _files(self, split: str) -> list[ChipFile]:
        if split not in self._paths:  # looking through a folder of 40,000 takes half a second
            self._paths[split] = self.workspace.layout.locate(self.images, split, self.names(split))
        return self._paths[split]

    def cache(self, split: str) -> ChipCache:
        """Return the decoded chips of a split, decoding what is missing; those of the part that takes the largest."""
        if self.parts:
            return max(self.parts, key=lambda part: part.inputs.size).cache(split)
        key = split, self.inputs.size
        if key not in self._caches:
            self._caches[key] = self._open(split)
        return self._caches[key]

    def _open(self, split: str) -> ChipCache:
        names, files, size = self.names(split), self._files(split), self.inputs.size
        root, skip = self.workspace.cache, self.skip_broken
        return open_cache(root, split, names, files, self.images, size, skip_broken=skip)

    def chips(self, split: str) -> Chips:
        """Return the chips of a split as a source of batches."""
        cache, size = self.cache(split), batch_size_for(self.recipe.input_size)
        span = Span.of(cache.dtype, self.inputs.low, self.inputs.high)
        return Chips(cache, columns_of(self.recipe, self.images), size, span)

    @functools.cached_property
    def parts(self) -> list[Sources]:
        """The chips as each part of a joint recipe takes them by itself; none of one that is not joint."""
        if not self.recipe.parts:
            return []
        shared = self.skip_broken, self._paths, self._caches, self.elsewhere
        return [Sources(self.workspace, part, *shared) for part in self.recipe.of_parts]

    def _beside(self, split: str, views: Sequence[str]) -> FeatureBank:
        names = self.cache(split).names
        if any(part.cache(split).names != names for part in self.parts):
            raise UserError(
                f"The chips of {split} changed while those of the parts of {self.recipe.backbone} were decoded. Run it "
                "again."
            )
        return FeatureBank.beside([part.bank(split, views) for part in self.parts])

    @functools.cached_property
    def extractor(self) -> keras.Model:
        """The recipe's frozen backbone with its pooling."""
        return build_extractor(self.recipe, self.inputs)

    def bank(self, split: str, views: Sequence[str], recipe: Recipe | None = None) -> FeatureBank:
        """Return the features of a split's chips under some views, computing what is missing.

        Args:
            split: "train" or "test".
            views: the views asked for.
            recipe: a variant of the recipe with another backbone or input size; default: the recipe. Of a joint
                recipe the features of its parts stand side by side, each from the bank that it has for itself.

        Raises:
            UserError: if parts were decoded from other chips.
        """
        if self.parts:
            return self._beside(split, views)
        chips, made_by = self.chips(split), recipe or self.recipe
        root, key = self.workspace.cache / "features", bank_key(made_by, self.inputs, chips)

        def extractor() -> keras.Model:
            return self.extractor if recipe is None else build_extractor(made_by, self.inputs)

        elsewhere = self.elsewhere(made_by, split, chips.cache.digest) if self.elsewhere else None
        return open_bank(root, extractor, key, chips, views, self.kept(made_by), elsewhere)

    def kept(self, recipe: Recipe) -> Kept:
        """Return where the conversion of the backbone of a recipe is kept, that of the chips or a variant of it."""
        return kept_extractor(self.workspace.cache, extractor_key(recipe, self.inputs))

    def rows_made(self, split: str) -> dict[str, int]:
        """Return by view how many chips of a split have features already, by a recipe that is not joint."""
        chips = self.chips(split)
        key = bank_key(self.recipe, self.inputs, chips)
        return rows_made(self.workspace.cache / "features", key, len(chips.cache))
