"""What the process of a peer is given: features, labels, folds, and the time when its seconds are over.

It needs NumPy alone, and scikit-learn where features are reduced: it runs in the environments of the peers, in which
nothing of ours is installed. A peer's module is called with the bank, where its scores go, when its time is over (in
seconds of `time.time`), and its variant: words joined by "-".
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
DIMENSIONS = 256  # that are left of the features in variants with the word "pca"


@dataclass
class Assignment:
    """Features to learn from, and scores to make for the chips that each fold holds out.

    Attributes:
        arrays: of the bank's file.
        path: of the scores' file.
        deadline: when the seconds are over.
        variant: of the peer.
        scores: float32 array (num_chips, num_labels), NaN where there are none yet.
    """

    arrays: dict[str, NDArray[Any]]
    path: Path
    deadline: float
    variant: str
    scores: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.scores = np.full(self.truth.shape, np.nan, dtype=np.float32)

    @classmethod
    def from_command_line(cls) -> Assignment:
        """Read what the process was called with."""
        bank, path, deadline, variant = sys.argv[1:]
        with np.load(bank) as arrays:
            return cls(dict(arrays), Path(path), float(deadline), variant)

    @property
    def truth(self) -> NDArray[np.bool_]:
        """The labels (num_chips, num_labels)."""
        return self.arrays["truth"]

    @property
    def labels(self) -> list[str]:
        """Their names."""
        return self.arrays["labels"].tolist()

    @property
    def words(self) -> list[str]:
        """Of the variant."""
        return self.variant.split("-")

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """The features (num_chips, num_features), or what principal components leave of them.

        The components are found among all chips, without their labels: once, not for each fold, in the peer's favour.
        """
        features = self.arrays["features"].astype(np.float32)
        if "pca" not in self.words or features.shape[1] <= DIMENSIONS:
            return features
        from sklearn.decomposition import PCA

        features -= features.mean(axis=0)
        features /= np.sqrt(np.square(features).mean(axis=0) + 1e-3)
        reduced = PCA(DIMENSIONS, svd_solver="randomized", random_state=0).fit_transform(features)
        return np.ascontiguousarray(reduced, dtype=np.float32)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.deadline - time.time()

    def folds(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the positions of the chips to learn from and of those held out, fold by fold."""
        for fold in np.unique(self.arrays["folds"]):
            held = self.arrays["folds"] == fold
            yield np.flatnonzero(~held), np.flatnonzero(held)

    def units(self) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield what peers of one label learn one after another: the most frequent labels first, each in all folds.

        A label that is the same for all chips to learn from is left out: there is nothing to learn.
        """
        for label in np.argsort(-self.truth.sum(axis=0), kind="stable"):
            for training, heldout in self.folds():
                if len(np.unique(self.truth[training, label])) == 2:
                    yield int(label), training, heldout

    def write(self, scores: NDArray[np.floating] | None = None) -> None:
        """Write the scores so far: whatever ends the process later, these count."""
        temporary = self.path.with_suffix(".writing.npz")
        np.savez(temporary, scores=self.scores if scores is None else scores.astype(np.float32))
        temporary.replace(self.path)
