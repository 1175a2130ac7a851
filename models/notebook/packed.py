"""The networks of a model as they were packed, and the scores that each fold's give. It loads no Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from competition.common.errors import UserError
from competition.common.records import check_beside, read_record
from competition.kernels.folder import FORMAT, MODEL
from competition.spec.competition import Competition
from competition.task import Task
from models.backend.openvino import OpenVinoRunner, read_model
from models.graphs.pixels import Shrinking
from models.graphs.running import OnnxRunner
from models.inputs.views import apply_view, side_by_side
from models.networks.input_spec import Inputs
from models.predict.head_scorer import HeadLayers, HeadScorer
from models.recipes.recipe import Recipe

LARGEST = float(np.finfo(np.float16).max)
BYTES_AT_ONCE = 2**26  # of chips
Runner = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True)
class Packed:
    """A model as it was packed.

    Attributes:
        folder: where its networks are.
        model: its name.
        recipe: of its networks.
        inputs: what these are given.
        dtype: data type of the chips' files.
        task: the labels that it scores.
        views: that scores are averaged over.
        in_16_bits: whether its heads learnt from features of 16 bits.
        mixed: whether features are made in bfloat16 where the processor has it.
        extractors: file, pixels and size of each network that makes features.
        folds: by fold, files of what scores features, or chips where nothing makes features.
        digests: SHA-256 of each of these files, and of those with their weights.
    """

    folder: Path
    model: str
    recipe: Recipe
    inputs: Inputs
    dtype: str
    task: Task
    views: tuple[str, ...]
    in_16_bits: bool
    mixed: bool
    extractors: list[dict[str, Any]]
    folds: dict[int, list[dict[str, Any]]]
    digests: dict[str, str]

    @classmethod
    def read(cls, folder: Path, competition: Competition) -> Packed:
        """Read what `pack_model` has written.

        Raises:
            UserError: if it is damaged.
        """

        def parse(content: dict[str, Any]) -> Packed:
            return cls(
                folder=folder,
                model=content["model"],
                recipe=TypeAdapter(Recipe).validate_python(content["recipe"]),
                inputs=Inputs.from_dict(content["inputs"]),
                dtype=content["dtype"],
                task=Task(competition, tuple(content["labels"])),
                views=tuple(content["views"]),
                in_16_bits=content["in_16_bits"],
                mixed=content["mixed"],
                extractors=content["extractors"],
                folds={int(fold): files for fold, files in content["folds"].items()},
                digests=content["digests"],
            )

        return read_record(folder / MODEL, parse, version=FORMAT)

    def scorer(self) -> FoldScorer:
        """Return what scores chips.

        Raises:
            DamagedError: if a file is missing or was changed.
            Exception: of any kind, if a network cannot be run here.
        """
        check_beside(self.folder / MODEL, self.digests)
        return FoldScorer(self)


def read_models(folder: Path, names: Sequence[str], competition: Competition) -> list[Packed]:
    """Read models from a folder that has one for each; one that is damaged is left out, with a line."""
    models = []
    for name in names:
        try:
            models.append(Packed.read(folder / name, competition))
        except UserError as error:
            print(f"{name} is left out: {error}", flush=True)
    return models


class FoldScorer:
    """Scores chips by the networks of each fold.

    Args:
        packed: the model.
    """

    def __init__(self, packed: Packed) -> None:
        self._in_16_bits = packed.in_16_bits
        self._extractors = [self._extractor(packed, part) for part in packed.extractors]
        self._folds = {fold: [self._head(packed, made) for made in files] for fold, files in packed.folds.items()}

    def __call__(self, chips: NDArray[Any], views: Sequence[str]) -> dict[int, list[NDArray[np.float32]]]:
        """Return by fold the scores (num_chips, num_scored) under each view of each of its networks.

        Each fold's heads are a product of matrices of their own, as `train` made the scores that blends are made of:
        BLAS adds up in an order that depends on how many columns there are.

        Args:
            chips: array (num_chips, size, size, num_bands) in the values of the files.
            views: names of views.
        """
        by_fold: dict[int, list[NDArray[np.float32]]] = {fold: [] for fold in self._folds}
        for num_views, seen in side_by_side((apply_view(chips, view) for view in views), BYTES_AT_ONCE):
            given = self._features(seen) if self._extractors else seen
            for fold, networks in self._folds.items():
                by_network = [np.split(network(given), num_views) for network in networks]
                by_fold[fold] += [scores for view in zip(*by_network, strict=True) for scores in view]
        return by_fold

    def _features(self, chips: NDArray[Any]) -> NDArray[np.float32]:
        features = np.concatenate([extractor(chips) for extractor in self._extractors], axis=1)
        # As a bank keeps them.
        return features.clip(-LARGEST, LARGEST).astype(np.float16).astype(np.float32) if self._in_16_bits else features

    @staticmethod
    def _extractor(packed: Packed, part: dict[str, Any]) -> Runner:
        inputs, shape = packed.inputs, (part["size"], part["size"], len(packed.inputs.bands))
        shrinking = Shrinking(inputs.size, part["size"], inputs.of_8_bits)
        runner = _runner(packed.folder / part["file"], shape, part["pixels"], mixed=packed.mixed)
        return lambda chips: runner(shrinking(chips))

    @staticmethod
    def _head(packed: Packed, made: dict[str, Any]) -> Runner:
        path, inputs = packed.folder / made["file"], packed.inputs
        if path.suffix == ".npz":
            return HeadScorer(_read_heads(path, made["seeds"]), packed.recipe, packed.task)
        if packed.extractors:
            return _head_runner(path)
        return _runner(path, (inputs.size, inputs.size, len(inputs.bands)), made["pixels"])


def _runner(path: Path, shape: tuple[int, ...], pixels: int, *, mixed: bool = False) -> Runner:
    if path.suffix == ".onnx":
        return OnnxRunner(path.read_bytes(), pixels)
    return OpenVinoRunner(_read_network(path), shape, pixels, mixed=mixed)


def _head_runner(path: Path) -> Runner:
    from models.backend.openvino import compiled

    ready = compiled(_read_network(path))
    return lambda features: np.array(ready(features)[0], dtype=np.float32)


def _read_network(path: Path) -> Any:
    return read_model(path.read_bytes(), path.with_suffix(".bin").read_bytes())


def _read_heads(path: Path, seeds: int) -> Sequence[HeadLayers]:
    with np.load(path, allow_pickle=False) as arrays:
        counts = range(sum(name.startswith("kernel0-") for name in arrays.files))
        return [
            HeadLayers(*([arrays[f"{name}{seed}-{layer}"] for layer in counts] for name in ("kernel", "bias")))
            for seed in range(seeds)
        ]
