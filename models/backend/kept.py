"""Networks that OpenVINO has converted, kept on the disk: the next process runs them without loading Keras.

To load Keras and its backend, build a network, convert it and trace it for the check takes DenseNet121 a quarter of a
minute on two cores; to read the conversion takes half a second. Layout of a conversion's folder:

    network.xml, network.bin   the network, in OpenVINO's own format
    check.npz                  some chips, and what Keras makes of them
    network.json               what network it is, and the digests of the files
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.files import digest_file, digest_json, replace_folder
from competition.common.locks import lock_of, locked
from competition.common.records import read_record, write_record
from competition.common.text import short
from models.backend.devices import may_have_gpu
from models.backend.openvino import OpenVinoRunner, import_openvino, read_model

FORMAT = 1
XML, BIN, CHECK, RECORD = "network.xml", "network.bin", "check.npz", "network.json"
TOLERANCE = 1e-3
OF_MIXED = 0.25  # bfloat16 holds 8 bits of a value, and a network has many layers: of DenseNet121 it was .1


class Kept:
    """Where the conversion of one network is kept.

    Args:
        root: folder of all conversions.
        network: everything that the network's output depends on, besides its chips; of values that JSON knows.
    """

    def __init__(self, root: Path, network: Mapping[str, Any]) -> None:
        self.folder = root / short(digest_json(network))
        self._digest = digest_json(network)

    def runner(self, *, mixed: bool = False) -> tuple[OpenVinoRunner, float] | None:
        """Return what runs the network, and how far its outputs are from Keras'; None if it is not kept, or not whole.

        It is None, too, where OpenVINO is not installed, where there may be a GPU, and where the network's outputs for
        the chips kept beside it are not Keras' on this machine.
        """
        if importlib.util.find_spec("openvino") is None or may_have_gpu():
            return None
        try:
            model, pixels = self.network()
            with np.load(self.folder / CHECK, allow_pickle=False) as kept:
                chips, expected = kept["chips"], kept["outputs"]
            runner = OpenVinoRunner(model, chips.shape[1:], pixels, mixed=mixed)
            difference = largest_difference(runner(chips), expected)
        except Exception:  # it is missing or damaged; and OpenVINO raises whatever it likes on what it does not know
            return None
        return (runner, difference) if difference <= tolerance(mixed) else None  # not so for NaN

    def network(self) -> tuple[Any, int]:
        """Return the network, as OpenVINO has it, and the pixels of its largest map.

        Raises:
            Exception: of any kind, if it is not kept or not whole.
        """
        pixels = read_record(self.folder / RECORD, self._checked, version=FORMAT)
        return read_model(*((self.folder / name).read_bytes() for name in (XML, BIN))), pixels

    def _checked(self, record: dict[str, Any]) -> int:
        if (record["network"], record["files"]) != (self._digest, _digests(self.folder)):
            raise ValueError("it is of another network, or its files are of another one")
        return int(record["pixels"])

    def keep(self, model: Any, chips: NDArray[Any], outputs: NDArray[np.float32], pixels: int) -> None:
        """Keep a network; where the disk does not take it, it is converted again the next time.

        Args:
            model: the network, as OpenVINO has it.
            chips: some chips (num_chips, size, size, num_bands) as it takes them.
            outputs: what Keras makes of them.
            pixels: pixels of its largest map.
        """
        with suppress(OSError, RuntimeError):  # the latter by OpenVINO
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._write(model, chips, outputs, pixels)

    def _write(self, model: Any, chips: NDArray[Any], outputs: NDArray[np.float32], pixels: int) -> None:
        with locked(lock_of(self.folder)), replace_folder(self.folder) as folder:
            import_openvino().save_model(model, folder / XML, compress_to_fp16=False)
            np.savez(folder / CHECK, chips=chips, outputs=outputs)
            record = {"network": self._digest, "pixels": pixels, "files": _digests(folder)}
            write_record(folder / RECORD, record, version=FORMAT)


def tolerance(mixed: bool) -> float:
    """Return how far OpenVINO's outputs may be from Keras', in float32 or, mixed, in bfloat16."""
    return OF_MIXED if mixed else TOLERANCE


def files_fit(folder: Path) -> bool:
    """Whether a conversion's files are those that its record names.

    Raises:
        DamagedError: if the record is damaged.
    """
    try:
        return read_record(folder / RECORD, lambda kept: bool(kept["files"] == _digests(folder)), version=FORMAT)
    except FileNotFoundError:
        return False


def _digests(folder: Path) -> dict[str, str]:
    return {name: digest_file(folder / name) for name in (XML, BIN, CHECK)}


def largest_difference(outputs: NDArray[Any], expected: NDArray[Any]) -> float:
    """Return how far apart two outputs of a network are, by the chip on which they differ most.

    The difference of a chip is the Euclidean norm of the difference over the norm of what was expected: features near
    0 beside large ones have errors of the large ones' size, so a ratio for each of them would say nothing.

    Args:
        outputs: array (num_chips, num_outputs).
        expected: array of the same shape.

    Returns:
        A number of 0 or more; NaN if there is any in either.
    """
    differences = np.linalg.norm(np.subtract(outputs, expected, dtype=np.float64), axis=1)
    norms = np.linalg.norm(expected.astype(np.float64), axis=1)
    return float(np.max(differences / np.maximum(norms, np.finfo(np.float32).tiny)))
