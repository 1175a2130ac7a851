"""Telling chips to predict from labelled ones by their features, each by a classifier that has not seen it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.linear.fit import fit_linear
from models.recipes.recipe import Recipe
from models.shift.both import AS_THEY_ARE, Both

AT_ONCE = 4096  # chips


def told_apart(both: Both, recipe: Recipe) -> NDArray[np.float64]:
    """Return the log odds (num_chips,) of being to predict, by logistic regressions on standardised features.

    Cross-fitted: each chip's come from a regression on the chips of the other folds, whose penalty is chosen there.

    Args:
        both: the chips.
        recipe: of the model whose features they are; its own head and loss play no part.
    """
    numbers = np.unique(both.folds).tolist()
    how = replace(recipe, solver="logistic", augment=())
    heads = fit_linear(both.bank, both.is_test[:, None], both.folds, numbers, how)
    found = np.empty(len(both.names))
    for fold, (kernel, bias) in zip(numbers, heads, strict=True):
        held = np.flatnonzero(both.folds == fold)
        for start in range(0, len(held), AT_ONCE):
            rows = held[start : start + AT_ONCE]
            found[rows] = (both.bank.under(AS_THEY_ARE, rows) @ kernel + bias)[:, 0]
    return found
