"""What scores chips, whatever it was read from: a model of a workspace, or an exported file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.progress import reporter
from competition.common.text import counted
from competition.index.chip_index import ChipFile, Ids
from competition.remote.places import Place
from competition.remote.reaching import is_url
from competition.spec.images import ImageSet
from competition.task import Task
from models.networks.input_spec import Inputs
from models.predict.chip_files import ChipFiles, chip_files, chips_at
from models.predict.predictions import Predictions, predict_files
from models.predict.scorer import Scorer
from models.recipes.recipe import Recipe


@dataclass(frozen=True)
class Predictor:
    """What scores chips.

    Attributes:
        said: what it is, as "5 folds of 'resnet50', 8 views".
        key: everything that its scores depend on besides the chips, of values that JSON knows.
        task: the labels that it scores.
        images: the rendering of its chips.
        ids: what the id of a chip is.
        recipe: of its networks.
        inputs: what these are given.
        dtype: data type of the chips' files.
        views: that its scores are averaged over.
        scorer: makes what computes, given some chips as the networks take them.
        cuts: float array (num_labels,) that came with it; None where they are kept in its workspace.
    """

    said: str
    key: Mapping[str, Any]
    task: Task
    images: ImageSet
    ids: Ids
    recipe: Recipe
    inputs: Inputs
    dtype: str
    views: Sequence[str]
    scorer: Callable[[NDArray[Any]], Scorer]
    cuts: NDArray[np.float64] | None = None

    def find(self, images: str | Path) -> tuple[dict[str, ChipFile], Place | None]:
        """Return the chips in a folder, or at a URL, by id, and the place that they are in; None on this machine.

        Raises:
            UserError: if there are none, or they are not to be told apart.
        """
        if is_url(str(images)):
            place = Place.of(str(images))
            return chips_at(place, self.images, self.ids), place
        return chip_files(Path(images), self.images, self.ids), None

    def files(self, found: Mapping[str, ChipFile], place: Place | None, *, skip_broken: bool) -> ChipFiles:
        """Return files of chips, to be decoded as the networks take them."""
        dtype = np.dtype(self.dtype)
        return ChipFiles(found, self.images, self.recipe, self.inputs, dtype, skip_broken, place=place)


def predict_chips(predictor: Predictor, images: str | Path, *, skip_broken: bool) -> Predictions:
    """Return the scores of every chip in a folder or at a URL.

    Raises:
        UserError: if it holds no chips that the predictor can take.
    """
    found, place = predictor.find(images)
    files = predictor.files(found, place, skip_broken=skip_broken)
    reporter.say(f"Scoring {counted(len(found), 'chip')} with {predictor.said}.")
    predictions = predict_files(predictor.scorer(files.sample()), files, predictor.views, predictor.task)
    return replace(predictions, cuts=predictor.cuts)
