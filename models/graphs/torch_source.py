"""Networks in files of torch, TorchScript and torch.export, converted to ONNX: torch is needed for that alone.

Either may run code where it is opened, and is opened where it is trusted alone. By torch 2.13: TorchScript runs its
classes' `__setstate__`, in a language that reads and writes files; torch.export unpickles whatever the archive marks as
pickled, evaluates its shapes as Python, and loads compiled libraries. Plain pickles, of `torch.save`, stay closed.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from models.backend.kept import TOLERANCE, largest_difference
from models.backend.load import turned_aside
from models.backend.onnx_graph import OPSET, torch_onnx
from models.foreign.trust import check_trusted
from models.graphs.source import Source, bands_come_first, check_size, check_total

SCRIPT, EXPORT = "TorchScript", "a program of torch.export"
PICKLES = (".pth", ".ckpt", ".bin", ".pkl", ".pickle")  # suffixes of what torch.save writes
Shape = Sequence[int | None]


class TorchNetwork:
    """A network that strangers made, in a file of torch.

    Args:
        path: of the file.
        num_bands: number of bands that it will be given.
        size: pixels along each side of that.
        cache: the workspace's folder of what can be made again, where it is noted what is trusted.

    Attributes:
        name: of its file.
        channels_first: whether it takes (num_chips, num_bands, size, size), and not the bands last.

    Raises:
        UserError: if it is none, not trusted, too large, takes something else, or a package is missing.
    """

    def __init__(self, path: Path, num_bands: int, size: int, cache: Path) -> None:
        self.name = path.name
        kind = _kind_of(path)
        content = path.read_bytes()
        check_trusted(cache, self.name, content, kind)
        if missing := [name for name in ("torch", "onnx", "onnxruntime") if importlib.util.find_spec(name) is None]:
            raise UserError(
                f"Reading {self.name} needs {' and '.join(missing)}. Run 'pip install -e \".[torch,onnx]\"'."
            )
        self._network, shape = _opened(kind, content, path)
        if len(shape) != 4:
            raise UserError(
                f"{self.name} takes an input of {len(shape)} axes: expected 4, (chips, bands, height, width)."
            )
        self.channels_first = bands_come_first(shape, num_bands, self.name)
        check_size(shape[2:] if self.channels_first else shape[1:3], size, self.name)
        self._batch, self._is_script = shape[0], kind == SCRIPT
        self._names: list[str] = []

    def outputs(self, seen: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return what torch makes of what it is given, (num_chips, num_bands, size, size), for each chip.

        Outputs without a name are known by their place; what is no tensor, or not of each chip, is passed over.

        Raises:
            UserError: if it takes something else, or makes something else of a chip the next time or beside others.
        """
        try:
            made = self._run(seen)
        except UserError:
            if self._batch is not None:
                raise
            self._batch = 1  # as it may have been traced
            made = self._run(seen)
        alone = self._run(np.repeat(seen[:1], 2, axis=0))
        for name, whole in made.items():
            if largest_difference(alone[name].reshape(2, -1)[:1], whole.reshape(len(whole), -1)[:1]) > TOLERANCE:
                raise UserError(
                    f"{self.name} does not give the same of a chip twice, as networks that learn do not. Write it "
                    "again from NETWORK.eval()."
                )
        self._names = list(made)
        return made

    def source(self, seen: NDArray[np.float32]) -> Source:
        """Return it as an ONNX network, after `outputs`.

        Raises:
            UserError: if torch cannot export it, or ONNX does not hold it.
        """
        onnx = importlib.import_module("onnx")
        sample = self._given(np.resize(seen, (self._batch or 2, *seen.shape[1:])))

        def run(chips: Any) -> list[Any]:
            made = _named(self._network(chips), len(sample))
            return [made[name] for name in self._names]

        try:
            model = torch_onnx(self._network, run, sample, "pixels", self._names)
        except Exception as error:  # torch raises whatever it likes on what it does not know
            other = f"Give it as {'.pt2, of torch.export, or' if self._is_script else 'an'} .onnx."
            raise UserError(f"{self.name} cannot be written as ONNX: {_line(error)}. {other}") from error
        # Of what knows how many chips it was traced with, a graph that takes so many is made.
        return Source(self.name, model, OPSET, "pixels", onnx.TensorProto.FLOAT, self.channels_first, len(sample))

    def _given(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ascontiguousarray(seen if self.channels_first else np.moveaxis(seen, 1, -1))

    def _run(self, seen: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return its outputs; a network that takes so many chips and no others is given them in parts, filled up."""
        torch = importlib.import_module("torch")
        step = self._batch or len(seen)
        given = np.resize(seen, (len(seen) + -len(seen) % step, *seen.shape[1:]))
        parts = []
        for at in range(0, len(given), step):
            try:
                with torch.inference_mode(), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    parts.append(_named(self._network(torch.from_numpy(self._given(given[at : at + step]))), step))
            except Exception as error:  # torch raises whatever it likes
                raise UserError(
                    f"{self.name} does not take these chips: {_line(error)}. Give --bands and --input-size as it "
                    "expects them."
                ) from error
        if not parts[0]:
            raise UserError(f"{self.name} gives no tensor that has values of each chip: expected features.")
        return {name: np.concatenate([part[name].numpy() for part in parts])[: len(seen)] for name in parts[0]}


def of_pickle(name: str) -> UserError:
    """Return the error that says what to do with a pickle, which is not opened."""
    return UserError(
        f"{name} is a pickle, which runs code where it is read, and is not opened. Where you trust it, write the "
        "network: torch.onnx.export(NETWORK.eval(), (CHIPS,), 'NET.onnx', dynamo=True), or torch.export.save("
        "torch.export.export(NETWORK.eval(), (CHIPS,)), 'NET.pt2'); or, for --backbone timm/NAME, its weights: "
        f"safetensors.torch.save_file(torch.load('{name}', weights_only=True), 'NET.safetensors')."
    )


def _kind_of(path: Path) -> str:
    """Return what a file of torch holds, by the names within it; nothing of it is run.

    Raises:
        UserError: if it is a pickle, too large, or something else.
    """
    check_total(path, path.stat().st_size)
    with path.open("rb") as file:
        begins = file.read(2)
    if begins[:1] == b"\x80":  # as torch wrote them before 2020
        raise of_pickle(path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:  # zipfile raises more than it says on a damaged one
        raise UserError(f"{path} is no file of torch: {_line(error)}.") from error
    check_total(path, sum(member.file_size for member in members))
    names = {member.filename for member in members}
    within = {name.partition("/")[2] for name in names}
    if any(name.startswith("data/aotinductor/") for name in within):
        raise UserError(f"{path.name} is compiled for one kind of machine: expected what torch.export.save writes.")
    if "constants.pkl" in within:
        return SCRIPT
    if "archive_format" in within or "serialized_exported_program.json" in names:
        return EXPORT
    if "data.pkl" in within:
        raise of_pickle(path.name)
    raise UserError(
        f"{path} holds {first(sorted(names)) or 'nothing'}: expected what torch.jit.save or torch.export.save writes."
    )


def _opened(kind: str, content: bytes, path: Path) -> tuple[Any, Shape]:
    """Return what runs a network, and the shape of what it takes as far as the file says it."""
    try:
        with turned_aside(1, 2), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network, shape = (_script if kind == SCRIPT else _program)(io.BytesIO(content), path.name)
            for weights in network.parameters():  # torch traces none that ask for gradients
                weights.requires_grad_(False)
            return network, shape
    except UserError:
        raise
    except Exception as error:  # torch raises whatever it likes on a damaged file
        raise UserError(f"{path} cannot be opened as {kind}: {_line(error)}.") from error


def _script(file: io.BytesIO, name: str) -> tuple[Any, Shape]:
    network = importlib.import_module("torch").jit.load(file, map_location="cpu").eval()
    needed = [each.name for each in network.forward.schema.arguments[1:] if not each.has_default_value()]
    _check_inputs(needed, name)
    _check_kinds((each.dtype for each in network.parameters() if each.is_floating_point()), name)
    return network, (None,) * 4


def _program(file: io.BytesIO, name: str) -> tuple[Any, Shape]:
    program = importlib.import_module("torch").export.load(file)
    needed = [each.arg.name for each in program.graph_signature.input_specs if each.kind.name == "USER_INPUT"]
    _check_inputs(needed, name)
    (value,) = (node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name == needed[0])
    _check_kinds([value.dtype], name)
    return _traceable(program.module()), [side if isinstance(side, int) else None for side in value.shape]


def _traceable(network: Any) -> Any:
    """Return a program whose sizes a trace follows: those that operators of torch.export give and take are numbers."""
    aten = importlib.import_module("torch").ops.aten
    methods = {aten.view.default: "reshape", aten._unsafe_view.default: "reshape", aten.reshape.default: "reshape"}
    methods |= {aten.expand.default: "expand", aten.repeat.default: "repeat", aten.sym_size.int: "size"}
    for node in (node for node in network.graph.nodes if node.op == "call_function" and node.target in methods):
        node.op, node.target = "call_method", methods[node.target]
    network.recompile()
    return network


def _check_inputs(names: Sequence[str], name: str) -> None:
    if len(names) != 1:
        raise UserError(f"{name} has {len(names)} inputs ({first(names) or 'none'}): expected one, which takes chips.")


def _check_kinds(kinds: Iterable[Any], name: str) -> None:
    for kind in kinds:
        if kind != importlib.import_module("torch").float32:
            raise UserError(
                f"{name} computes in {str(kind).removeprefix('torch.')}: expected float32. Write it again "
                "from NETWORK.float()."
            )


def _named(made: Any, num_chips: int) -> dict[str, Any]:
    """Return the tensors that a network makes of chips by name, without those that are not of each chip."""
    torch = importlib.import_module("torch")
    if isinstance(made, Mapping):
        named = {str(name): each for name, each in made.items()}
    else:
        several = made if isinstance(made, tuple | list) else (made,)
        names = getattr(made, "_fields", [f"output{place}" for place in range(len(several))])
        named = dict(zip(names, several, strict=True))
    return {
        name: each.float()
        for name, each in named.items()
        if isinstance(each, torch.Tensor) and each.ndim > 1 and len(each) == num_chips
    }


def _line(error: Exception) -> str:
    """Return what an error of torch says in one line: after a trace, where there is one, or first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    said = next((line for line in reversed(lines) if "Error: " in line), lines[0])
    return shorten(said, 240).rstrip(".")
