"""Gram matrices of features and labels: made once for each part of the chips, added up, and solved.

What is learnt without some fold adds up the sums of the other parts, in their order. It never takes the fold's from
those of all chips: that cancels, and what is left would still depend on the chips that are held out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import ThreadpoolController

from competition.common.interrupts import check

Block = tuple[NDArray[np.float32], NDArray[np.bool_]]  # features (num_rows, num_features), labels
Item = TypeVar("Item")
Result = TypeVar("Result")

EXACT, REFINEMENTS = 1e-8, 10  # largest residual of a solution, and how often it is refined before float64 is taken


@functools.cache
def _blas() -> ThreadpoolController:
    """Return what limits the threads of products; to find it takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")


@dataclass(frozen=True)
class Sums:
    """What least squares needs of some rows; deviations are those from the rows' own mean.

    Attributes:
        count: how many rows.
        mean: float64 array (num_features,).
        frequency: float64 array (num_labels,), the labels' means.
        products: float64 array (num_features, num_features), sums of products of deviations.
        answers: float64 array (num_features, num_labels), sums of products of deviations of features and labels.
    """

    count: int
    mean: NDArray[np.float64]
    frequency: NDArray[np.float64]
    products: NDArray[np.float64]
    answers: NDArray[np.float64]


def summed(blocks: Iterable[Block]) -> Sums:
    """Return the sums over blocks of rows, in float64, of each block's products, in float32.

    Deviations are first taken from the first block's mean, which is close: of features far from 0, float32 would keep
    nothing of their small deviations.

    Raises:
        ValueError: if there are no rows.
    """
    running: _Running | None = None
    for features, truth in blocks:
        check()
        running = running or _Running(features, truth.shape[1])
        running.add(features, truth)
    if running is None:
        raise ValueError("there are no rows to sum over")
    return running.sums()


class _Running:
    """Sums about a centre that is only near the mean.

    Args:
        features: the first rows.
        num_labels: how many labels there are.
    """

    def __init__(self, features: NDArray[np.float32], num_labels: int) -> None:
        size = features.shape[1]
        self.centre = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.products, self.answers = np.zeros((size, size)), np.zeros((size, num_labels))
        self.total, self.carried, self.count = np.zeros(size), np.zeros(num_labels), 0

    def add(self, features: NDArray[np.float32], truth: NDArray[np.bool_]) -> None:
        deviations = features - self.centre
        self.products += deviations.T @ deviations
        self.answers += deviations.T @ truth.astype(np.float32)
        self.total += deviations.sum(axis=0, dtype=np.float64)
        self.carried += truth.sum(axis=0)
        self.count += len(features)

    def sums(self) -> Sums:
        shift, frequency = self.total / self.count, self.carried / self.count
        self.products -= np.outer(self.total, shift)
        self.answers -= np.outer(self.total, frequency)
        return Sums(self.count, self.centre + shift, frequency, self.products, self.answers)


def added(parts: Sequence[Sums]) -> Sums:
    """Return the sums over all rows of some parts, in their order (Chan, Golub and LeVeque 1983)."""
    counts = np.array([part.count for part in parts])
    means, frequencies = (np.stack(arrays) for arrays in zip(*((p.mean, p.frequency) for p in parts), strict=True))
    mean, frequency = counts @ means / counts.sum(), counts @ frequencies / counts.sum()
    weighted = ((means - mean) * counts[:, None]).T
    products, answers = weighted @ (means - mean), weighted @ (frequencies - frequency)
    for part in parts:
        products += part.products
        answers += part.answers
    return Sums(int(counts.sum()), mean, frequency, products, answers)


def narrowed(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return as many features as there are rows that tell the same of them, and the basis they are written in.

    Rows span no more directions than they are many, and a penalised kernel is 0 in the others: the fewer features give
    the same head (Hastie and Tibshirani 2004).

    Args:
        rows: float32 array (num_rows, num_features), at most as many rows as features.

    Returns:
        Features (num_rows, num_rows), and the basis (num_features, num_rows): basis @ their kernel is the rows' kernel.
    """
    with _blas().limit(limits=1):  # it is many small products, which on several busy cores wait for each other
        basis, triangle = np.linalg.qr(rows.T)
    return np.ascontiguousarray(triangle.T), basis


def each(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return what `work` makes of each item, each on one core.

    So decompositions take as long as one after another on all cores, and a fraction of it where other processes are at
    work too, for which the cores that are done would wait at every step.
    """
    with _blas().limit(limits=1), ThreadPoolExecutor(cpu_count()) as pool:
        return list(pool.map(work, items))


def factor(products: NDArray[np.float64], penalty: float, dtype: type[np.floating[Any]]) -> tuple[NDArray[Any], bool]:
    """Return the Cholesky decomposition of products + penalty.

    Raises:
        LinAlgError: if they are not positive in that precision.
    """
    check()
    matrix = products.astype(dtype)
    matrix.flat[:: len(matrix) + 1] += dtype(penalty)
    decomposed: tuple[NDArray[Any], bool] = cho_factor(matrix.T, overwrite_a=True)  # in the order of LAPACK
    return decomposed


def solved(products: NDArray[np.float64], penalty: float, answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the solution of (products + penalty) @ solution = answers.

    A decomposition in float32 takes a fraction of the time of one in float64, and residuals in float64 refine what it
    gives (Langou et al. 2006). One for each penalty is faster than the eigenvectors that would serve all of them.
    """
    with suppress(np.linalg.LinAlgError):  # rounded to float32 it may no longer be positive
        rough = factor(products, penalty, np.float32)
        solution = cho_solve(rough, answers.astype(np.float32)).astype(np.float64)
        for _ in range(REFINEMENTS):
            left = answers - products @ solution - penalty * solution
            if (np.linalg.norm(left, axis=0) <= EXACT * np.linalg.norm(answers, axis=0)).all():
                return solution
            solution += cho_solve(rough, left.astype(np.float32))
    exact: NDArray[np.float64] = cho_solve(factor(products, penalty, np.float64), answers)
    return exact
