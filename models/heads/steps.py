"""Steps of an optimiser over a flat buffer of weights: AdamW and Nesterov's momentum, as Keras makes them."""

from __future__ import annotations

import math

import numpy as np

from models.heads.stack import Each, Floats, one_by_one
from models.recipes.recipe import Recipe

MOMENTUM, FIRST, SECOND, EPSILON = 0.9, 0.9, 0.999, 1e-7  # Keras' own
CHUNK = 2**16  # weights stepped at once: with their moments they stay in a core's cache


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0: what `RisingRate` in networks/optimizers.py gives."""
    last = recipe.epochs * steps_per_epoch
    rising = min(round(recipe.warmup * steps_per_epoch), last - 1)
    rate = recipe.learning_rate * min((step + 1) / max(rising, 1), 1.0)
    if recipe.schedule == "constant":
        return rate
    share = min(max((step - rising) / (last - rising), 0.0), 1.0)
    return rate * 0.5 * (1 + math.cos(math.pi * share))


def num_slots(recipe: Recipe) -> int:
    """Return how many arrays as large as the weights a recipe's optimiser keeps: moments, and perhaps an average."""
    return (1 if recipe.optimizer == "sgd" else 2) + (recipe.ema > 0)


class Steps:
    """The steps of a recipe's optimiser, in one pass over the weights.

    Sources: Kingma and Ba, ICLR 2015; Loshchilov and Hutter, ICLR 2019, for the decay of kernels, a share of the
    learning rate. Adam's moments are kept without the factors (1 - beta), which go into the rate.

    Args:
        recipe: optimiser, rate, schedule, decay and averages.
        steps_per_epoch: for the schedule.
        num_decayed: how many weights, the first ones, decay.
        each: does some work on each of some chunks, at once if it can.
    """

    def __init__(self, recipe: Recipe, steps_per_epoch: int, num_decayed: int, each: Each = one_by_one) -> None:
        self.recipe, self.steps_per_epoch, self.num_decayed, self.each = recipe, steps_per_epoch, num_decayed, each

    def rate(self, taken: int) -> float:
        """Return the learning rate after so many steps."""
        return learning_rate(self.recipe, taken, self.steps_per_epoch)

    def take(self, values: Floats, gradients: Floats, slots: Floats, taken: int) -> None:
        """Take one step.

        Args:
            values: the weights (num_weights,), changed in place.
            gradients: by the weights; overwritten.
            slots: (num_slots, num_weights), all 0 before the first step.
            taken: steps taken before.
        """
        recipe, rate = self.recipe, self.rate(taken)
        kept = np.float32(1 - rate * recipe.weight_decay)
        share = np.float32(1 - min(recipe.ema, taken / (taken + 9))) if recipe.ema else None

        def chunk(start: int) -> None:
            part = slice(start, start + CHUNK)
            if kept != 1 and start < self.num_decayed:
                values[start : min(start + CHUNK, self.num_decayed)] *= kept
            if recipe.optimizer == "sgd":
                _nesterov(values[part], gradients[part], slots[0, part], rate)
            else:
                _adam(values[part], gradients[part], slots[0, part], slots[1, part], rate, taken + 1)
            if share is not None:
                slots[-1, part] += share * (values[part] - slots[-1, part])

        self.each(chunk, range(0, len(values), CHUNK))


def _adam(values: Floats, gradients: Floats, first: Floats, second: Floats, rate: float, step: int) -> None:
    corrected = rate * math.sqrt(1 - SECOND**step) / (1 - FIRST**step)
    spread = math.sqrt(1 - SECOND)
    first *= np.float32(FIRST)
    first += gradients
    np.multiply(gradients, gradients, out=gradients)
    second *= np.float32(SECOND)
    second += gradients
    np.sqrt(second, out=gradients)
    gradients += np.float32(EPSILON / spread)
    np.divide(first, gradients, out=gradients)
    gradients *= np.float32(corrected * (1 - FIRST) / spread)
    values -= gradients


def _nesterov(values: Floats, gradients: Floats, momentum: Floats, rate: float) -> None:
    gradients *= np.float32(rate)
    momentum *= np.float32(MOMENTUM)
    momentum -= gradients
    values += np.float32(MOMENTUM) * momentum
    values -= gradients


def clip(gradients: list[Floats], most: float) -> None:
    """Make the gradients of one head, views of its arrays, no longer than `most` together."""
    norm = math.sqrt(sum(float(np.vdot(part, part)) for part in gradients))
    if norm > most:
        for part in gradients:
            np.multiply(part, np.float32(most / norm), out=part)
