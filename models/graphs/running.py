"""What runs a graph: ONNX Runtime or OpenVINO, whichever a trial on this machine finds faster; ONNX Runtime on CUDA.

The trial takes seconds, once a machine and graph: its outcome is kept in the cache. OpenVINO runs what ONNX Runtime is
not clearly faster at, so that two trials seldom end differently; both must give the same features.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import io
import platform
import time
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from textwrap import shorten
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from competition.cluster.threads import limit, threads_here
from competition.common.errors import UserError
from competition.common.files import digest_json, versions_of
from competition.common.interrupts import check
from competition.common.locks import lock_of, locked
from competition.common.progress import reporter
from competition.common.records import DamagedError, read_record, write_record
from competition.common.text import short
from models.backend.devices import batch_size_for, may_have_gpu
from models.backend.kept import TOLERANCE, largest_difference, tolerance
from models.backend.openvino import OpenVinoRunner, has_bfloat16, read_graph, read_model

FORMAT = 1
SECONDS = 4.0  # of the trial, for each of the two
FIRST = 4  # chips of its first call: of the largest networks one takes a second
CLEARLY = 1.1  # times as fast as OpenVINO is what runs instead of it
CUDA = "CUDAExecutionProvider"
XML, BIN = "network.xml", "network.bin"  # in an archive of OpenVINO's files
BY_ONNX, BY_OPENVINO = "ONNX Runtime", "OpenVINO"

_said: set[str] = set()


class GraphRunner(Protocol):
    """Runs a graph; see `Runner`."""

    output_shape: tuple[int, ...]

    def __call__(self, chips: NDArray[Any]) -> NDArray[np.float32]:
        """Return the features (num_chips, num_features) of chips (num_chips, size, size, num_bands)."""


def onnx_session(content: bytes, on: Sequence[Any] = ()) -> Any:
    """Return a session of ONNX Runtime, which takes as many threads as it may and says nothing.

    Args:
        content: the ONNX file.
        on: what it asks before the processor, as ONNX Runtime names its providers, with options or without.

    Raises:
        Exception: of any kind, if it does not take the network.
    """
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if threads := limit():
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(content, options, providers=[*on, "CPUExecutionProvider"])


class OnnxRunner:
    """Runs an ONNX graph of one input and one output by ONNX Runtime.

    Args:
        content: the file. From memory, so that no other file can be named as the place of its weights.
        pixels: pixels of what the network within is given; default: those of a chip.
        on: see `onnx_session`.

    Attributes:
        chip_shape: (size, size, num_bands) of the chips.
        output_shape: of what it makes of a chip.
        metadata: what the file says of itself, by name.

    Raises:
        Exception: of any kind, if ONNX Runtime does not take the graph.
    """

    def __init__(self, content: bytes, pixels: int | None = None, *, on: Sequence[Any] = ()) -> None:
        self._session = onnx_session(content, on)
        (self._input,), (output,) = self._session.get_inputs(), self._session.get_outputs()
        self._batch = self._input.shape[0] if isinstance(self._input.shape[0], int) else None
        self.chip_shape, self.output_shape = tuple(self._input.shape[1:]), tuple(output.shape[1:])
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._most = batch_size_for(round(pixels**0.5) if pixels else self.chip_shape[0])

    @property
    def is_on_cuda(self) -> bool:
        """Whether it computes there: where a library of CUDA's is missing, ONNX Runtime takes the processor instead."""
        return CUDA in self._session.get_providers()

    def __call__(self, chips: NDArray[Any]) -> NDArray[np.float32]:
        """Return the output for chips (num_chips, size, size, num_bands)."""
        outputs = np.empty((len(chips), *self.output_shape), dtype=np.float32)
        for start in range(0, len(chips), at_once := self._batch or self._most):
            check()
            part = chips[start : start + at_once].astype(np.float32)
            lacking = self._batch - len(part) if self._batch else 0  # a graph of a fixed batch takes no smaller one
            padded = np.pad(part, ((0, lacking), *[(0, 0)] * (part.ndim - 1))) if lacking else part
            outputs[start : start + len(part)] = self._session.run(None, {self._input.name: padded})[0][: len(part)]
        return outputs


def reference(content: bytes, pixels: int) -> GraphRunner:
    """Return what runs a graph plainly: ONNX Runtime, where it is installed and the graph is ONNX.

    Raises:
        UserError: if neither it nor OpenVINO is installed, or what is does not take the graph.
    """
    return _made(BY_ONNX if _takes_onnx(content) else BY_OPENVINO, content, pixels)


def fastest(
    content: bytes, sample: NDArray[Any], pixels: int, cache: Path | None = None, *, mixed: bool = False
) -> GraphRunner:
    """Return what runs a graph fastest here, and say which it is.

    Args:
        content: the file, ONNX or an archive of OpenVINO's files.
        sample: some chips (num_chips, size, size, num_bands), on which both must agree.
        pixels: pixels of what the network within is given.
        cache: where the outcome of a trial is kept; None: nowhere.
        mixed: by OpenVINO in bfloat16, where the processor has it and the graph bears it.

    Raises:
        UserError: if nothing that is installed takes the graph.
    """
    if not _takes_onnx(content):
        runner, how = _made(BY_OPENVINO, content, pixels), BY_OPENVINO
    elif _has_cuda() and (by_cuda := _on_cuda(content, sample, pixels, mixed=mixed)):
        runner, how = by_cuda, f"{BY_ONNX} on CUDA"
    elif importlib.util.find_spec("openvino") is None:
        runner, how = _made(BY_ONNX, content, pixels), BY_ONNX
    else:
        runner, how = _tried(content, sample, pixels, cache, mixed=mixed)
    line = f"The extractor is run by {how}."
    if line not in _said:
        _said.add(line)
        reporter.say(line)
    return runner


def _on_cuda(content: bytes, sample: NDArray[Any], pixels: int, *, mixed: bool) -> GraphRunner | None:
    """Return what runs a graph on CUDA if it gives there what it gives on the processor; None if it does not.

    By itself CUDA rounds what it multiplies to 10 bits (TF32), which few deep networks bear within the tolerance.
    """
    expected = _made(BY_ONNX, content, pixels)(sample)
    for rounded in (1, 0):
        with suppress(Exception):  # ONNX Runtime raises whatever it likes, such as where the GPU's memory is full
            runner = OnnxRunner(content, pixels, on=[(CUDA, {"use_tf32": rounded})])
            if not runner.is_on_cuda:
                return None
            if largest_difference(runner(sample), expected) <= tolerance(mixed):  # not so for NaN
                return runner
    return None


def _tried(
    content: bytes, sample: NDArray[Any], pixels: int, cache: Path | None, *, mixed: bool
) -> tuple[GraphRunner, str]:
    """Return the faster of the two, by the trial that is kept of this machine or a new one."""
    mixed = mixed and has_bfloat16()
    asked = {**_machine(), "chips": list(sample.shape[1:]), "mixed": mixed}
    of = digest_json({**asked, "graph": hashlib.sha256(content).hexdigest()})  # several machines may share the cache
    path = cache / "trials" / f"{short(of)}.json" if cache else None
    by_onnx, rates = _made(BY_ONNX, content, pixels), _kept_rates(path, asked)
    if rates and _is_faster(rates):  # OpenVINO need not be made ready to be left alone
        return by_onnx, _chosen(rates)
    expected = by_onnx(sample)
    by_openvino, reason = _agreeing(content, pixels, sample, expected, mixed=mixed)
    if by_openvino is None:
        return by_onnx, f"{BY_ONNX}: {reason}"
    with ExitStack() as held:
        if path:
            with suppress(OSError):  # nothing can be noted there
                held.enter_context(locked(lock_of(path)))  # processes that try at once are in each other's way
        rates = _kept_rates(path, asked)
        if rates is None:
            with reporter.busy("trying what runs the network fastest"):
                rates = {BY_ONNX: _rate(by_onnx, sample), BY_OPENVINO: _rate(by_openvino, sample)}
            if path:
                with suppress(OSError):
                    write_record(path, {"machine": asked, "rates": rates}, version=FORMAT)
    return (by_onnx if _is_faster(rates) else by_openvino), _chosen(rates)


def _is_faster(rates: Mapping[str, float]) -> bool:
    """Whether ONNX Runtime is clearly faster than OpenVINO."""
    return rates[BY_ONNX] > CLEARLY * rates[BY_OPENVINO]


def _chosen(rates: Mapping[str, float]) -> str:
    one, other = (BY_ONNX, BY_OPENVINO) if _is_faster(rates) else (BY_OPENVINO, BY_ONNX)
    return f"{one}: {rates[one]:,.3g} chips a second, {rates[other]:,.3g} by {other}; both give the same"


def _agreeing(
    content: bytes, pixels: int, sample: NDArray[Any], expected: NDArray[np.float32], *, mixed: bool
) -> tuple[GraphRunner | None, str]:
    """Return OpenVINO's runner if it gives what is expected, in bfloat16 if that does; or why there is none."""
    difference = float("nan")
    for in_bfloat16 in (True, False) if mixed else (False,):
        try:
            runner = OpenVinoRunner(read_graph(content), sample.shape[1:], pixels, mixed=in_bfloat16)
            difference = largest_difference(runner(sample), expected)
        except Exception as error:  # OpenVINO raises whatever it likes on what it does not know
            return None, f"OpenVINO does not take it: {shorten(str(error), 160)}"
        if difference <= tolerance(in_bfloat16):  # not so for NaN
            return runner, ""
    return None, f"OpenVINO's features differ by {difference:.0e}, more than {TOLERANCE:.0e}"


def _rate(runner: GraphRunner, sample: NDArray[Any]) -> float:
    """Return how many chips a second it takes: the best of the calls that fit into the trial."""
    many, best, ends = min(len(sample), FIRST), 0.0, time.monotonic() + SECONDS
    while time.monotonic() < ends:
        chips = np.resize(sample, (many, *sample.shape[1:]))
        started = time.monotonic()
        runner(chips)
        seconds = time.monotonic() - started
        best = max(best, many / max(seconds, 1e-9))
        if seconds < SECONDS / 8 and many < 1024:
            many *= 2
    return best


def _kept_rates(path: Path | None, asked: dict[str, Any]) -> dict[str, float] | None:
    """Return the outcome of the trial that was made of the same on this machine; None if there is none."""

    def parse(content: dict[str, Any]) -> dict[str, float] | None:
        rates = {name: float(content["rates"][name]) for name in (BY_ONNX, BY_OPENVINO)}
        return rates if content["machine"] == asked else None

    if path:
        with suppress(DamagedError):
            return read_record(path, parse, version=FORMAT)
    return None


def _machine() -> dict[str, Any]:
    return {"host": platform.node(), "threads": threads_here(), **versions_of("onnxruntime", "openvino")}


def _made(by: str, content: bytes, pixels: int) -> GraphRunner:
    package, extra = ("onnxruntime", "onnx") if by == BY_ONNX else ("openvino", "fast")
    if importlib.util.find_spec(package) is None:
        raise UserError(f"The network is run by {by}. Run 'pip install -e \".[{extra}]\"'.")
    try:
        return OnnxRunner(content, pixels) if by == BY_ONNX else _by_openvino(content, pixels)
    except Exception as error:  # both raise whatever they like on what they do not know
        raise UserError(f"{by} does not take the network: {shorten(str(error), 300)}") from error


def _by_openvino(content: bytes, pixels: int) -> OpenVinoRunner:
    model = read_graph(content) if _is_onnx(content) else read_archive(content)
    shape = model.input(0).partial_shape
    return OpenVinoRunner(model, tuple(shape[axis].get_length() for axis in (1, 2, 3)), pixels)


def read_archive(content: bytes) -> Any:
    """Return the network of OpenVINO in an archive of its two files."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return read_model(archive.read(XML), archive.read(BIN))


def _is_onnx(content: bytes) -> bool:
    return not content.startswith(b"PK")


def _takes_onnx(content: bytes) -> bool:
    return _is_onnx(content) and importlib.util.find_spec("onnxruntime") is not None


@functools.cache
def _has_cuda() -> bool:
    return may_have_gpu() and CUDA in importlib.import_module("onnxruntime").get_available_providers()
