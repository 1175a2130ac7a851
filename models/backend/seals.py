"""Seals of weights: a digest that a file of weights holds of its own content, so that no bit of it turns unseen.

It lies in the file itself, as an attribute that Keras does not read: so the two are written as one, and go wherever
the file goes. So does whose they are: those of another fold fit as well, and have learnt the chips that this one holds
out. Files of earlier versions have neither, and are taken as they are.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from folds.store.alone import owner_of
from models.backend.load import load_hdf5

SHARED = re.compile(r"\bextractor\d*\.weights\.h5$")  # at the end of its temporary name, too
SEAL, OWNER = "planet_sha256", "planet_owner"
# By which exported models are known: the member of an archive, or the entry of ONNX's metadata, that is their manifest.
MANIFEST, MANIFEST_KEY = "planet.json", "planet"


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
    seal(content, _owner(path))
    path.write_bytes(content.getbuffer())


def seal(file: Path | io.BytesIO, owner: str = "") -> None:
    """Put the digest of its content into a file of weights, and whose it is."""
    with load_hdf5().File(file, "r+") as opened:
        opened.attrs[SEAL] = _digest(opened)
        if owner:
            opened.attrs[OWNER] = owner


def _owner(path: Path) -> str:
    """Return whose a file of weights is, by where it lies: a job's, or the folds of a model share it; "" of others."""
    if SHARED.search(path.name):
        return path.parent.name
    owner = owner_of(path)
    return "{model} fold {fold} seed {seed}".format_map(owner) if owner["model"] else ""


def check_seal(path: Path) -> bool:
    """Look whether a file of weights holds what was sealed in it, and is in its place; return whether anything was.

    Raises:
        ValueError: if it does not.
        Exception: whatever h5py raises on a damaged file.
    """
    with load_hdf5().File(path) as file:
        return check_sealed(file, path)


def check_sealed(file: Any, path: Path) -> bool:
    """Do the same for a file that h5py has open."""
    digest, owner = _digest(file), _owner(path)
    if SEAL in file.attrs and file.attrs[SEAL] != digest:
        raise ValueError("its weights are not those that were written")
    if (said := file.attrs.get(OWNER, owner)) != owner:
        raise ValueError(f"its weights are those of {said}")
    return SEAL in file.attrs


def onnx_seal(content: bytes) -> bytes:
    """Return one more entry of an ONNX file's metadata, the digest of all before it: appended, it is part of the file.

    So says the format: messages one after the other are one message. ONNX itself has no checksum of its weights.
    """
    key, value = SEAL.encode(), hashlib.sha256(content).hexdigest().encode()
    entry = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value
    return b"\x72" + bytes([len(entry)]) + entry  # field 14 of a ModelProto, with fields 1 and 2 of an entry


def check_onnx(content: bytes) -> bool:
    """Look whether an ONNX file holds what was sealed in it; return whether anything was.

    Raises:
        ValueError: if it does not.
    """
    length = len(onnx_seal(b""))
    if content.endswith(onnx_seal(content[:-length])):
        return True
    if SEAL.encode() in content[-length:]:
        raise ValueError("its network is not the one that was written")
    return False  # of an earlier version


def _digest(file: Any) -> str:
    """Return the SHA-256 of the names, types, shapes and values of all arrays."""
    dataset, content, found = load_hdf5().Dataset, hashlib.sha256(), dict[str, Any]()
    file.visititems(lambda name, held: found.update({name: held}) if isinstance(held, dataset) else None)
    if any(held.external or held.is_virtual for held in found.values()):
        raise ValueError("some of its weights lie in another file")
    for name, held in sorted(found.items()):
        values = np.ascontiguousarray(held[()])
        content.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        content.update(values.tobytes() if values.dtype.hasobject else values.reshape(-1).view(np.uint8).data)
    return content.hexdigest()


def check_archive(content: bytes) -> None:
    """Look whether an archive holds what was written into it.

    Raises:
        ValueError: if it does not.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, RuntimeError) as error:  # the latter where a bit says that it is encrypted
        raise ValueError("it is no archive of its kind") from error
    if damaged:
        raise ValueError("its network is not the one that was written")
