"""The sanity probe: are features worth more than the mean colours of the chips?

A wrong mean, other units or swapped bands break the features of a network without a word. So a small ridge probe is
fitted to the features of some chips and to their bands' means and deviations, and what a network is given is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from competition.common.progress import reporter
from competition.common.text import counted
from competition.metrics.ranking import average_precision, macro, precision_influence
from models.recipes.values import FILE

if TYPE_CHECKING:  # their modules import Keras
    from competition.workspace import Workspace
    from models.graphs.pixels import Pixels
    from models.inputs.sources import Sources
    from models.recipes.recipe import Recipe

CHIPS = 500  # spread evenly over the labelled ones
FEWEST, CARRIED = 100, 10  # chips, and chips with and without a label, below which nothing can be said
PENALTIES = 10.0 ** np.arange(-3, 4)  # as shares of the features' mean square
PARTS = 5
FAR_MEAN, NARROW, WIDE = 2.5, 0.25, 4.0  # means and deviations that few networks are given
DOUBT = "Look at --mean and --deviation (in 0 to 1), at the order of --bands, and at the weights."


@dataclass(frozen=True)
class Probe:
    """What the probe found.

    Attributes:
        chips: number of chips.
        labels: number of labels that could be judged.
        features: mean average precision of a probe on the features, cross-validated.
        colours: the same on mean colours.
        error: standard error of the difference of the two.
        doubts: a line for each sign that the network is given something else than it expects.
    """

    chips: int
    labels: int
    features: float
    colours: float
    error: float
    doubts: list[str] = field(default_factory=list)

    @property
    def is_better(self) -> bool:
        """Whether the features are worth more than mean colours, by more than two errors."""
        return self.features - self.colours > 2 * self.error

    def text(self) -> str:
        """Return what was found, a line each."""
        found = (
            f"Sanity probe on {counted(self.chips, 'chip')} and {counted(self.labels, 'label')}: mean average "
            f"precision {self.features:.3f} by the features, {self.colours:.3f} by mean colours (difference ± "
            f"{self.error:.3f})."
        )
        worse = [] if self.is_better else [f"The features are no better than mean colours. {DOUBT}"]
        return "\n".join([found, *worse, *self.doubts])


def probe_features(workspace: Workspace, recipe: Recipe, *, skip_broken: bool = False) -> Probe | None:
    """Return what the probe finds of the features of a model whose bank is filled; None where too little is labelled.

    Args:
        workspace: the chips.
        recipe: of the model.
        skip_broken: leave broken chips out, instead of stopping.
    """
    from models.inputs.sources import Sources

    sources = Sources(workspace, recipe, skip_broken)
    chips, task = sources.chips("train"), recipe.task(workspace.competition)
    positions = np.unique(np.linspace(0, len(chips.cache) - 1, min(CHIPS, len(chips.cache))).astype(np.int64))
    row = {name: number for number, name in enumerate(workspace.labelled.image_names)}
    truth = workspace.labelled.truth[[row[chips.cache.names[position]] for position in positions]][:, task.columns]
    carried = truth.sum(axis=0)
    truth = truth[:, (carried >= CARRIED) & (len(truth) - carried >= CARRIED)]
    if len(truth) < FEWEST or not truth.shape[1]:
        return None
    # Matrices as small as these are no work for several threads, which on a busy machine wait for each other.
    with reporter.busy("probing the features"), threadpool_limits(1, user_api="blas"):
        seen = chips.read(positions)
        features = sources.bank("train", ("identity",)).read(positions)
        by_features = probed(features, truth)
        by_colours = probed(colours_of(seen), truth)
        doubts = _doubts(sources, positions, truth)
    difference, error = compared(truth, by_features, by_colours)
    colours = macro(average_precision(truth, by_colours))
    return Probe(len(truth), truth.shape[1], colours + difference, colours, error, doubts)


def _doubts(sources: Sources, positions: NDArray[np.int64], truth: NDArray[np.bool_]) -> list[str]:
    """Return the signs that a network that others made is given something else; of several each says whose it is."""
    names = sources.recipe.backbone.split(",") if sources.parts else [""]
    found = []
    for name, each in zip(names, sources.parts or [sources], strict=True):
        if each.recipe.of_graph:
            seen, features = each.chips("train").read(positions), each.bank("train", ("identity",)).read(positions)
            lines = [*of_pixels(each, seen), *of_others(each, seen, truth, features)]
            found += [f"{name}: {line}" if name else line for line in lines]
    return found


def colours_of(chips: NDArray[Any]) -> NDArray[np.float32]:
    """Return mean and deviation of each band of chips (num_chips, height, width, num_bands)."""
    values = chips.astype(np.float32)
    return np.concatenate([values.mean(axis=(1, 2)), values.std(axis=(1, 2))], axis=1)


def probed(features: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return scores of chips by ridge regressions that did not learn from them, with the penalty that does best.

    Args:
        features: array (num_chips, num_features).
        truth: bool array (num_chips, num_labels).

    Returns:
        Float64 array (num_chips, num_labels).
    """
    values = features.astype(np.float64)
    values = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    products = values @ values.T / values.shape[1]  # of chips, as there are more features than these
    scores = np.zeros((len(PENALTIES), *truth.shape))
    part_of = np.arange(len(truth)) % PARTS
    for part in range(PARTS):
        learnt, held = part_of != part, part_of == part
        mean = truth[learnt].mean(axis=0)
        strength, axes = np.linalg.eigh(products[np.ix_(learnt, learnt)])
        turned, answers = products[np.ix_(held, learnt)] @ axes, axes.T @ (truth[learnt] - mean)
        for number, penalty in enumerate(PENALTIES):
            scores[number, held] = mean + turned @ (answers / (np.maximum(strength, 0) + penalty)[:, None])
    reached = [macro(average_precision(truth, each)) for each in scores]
    return scores[int(np.argmax(reached))]


def compared(truth: NDArray[np.bool_], scores: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[float, float]:
    """Return by how much the mean average precision of some scores is higher than that of others, and its error."""
    influence = [
        np.mean([precision_influence(truth[:, [k]], each[:, [k]]) for k in range(truth.shape[1])], axis=0)
        for each in (scores, others)
    ]
    difference = macro(average_precision(truth, scores)) - macro(average_precision(truth, others))
    return difference, float(np.std(influence[0] - influence[1]) / np.sqrt(len(truth)))


def of_pixels(sources: Sources, chips: NDArray[Any]) -> list[str]:
    """Return a line where the recipe's moments leave bands far from what networks are trained with."""
    if not (pixels := pixels_of(sources)):
        return []
    given = chips.astype(np.float32) * pixels.scale + pixels.offset
    mean, deviation = given.mean(axis=(0, 1, 2)), given.std(axis=(0, 1, 2))
    if (np.abs(mean) <= FAR_MEAN).all() and ((deviation >= NARROW) & (deviation <= WIDE)).all():
        return []
    means, deviations = (", ".join(f"{number:.2g}" for number in each) for each in (mean, deviation))
    return [
        f"The network is given bands of mean {means} and deviation {deviations}, where most expect about 0 and 1. "
        "Look at --mean and --deviation, which are in 0 to 1, unless its authors ask for these, as Caffe's do, or it "
        "standardises by itself."
    ]


def of_others(
    sources: Sources, chips: NDArray[Any], truth: NDArray[np.bool_], features: NDArray[np.floating[Any]]
) -> list[str]:
    """Return a line for each other way of being given the chips with which a network of a file or of timm does better.

    Measured with ImageNet's MobileNetV2 at 96 px on 500 real chips: against their own moments it loses .036 ± .017
    without the mean that it expects and .039 ± .018 without mean and deviation, and with both .004 ± .021, of which
    nothing is said. What its first batch normalisation is given against what it learnt says less: it was closer with
    swapped bands and another network's moments than with its own.
    """
    recipe, runner = sources.recipe, sources.extractor.runner(chips[:8])

    def better(given: NDArray[Any]) -> str:
        parts = np.array_split(given.astype(np.float32), len(given) // 50 + 1)
        made = np.concatenate([runner(np.ascontiguousarray(part)) for part in parts])
        difference, error = compared(truth, probed(made, truth), probed(features, truth))
        return f"the network does better, by {difference:.3f} ± {error:.3f}" if difference > 2 * error else ""

    found = []
    # Bands that timm's networks are given find their filters by name, in whatever order.
    if recipe.backbone == FILE and chips.shape[-1] == 3 and (by := better(chips[..., ::-1])):
        order = ",".join(recipe.band_names[::-1])
        found.append(
            f"With its bands in the opposite order {by}: it may expect --bands "
            f"{order.replace(',', '') if len(order) == 5 else order}, with --mean and --deviation in that order."
        )
    if pixels := pixels_of(sources):
        own = (chips - chips.mean(axis=(0, 1, 2))) / np.maximum(chips.std(axis=(0, 1, 2)), 1e-9)
        if by := better((own - pixels.offset) / pixels.scale):
            found.append(
                f"With the chips' own mean and deviation {by}. Look at --mean and --deviation, which are in 0 to 1, or "
                "give --mean own."
            )
    return found


def pixels_of(sources: Sources) -> Pixels | None:
    """Return what is done to pixels where the recipe gives mean and deviation; None where they are found otherwise."""
    from models.graphs.pixels import Pixels

    mean, deviation = sources.recipe.mean, sources.recipe.deviation
    if not sources.recipe.of_graph or isinstance(mean, str) or isinstance(deviation, str) or not (mean and deviation):
        return None
    return Pixels.of(sources.recipe, sources.inputs, mean, deviation)
