"""Telling chips to predict from labelled ones by their features, each by a classifier that has not seen it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from competition.common.interrupts import check
from competition.common.progress import reporter
from models.inputs.feature_bank import FeatureBank
from models.inputs.fill_banks import AS_THEY_ARE
from models.linear.fit import fit_linear
from models.linear.gram import summed
from models.recipes.recipe import Recipe
from models.shift.both import Both

AT_ONCE = 4096  # chips
COMPONENTS = 64  # to which features are reduced
SPREAD_OF = 20_000  # chips at most, of which the components are those
STEADY, LEAST = 1e-3, 1e-6  # added to deviations; share of the features' variance that a component has at least


def told_apart(
    components: NDArray[np.float16], is_test: NDArray[np.bool_], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the log odds (num_chips,) of being to predict, by logistic regressions.

    Cross-fitted: each chip's come from a regression on the chips of the other folds, whose penalty is chosen there.

    Args:
        components: float array (num_chips, num_components), what `reduced` returns.
        is_test: bool array (num_chips,), whether a chip is to be predicted.
        folds: int array (num_chips,).
    """
    bank = FeatureBank(components.shape[1], {AS_THEY_ARE: (components,)})
    numbers = np.unique(folds).tolist()
    # Of a recipe, solver, views and seed play a part; those of the model whose features these are do not.
    how = Recipe(backbone="MobileNetV2", solver="logistic", dense=(), augment=())
    heads = fit_linear(bank, is_test[:, None], folds, numbers, how)
    found = np.empty(len(folds))
    for fold, (kernel, bias) in zip(numbers, heads, strict=True):
        held = np.flatnonzero(folds == fold)
        found[held] = (bank.under(AS_THEY_ARE, held) @ kernel + bias)[:, 0]
    return found


def reduced(both: Both) -> NDArray[np.float16]:
    """Return the first principal components (num_chips, num_components) of standardised features, of variance 1.

    They know nothing of which chips are to be predicted, and are those of all chips. More of them fit chance: of
    made-up shifts of planet32, with 2,192 features, 64 found an area of .537, .556 and .565 where 512 found .532, .537
    and .554, and all of them .529, .544 and .556 (`tests/benchmarks/bench_shift.py`).

    Args:
        both: the chips.
    """
    with reporter.busy("reducing features"):
        return _components(both)


def _components(both: Both) -> NDArray[np.float16]:
    count = len(both.names)
    chosen = np.unique(np.linspace(0, count - 1, min(count, SPREAD_OF)).astype(np.int64))
    sums = summed((features, both.is_test[rows, None]) for rows, features in _read(both, chosen))
    scale = np.sqrt(np.maximum(np.diagonal(sums.products), 0) / sums.count) + STEADY
    spread = sums.products / (sums.count * np.outer(scale, scale))
    size = len(spread)
    wanted = min(COMPONENTS, size)
    variance, axes = eigh(spread, subset_by_index=(size - wanted, size - 1))
    axes = axes / np.sqrt(np.maximum(variance, LEAST * size))
    kernel = (axes / scale[:, None]).astype(np.float32)
    bias = (sums.mean @ kernel).astype(np.float32)
    made = np.empty((count, wanted), dtype=np.float16)
    for rows, features in _read(both, np.arange(count)):
        made[rows] = features @ kernel - bias
    return made


def _read(both: Both, positions: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    for start in range(0, len(positions), AT_ONCE):
        check()
        rows = positions[start : start + AT_ONCE]
        yield rows, both.bank.under(AS_THEY_ARE, rows)
