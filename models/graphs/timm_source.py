"""Networks of timm, exported to ONNX: torch and timm are needed for that alone, and for nothing afterwards.

Taken are the features that timm's `forward_features` gives, in its output `features`; what its own pooling makes of
them is in `vector`. The last normalisation is part of the first in most networks, and of the second alone in some: in
ConvNeXt, and in those that average their patches before it, such as EVA-02.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from textwrap import shorten

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import readable
from models.backend.onnx_graph import OPSET, torch_onnx
from models.foreign.modules import layout_of, moments_of, outputs_of, require_timm, tried
from models.foreign.weights import timm_module
from models.graphs.source import LARGEST, Source
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
        layout: what it says of its outputs.

    Raises:
        UserError: if it is unknown, its weights cannot be had or do not fit, or a package is missing.
    """

    def __init__(self, recipe: Recipe, bands: Sequence[str]) -> None:
        require_timm(recipe.backbone, ("onnx", "onnxruntime"))
        self.name = recipe.backbone.removeprefix(TIMM)
        self._network = timm_module(recipe, bands).eval().requires_grad_(False)
        self.mean, self.deviation = moments_of(self._network, recipe, bands)
        self.layout = layout_of(self._network)

    def outputs(self, seen: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return what torch makes of what the network is given, (num_chips, num_bands, size, size).

        Raises:
            UserError: if it does not take chips of that size.
        """
        return tried(self._network, seen)

    def source(self, seen: NDArray[np.float32], names: Sequence[str]) -> Source:
        """Return it as an ONNX network of any number of chips.

        Args:
            seen: two chips or more, as it is given them.
            names: of the outputs that it is to have; what no other needs stays away, as the dense layers of a VGG.

        Raises:
            UserError: if it is too large for ONNX, torch cannot export it, or ONNX does not hold it.
        """
        onnx, network = importlib.import_module("onnx"), self._network
        total = sum(4 * each.numel() for each in network.parameters())
        if total > LARGEST:
            raise UserError(
                f"timm's {self.name} has {readable(total)} of weights; expected {readable(LARGEST)} at most, which an "
                "ONNX file holds. Give a smaller --backbone."
            )
        try:
            model = torch_onnx(network, partial(outputs_of, network, names=names), seen[:2], "pixels", names)
        except Exception as error:  # torch raises whatever it likes on what it does not know
            raise UserError(f"timm's {self.name} cannot be exported to ONNX: {shorten(str(error), 300)}") from error
        return Source(self.name, model, OPSET, "pixels", onnx.TensorProto.FLOAT, True, None)
