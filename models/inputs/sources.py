"""Where the chips of a recipe come from: files, chip caches and feature banks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import scratch_folder
from competition.common.interrupts import check
from competition.common.progress import reporter
from competition.data.chip_cache import ChipCache, open_cache
from competition.data.chips import probe
from competition.index.chip_index import ChipFile
from competition.spec.images import ImageSet
from competition.workspace import Workspace
from folds.store.pseudo_labels import TEST, PseudoLabels
from models.backend.devices import batch_size_for
from models.graphs.extractor import Extractor, JointExtractor, KerasExtractor
from models.graphs.made import made_graph
from models.inputs.augment import Span
from models.inputs.batches import Chips
from models.inputs.extractors import extractor_key, kept_extractor
from models.inputs.feature_bank import FeatureBank, Maker, array_of, bank_key, open_bank, rows_made
from models.networks.backbones import build_extractor
from models.networks.input_spec import Inputs, columns_of
from models.recipes.recipe import Recipe
from models.recipes.values import NONE

# Given a recipe, a split and the digest of its chips, returns what makes their features.
Elsewhere = Callable[[Recipe, str, str], Maker]
SAMPLED = 8  # chips, spread evenly, on which a graph is held against what it was made of: the first may be alike
MOMENTS_OF = 2000  # chips at most, spread evenly, whose mean and deviation are the training chips' own
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
        """What the network is given."""
        if not self.recipe.by_own_moments:
            return self._of_files
        mean, deviation = moments(self.chips("train"), self._of_files)
        return replace(self._of_files, mean=mean, deviation=deviation)

    @functools.cached_property
    def _of_files(self) -> Inputs:
        """What one file tells of it. Chips are kept no larger than they are: networks enlarge them.

        Parts that take chips of several sizes shrink the same chips, which are larger: shrunk twice they would not be
        those whose features a part's bank holds.
        """
        kind, largest = probe(self._files("train"), self.images), max(size for size, _ in self.recipe.stages)
        if len({part.inputs.size for part in self.parts}) > 1:
            largest *= LARGER
        return Inputs.of(self.recipe, self.images, kind.dtype, min(largest, kind.size))

    def names(self, split: str) -> tuple[str, ...]:
        """Return the ids of the labelled chips ("train"), of those to predict ("test") or of "further" ones."""
        if split == "train":
            return self.workspace.labelled.image_names
        if split == "further":
            return self._further
        return self.workspace.test_names_of(self.images)

    @functools.cached_property
    def _further(self) -> tuple[str, ...]:
        return self.workspace.further_names_of(self.images)

    @property
    def unlabelled(self) -> list[str]:
        """The splits of chips without labels of which there are any."""
        return [split for split in ("test", "further") if self.names(split)]

    def _files(self, split: str) -> list[ChipFile]:
        if split not in self._paths:  # looking through a folder of 40,000 takes half a second
            self._paths[split] = self.workspace.layout.locate(self.images, split, self.names(split))
        return self._paths[split]

    def cache(self, split: str) -> ChipCache:
        """Return the decoded chips of a split, decoding what is missing; those of the part that takes the largest."""
        if self.parts:
            return max(self.parts, key=lambda part: part.inputs.size).cache(split)
        key = split, self._of_files.size
        if key not in self._caches:
            self._caches[key] = self._open(split)
        return self._caches[key]

    def _open(self, split: str) -> ChipCache:
        names, files, size = self.names(split), self._files(split), self._of_files.size
        root, skip = self.workspace.cache, self.skip_broken
        return open_cache(root, split, names, files, self.images, size, skip_broken=skip)

    def chips(self, split: str) -> Chips:
        """Return the chips of a split as a source of batches."""
        return self._as_source(self.cache(split))

    @functools.cached_property
    def learns_unlabelled(self) -> bool:
        """Whether chips without labels are learnt from too: where the recipe's pseudo-labels are of these.

        Raises:
            UserError: if there are none of that name, or they are damaged.
        """
        name = self.recipe.pseudo
        return name != NONE and PseudoLabels.open(self.workspace, name).made.of == TEST

    def chips_to_learn(self) -> Chips:
        """Return the labelled chips, and behind them those without labels where some of these have pseudo-labels."""
        splits = self.unlabelled if self.learns_unlabelled else []
        chips = [self.chips(split) for split in ("train", *splits)]
        return functools.reduce(lambda behind, these: these.followed_by(behind), reversed(chips))

    def bank_to_learn(self, views: Sequence[str], recipe: Recipe | None = None) -> FeatureBank:
        """Return the features of the chips of `chips_to_learn`; the arguments are those of `bank`."""
        splits = self.unlabelled if self.learns_unlabelled else []
        banks = [self.bank(split, views, recipe) for split in ("train", *splits)]
        return functools.reduce(lambda behind, these: these.followed_by(behind), reversed(banks))

    def _as_source(self, cache: ChipCache) -> Chips:
        span = Span.of(cache.dtype, self._of_files.low, self._of_files.high)
        return Chips(cache, columns_of(self.recipe, self.images), batch_size_for(self.recipe.input_size), span)

    def sample(self, many: int) -> NDArray[Any]:
        """Return some labelled chips, spread evenly and decoded for this alone: to see whether a network takes them."""
        every, size = self.names("train"), self._of_files.size
        rows = np.unique(np.linspace(0, len(every) - 1, many).astype(int))
        names, files = ([each[row] for row in rows] for each in (every, self._files("train")))
        with scratch_folder() as folder, reporter.silent():
            cache = open_cache(folder, "train", names, files, self.images, size, skip_broken=True)
            chips = np.array(self._as_source(cache).read(np.arange(len(cache))))
            del cache  # Windows does not remove files that are mapped
        return chips

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
    def extractor(self) -> Extractor:
        """The recipe's frozen backbone with its pooling."""
        return self._extractor_of(self.recipe)

    def _extractor_of(self, recipe: Recipe) -> Extractor:
        if self.parts and recipe.of_graph:
            sizes = [part.inputs.size for part in self.parts]
            return JointExtractor([part.extractor for part in self.parts], sizes, self.inputs)
        key = extractor_key(recipe, self.inputs)
        if recipe.of_graph:
            return made_graph(recipe, self.inputs, key, self.workspace.cache, self.sample(SAMPLED))
        return KerasExtractor(lambda: build_extractor(recipe, self.inputs), kept_extractor(self.workspace.cache, key))

    def bank(self, split: str, views: Sequence[str], recipe: Recipe | None = None) -> FeatureBank:
        """Return the features of a split's chips under some views, computing what is missing.

        Args:
            split: "train", "test" or "further".
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

        def extractor() -> Extractor:
            return self.extractor if recipe is None else self._extractor_of(recipe)

        elsewhere = self.elsewhere(made_by, split, chips.cache.digest) if self.elsewhere else None
        return open_bank(root, extractor, key, chips, views, elsewhere)

    def rows_made(self, split: str) -> dict[str, int]:
        """Return by view how many chips of a split have features already, by a recipe that is not joint."""
        chips = self.chips(split)
        key = bank_key(self.recipe, self.inputs, chips)
        return rows_made(self.workspace.cache / "features", key, len(chips.cache))

    def arrays(self, split: str, view: str) -> list[Path]:
        """Return where the features of a split's chips under a view lie within the workspace, those of each part."""
        if self.parts:
            return [path for part in self.parts for path in part.arrays(split, view)]
        key = bank_key(self.recipe, self.inputs, self.chips(split))
        return [array_of(self.workspace.cache / "features", key, view)]


def moments(chips: Chips, inputs: Inputs) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each band over chips, in 0 to 1 from the band's `low` to its `high`.

    Raises:
        UserError: if a band has one value everywhere.
    """
    count = len(chips.cache)
    positions = _spread(MOMENTS_OF, count)
    low = np.array(inputs.low)
    span = np.array(inputs.high) - low
    sums = np.zeros((2, len(low)))
    for start in range(0, len(positions), chips.batch_size):
        check()
        block = (chips.read(positions[start : start + chips.batch_size]) - low) / span
        sums += [(block**power).mean(axis=(1, 2)).sum(axis=0) for power in (1, 2)]
    mean, square = sums / len(positions)
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    if not (deviation > 1e-6).all():
        raise UserError("A band of the training chips has one value everywhere: it has no deviation of its own.")
    return tuple(mean.round(6).tolist()), tuple(deviation.round(6).tolist())


def _spread(most: int, count: int) -> NDArray[np.int64]:
    """Return the positions of some among `count` chips, spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
