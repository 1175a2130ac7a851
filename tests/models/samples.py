"""Tiny recipes, jobs, caches and a tiny network of keras.applications' kind."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from competition.spec.load import load
from competition.workspace import Workspace
from folds.store.chip_weights import ChipWeights, MadeOf, digest_of_test, read_weights, write_weights
from models.inputs.batches import Chips
from models.networks.build import build_network, compile_network
from models.networks.input_spec import Inputs
from models.recipes.named import resolve
from models.recipes.recipe import Recipe
from models.recipes.values import Part
from models.train.fit import Watch
from models.train.job import Job
from tests.conftest import store_of

PLANET = load("planet")
# For another process in which JAX compiles what runs once.
COMPILE_QUICKLY = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"}
NUM_LABELS = len(PLANET.labels)
TINY = {"images": "jpg", "groups": "sigmoid"}  # as recipes of Planet are settled
TINY |= {"input_size": 16, "dense": (8,), "dropout": 0.25, "batch_size": 16, "epochs": 2, "patience": 0}


def tiny_recipe(**values: Any) -> Recipe:
    """Return a recipe that trains in no time."""
    return resolve("baseline", {**TINY, "views": "flips", **values})


def tiny_job(workspace: Workspace, fold: int = 0, *, skip_broken: bool = False, **values: Any) -> Job:
    """Return a job of the model "tiny"."""
    return Job(workspace, store_of(workspace), "tiny", tiny_recipe(**values), fold, skip_broken)


def write_chip_weights(
    workspace: Workspace, values: NDArray[np.floating], names: tuple[str, ...] | None = None
) -> ChipWeights:
    """Write what labelled chips weigh to look like those to predict, and return it as it is read."""
    made_of = MadeOf("m", "recipe", store_of(workspace).table.digest, digest_of_test(workspace), {})
    write_weights(ChipWeights(names or workspace.labelled.image_names, np.asarray(values), made_of), workspace)
    return read_weights(workspace)


def frozen(weights: str, **values: Any) -> dict[str, Any]:
    """Return the values of a recipe with `TinyNet` frozen."""
    return {"backbone": "TinyNet", "weights": weights, "train": "head", "pooling": ("avg",), **values}


def joint_of(*parts: Recipe, **values: Any) -> Recipe:
    """Return a recipe whose parts bring what those recipes do; what else it says is the first one's."""
    names = [field.name for field in dataclasses.fields(Part)]
    brought = tuple(Part(**{name: getattr(part, name) for name in names}) for part in parts)
    own = {"input_size": max(part.input_size for part in parts), "parts": brought, **values}
    of_one = {"mean": (), "deviation": (), "outputs": (), "prefix_tokens": None}
    named = ",".join(f"part{number}" for number in range(len(parts)))
    weights = ",".join(part.weights for part in parts)
    return dataclasses.replace(parts[0], backbone=named, weights=weights, **of_one, **own)


def inputs_of(recipe: Recipe, size: int | None = None) -> Inputs:
    """Return the inputs of a recipe for chips of `size` pixels; default: as it asks for."""
    dtype = np.dtype(np.uint8 if recipe.images == "jpg" else np.uint16)
    return Inputs.of(recipe, PLANET.image_set(recipe.images), dtype, size or recipe.input_size)


def built(recipe: Recipe, size: int | None = None, **options: Any) -> keras.Model:
    """Return the network of a recipe."""
    return build_network(recipe, recipe.task(PLANET), inputs_of(recipe, size), **options)


def compiled(network: keras.Model, recipe: Recipe, steps_per_epoch: int = 1) -> keras.Model:
    """Return a network with the recipe's loss, optimiser and metric."""
    task = recipe.task(PLANET)
    compile_network(network, recipe, task, steps_per_epoch, np.ones((1, len(task.labels)), bool))
    return network


def output_of(network: keras.Model, chips: NDArray[Any]) -> NDArray[Any]:
    """Return what a network, or a part of one, makes of chips."""
    return keras.ops.convert_to_numpy(network(chips, training=False))


def chips_for(network: keras.Model, count: int = 2) -> NDArray[np.float32]:
    """Return random chips of the size that a network takes."""
    return np.random.default_rng(0).integers(0, 256, (count, *network.input_shape[1:])).astype(np.float32)


def saved(path: Path, network: keras.Model) -> str:
    """Save weights that are random everywhere: those of a new network are 0 or 1 here and there."""
    random = np.random.default_rng(5)
    network.set_weights([random.uniform(0.1, 1, weights.shape) for weights in network.get_weights()])
    network.save_weights(path)
    return str(path)


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


@dataclass
class NumberedCache:
    """Stands in for a chip cache: every pixel of a chip holds its position."""

    num_chips: int
    size: int = 4
    asked: list[list[int]] = field(default_factory=list)

    def __len__(self) -> int:
        return self.num_chips

    def read(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the chips, and remember that they were asked for."""
        self.asked.append(list(positions))
        assert max(positions) < self.num_chips
        return np.broadcast_to(np.uint8(positions)[:, None, None, None], (len(positions), self.size, self.size, 3))


@dataclass
class ArrayCache:
    """Stands in for a chip cache: holds chips in memory, and its digest is given."""

    chips: NDArray[Any]
    digest: str = "chips"

    def __len__(self) -> int:
        return len(self.chips)

    def read(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return the chips at `positions`."""
        return self.chips[positions]


def array_chips(count: int, size: int = 16, batch_size: int = 4, digest: str = "chips") -> Chips:
    """Return random chips as a source of batches."""
    pixels = np.random.default_rng(3).integers(0, 256, (count, size, size, 3)).astype(np.uint8)
    return Chips(ArrayCache(pixels, digest), (0, 1, 2), batch_size)


def content_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file in a folder, by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def fill_weights(network: keras.Model, value: float) -> None:
    """Give every weight of a network one value."""
    network.set_weights([np.full_like(weights, value) for weights in network.get_weights()])


def moved(before: Sequence[NDArray[Any]], after: Sequence[NDArray[Any]]) -> list[bool]:
    """Return which weights differ."""
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Make a Ctrl-C come at the end of training step `step`, from 1."""
    on_batch, steps = Watch.on_train_batch_end, itertools.count(1)

    def interrupt(watch: Watch, batch: int, logs: Any = None) -> None:
        if next(steps) == step:
            raise KeyboardInterrupt
        on_batch(watch, batch, logs)

    monkeypatch.setattr(Watch, "on_train_batch_end", interrupt)
