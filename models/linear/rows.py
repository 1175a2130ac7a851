"""What linear heads are fitted on: rows, each a chip under a view, of any parts of the chips, standardised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.common.interrupts import check
from competition.common.progress import reporter
from models.linear.gram import Block, Sums, added, narrowed, summed
from models.linear.plan import Plan, Training

if TYPE_CHECKING:  # the bank's module imports Keras, which nothing here needs
    from models.inputs.feature_bank import FeatureBank

AT_ONCE = 4096  # rows read at once
STEADY = 1e-3  # added to each deviation, so that features that hardly vary are not blown up


class Head(NamedTuple):
    """Linear functions of features as they are in the bank, one a column.

    Attributes:
        kernel: float32 array (num_features, num_columns).
        bias: float64 array (num_columns,).
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float64]

    def of(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the functions' values (num_rows, num_columns)."""
        return features @ self.kernel + self.bias.astype(np.float32)


@dataclass(frozen=True)
class Standardized:
    """The rows of a training set, standardised; where they are few, by as many features as there are rows.

    Attributes:
        count: how many rows.
        mean, scale: float64 arrays (num_features,), what features are standardised by.
        products: float64 array (size, size), means of products of two of the standardised features.
        answers: float64 array (size, num_labels), means of products of a feature with a label.
        basis: float32 array (num_features, size) of the features where they are fewer than in the bank.
        few: float32 array (count, size), these features.
    """

    count: int
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    products: NDArray[np.float64]
    answers: NDArray[np.float64]
    basis: NDArray[np.float32] | None = None
    few: NDArray[np.float32] | None = None

    def head(self, kernel: NDArray[np.floating[Any]], bias: NDArray[np.float64]) -> Head:
        """Return what is linear in these features as a head on features as they are."""
        if self.basis is not None:
            kernel = self.basis @ kernel
        raw = (kernel / self.scale[:, None]).astype(np.float32)
        return Head(raw, bias - self.mean @ raw)

    def weights(self, head: Head) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a head's kernel on these features and its bias."""
        kernel = head.kernel * self.scale[:, None]
        return kernel if self.basis is None else self.basis.T @ kernel, head.bias + self.mean @ head.kernel


@dataclass(frozen=True)
class Rows:
    """The rows from which heads learn: each part's chips under every view, or each under one that is drawn.

    Attributes:
        bank: the features.
        truth: bool array (num_chips, num_labels).
        plan: the parts.
        views: names of the views.
        drawn: int array (rows_per_chip, num_chips), which of the views.
        sums: of the parts that were prepared.
    """

    bank: FeatureBank
    truth: NDArray[np.bool_]
    plan: Plan
    views: Sequence[str]
    drawn: NDArray[np.int64]
    sums: dict[int, Sums] = field(default_factory=dict)

    @property
    def are_few(self) -> bool:
        """Whether rows are so few that fewer features take less time than the products of all of them."""
        return 2 * self.drawn.size <= self.bank.num_features

    def prepare(self, parts: Iterable[int]) -> None:
        """Make the sums of some parts: the one pass over the bank."""
        if self.are_few:
            return
        wanted = sorted(set(parts))
        total = len(self.drawn) * sum(len(self.plan.parts[part]) for part in wanted)
        with reporter.bar(total, "features", "row") as bar:

            def counted(blocks: Iterator[Block]) -> Iterator[Block]:
                for features, truth in blocks:
                    yield features, truth
                    bar.update(len(features))

            self.sums.update({part: summed(counted(self._blocks([part]))) for part in wanted})

    def standardized(self, training: Training) -> Standardized:
        """Return what the heads of a training set are fitted on; its parts were prepared."""
        if self.are_few:
            return self._standardized_few(training)
        sums = added([self.sums[part] for part in training])
        scale = np.sqrt(np.maximum(np.diagonal(sums.products), 0) / sums.count) + STEADY
        sums.products[:] /= sums.count * scale[:, None]
        sums.products[:] /= scale
        sums.answers[:] /= sums.count * scale[:, None]
        return Standardized(sums.count, sums.mean, scale, sums.products, sums.answers)

    def _standardized_few(self, training: Training) -> Standardized:
        features, truth = (np.concatenate(arrays) for arrays in zip(*self._blocks(training), strict=True))
        mean, scale = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64) + STEADY
        few, basis = narrowed(((features - mean) / scale).astype(np.float32))
        sums = summed([(few, truth)])
        return Standardized(len(few), mean, scale, sums.products / len(few), sums.answers / len(few), basis, few)

    def features(self, training: Training, onto: Standardized) -> NDArray[np.float32]:
        """Return the standardised features (num_rows, size) of a training set."""
        if onto.few is not None:
            return onto.few
        mean, scale = onto.mean.astype(np.float32), onto.scale.astype(np.float32)
        features, start = np.empty((onto.count, self.bank.num_features), dtype=np.float32), 0
        for block, _ in self._blocks(training):
            check()
            rows = features[start : start + len(block)]
            np.subtract(block, mean, out=rows)
            rows /= scale
            start += len(block)
        return features

    def labels(self, training: Training) -> NDArray[np.bool_]:
        """Return the labels (num_rows, num_labels) of a training set, in the order of `features`."""
        parts = [self.truth[self.plan.parts[part]] for part in training for _ in self.drawn]
        return np.concatenate(parts)

    def said(self, head: Head, part: int) -> NDArray[np.float32]:
        """Return what a head says (num_chips, num_columns) of a part's chips as they are."""
        blocks = _blocks_of(self.plan.parts[part])
        return np.concatenate([head.of(self.bank.under("identity", block)) for block in blocks])

    def _blocks(self, parts: Iterable[int]) -> Iterator[Block]:
        for part in parts:
            for drawn in self.drawn:
                for block in _blocks_of(self.plan.parts[part]):
                    yield self._read(block, drawn[block]), self.truth[block]

    def _read(self, positions: NDArray[np.int64], drawn: NDArray[np.int64]) -> NDArray[np.float32]:
        numbers = np.unique(drawn)
        if len(numbers) == 1:
            return self.bank.under(self.views[numbers[0]], positions)
        features = np.empty((len(positions), self.bank.num_features), dtype=np.float32)
        for number in numbers:
            features[drawn == number] = self.bank.under(self.views[number], positions[drawn == number])
        return features


def _blocks_of(positions: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (positions[start : start + AT_ONCE] for start in range(0, len(positions), AT_ONCE))
