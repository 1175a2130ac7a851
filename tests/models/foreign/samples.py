"""Small networks of timm with random weights, and recipes in which they learn."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import keras
import pytest

from models.recipes.recipe import Recipe
from tests.models.samples import tiny_recipe

SIZE = 32
BY_TORCH = pytest.mark.skipif(
    keras.backend.backend() != "torch" or importlib.util.find_spec("timm") is None,
    reason="needs timm, and KERAS_BACKEND=torch",
)


def timm_weights(path: Path, name: str, **options: Any) -> str:
    """Write random weights of a network, as its authors would: with classes. Return the path."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(3)
    network = timm.create_model(name, **options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        for norm in (part for part in network.modules() if hasattr(part, "running_mean")):
            norm.momentum = None  # its statistics are those of what it has seen
        network.train()(torch.randn(16, options.get("in_chans", 3), *network.pretrained_cfg["input_size"][1:]))
    save_file(network.state_dict(), path)
    return str(path)


def learning(name: str, weights: str, **values: Any) -> Recipe:
    """Return a recipe in which a network of timm is fine-tuned."""
    own = {"backbone": f"timm/{name}", "weights": weights, "train": "finetune", "pooling": ("avg",), "input_size": SIZE}
    return tiny_recipe(**{**own, "augment": ("d4",), "head_epochs": 0, **values})
