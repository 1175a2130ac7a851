"""Seals of weights: a digest that a file of weights holds of its own content, so that no bit of it turns unseen.

It lies in the file itself, as an attribute that Keras does not read: so the two are written as one, and go wherever
the file goes. Files of earlier versions have none, and are taken as they are.
"""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any

import numpy as np

SEAL = "planet_sha256"


def seal(path: Path) -> None:
    """Put the digest of its content into a file of weights."""
    with _hdf5().File(path, "r+") as file:
        file.attrs[SEAL] = _digest(file)


def check_seal(path: Path) -> None:
    """Look whether a file of weights holds what was sealed in it.

    Raises:
        ValueError: if it does not.
        Exception: whatever h5py raises on a damaged file.
    """
    with _hdf5().File(path) as file:
        check_sealed(file)


def check_sealed(file: Any) -> None:
    """Do the same for a file that h5py has open."""
    if SEAL in file.attrs and file.attrs[SEAL] != _digest(file):
        raise ValueError("its weights are not those that were written")


def _digest(file: Any) -> str:
    """Return the SHA-256 of the names, types, shapes and values of all arrays."""
    dataset, content, found = _hdf5().Dataset, hashlib.sha256(), dict[str, Any]()
    file.visititems(lambda name, held: found.update({name: held}) if isinstance(held, dataset) else None)
    for name, held in sorted(found.items()):
        values = np.ascontiguousarray(held[()])
        content.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        content.update(values.tobytes() if values.dtype.hasobject else values.reshape(-1).view(np.uint8).data)
    return content.hexdigest()


def _hdf5() -> Any:
    return importlib.import_module("h5py")  # it comes with Keras
