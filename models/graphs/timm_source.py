"""Networks of timm, exported to ONNX: torch and timm are needed for that alone, and for nothing afterwards.

Taken are the features that timm's `forward_features` gives, the last normalisation included, in its output `features`;
what its own pooling makes of them is in `vector`.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import io
import sys
import warnings
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from models.backend.load import turned_aside
from models.graphs.source import Source
from models.recipes.recipe import Recipe
from models.recipes.values import TIMM

PACKAGES = ("torch", "timm", "safetensors", "onnx", "onnxruntime")
OUTPUTS = ("features", "vector")
OPSET = 17
NORMALISED = ("mean", "std")  # in timm's record of what a network was trained with


class TimmNetwork:
    """A network of timm with the weights of a recipe, without its classes.

    Args:
        recipe: its backbone, weights and input size.
        num_bands: number of bands that it is given.

    Attributes:
        name: of the network.
        mean: of each band, in 0 to 1, that it was trained with.
        deviation: the same of the standard deviation.
        prefix: tokens before those of the patches; None: it gives no tokens.

    Raises:
        UserError: if it is unknown, its weights cannot be had or do not fit, or a package is missing.
    """

    def __init__(self, recipe: Recipe, num_bands: int) -> None:
        if missing := [package for package in PACKAGES if importlib.util.find_spec(package) is None]:
            raise UserError(
                f"{recipe.backbone} needs {' and '.join(missing)} until its graph is made. Run 'pip install -e "
                '".[timm]"\'.'
            )
        self.name = recipe.backbone.removeprefix(TIMM)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._network = _built(self.name, recipe, num_bands).eval()
        record = self._network.pretrained_cfg
        self.mean, self.deviation = (tuple(map(float, record[name])) for name in NORMALISED)
        self.prefix = getattr(self._network, "num_prefix_tokens", None)

    def outputs(self, seen: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return what torch makes of what the network is given, (num_chips, num_bands, size, size)."""
        torch = importlib.import_module("torch")
        with torch.inference_mode():
            made = _ends(self._network)(torch.from_numpy(seen))
        return {name: each.numpy() for name, each in zip(OUTPUTS, made, strict=True)}

    def source(self, seen: NDArray[np.float32]) -> Source:
        """Return it as an ONNX network of any number of chips.

        Raises:
            UserError: if torch cannot export it, or ONNX does not hold it.
        """
        torch, onnx = importlib.import_module("torch"), importlib.import_module("onnx")
        content = io.BytesIO()
        axes = {name: {0: "num_chips"} for name in ("pixels", *OUTPUTS)}
        try:
            with turned_aside(1, 2), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # By tracing: torch's newer exporter takes four times as long, and gives the same.
                torch.onnx.export(
                    _ends(self._network).eval(),
                    (torch.from_numpy(seen[:2]),),
                    content,
                    dynamo=False,
                    input_names=["pixels"],
                    output_names=list(OUTPUTS),
                    dynamic_axes=axes,
                    opset_version=OPSET,
                )
            model = onnx.load_model_from_string(content.getvalue())
        except Exception as error:  # torch raises whatever it likes on what it does not know
            raise UserError(f"timm's {self.name} cannot be exported to ONNX: {shorten(str(error), 300)}") from error
        return Source(self.name, model, OPSET, "pixels", onnx.TensorProto.FLOAT, True, None)


def _ends(network: Any) -> Any:
    """Return a network of torch with the outputs `OUTPUTS`."""
    torch = importlib.import_module("torch")

    class Ends(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: Any) -> Any:
            features = self.network.forward_features(pixels)
            return features, self.network.forward_head(features, pre_logits=True)

    return Ends().eval()


def _built(name: str, recipe: Recipe, num_bands: int) -> Any:
    timm = importlib.import_module("timm")
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), 3) or timm.list_models(f"*{name[:6]}*")
        alike = f" Alike: {first(close)}." if close else ""
        raise UserError(f"timm {timm.__version__} knows no network {name!r}.{alike} timm.list_models() has them all.")
    by_timm = recipe.weights == "imagenet"
    if by_timm and num_bands != 3:
        raise UserError(f"timm's weights of {name} are for 3 bands, received {recipe.bands}. Give --bands of three.")
    options = {"pretrained": by_timm, "num_classes": 0, "in_chans": num_bands}
    try:
        try:  # networks whose positions are fixed take the size, others know no such argument
            network = timm.create_model(name, img_size=recipe.input_size, **options)
        except TypeError:
            network = timm.create_model(name, **options)
    except Exception as error:  # timm, torch and the hub raise whatever they like
        what = "Cannot get the weights of" if by_timm else "Cannot build"
        hint = (
            " Accept its licence where it is gated, or give --weights with a .safetensors file of them."
            if by_timm
            else ""
        )
        raise UserError(f"{what} timm's {name} at {recipe.input_size} px: {shorten(str(error), 200)}.{hint}") from error
    if not by_timm:
        _load(network, recipe.weights_path(), name)
    return network


def _load(network: Any, path: Path, name: str) -> None:
    """Load a file of weights, and make sure that it gave every one."""
    if path.suffix != ".safetensors":
        raise UserError(
            f"{path.name} is no .safetensors file, and others may run code where they are read. Write it as one, from "
            "what you trust: safetensors.torch.save_file(torch.load(OLD, weights_only=True), NEW)."
        )
    held = network.state_dict()  # the memory of the network's own weights
    numbers = {key: value for key, value in held.items() if value.is_floating_point()}
    for value in numbers.values():
        value.fill_(float("nan"))
    try:
        state = importlib.import_module("safetensors.torch").load_file(path)
        adapt = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
        state = adapt(state, network) if adapt else state
        network.load_state_dict({key: value for key, value in state.items() if key in held}, strict=False)
        error: Exception | None = None
    except Exception as raised:  # safetensors, timm and torch raise whatever they like on a file of something else
        error = raised
    left = [key for key, value in numbers.items() if bool(value.isnan().any())]
    if left or error:
        why = shorten(str(error), 200) if error else f"{len(left)} of {len(numbers)} are missing, such as {left[0]}"
        raise UserError(
            f"{path} does not hold the weights of timm's {name}: {why}. Give --weights with a file of {name}, or the "
            "--backbone that this file is of."
        ) from error
