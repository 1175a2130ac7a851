"""Files as torch writes them, and such as only look like them: the latter without torch."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCRIPT = ("net/data.pkl", "net/constants.pkl", "net/code/__torch__.py", "net/version")
EXPORT = ("net/archive_format", "net/models/model.json", "net/data/weights/model_weights_config.json")
OLD_EXPORT = ("serialized_exported_program.json", "serialized_state_dict.pt", "version")
PICKLE = ("net/data.pkl", "net/data/0", "net/version")


def archive(path: Path, names: Sequence[str], content: bytes = b"x") -> Path:
    """Write an archive of files of those names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name in names:
            written.writestr(name, content)
    return path


def networks() -> Any:
    """Return networks of torch by name: they take three bands, but for those that say it."""
    import torch
    from torch import nn

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 4, 4)
            self.first = nn.Parameter(torch.randn(1, 2, 8))
            self.into, self.norm = nn.Linear(8, 24), nn.LayerNorm(8)

        def forward(self, chips):
            patches = self.patches(chips).flatten(2).transpose(1, 2)
            tokens = torch.cat([self.first.expand(patches.shape[0], -1, -1), patches], dim=1)
            query, key, value = self.into(tokens).chunk(3, dim=-1)
            return self.norm(tokens + nn.functional.scaled_dot_product_attention(query, key, value))

    class Several(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 6, 3, 2)

        def forward(self, chips):
            maps = self.stem(chips)
            return {"maps": maps, "means": maps.mean((2, 3)), "loss": maps.mean()}

    class Two(nn.Module):
        def forward(self, chips, mask):
            return chips * mask

    class Fixed(nn.Module):
        def forward(self, chips):
            return chips.reshape(1, 12, -1).mean(-1)

    torch.manual_seed(0)
    maps = nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.GELU())
    maps[1].running_mean.uniform_(-1, 1)
    return {
        "maps": maps,
        "tokens": Tokens(),
        "several": Several(),
        "two": Two(),
        "fixed": Fixed(),
        "four": nn.Conv2d(4, 6, 3),
        "random": nn.Sequential(nn.Conv2d(3, 6, 3), nn.Dropout(0.5)),
        "half": nn.Conv2d(3, 6, 3).half(),
        "scalar": nn.Sequential(nn.Conv2d(3, 6, 3), nn.Flatten(0)),
        "wide": nn.Sequential(nn.Conv2d(3, 6, 3), nn.Flatten(), nn.Linear(6 * 14 * 14, 5)),
    }


def written(path: Path, how: str, network: Any, *inputs: Any, learns: bool = False) -> str:
    """Write a network of torch, and return its path.

    Args:
        path: of the file.
        how: traced, scripted, exported for any number of chips, or fixed: exported for those given.
        network: a torch.nn.Module.
        inputs: what it is traced with.
        learns: as it is in training.
    """
    import warnings

    import torch

    network.train(learns).requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "traced":
            torch.jit.trace(network, inputs, check_trace=False).save(str(path))
        elif how == "scripted":
            torch.jit.script(network).save(str(path))
        else:
            shapes = ({0: torch.export.Dim("num_chips")},) if how == "exported" else None
            torch.export.save(torch.export.export(network, inputs, dynamic_shapes=shapes), path)
    return str(path)
