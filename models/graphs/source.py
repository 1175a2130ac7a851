"""Reading an ONNX network that strangers made: bounded, in one piece, and refused in one line where it does not fit."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first, readable
from models.backend.kept import TOLERANCE, largest_difference
from models.graphs.running import onnx_session
from models.recipes.foreign import companions, is_companion

LARGEST = 2**31 - 2**24  # bytes of an ONNX file: its format takes 2 GB at most
# What is exported while it learns standardises chips by those beside them, or drops values by chance.
LEARNS = "If it was exported while it learns, as of torch without NETWORK.eval(), export it again."
OLDEST = 10  # opset, of 2019


@dataclass(frozen=True)
class Source:
    """A network that strangers made.

    Attributes:
        name: of its file.
        model: an `onnx.ModelProto` that holds all of its weights.
        opset: of ONNX' own operators in it.
        input: name of its one input.
        kind: number of the type of the input's values, as ONNX has it.
        channels_first: whether it takes (num_chips, num_bands, size, size), and not the bands last.
        batch: how many chips it takes at once; None: any number.
    """

    name: str
    model: Any
    opset: int
    input: str
    kind: int
    channels_first: bool
    batch: int | None

    def __call__(self, seen: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Return its outputs by name for what it is given, (num_chips, num_bands, size, size).

        Raises:
            UserError: if ONNX Runtime does not take it, or it gives nothing of each chip.
        """
        onnx = importlib.import_module("onnx")
        given = (seen if self.channels_first else np.moveaxis(seen, 1, -1)).astype(
            onnx.helper.tensor_dtype_to_np_dtype(self.kind)
        )
        try:
            session = onnx_session(self.model.SerializeToString())
            names = [output.name for output in session.get_outputs()]
            step = self.batch or len(given)
            if len(given) % step:
                given = np.resize(given, (len(given) + -len(given) % step, *given.shape[1:]))
            parts = [session.run(None, {self.input: given[at : at + step]}) for at in range(0, len(given), step)]
            found = [dict(zip(names, part, strict=True)) for part in parts]
        except Exception as error:  # it raises whatever it likes on what it does not know
            raise UserError(f"{self.name} cannot be run: {shorten(str(error), 300)}") from error
        return {name: made[: len(seen)] for name, made in joined(found, step, self.name).items()}


def joined(parts: Sequence[Mapping[str, Any]], step: int, name: str) -> dict[str, NDArray[Any]]:
    """Return a network's outputs for chips that it was given in parts, without those that are not of each chip.

    Args:
        parts: outputs by name, of each part.
        step: number of chips in each part.
        name: of the network.

    Raises:
        UserError: if none is of each chip, as a loss or the mean of all.
    """

    def is_of_chips(made: Any) -> bool:
        return isinstance(made, np.ndarray) and made.dtype.kind in "fiub" and made.ndim > 1 and len(made) == step

    names = [each for each in parts[0] if all(is_of_chips(part[each]) for part in parts)]
    if not names:
        raise gives_nothing(name)
    return {each: np.concatenate([part[each] for part in parts]) for each in names}


def of_each_chip(
    source: Callable[[NDArray[np.float32]], dict[str, NDArray[Any]]], seen: NDArray[np.float32], name: str
) -> dict[str, NDArray[Any]]:
    """Return a network's outputs by name for some chips, (num_chips, num_bands, size, size), which each has alone too.

    Args:
        source: the network.
        seen: what it is given.
        name: of the network.

    Raises:
        UserError: if one is another beside other chips: features would depend on how chips fall into batches.
    """
    together, alone = source(seen), source(seen[:1])
    found = {each: made for each, made in together.items() if each in alone}
    for each, made in found.items():
        one, among = alone[each].reshape(1, -1), made[:1].reshape(1, -1)
        if np.isfinite(among).all() and not largest_difference(one, among) <= TOLERANCE:  # of NaN others say so
            raise UserError(f"{name} gives other values of a chip alone than of it beside others. {LEARNS}")
    if not found:
        raise gives_nothing(name)
    return found


def gives_nothing(name: str) -> UserError:
    """Return the error of a network without features, such as one that gives a loss alone."""
    return UserError(f"{name} gives no output that has values of each chip: expected features. Export it with such.")


def require_onnx(what: str) -> None:
    """Refuse work that needs ONNX and ONNX Runtime where they are not installed.

    Raises:
        UserError: with the command that installs them.
    """
    if missing := [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]:
        raise UserError(f"{what} needs {' and '.join(missing)}. Run 'pip install -e \".[onnx]\"'.")


def opset_of(model: Any) -> int:
    """Return the opset of ONNX' own operators in an `onnx.ModelProto`; 0 if it has none."""
    return max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)


def read_source(path: Path, num_bands: int, size: int) -> Source:
    """Return the network in an ONNX file; nothing of it is run.

    Args:
        path: of the file.
        num_bands: number of bands that it will be given.
        size: pixels along each side of that.

    Raises:
        UserError: if it is none, too large, takes something else than chips of so many bands and pixels, or names
            files for its weights that do not lie beside it under its own name.
    """
    require_onnx(f"Reading {path.name}")
    onnx = importlib.import_module("onnx")
    check_total(path, sum(each.stat().st_size for each in (path, *companions(path))))
    try:
        model = onnx.load_model(path, load_external_data=False)
        opset = opset_of(model)
        if not model.graph.node or not model.graph.output or not opset:
            raise ValueError("it holds no graph")
    except Exception as error:  # protobuf raises whatever it likes
        raise UserError(f"{path} is no ONNX network: {shorten(str(error), 200).rstrip('.')}.") from error
    if opset < OLDEST:
        raise UserError(
            f"{path.name} is of opset {opset}, expected {OLDEST} or newer. Export it again, or bring it there by "
            "onnx.version_converter."
        )
    _bring_weights(model, path)
    return _of_model(model, path.name, opset, num_bands, size)


def check_total(path: Path, total: int) -> None:
    """Refuse a file that holds more bytes with its weights than are read.

    Raises:
        UserError: with both numbers.
    """
    if total > LARGEST:
        raise UserError(f"{path} holds {readable(total)} with its weights; expected {readable(LARGEST)} at most.")


def _of_model(model: Any, name: str, opset: int, num_bands: int, size: int) -> Source:
    onnx = importlib.import_module("onnx")
    held = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in held]
    if len(inputs) != 1:
        names = first([each.name for each in inputs]) or "none"
        raise UserError(f"{name} has {len(inputs)} inputs ({names}): expected one, which takes chips.")
    tensor = inputs[0].type.tensor_type
    types = onnx.TensorProto
    if tensor.elem_type not in (types.FLOAT, types.FLOAT16):
        raise takes_no_floats(name, types.DataType.Name(tensor.elem_type))
    shape = [each.dim_value or None for each in tensor.shape.dim]
    if len(shape) != 4:
        raise UserError(f"{name} takes an input of {len(shape)} axes: expected 4, (chips, bands, height, width).")
    channels_first = bands_come_first(shape, num_bands, name)
    check_size(shape[2:] if channels_first else shape[1:3], size, name)
    return Source(name, model, opset, inputs[0].name, tensor.elem_type, channels_first, shape[0])


def takes_no_floats(name: str, received: str) -> UserError:
    """Return the error of a network that takes whole numbers, which standardised pixels are not."""
    return UserError(f"{name} takes values of type {received}: expected FLOAT or FLOAT16. Export it for such.")


def check_size(sides: Sequence[int | None], size: int, name: str) -> None:
    """Refuse a network that takes chips of other sides alone; None is any.

    Raises:
        UserError: with the size that it takes.
    """
    if any(side not in (None, size) for side in sides):
        own = sides[0] if sides[0] == sides[1] else f"{sides[0]} x {sides[1]}"
        raise UserError(
            f"{name} takes chips of {own} px and no others, received --input-size {size}. Give --input-size {own}, or "
            "export it for any size."
        )


def bands_come_first(shape: Sequence[int | None], num_bands: int, name: str) -> bool:
    """Return whether bands are the second axis of an input, and not the last; where it is open, as most have them.

    Raises:
        UserError: if it takes another number of bands.
    """
    places = [axis for axis in (1, 3) if shape[axis] == num_bands]
    if places or shape[1] is None is shape[3]:
        return 1 in places or not places
    own = min(each for each in (shape[1], shape[3]) if each is not None)
    raise UserError(
        f"{name} takes {own} bands, received {num_bands}. Give --bands with as many, in the order that it expects."
    )


def _bring_weights(model: Any, path: Path) -> None:
    """Load weights that lie in files beside a network's.

    Raises:
        UserError: if they lie elsewhere, or cannot be read.
    """
    onnx = importlib.import_module("onnx")
    places = {
        entry.value
        for tensor in _tensors(model)
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for place in sorted(places):
        beside = path.parent / place
        if is_companion(path, place) and beside.is_symlink():
            raise UserError(f"{path.name} keeps weights in {place}, which is a link: put the file itself there.")
        if not is_companion(path, place):
            raise UserError(
                f"{path.name} keeps weights in {first([place])}: expected them in the file itself, or in "
                f"{path.name}.data beside it. Write it as one file: onnx.save(onnx.load(OLD), NEW)."
            )
        if not beside.is_file():
            raise UserError(f"{path.name} keeps weights in {place}, which is missing: put it beside {path}.")
    try:
        if places:
            onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # onnx raises whatever it likes where sizes do not fit
        raise UserError(f"The weights of {path.name} cannot be read: {shorten(str(error), 200)}") from error


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor that a network holds."""
    for graph in _graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        yield from _of_nodes(graph.node)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _of_nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors


def _graphs(model: Any) -> Iterator[Any]:
    """Yield the graph of a network, and those within its operators."""
    waiting = [model.graph]
    waiting += [part for function in model.functions for part in _within(function.node)]
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting += _within(graph.node)


def _within(nodes: Any) -> list[Any]:
    attributes = [attribute for node in nodes for attribute in node.attribute]
    found = [attribute.g for attribute in attributes if attribute.HasField("g")]
    return found + [graph for attribute in attributes for graph in attribute.graphs]
