"""Tiny recipes, jobs, caches and a tiny network of keras.applications' kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from competition.workspace import Workspace
from models.jobs import Job
from models.recipes import Recipe, resolve
from tests.conftest import store_of

TINY = {"images": "jpg", "input_size": 16, "dense": (8,), "dropout": 0.25, "batch_size": 16, "epochs": 2, "patience": 0}


def tiny_recipe(**values: Any) -> Recipe:
    """Return a recipe that trains in no time."""
    return resolve("baseline", {**TINY, "views": "flips", **values})


def tiny_job(workspace: Workspace, fold: int = 0, *, skip_broken: bool = False, **values: Any) -> Job:
    """Return a job of the model "tiny"."""
    return Job(workspace, store_of(workspace), "tiny", tiny_recipe(**values), fold, skip_broken)


def preprocess_input(chips: Any) -> Any:
    """Scale chips for `TinyNet`, found by its module as for the networks of keras.applications."""
    return chips / 127.5 - 1


def TinyNet(  # noqa: N802 - named as the networks of keras.applications are
    weights: str | None = None, include_top: bool = False, input_shape: tuple[int, int, int] = (16, 16, 3)
) -> keras.Model:
    """Stand in for a network of keras.applications, with a batch normalisation and a dropout."""
    chips = keras.Input(input_shape)
    hidden = layers.Conv2D(6, 3, use_bias=False, name="conv")(chips)
    hidden = layers.BatchNormalization(momentum=0.5, name="norm")(hidden)
    hidden = layers.Dropout(0.2)(hidden)
    hidden = layers.Conv2D(4, 3, strides=2, activation="relu", name="last")(hidden)
    if include_top:
        hidden = layers.Dense(5, name="top")(layers.GlobalAveragePooling2D()(hidden))
    return keras.Model(chips, hidden, name="tinynet")


def saved(path: Path, network: keras.Model) -> str:
    """Save weights that are random everywhere: those of a new network are 0 or 1 here and there."""
    random = np.random.default_rng(5)
    network.set_weights([random.uniform(0.1, 1, weights.shape) for weights in network.get_weights()])
    network.save_weights(path)
    return str(path)


@dataclass
class NumberedCache:
    """Stands in for a chip cache: every pixel of a chip holds its position."""

    num_chips: int
    size: int = 4
    asked: list[list[int]] = field(default_factory=list)

    def read(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the chips, and remember that they were asked for."""
        self.asked.append(list(positions))
        assert max(positions) < self.num_chips
        return np.broadcast_to(np.uint8(positions)[:, None, None, None], (len(positions), self.size, self.size, 3))
