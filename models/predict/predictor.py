"""What scores chips, whatever it was read from: a model of a workspace, or an exported file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.common.files import digest_json
from competition.common.progress import reporter
from competition.common.text import counted
from competition.index.chip_index import Ids
from competition.spec.images import ImageSet
from competition.spec.metric import SCORES
from competition.task import Task
from models.networks.input_spec import Inputs
from models.predict.chip_files import ChipFiles, Paths, Where, chips_in, where_of
from models.predict.predictions import Predictions, predict_files
from models.predict.scorer import Scorer
from models.recipes.recipe import Recipe

if TYPE_CHECKING:
    from competition.scenes.values import ChipValues


@dataclass(frozen=True)
class LearntFrom:
    """The chips that a model has learnt from, as far as what is cut from scenes must be like them.

    Attributes:
        pixels: along the longer side of their files; None where nobody knows.
        values: of their bands, as the networks take them.
    """

    pixels: int | None
    values: ChipValues

    @classmethod
    def known_by(cls, inputs: Inputs, dtype: str) -> LearntFrom:
        """Return what is known where the chips are gone: what stands for 0 and for 255."""
        from competition.scenes.values import ChipValues

        return cls(None, ChipValues.of_range(dtype, tuple(inputs.bands), inputs.low, inputs.high))


@dataclass(frozen=True)
class Predictor:
    """What scores chips.

    Attributes:
        model: its name.
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
        learnt_from: looks what the chips were that it has learnt from.
        cuts: float array (num_labels,) that came with it; None where they are kept in its workspace.
    """

    model: str
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
    learnt_from: Callable[[], LearntFrom]
    cuts: NDArray[np.float64] | None = None

    @property
    def digest(self) -> str:
        """Digest of `key`."""
        return digest_json(dict(self.key))

    def chips_in(self, where: Where) -> Iterator[tuple[str, Paths]]:
        """Yield the chips in a folder or a place by id, sorted, see `chips_in`."""
        return chips_in(where, self.images, self.ids)

    def files(self, where: Where, found: Mapping[str, Paths], *, skip_broken: bool) -> ChipFiles:
        """Return files of chips in a folder or a place, to be decoded as the networks take them."""
        dtype = np.dtype(self.dtype)
        return ChipFiles(where, found, self.images, self.recipe, self.inputs, dtype, skip_broken)

    def decided_by(self, cuts: NDArray[np.float64]) -> str:
        """Return the line that says from which scores on labels are decided.

        Args:
            cuts: float array (num_labels,), NaN for labels that are not scored.
        """
        competition, task = self.task.competition, self.task
        used = cuts[list(task.columns)]
        if task.is_whole and competition.is_multi_class:
            return "Tags: the one label of the highest score."
        low, high = f"{used.min():.3g}", f"{used.max():.3g}"
        line = f"Tags: every label from a score of {low if low == high else f'its own, {low} to {high}'}"
        line += ", one of every exclusive group" if task.is_whole and competition.exclusive else ""
        if competition.metric.judges == SCORES:
            line += f". {competition.metric.title} judges scores, for which no cut is right: this one is a mere half"
        return f"{line}."


def under(predictor: Predictor, views: Sequence[str]) -> Predictor:
    """Return a predictor whose scores are averaged over other views."""
    said = f"{predictor.said.rpartition(', ')[0]}, {counted(len(views), 'view')}"
    return replace(predictor, views=views, said=said)


def predict_chips(predictor: Predictor, images: str | Path, *, skip_broken: bool = False) -> Predictions:
    """Return the scores of every chip in a folder or at a URL.

    Raises:
        UserError: if it holds no chips that the predictor can take.
    """
    where = where_of(images)
    files = predictor.files(where, dict(predictor.chips_in(where)), skip_broken=skip_broken)
    reporter.say(f"Scoring {counted(len(files.files), 'chip')} with {predictor.said}.")
    return predict_files(predictor.scorer(files.sample()), files, predictor.views, predictor.task)
