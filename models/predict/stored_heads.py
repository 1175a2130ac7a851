"""Heads read from their files without Keras, whose loading takes longer than a thousand chips do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from models.backend.load import load_hdf5
from models.backend.seals import check_sealed
from models.predict.head_scorer import HeadLayers

NORM = "batch_normalization"  # Keras calls a layer's group in a file by its class, and its place among those of a class
UNUSED = ("prior_shift",)  # layers whose weights have no part in scores


def read_head(path: Path, units: Sequence[int]) -> HeadLayers | None:
    """Return a head of dense layers from the file that Keras has written; None if it is none of such a one, or damaged.

    Args:
        path: the file.
        units: of its dense layers, the labels last.
    """
    names = ["dense" if number == 0 else f"dense_{number}" for number in range(len(units))]
    with suppress(OSError, ValueError, LookupError, AttributeError, TypeError), load_hdf5().File(path) as file:
        check_sealed(file, path)
        groups = {name: group["vars"] for name, group in file["layers"].items() if name not in UNUSED}
        found = {name: [group[key][()] for key in sorted(group)] for name, group in groups.items() if len(group)}
        dense = [(kernel, bias) for kernel, bias in (found[name] for name in names)]
        fits = [kernel.shape[1:] == bias.shape == (size,) for (kernel, bias), size in zip(dense, units, strict=True)]
        if found.keys() - {NORM} == set(names) and all(fits):
            head = HeadLayers([kernel for kernel, _ in dense], [bias for _, bias in dense])
            return head.after(found.get(NORM, []))
    return None
