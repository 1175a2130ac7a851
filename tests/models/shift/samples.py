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


def both_in_blocks(blocks: int, size: int, shift: float, seed: int) -> Both:
    """Return both sides, of so many blocks each; those to predict lie farther by a shift, and are dealt singly."""
    random = np.random.default_rng(seed)
    width, k = 32, 5

    def side() -> NDArray[np.float64]:
        places = random.normal(size=(blocks, 1, width))
        return (places + random.normal(size=(blocks, size, width))).reshape(-1, width)

    features = np.concatenate([side(), side() + shift * np.eye(width)[0]])
    count, groups = blocks * size, np.repeat(np.arange(blocks), size)
    folds = [random.permutation(np.arange(blocks) % k)[groups], random.permutation(np.arange(count) % k)]
    is_test = np.repeat([False, True], count)
    return Both(bank_of(features), tuple(map(str, range(2 * count))), is_test, np.concatenate(folds), (), groups)
