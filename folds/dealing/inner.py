"""A part of the chips that a fold learns from, set aside to judge epochs by, so that those held out have no say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from folds.dealing.stratify import grouped_stratified_folds, stratified_folds

PARTS = 10  # of which one is set aside: on Planet's scale its metric is uncertain by .003, and few chips are lost


def inner_split(truth: NDArray[np.bool_], groups: Sequence[Any] | None, seed: int) -> NDArray[np.bool_]:
    """Return which chips are set aside: a tenth, with its share of every label.

    Args:
        truth: bool array (num_chips, num_labels) of the chips that a fold learns from.
        groups: the group of each chip (num_chips,), which stays whole; None: each stands for itself.
        seed: 0 to 2**32 - 1.

    Returns:
        Bool array (num_chips,); some chips are set aside, and some are not.

    Raises:
        UserError: if there is nothing to divide.
    """
    many = len(truth) if groups is None else len(set(groups))
    if many < 2:
        what = "chip" if groups is None else "group"
        raise UserError(f"--monitor inner divides the chips to learn from, but they are one {what}. Leave it out.")
    k = min(PARTS, many)
    parts = stratified_folds(truth, k, seed) if groups is None else grouped_stratified_folds(truth, groups, k, seed)
    return parts == 0
