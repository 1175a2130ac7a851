"""What a report shows of the models themselves, as the command line hands it over: this room knows none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
        heldout_loss: float array (num_epochs,), of the chips by which epochs are judged.
        heldout_metric: likewise the metric.
        learning_rate: float array (num_epochs,).
        monitor: "inner" if these are chips set aside of those to learn from, and not those held out.
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
    monitor: str


class Hidden(Protocol):
    """What networks that did not see a chip say of it when places of it are hidden.

    Attributes:
        name: of the chip.
        scores: float array (num_labels,), of the chip as it is.
        turned: float array (num_views, num_labels), of the chip under the views that its scores are averaged over.
        places: float array (num_places, 4): top, left, bottom and right of each place, as shares of the chip's side.
        hidden: float array (num_places, num_labels), with each place hidden.
    """

    name: str
    scores: NDArray[np.float32]
    turned: NDArray[np.float32]
    places: NDArray[np.float64]
    hidden: NDArray[np.float32]


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
        hide: yields, of a model and names of chips, what its networks say with places hidden, as it is made; None where
            nobody asked for it.
    """

    headers: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    curves: Sequence[Curve] = ()
    learnt: Mapping[str, Sequence[tuple[float, float] | None]] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)
    hide: Callable[[str, Sequence[str]], Iterator[Hidden]] | None = None
