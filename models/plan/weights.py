"""Which weights are at hand: the files of a folder by the backbone in their names, and Keras' own downloads."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from competition.common.errors import UserError
from competition.common.text import first
from models.backend.downloads import PATIENCE, bounded

SUFFIXES = (".h5", ".hdf5")
SOURCE = "https://storage.googleapis.com"  # where Keras has weights from


def keras_folder() -> Path:
    """Return the folder to which Keras downloads weights."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


def weights_in(folder: Path, backbones: Sequence[str]) -> dict[str, Path]:
    """Return the weights file of each backbone that a folder has one of.

    Capitals, dots and the like play no part, so that `densenet121_notop.weights.h5`, `DenseNet121.h5` and Keras' own
    `mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5` are found. A file is of the backbone with the
    longest name in its own, of all known ones: `resnet50v2` is none of ResNet50.

    Args:
        folder: to look into, not below.
        backbones: all known ones, as keras.applications calls them.

    Raises:
        UserError: if there is no such folder.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    except OSError as error:
        raise UserError(
            f"Cannot look for weights in {folder}: {error.strerror}. Give --weights with a folder."
        ) from error
    found: dict[str, list[Path]] = {}
    for path in files:
        if own := max((name for name in backbones if _plain(name) in _plain(path.name)), key=len, default=""):
            found.setdefault(own, []).append(path)
    # Those without the top first: a file with it does not fit.
    return {name: min(paths, key=lambda path: "notop" not in _plain(path.name)) for name, paths in found.items()}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def described(folder: Path, backbones: Iterable[str]) -> UserError:
    """Return the error that says that a folder holds no weights of some backbones."""
    names = first(backbones)
    return UserError(
        f"{folder} holds no weights of {names}. Expected files named after them, such as densenet121_notop.weights.h5."
    )


def downloaded(backbones: Sequence[str]) -> dict[str, Path]:
    """Return the weights that Keras has downloaded, by backbone."""
    with suppress(UserError):  # there may be no such folder
        found = weights_in(keras_folder(), backbones)
        return {name: path for name, path in found.items() if "notop" in _plain(path.name)}
    return {}


@cache
def can_download() -> bool:
    """Return whether there is a network over which Keras has its weights; it is known within some seconds."""
    request = urllib.request.Request(SOURCE, method="HEAD")
    try:
        with bounded(), urllib.request.urlopen(request, timeout=PATIENCE):
            return True
    except urllib.error.HTTPError:  # it is there, and has no page of its own
        return True
    except (OSError, ValueError):
        return False
