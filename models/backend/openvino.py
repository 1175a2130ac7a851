"""Running a network by OpenVINO: how it is converted and compiled, and how many chips go into a request."""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.cluster.threads import limit
from competition.common.files import scratch_folder
from competition.common.interrupts import check

if TYPE_CHECKING:
    import keras

PIXELS_PER_REQUEST = 2**14  # measured: more at once leave the cores' own caches, and fewer small chips wait for Python


class OpenVinoRunner:
    """Runs a network by OpenVINO on the CPU, several requests at a time.

    Requests are waited for in the order they were started. There are twice as many as OpenVINO runs at a time, so that
    the next ones lie ready while results are fetched: measured with MobileNetV2, that is up to a third faster than its
    AsyncInferQueue, which calls back into Python from other threads and reads shared chips after they are gone.

    Args:
        model: a network of one input and one output, as `converted` or `read_model` returns it.
        chip_shape: (size, size, num_bands) of the chips.
        pixels: pixels of the network's largest map, where it enlarges the chips; default: those of a chip.
        mixed: compute in bfloat16, where the processor has it.

    Attributes:
        output_shape: of what it makes of a chip.

    Raises:
        Exception: of any kind, if OpenVINO does not take the network.
    """

    def __init__(
        self, model: Any, chip_shape: tuple[int, ...], pixels: int | None = None, *, mixed: bool = False
    ) -> None:
        self._chips_per_request = max(1, PIXELS_PER_REQUEST // (pixels or chip_shape[0] * chip_shape[1]))
        self._chip_shape = tuple(chip_shape)
        model.reshape([self._chips_per_request, *chip_shape])  # a batch of a known size is up to a tenth faster
        ready = compiled(model, mixed=mixed, PERFORMANCE_HINT="THROUGHPUT")
        self.output_shape = tuple(ready.output(0).shape)[1:]
        num_requests = 2 * ready.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._requests = [ready.create_infer_request() for _ in range(num_requests)]

    def __call__(self, chips: NDArray[Any]) -> NDArray[np.float32]:
        """Return the network's output for chips (num_chips, size, size, num_bands)."""
        if chips.shape[1:] != self._chip_shape:
            raise ValueError(f"Expected chips of shape {self._chip_shape}, received {chips.shape[1:]}.")
        outputs = np.empty((len(chips), *self.output_shape), dtype=np.float32)
        running: deque[tuple[Any, NDArray[np.float32]]] = deque()
        try:
            for number, start in enumerate(range(0, len(chips), self._chips_per_request)):
                check()
                if len(running) == len(self._requests):
                    _fetch(*running.popleft())
                request, part = (
                    self._requests[number % len(self._requests)],
                    slice(start, start + self._chips_per_request),
                )
                _start(request, chips[part])
                running.append((request, outputs[part]))
            while running:
                _fetch(*running.popleft())
        finally:
            for request in self._requests:  # one that runs still would refuse the next chips
                request.wait()
        return outputs


def compiled(model: Any, *, mixed: bool = False, **hints: str) -> Any:
    """Return a network made ready to run on the CPU, in float32 or, mixed, in bfloat16.

    Raises:
        Exception: of any kind, if OpenVINO does not take it.
    """
    # Without the hint of precision it would compute in bfloat16 on processors that have it.
    hints["INFERENCE_PRECISION_HINT"] = "bf16" if mixed else "f32"
    if threads := limit():  # which it does not read from the environment, as others do
        hints["INFERENCE_NUM_THREADS"] = str(threads)
    return _core().compile_model(model, "CPU", hints)


def nhwc_pixels(network: keras.Model) -> int:
    """Return the pixels of the largest map in a network: it may enlarge the chips that it is given."""
    import keras

    outputs = [output for layer in network.layers for output in keras.tree.flatten(layer.output)]
    return max((output.shape[1] * output.shape[2] for output in outputs if len(output.shape) == 4), default=1)


def converted(network: keras.Model) -> Any:
    """Return a network of Keras as one of OpenVINO.

    Raises:
        Exception: of any kind, if it cannot be converted.
    """
    import_openvino()
    with scratch_folder() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = folder / "network.xml"
        network.export(str(path), format="openvino", verbose=False)
        return read_model(path.read_bytes(), path.with_suffix(".bin").read_bytes())


def read_model(xml: bytes, weights: bytes) -> Any:
    """Return the network in OpenVINO's two files, by what they hold: Windows does not remove files that are mapped."""
    return _core().read_model(model=xml, weights=weights)


def read_graph(content: bytes) -> Any:
    """Return an ONNX graph as a network of OpenVINO."""
    return _core().read_model(model=content)


def has_bfloat16() -> bool:
    """Return whether OpenVINO computes in bfloat16 on this processor."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@functools.cache
def _core() -> Any:
    """Return the one of this process, kept to its end.

    Its plugin gives the thread that loads it a stack for signals, and frees that when the last core goes, from whatever
    thread: on Linux the next Ctrl-C then ended Python by a segmentation fault.
    """
    return import_openvino().Core()


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
