"""Networks run by OpenVINO where there is no GPU: several times as fast as by Keras, with the same results.

OpenVINO holds the weights in the layout that its kernels want, merges batch normalisations and activations into the
convolutions, and runs one chip a core, so that no core waits for another.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Callable
from pathlib import Path
from textwrap import shorten
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.batches import batch_size_for
from models.devices import jit_compile, num_gpus
from models.interrupts import check, deferred

Runner = Callable[[NDArray[Any]], NDArray[np.float32]]

TOLERANCE = 1e-3
PIXELS_A_REQUEST = 2**14  # measured: more at once leave the cores' own caches, and fewer small chips wait for Python


def runner_of(
    network: keras.Model, sample: NDArray[Any], say: Callable[[str], None], *, accelerated: bool = True
) -> Runner:
    """Return what runs a network: OpenVINO where that is of use and gives the same, Keras otherwise.

    A runner takes chips (num_chips, size, size, num_bands) in the values of the files, and returns the network's
    output, float32 (num_chips, num_outputs), in the order of the chips. It keeps the weights that the network has now.

    Args:
        network: any network of one input and one output.
        sample: some chips (num_chips, size, size, num_bands), at least one, on which both must agree. The runner takes
            chips of their size.
        say: is given one line, of what runs the network and why.
        accelerated: False leaves it to Keras.
    """
    by_keras = KerasRunner(network)
    reason = _reason_against() if accelerated else "as asked"
    if not reason:
        try:
            by_openvino = OpenVinoRunner(network, sample.shape[1:], _pixels(network))
            difference = largest_difference(by_openvino(sample), network.predict_on_batch(sample))
        except Exception as error:  # exporters raise whatever they like on a layer that they do not know
            reason = f"OpenVINO does not take it: {shorten(str(error), 240)}"
        else:
            if difference <= TOLERANCE:  # not so for NaN
                say(f"{network.name} is run by OpenVINO; its results equal Keras' to {difference:.0e}.")
                return by_openvino
            reason = f"OpenVINO's results differ by {difference:.0e}, more than {TOLERANCE:.0e}"
    say(f"{network.name} is run by Keras: {reason}.")
    return by_keras


def largest_difference(made: NDArray[Any], expected: NDArray[Any]) -> float:
    """Return how far apart two outputs of a network are, by the chip on which they differ most.

    The difference of a chip is the Euclidean norm of the difference over the norm of what was expected: features near
    0 beside large ones have errors of the large ones' size, so a ratio for each of them would say nothing.

    Args:
        made: array (num_chips, num_outputs).
        expected: array of the same shape.

    Returns:
        A number of 0 or more; NaN if there is any in either.
    """
    differences = np.linalg.norm(np.subtract(made, expected, dtype=np.float64), axis=1)
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
                made = self._network.predict_on_batch(np.concatenate([batch, padding]) if len(padding) else batch)
            outputs[start : start + batch_size] = made[: len(batch)]
        return outputs


class OpenVinoRunner:
    """Runs a network by OpenVINO on the CPU, several requests at a time.

    Requests are waited for in the order they were started. There are twice as many as OpenVINO runs at a time, so that
    the next ones lie ready while results are fetched: measured with MobileNetV2, that is up to a third faster than its
    AsyncInferQueue, which calls back into Python from other threads and reads shared chips after they are gone.

    Args:
        network: any network of one input and one output.
        chip_shape: (size, size, num_bands) of the chips.
        pixels: pixels of the network's largest map, where it enlarges the chips; default: those of a chip.

    Raises:
        Exception: of any kind, if the network cannot be converted.
    """

    def __init__(self, network: keras.Model, chip_shape: tuple[int, ...], pixels: int | None = None) -> None:
        self._chips_a_request = max(1, PIXELS_A_REQUEST // (pixels or chip_shape[0] * chip_shape[1]))
        self._chip_shape = tuple(chip_shape)
        self._output_shape = network.output_shape[1:]
        compiled = _compile(network, (self._chips_a_request, *chip_shape))
        num_requests = 2 * compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._requests = [compiled.create_infer_request() for _ in range(num_requests)]

    def __call__(self, chips: NDArray[Any]) -> NDArray[np.float32]:
        """Return the network's output for chips (num_chips, size, size, num_bands)."""
        if chips.shape[1:] != self._chip_shape:
            raise ValueError(f"Expected chips of shape {self._chip_shape}, received {chips.shape[1:]}.")
        outputs = np.empty((len(chips), *self._output_shape), dtype=np.float32)
        running: deque[tuple[Any, NDArray[np.float32]]] = deque()
        try:
            for number, start in enumerate(range(0, len(chips), self._chips_a_request)):
                check()
                if len(running) == len(self._requests):
                    _fetch(*running.popleft())
                request, part = (
                    self._requests[number % len(self._requests)],
                    slice(start, start + self._chips_a_request),
                )
                _start(request, chips[part])
                running.append((request, outputs[part]))
            while running:
                _fetch(*running.popleft())
        finally:
            for request in self._requests:  # one that runs still would refuse the next chips
                request.wait()
        return outputs


def _pixels(network: keras.Model) -> int:
    """Return the pixels of the largest map in a network: it may enlarge the chips that it is given."""
    outputs = [output for layer in network.layers for output in keras.tree.flatten(layer.output)]
    return max((output.shape[1] * output.shape[2] for output in outputs if len(output.shape) == 4), default=1)


def _reason_against() -> str | None:
    if num_gpus():
        return "there is a GPU"
    if keras.backend.backend() == "jax":  # found by trying, with JAX 0.10: half a minute for a refusal
        return "OpenVINO does not take what JAX exports; with KERAS_BACKEND=tensorflow it is several times faster"
    if importlib.util.find_spec("openvino") is None:
        return 'OpenVINO, which is several times faster without a GPU, is not installed (pip install -e ".[fast]")'
    return None


def _compile(network: keras.Model, shape: tuple[int, ...]) -> Any:
    openvino = import_openvino()
    core = openvino.Core()
    core.set_property({"ENABLE_MMAP": False})  # Windows does not remove files that are mapped
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "network.xml"
        network.export(str(path), format="openvino", verbose=False)
        model = core.read_model(path)
    model.reshape(list(shape))  # a batch of a known size is up to a tenth faster
    # Without the hint of precision it would compute in bfloat16 on processors that have it.
    return core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"})


def import_openvino() -> Any:
    """Return the package openvino, which then reports to nobody."""
    # It forks a process that reports every import and export to its maker's analytics, without asking, unless the
    # package that does so cannot be imported.
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return importlib.import_module("openvino")


def _start(request: Any, chips: NDArray[Any]) -> None:
    """Start a request with chips, cast on their way into it; where they are few, old ones stay behind them unread."""
    tensor = request.get_input_tensor(0).data
    tensor[: len(chips)] = chips
    request.start_async()


def _fetch(request: Any, outputs: NDArray[np.float32]) -> None:
    """Wait for a request, and copy what it made."""
    request.wait()
    outputs[:] = request.get_output_tensor(0).data[: len(outputs)]
