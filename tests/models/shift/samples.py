"""Labelled chips and others with features of their own, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.inputs.feature_bank import FeatureBank
from models.shift.both import Both


def bank_of(features: NDArray[Any]) -> FeatureBank:
    """Return a bank of features as they are."""
    return FeatureBank(features.shape[1], {"identity": (features.astype(np.float16),)})


def both_of(ours: NDArray[Any], theirs: NDArray[Any], k: int = 3, names: tuple[str, ...] = ()) -> Both:
    """Return labelled chips and those to predict with some features, dealt to k folds."""
    count = len(ours) + len(theirs)
    is_test = np.arange(count) >= len(ours)
    names = names or tuple(f"{'test' if test else 'train'}_{row}" for row, test in enumerate(is_test))
    return Both(bank_of(ours).followed_by(bank_of(theirs)), names, is_test, np.arange(count) % k, ())
