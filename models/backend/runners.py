"""Networks run by OpenVINO where there is no GPU: several times as fast as by Keras, with the same results.

OpenVINO holds the weights in the layout that its kernels want, merges batch normalisations and activations into the
convolutions, and runs one chip per core, so that no core waits for another.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from textwrap import shorten
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from competition.common.progress import reporter
from models.backend.devices import batch_size_for, jit_compile, num_gpus
from models.backend.interrupts import check, deferred
from models.backend.openvino import OpenVinoRunner, nhwc_pixels

Runner = Callable[[NDArray[Any]], NDArray[np.float32]]

TOLERANCE = 1e-3
_said: set[str] = set()  # by what networks are run is said once a process, not again with every fold


def runner_of(network: keras.Model, sample: NDArray[Any], *, accelerated: bool = True) -> Runner:
    """Return what runs a network: OpenVINO where that is of use and gives the same, Keras otherwise.

    A runner takes chips (num_chips, size, size, num_bands) in the values of the files, and returns the network's
    output, float32 (num_chips, num_outputs), in the order of the chips. It keeps the weights that the network has now.

    Args:
        network: any network of one input and one output.
        sample: some chips (num_chips, size, size, num_bands), at least one, on which both must agree. The runner takes
            chips of their size.
        accelerated: False leaves it to Keras.
    """
    by_keras = KerasRunner(network)
    reason = _reason_against() if accelerated else "as asked"
    if not reason:
        try:
            by_openvino = OpenVinoRunner(network, sample.shape[1:], nhwc_pixels(network))
            difference = largest_difference(by_openvino(sample), network.predict_on_batch(sample))
        except Exception as error:  # exporters raise whatever they like on a layer that they do not know
            reason = f"OpenVINO does not take it: {shorten(str(error), 240)}"
        else:
            if difference <= TOLERANCE:  # not so for NaN
                _say_once(f"The {network.name} is run by OpenVINO", f"; its results equal Keras' to {difference:.0e}")
                return by_openvino
            reason = f"OpenVINO's results differ by {difference:.0e}, more than {TOLERANCE:.0e}"
    _say_once(f"The {network.name} is run by Keras", f": {reason}")
    return by_keras


def _say_once(how: str, detail: str) -> None:
    if how not in _said:
        _said.add(how)
        reporter.say(f"{how}{detail}.")


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


class KerasRunner:
    """Runs a network by Keras, in batches of one shape: a backend that compiles would compile anew for another.

    Args:
        network: any network of one input and one output.
        batch_size: most chips at once; None: what suits the size of the chips.
    """

    def __init__(self, network: keras.Model, batch_size: int | None = None) -> None:
        self._network = network
        self._batch_size = batch_size
        if jit_compile() is False:  # by XLA on a CPU MobileNetV2 is six times slower
            network.jit_compile = False

    def __call__(self, chips: NDArray[Any]) -> NDArray[np.float32]:
        """Return the network's output for chips (num_chips, size, size, num_bands)."""
        most = self._batch_size or batch_size_for(chips.shape[1])
        batch_size = min(most, 2 ** (len(chips) - 1).bit_length()) if len(chips) else most
        outputs = np.empty((len(chips), *self._network.output_shape[1:]), dtype=np.float32)
        for start in range(0, len(chips), batch_size):
            check()
            batch = chips[start : start + batch_size]
            padding = np.zeros((batch_size - len(batch), *batch.shape[1:]), dtype=batch.dtype)
            with deferred():
                padded = self._network.predict_on_batch(np.concatenate([batch, padding]) if len(padding) else batch)
            outputs[start : start + batch_size] = padded[: len(batch)]
        return outputs


def _reason_against() -> str | None:
    if num_gpus():
        return "there is a GPU"
    if keras.backend.backend() == "jax":  # found by trying, with JAX 0.10: half a minute for a refusal
        return "OpenVINO does not take what JAX exports; with KERAS_BACKEND=tensorflow it is several times faster"
    if importlib.util.find_spec("openvino") is None:
        return 'OpenVINO, which is several times faster without a GPU, is not installed (pip install -e ".[fast]")'
    return None
