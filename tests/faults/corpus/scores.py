"""Files of scores with more in them than scores."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from competition.spec.load import load
from tests.faults.corpus import Case, file_of

LABELS = load("planet").labels
NAMES = [f"train_{number}" for number in range(3)]
GOOD = {"names": np.array(NAMES), "scores": np.full((3, len(LABELS)), 0.5, np.float32), "labels": np.array(LABELS)}


class Evil:
    """What a pickle of it does, it does when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("pickle-was-loaded", "w")


def npy(array: ArrayLike) -> bytes:
    """Return an array as NumPy writes it; one of objects as a pickle."""
    file = io.BytesIO()
    np.save(file, np.asarray(array), allow_pickle=True)
    return file.getvalue()


def head_of(shape: str, kind: str = "<f8") -> bytes:
    """Return the header of an array that says so, and nothing of it."""
    text = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n"


def long_head(size: int) -> bytes:
    """Return an array with a header of so many bytes, of brackets in brackets."""
    text = b"(" * size
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text


def npz(how: int = zipfile.ZIP_STORED, **members: Any) -> bytes:
    """Return an archive of arrays: those of good scores, with some replaced, by what `npy` or other bytes are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in {**GOOD, **members}.items():
            if content is not None:
                archive.writestr(f"{name}.npy", content if isinstance(content, bytes) else npy(content))
    return file.getvalue()


def packed_bomb() -> bytes:
    """Return scores that unpack to 4 GB."""
    head = head_of(f"({4 * 10**9 // 8 // len(LABELS)}, {len(LABELS)})")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("names", "labels"):
            archive.writestr(f"{name}.npy", npy(GOOD[name]))
        with archive.open("scores.npy", "w", force_zip64=True) as member:
            member.write(head)
            for _ in range(400):
                member.write(bytes(10**7))
    return file.getvalue()


def _file(content: Callable[[], bytes], name: str = "scores.npz") -> Case:
    return file_of(name, content)


# Of these the ids are refused, as those of no chip, once they are read.
EITHER: dict[str, Case] = {
    "escapes in a name": _file(lambda: npz(names=np.array(["train_0", "train_1", "\x1b[31m"]))),
    "a name of 10^6 letters": _file(lambda: npz(names=np.array(["train_0", "train_1", "x" * 10**6]))),
    "lone surrogates": _file(lambda: npz(names=np.array(["train_0", "train_1", "\ud800"]))),
    "no letters at all": _file(lambda: npz(names=b"\x93NUMPY\x01\x00" + npy(GOOD["names"])[8:-4] + b"\xff" * 4)),
}
REFUSED: dict[str, Case] = {
    "empty": _file(bytes),
    "one pickle": _file(lambda: pickle.dumps(Evil())),
    "a pickle as scores": _file(lambda: npz(scores=np.array([Evil()], dtype=object))),
    "a pickle as names": _file(lambda: npz(names=np.array([Evil()] * 3, dtype=object))),
    "a pickle as labels": _file(lambda: npz(labels=np.array([Evil()] * len(LABELS), dtype=object))),
    "a pickle by its bytes": _file(lambda: npz(scores=pickle.dumps(Evil()))),
    "an array alone": _file(lambda: npy(GOOD["scores"])),
    "no names": _file(lambda: npz(names=None)),
    "no scores": _file(lambda: npz(scores=None)),
    "another shape": _file(lambda: npz(scores=np.full((3, 2), 0.5))),
    "three dimensions": _file(lambda: npz(scores=np.full((3, len(LABELS), 2), 0.5))),
    "no dimension": _file(lambda: npz(scores=np.array(0.5), names=np.array("x"))),
    "names of two dimensions": _file(lambda: npz(names=np.array([NAMES]))),
    "labels of no dimension": _file(lambda: npz(labels=np.array("x"))),
    "labels of two dimensions": _file(lambda: npz(labels=np.array([LABELS]))),
    "labels that are numbers": _file(lambda: npz(labels=np.arange(len(LABELS)))),
    "labels twice": _file(lambda: npz(labels=np.array([LABELS[0]] * len(LABELS)))),
    "NaN": _file(lambda: npz(scores=np.where(np.eye(3, len(LABELS)) > 0, np.nan, 0.5))),
    "NaN alone": _file(lambda: npz(scores=np.full((3, len(LABELS)), np.nan))),
    "infinite": _file(lambda: npz(scores=np.full((3, len(LABELS)), np.inf))),
    "complex": _file(lambda: npz(scores=np.full((3, len(LABELS)), 1j))),
    "text as scores": _file(lambda: npz(scores=np.full((3, len(LABELS)), "x"))),
    "dates as scores": _file(lambda: npz(scores=np.full((3, len(LABELS)), "2020", dtype="datetime64[D]"))),
    "records as scores": _file(lambda: npz(scores=np.zeros((3, len(LABELS)), dtype=[("a", "f4")]))),
    "2^40 scores and none there": _file(lambda: npz(scores=head_of(f"({2**40}, {len(LABELS)})"))),
    "10^9 scores and none there": _file(lambda: npz(scores=head_of(f"({10**9}, {len(LABELS)})"))),
    "-1 scores": _file(lambda: npz(scores=head_of("(-1, 17)"))),
    "no bytes a score": _file(lambda: npz(names=head_of(f"({2**40},)", "<U0"), scores=head_of(f"({2**40}, 0)"))),
    "names of 2^30 letters": _file(lambda: npz(names=head_of("(3,)", f"<U{2**29}"))),
    "a header of 100 MB": _file(lambda: npz(scores=long_head(10**8))),
    "a header of brackets": _file(lambda: npz(scores=long_head(9000))),
    "a header that computes": _file(lambda: npz(scores=head_of("__import__('os').getpid()"))),
    "4 GB, packed": _file(packed_bomb),
    "a name twice": _file(lambda: npz(names=np.array(["train_0"] * 3))),
    "escapes in a label": _file(lambda: npz(labels=np.array(["\x1b]0;owned\x07", *LABELS[1:]]))),
    "a label of 10^6 letters": _file(lambda: npz(labels=np.array(["x" * 10**6, *LABELS[1:]]))),
}
CASES = {**EITHER, **REFUSED}
