"""Networks of timm, exported to ONNX: torch and timm are needed for that alone, and for nothing afterwards.

Taken are the features that timm's `forward_features` gives, the last normalisation included, in its output `features`;
what its own pooling makes of them is in `vector`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from textwrap import shorten

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from models.backend.onnx_graph import OPSET, torch_onnx
from models.foreign.modules import OUTPUTS, moments_of, outputs_of, prefix_of, require_timm
from models.foreign.weights import timm_module
from models.graphs.source import Source
from models.recipes.recipe import Recipe
from models.recipes.values import TIMM


class TimmNetwork:
    """A network of timm with the weights of a recipe, without its classes.

    Args:
        recipe: its backbone, weights and input size.
        bands: one name per band that it is given.

    Attributes:
        mean: of each band, in 0 to 1, that it is standardised by.
        deviation: the same of the standard deviation.
        prefix: tokens before those of the patches; None: it gives no tokens.

    Raises:
        UserError: if it is unknown, its weights cannot be had or do not fit, or a package is missing.
    """

    def __init__(self, recipe: Recipe, bands: Sequence[str]) -> None:
        require_timm(recipe.backbone, ("onnx", "onnxruntime"))
        self.name = recipe.backbone.removeprefix(TIMM)
        self._network = timm_module(recipe, bands).eval().requires_grad_(False)
        self.mean, self.deviation = moments_of(self._network, recipe, bands)
        self.prefix = prefix_of(self._network)

    def outputs(self, seen: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return what torch makes of what the network is given, (num_chips, num_bands, size, size)."""
        torch = importlib.import_module("torch")
        with torch.inference_mode():
            made = outputs_of(self._network, torch.from_numpy(seen))
        return {name: each.numpy() for name, each in zip(OUTPUTS, made, strict=True)}

    def source(self, seen: NDArray[np.float32]) -> Source:
        """Return it as an ONNX network of any number of chips.

        Raises:
            UserError: if torch cannot export it, or ONNX does not hold it.
        """
        onnx = importlib.import_module("onnx")
        try:
            model = torch_onnx(self._network, partial(outputs_of, self._network), seen[:2], "pixels", OUTPUTS)
        except Exception as error:  # torch raises whatever it likes on what it does not know
            raise UserError(f"timm's {self.name} cannot be exported to ONNX: {shorten(str(error), 300)}") from error
        return Source(self.name, model, OPSET, "pixels", onnx.TensorProto.FLOAT, True, None)
