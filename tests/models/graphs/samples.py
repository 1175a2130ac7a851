"""Tiny ONNX networks, as strangers make them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.recipes.recipe import Recipe
from tests.models.samples import tiny_recipe

BANDS, MAPS, PREFIX = 3, 5, 2
MOMENTS = {"mean": (0.4, 0.45, 0.5), "deviation": (0.2, 0.25, 0.3)}


def network(
    outputs: Sequence[str] = ("map",),
    *,
    channels_first: bool = True,
    bands: int = BANDS,
    size: int | str = "size",
    batch: int | str = "num_chips",
    kind: int = TensorProto.FLOAT,
    opset: int = 17,
) -> onnx.ModelProto:
    """Return a network with some of the outputs map, vector and tokens (two of them before those of patches)."""
    random, dtype = np.random.default_rng(2), helper.tensor_dtype_to_np_dtype(kind)
    kernel = random.normal(0, 0.3, (MAPS, bands, 3, 3)).astype(dtype)
    first = random.normal(0, 1, (1, PREFIX, MAPS)).astype(dtype)
    constants = {
        "kernel": kernel,
        "first": first,
        "into_tokens": np.array([0, MAPS, -1], dtype=np.int64),
        "zero": np.zeros(1, dtype=dtype),
    }
    hidden = "pixels" if channels_first else "turned"
    nodes = [] if channels_first else [helper.make_node("Transpose", ["pixels"], ["turned"], perm=[0, 3, 1, 2])]
    nodes += [
        helper.make_node("Conv", [hidden, "kernel"], ["convolved"], strides=[2, 2]),
        helper.make_node("Relu", ["convolved"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"], axis=1),
        helper.make_node("Reshape", ["map", "into_tokens"], ["by_band"]),
        helper.make_node("Transpose", ["by_band"], ["patches"], perm=[0, 2, 1]),
        # A row of zeros for each chip, to which the first tokens are added.
        helper.make_node("Mul", ["patches", "zero"], ["zeros"]),
        helper.make_node("ReduceMean", ["zeros"], ["row"], axes=[1], keepdims=1),
        helper.make_node("Add", ["row", "first"], ["prefix"]),
        helper.make_node("Concat", ["prefix", "patches"], ["tokens"], axis=1),
    ]
    shape = [batch, bands, size, size] if channels_first else [batch, size, size, bands]
    graph = helper.make_graph(
        nodes,
        "stranger",
        [helper.make_tensor_value_info("pixels", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def saved(path: Path, model: onnx.ModelProto | None = None, **options: Any) -> str:
    """Write a network, and return its path."""
    onnx.save(model or network(**options), path)
    return str(path)


def graph_recipe(weights: str | Path, **values: Any) -> Recipe:
    """Return a recipe with the network of a file, whose head trains in no time."""
    own = {"backbone": "file", "weights": str(weights), "train": "head", "pooling": ("avg",), "augment": ("d4",)}
    return tiny_recipe(**{**own, **MOMENTS, **values})
