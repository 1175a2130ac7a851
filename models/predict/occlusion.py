"""Where trained networks look: what they say of a chip when one place of it after another is hidden.

It asks nothing of a network but scores, so that it holds for every backbone, head, band and backend.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (2014), section 4.2. Their grey square
has edges of its own, which networks take for fields and roads: hiding any place of a chip by one raised the scores of
such labels. So a place is filled with the chip's usual colour under fine texture from elsewhere in it, and fades out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from competition.common.errors import UserError
from competition.index.chip_index import ChipFile
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.backend.devices import batch_size_for
from models.inputs.views import apply_view
from models.predict.load_networks import head_runners, scorer_of
from models.predict.trained_model import Trained

if TYPE_CHECKING:
    from models.predict.scorer import Scorer

CELLS = 8  # of each side of a chip; the places hidden, of two cells each way, lie a cell apart
FADE = 0.25  # of a cell: standard deviation of the edge of a place
FINE = 1 / 16  # of a chip's side: details smaller than about this are its texture
CALM = 2.25  # times its median strength is the most that texture may have, so that no road comes with it
READ_AT_ONCE = 16  # chips


@dataclass(eq=False)
class Hidden:
    """What the networks that did not see a chip say of it when places of it are hidden.

    Attributes:
        name: of the chip.
        scores: float array (num_labels,), of the chip as it is; NaN for labels that are not scored.
        turned: float array (num_views, num_labels), of the chip under the views that its scores are averaged over.
        places: float array (num_places, 4): top, left, bottom and right of each place, as shares of the chip's side.
        hidden: float array (num_places, num_labels), with each place hidden.
    """

    name: str
    scores: NDArray[np.float32]
    turned: NDArray[np.float32]
    places: NDArray[np.float64]
    hidden: NDArray[np.float32]


@dataclass(frozen=True)
class Occlusion:
    """Hides places of the labelled chips of a workspace from the networks of its models."""

    workspace: Workspace

    def __call__(self, model: str, names: Sequence[str]) -> Iterator[Hidden]:
        """Yield what a model's networks say of chips, in their order; chips that cannot be read are left out.

        Args:
            model: its name.
            names: of labelled chips.

        Raises:
            UserError: if it is unknown, has no networks, or a file of them or of the chips is missing or damaged.
        """
        from models.predict.chip_files import ChipFiles

        store = ScoreStore.of(self.workspace)
        trained = Trained.of(self.workspace, store, model)
        recipe, images = trained.recipe, self.workspace.competition.image_set(trained.recipe.images)
        paths, fold = self.workspace.layout.files(images, "train"), _held_out_by(store, trained)
        wanted = {name: _as_text(paths[name]) for name in names if name in paths and name in fold}
        if not wanted:
            raise UserError(f"None of the chips has a file and was held out by a finished fold of '{model}'.")
        files = ChipFiles(Path(), wanted, images, recipe, trained.inputs, np.dtype(trained.dtype), skip_broken=True)
        # All at once, lest a damaged file be found out after half of the chips.
        scorers = _scorers(trained, sorted({fold[name] for name in wanted}), files.sample(), self.workspace.cache)
        for batch in files.batches(READ_AT_ONCE):
            for name, chip in zip(batch.names, batch.chips, strict=True):
                turned = np.concatenate([apply_view(chip[None], view) for view in recipe.test_views])
                said = _scores(scorers[fold[name]], np.concatenate([chip[None], turned, without_places(chip)]))
                as_it_is, by_view, hidden = np.split(trained.task.spread(said), [1, 1 + len(turned)])
                yield Hidden(name, as_it_is[0], by_view, places(), hidden)


def _as_text(file: ChipFile) -> tuple[str, ...]:
    return tuple(map(str, [file] if isinstance(file, Path) else file))


def places() -> NDArray[np.float64]:
    """Return the places (num_places, 4) that are hidden: top, left, bottom and right, as shares of a chip's side.

    Each cell lies within four of them, those at the rim too.
    """
    low, high = _ends().clip(0, 1).T
    tops, lefts = (part.ravel() for part in np.meshgrid(low, low, indexing="ij"))
    bottoms, rights = (part.ravel() for part in np.meshgrid(high, high, indexing="ij"))
    return np.stack([tops, lefts, bottoms, rights], axis=1)


def without_places(chip: NDArray[Any]) -> NDArray[Any]:
    """Return a chip (size, size, num_bands) with each of the places hidden (num_places, size, size, num_bands)."""
    values = chip.astype(np.float32)
    coverage = _coverage(len(chip))[..., None]
    covered = values + coverage * (_filling(values) - values)
    return covered.round().astype(chip.dtype) if chip.dtype.kind in "iu" else covered


def _filling(chip: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what is seen in place of a chip: its usual colour, under texture from the other side of it."""
    size = len(chip)
    texture = chip - gaussian_filter(chip, (FINE * size, FINE * size, 0), mode="reflect")
    most = CALM * np.median(np.abs(texture), axis=(0, 1))
    elsewhere = np.roll(texture, (size // 2, size // 2), axis=(0, 1)).clip(-most, most)
    filling: NDArray[np.float32] = (np.median(chip, axis=(0, 1)) + elsewhere).clip(chip.min(), chip.max())
    return filling


def _ends() -> NDArray[np.float64]:
    """Return where places begin and end along a side (num_steps, 2), also beyond the chip."""
    begins = np.arange(-1, CELLS) / CELLS
    return np.stack([begins, begins + 2 / CELLS], axis=1)


@lru_cache(maxsize=1)
def _coverage(size: int) -> NDArray[np.float32]:
    """Return how far each pixel is hidden with each place, float32 (num_places, size, size) in [0, 1]."""
    centres = (np.arange(size) + 0.5) / size
    low, high = ((centres - end[:, None]) * CELLS / FADE for end in _ends().T)
    along = (ndtr(low) - ndtr(high)).astype(np.float32)
    return (along[:, None, :, None] * along[None, :, None, :]).reshape(-1, size, size)


def _held_out_by(store: ScoreStore, trained: Trained) -> dict[str, int]:
    """Return by chip a finished fold that holds it out: of several repeats the first that there is."""
    found = dict[str, int]()
    for fold in trained.folders:
        held_out = np.flatnonzero(store.table.heldout(fold))
        found = {store.table.image_names[row]: fold for row in held_out} | found
    return found


def _scores(score: Scorer, chips: NDArray[Any]) -> NDArray[np.float32]:
    """Return the scores of chips, as many at once as suit their size."""
    at_once = batch_size_for(chips.shape[1])
    return np.concatenate([score([chips[start : start + at_once]]) for start in range(0, len(chips), at_once)])


def _scorers(trained: Trained, folds: Sequence[int], sample: NDArray[Any], cache: Path) -> dict[int, Scorer]:
    """Return what scores chips with the networks of each fold; they share a frozen backbone."""
    found: dict[int, Scorer] = {}
    for fold in folds:
        folders, other = [trained.folders[fold]], next(iter(found.values()), None)
        if other and other.extractor:
            num_features = other.extractor(sample).shape[-1]
            heads = head_runners(trained.recipe, trained.task, num_features, folders)
            found[fold] = replace(other, networks=heads)
        else:
            extractor = trained.extractor(cache)
            found[fold] = scorer_of(trained.recipe, trained.task, trained.inputs, folders, sample, extractor)
    return found
