"""Networks run by OpenVINO where there is no GPU: several times as fast as by Keras, with the same results.

OpenVINO holds the weights in the layout that its kernels want, merges batch normalisations and activations into the
convolutions, and runs one chip per core, so that no core waits for another.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.common.interrupts import check, deferred
from competition.common.progress import reporter
from models.backend.devices import backend_name, batch_size_for, jit_compile, num_gpus
from models.backend.kept import TOLERANCE, Kept, largest_difference, tolerance
from models.backend.openvino import OpenVinoRunner, converted, has_bfloat16, nhwc_pixels

if TYPE_CHECKING:
    import keras

Runner = Callable[[NDArray[Any]], NDArray[np.float32]]

_said: set[str] = set()  # by what networks are run is said once a process, not again with every fold


def runner_of(
    network: keras.Model,
    sample: NDArray[Any],
    *,
    accelerated: bool = True,
    kept: Kept | None = None,
    mixed: bool = False,
) -> Runner:
    """Return what runs a network: OpenVINO where that is of use and gives the same, Keras otherwise.

    A runner takes chips (num_chips, size, size, num_bands) in the values of the files, and returns the network's
    output, float32 (num_chips, num_outputs), in the order of the chips. It keeps the weights that the network has now.

    Args:
        network: any network of one input and one output.
        sample: some chips (num_chips, size, size, num_bands), at least one, on which both must agree. The runner takes
            chips of their size.
        accelerated: False leaves it to Keras.
        kept: where its conversion is kept, from which it is read or to which it is written; None: nowhere.
        mixed: compute in bfloat16 where OpenVINO and the processor do.
    """
    by_keras = KerasRunner(network)
    reason = _reason_against() if accelerated else "as asked"
    if not reason:
        if kept and (runner := kept_runner(kept, network.name, mixed=mixed)):
            return runner
        try:
            model, pixels, expected = converted(network), nhwc_pixels(network), _at_once(network, sample)
            by_openvino, difference = _closest(model, pixels, sample, expected, mixed=mixed)
        except Exception as error:  # exporters raise whatever they like on a layer that they do not know
            reason = f"OpenVINO does not take it: {shorten(str(error), 240)}"
        else:
            if by_openvino:
                _say_equal(network.name, difference)
                if kept:
                    kept.keep(model, sample, expected, pixels)
                return by_openvino
            reason = f"OpenVINO's results differ by {difference:.0e}, more than {TOLERANCE:.0e}"
    _say_once(f"The {network.name} is run by Keras", f": {reason}")
    return by_keras


def kept_runner(kept: Kept, name: str, *, mixed: bool = False) -> Runner | None:
    """Return what runs a network whose conversion is kept, without loading Keras; None if there is none to be used.

    Args:
        kept: where its conversion would be.
        name: what the network is called.
        mixed: compute in bfloat16.
    """
    for in_bfloat16 in _precisions(mixed):
        if found := kept.runner(mixed=in_bfloat16):
            _say_equal(name, found[1])
            return found[0]
    return None


def _closest(
    model: Any, pixels: int, sample: NDArray[Any], expected: NDArray[np.float32], *, mixed: bool
) -> tuple[Runner | None, float]:
    """Return OpenVINO's runner in the first precision whose outputs are Keras', if there is one, and how far they are.

    MobileNetV2's differ by more than half in bfloat16, DenseNet121's by a tenth.
    """
    difference = float("nan")
    for in_bfloat16 in _precisions(mixed):
        runner = OpenVinoRunner(model, sample.shape[1:], pixels, mixed=in_bfloat16)
        difference = largest_difference(runner(sample), expected)
        if difference <= tolerance(in_bfloat16):  # not so for NaN
            return runner, difference
    return None, difference


def _precisions(mixed: bool) -> tuple[bool, ...]:
    """Return in which precisions to try, one after another: whether in bfloat16."""
    return (True, False) if mixed else (False,)


def _at_once(network: keras.Model, chips: NDArray[Any]) -> NDArray[np.float32]:
    """Return what Keras makes of a few chips, layer by layer: to trace the network would take longer."""
    import keras

    return keras.ops.convert_to_numpy(network(chips, training=False))


def _say_equal(name: str, difference: float) -> None:
    if difference > TOLERANCE:
        how = f" in bfloat16; on a few chips its results are at most {difference:.0%} from Keras' in float32"
    else:
        how = f"; its results equal Keras' to {difference:.0e}"
    _say_once(f"The {name} is run by OpenVINO", how)


def _say_once(how: str, detail: str) -> None:
    if how not in _said:
        _said.add(how)
        reporter.say(f"{how}{detail}.")


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


def computes_bfloat16() -> bool:
    """Return whether networks are run by OpenVINO here, and in bfloat16 where that is asked for."""
    return _reason_against() is None and has_bfloat16()


def _reason_against() -> str | None:
    if num_gpus():
        return "there is a GPU"
    if backend_name() == "jax":  # found by trying, with JAX 0.10: half a minute for a refusal
        return "OpenVINO does not take what JAX exports; with KERAS_BACKEND=tensorflow it is several times faster"
    if importlib.util.find_spec("openvino") is None:
        return 'OpenVINO, which is several times faster without a GPU, is not installed (pip install -e ".[fast]")'
    return None
