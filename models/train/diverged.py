"""Training that went wrong: its loss explodes, also without becoming NaN, and nothing but noise is learnt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from competition.common.text import counted
from competition.metrics.judge import measure
from folds.store.alone import model_and_fold
from models.heads.losses import head_loss
from models.recipes.recipe import Recipe
from models.runs.folders import seed_folders
from models.runs.training_state import DivergedError, state_of

if TYPE_CHECKING:
    from models.inputs.examples import Examples

# By how much the losses must exceed that of scores that are each label's share, for all chips the same. Heads of all
# losses at rates of .001 to .1, after one epoch or three, were at .6 to 1.25 times it; at 1 to 100, of those that judge
# each label, mostly at 5 to 21 times. A network on large features that 24 chips taught nothing began at 4 times, and
# stayed there. A network's loss has no upper bound, and is soon at thousands.
TIMES, APART = 5.0, 0.2
BEYOND_DOUBT = 100.0  # times it: whatever the metric
LEAST = 0.05  # of the way from the metric of the shares to a perfect one, which clears a network of the suspicion


def check_learnt(folder: Path, recipe: Recipe, examples: Examples) -> None:
    """Refuse networks of a job that have not learnt but diverged.

    They have if, in the epoch that is kept and in the last one, the loss of the chips learnt and that of those held out
    are both far above what the labels' shares alone give, and the metric is hardly better than theirs. A weak network
    is none of that: it begins at the shares. Few epochs, few chips or rare labels leave it near them, one that has
    learnt its chips by heart has a low loss on those, and one that began far off comes down, whichever epoch the metric
    prefers. A soft F-beta alone has no loss above 1, by which it could be told.

    Args:
        folder: of the job, whose networks are trained.
        recipe: of them.
        examples: the chips that they learnt from and those held out.

    Raises:
        DivergedError: naming the first that has.
    """
    expected, enough = _by_shares(recipe, examples)
    for number, network in enumerate(seed_folders(folder, recipe)):
        state = state_of(network)
        kept, sign = state.history[state.best], examples.task.metric.sign
        least, in_the_end = (
            min(epoch.loss, epoch.heldout_loss) if np.isfinite(epoch.loss + epoch.heldout_loss) else np.inf
            for epoch in (kept, state.history[-1])
        )
        is_far = min(least, in_the_end) > max(TIMES * expected, expected + APART)
        if least > BEYOND_DOUBT * expected or (is_far and sign * kept.heldout_metric < sign * enough):
            which = f" of seed {number + 1}" if number else ""
            what = (
                f"The best epoch{which}, {state.best + 1} of {state.epochs}, has a loss of {kept.heldout_loss:.3g} "
                f"({kept.loss:.3g} on the chips learnt), where each label's share alone gives {expected:.3g}"
            )
            raise _diverged(what, folder, recipe)


def check_scores(scores: NDArray[np.float32], folder: Path, recipe: Recipe) -> None:
    """Refuse scores (num_chips, num_labels) of a job that are no numbers.

    Raises:
        DivergedError: if some are not.
    """
    if broken := int((~np.isfinite(scores)).any(axis=1).sum()):
        raise _diverged(f"The scores of {counted(broken, 'chip')} are no numbers", folder, recipe)


def _by_shares(recipe: Recipe, examples: Examples) -> tuple[float, float]:
    """Return the loss of what judges epochs, by scores that are the labels' shares, and a metric better than so."""
    loss, metric = head_loss(recipe, examples.task, examples.training_truth), examples.task.metric
    truth = examples.truth[examples.judged]
    shares = loss.scores(np.tile(examples.priors(recipe).among_chips, (len(truth), 1)))
    reached = measure(truth, examples.task.answers(shares), metric)
    perfect = 1.0 if metric.sign > 0 else 0.0
    return float(loss.values(truth, shares).mean()), reached + LEAST * (perfect - reached)


def _diverged(what: str, folder: Path, recipe: Recipe) -> DivergedError:
    rate = recipe.learning_rate if recipe.solver == "gradient" else 0.0
    return DivergedError(what, rate, *model_and_fold(folder))
