"""Seals of weights: a digest that a file of weights holds of its own content, so that no bit of it turns unseen.

It lies in the file itself, as an attribute that Keras does not read: so the two are written as one, and go wherever
the file goes. Files of earlier versions have none, and are taken as they are.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from models.backend.load import load_hdf5

SEAL = "planet_sha256"


class _InMemory(io.BytesIO):
    """A file that has the name by which Keras knows which form to write."""

    def __str__(self) -> str:
        return "in memory.weights.h5"


def write_sealed(network: Any, path: Path) -> None:
    """Write the weights of a Keras network, and its optimiser's state if it is compiled, with the digest of them.

    HDF5 writes to memory and Python to the disk: where the disk is full, HDF5 brings Python down.

    Args:
        network: the network.
        path: of the file.

    Raises:
        OSError: if the disk does not take it.
    """
    content = _InMemory()
    network.save_weights(content)
    seal(content)
    path.write_bytes(content.getbuffer())


def seal(file: Path | io.BytesIO) -> None:
    """Put the digest of its content into a file of weights."""
    with load_hdf5().File(file, "r+") as opened:
        opened.attrs[SEAL] = _digest(opened)


def check_seal(path: Path) -> None:
    """Look whether a file of weights holds what was sealed in it.

    Raises:
        ValueError: if it does not.
        Exception: whatever h5py raises on a damaged file.
    """
    with load_hdf5().File(path) as file:
        check_sealed(file)


def check_sealed(file: Any) -> None:
    """Do the same for a file that h5py has open."""
    if SEAL in file.attrs and file.attrs[SEAL] != _digest(file):
        raise ValueError("its weights are not those that were written")


def _digest(file: Any) -> str:
    """Return the SHA-256 of the names, types, shapes and values of all arrays."""
    dataset, content, found = load_hdf5().Dataset, hashlib.sha256(), dict[str, Any]()
    file.visititems(lambda name, held: found.update({name: held}) if isinstance(held, dataset) else None)
    for name, held in sorted(found.items()):
        values = np.ascontiguousarray(held[()])
        content.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        content.update(values.tobytes() if values.dtype.hasobject else values.reshape(-1).view(np.uint8).data)
    return content.hexdigest()
