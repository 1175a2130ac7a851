"""What a report shows of the models themselves, as the command line hands it over: this room knows none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Curve(Protocol):
    """The training of one network.

    Attributes:
        model: its name.
        fold: that was held out.
        seed: number of the network among those of the fold.
        best: number of the epoch that is kept.
        loss: float array (num_epochs,), of the chips learnt.
        metric: likewise the metric.
        heldout_loss: float array (num_epochs,), of the chips held out.
        heldout_metric: likewise the metric.
        learning_rate: float array (num_epochs,).
    """

    model: str
    fold: int
    seed: int
    best: int
    loss: NDArray[np.float64]
    metric: NDArray[np.float64]
    heldout_loss: NDArray[np.float64]
    heldout_metric: NDArray[np.float64]
    learning_rate: NDArray[np.float64]


@dataclass(frozen=True)
class Given:
    """What is known of the models.

    Attributes:
        headers: of the (model x fold) table.
        rows: of it.
        curves: of every network.
        learnt: by model and fold, the metric on the chips learnt and on those held out, as these are, without
            augmentation or further views; None where it was not kept.
        recipes: by model, what it is made by, in a few words.
    """

    headers: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    curves: Sequence[Curve] = ()
    learnt: Mapping[str, Sequence[tuple[float, float] | None]] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)
