"""Networks in OpenVINO's format, `.xml` with its `.bin` or a `.zip` of the two, and the graph that is made of one."""

from __future__ import annotations

import importlib
import importlib.util
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import scratch_folder
from competition.common.text import first
from models.backend.openvino import compiled, import_openvino, read_model
from models.foreign.outputs import Taken
from models.graphs.pixels import Pixels
from models.graphs.running import BIN, XML
from models.graphs.source import bands_come_first, check_size, check_total, joined, takes_no_floats
from models.recipes.foreign import companions

# What zipfile raises of archives that are not as they were written; RuntimeError of those that seem encrypted.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)


class OpenVinoSource:
    """A network that strangers made, in OpenVINO's format.

    Args:
        path: of the file.
        num_bands: number of bands that it will be given.
        size: pixels along each side of that.

    Attributes:
        name: of its file.
        channels_first: whether it takes (num_chips, num_bands, size, size), and not the bands last.

    Raises:
        UserError: if it is none, too large, or takes something else.
    """

    def __init__(self, path: Path, num_bands: int, size: int) -> None:
        if importlib.util.find_spec("openvino") is None:
            raise UserError(f"Reading {path.name} needs openvino. Run 'pip install -e \".[fast]\"'.")
        self.name = path.name
        try:
            self._model = read_model(*_contents(path))
        except (UserError, OSError):
            raise
        except Exception as error:  # OpenVINO raises whatever it likes on what it does not know
            raise UserError(f"{path} is no network of OpenVINO: {shorten(str(error), 200)}") from error
        inputs = self._model.inputs
        if len(inputs) != 1:
            raise UserError(f"{self.name} has {len(inputs)} inputs: expected one, which takes chips.")
        shape = [None if axis.is_dynamic else axis.get_length() for axis in inputs[0].partial_shape]
        if len(shape) != 4:
            raise UserError(
                f"{self.name} takes an input of {len(shape)} axes: expected 4, (chips, bands, height, width)."
            )
        if inputs[0].element_type.get_type_name() not in ("f32", "f16"):
            raise takes_no_floats(self.name, inputs[0].element_type.get_type_name().upper())
        self.channels_first = bands_come_first(shape, num_bands, self.name)
        check_size(shape[2:] if self.channels_first else shape[1:3], size, self.name)
        given = [-1, num_bands, size, size] if self.channels_first else [-1, size, size, num_bands]
        try:
            self._model.reshape(given)
        except Exception as error:  # of a network that knows how many chips it takes
            raise UserError(
                f"{self.name} does not take any number of chips: {shorten(str(error), 160)}. Export it for that."
            ) from error
        # Outputs of no name are known by their place.
        self._names = [next(iter(sorted(end.names)), f"output{place}") for place, end in enumerate(self._model.outputs)]

    def __call__(self, seen: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Return its outputs by name for what it is given, (num_chips, num_bands, size, size).

        Raises:
            UserError: if it gives nothing of each chip.
        """
        given = seen if self.channels_first else np.moveaxis(seen, 1, -1)
        kind = self._model.input(0).element_type.to_dtype()
        made = compiled(self._model)(np.ascontiguousarray(given, dtype=kind))
        found = {name: np.array(made[place]) for place, name in enumerate(self._names)}
        return joined([found], len(seen), self.name)

    def composed(self, pixels: Pixels, taken: Sequence[Taken]) -> bytes:
        """Return an archive of the graph from chips to features; the network is used up.

        Args:
            pixels: what is done before.
            taken: what is taken of its outputs.
        """
        openvino, ops = import_openvino(), importlib.import_module("openvino.opset13")
        chips = ops.parameter([-1, pixels.chip_size, pixels.chip_size, pixels.num_bands], np.float32, name="chips")
        hidden = _before(ops, chips, pixels, self.channels_first)
        entrance = self._model.input(0)
        if entrance.element_type.to_dtype() != np.float32:
            hidden = ops.convert(hidden, entrance.element_type.to_dtype())
        for target in entrance.get_target_inputs():
            target.replace_source_output(hidden.output(0))
        ends = {
            name: end.get_node().input(0).get_source_output()
            for name, end in zip(self._names, self._model.outputs, strict=True)
        }
        parts = [part for each in taken for part in _after(ops, ends[each.name], each)]
        features = ops.concat(parts, axis=1) if len(parts) > 1 else parts[0]
        model = openvino.Model([ops.result(features)], [chips], "extractor")
        with scratch_folder() as folder:
            openvino.save_model(model, folder / XML, compress_to_fp16=False)
            with zipfile.ZipFile(folder / "whole.zip", "w") as archive:
                archive.write(folder / XML, XML)
                archive.write(folder / BIN, BIN)
            return (folder / "whole.zip").read_bytes()


def _contents(path: Path) -> tuple[bytes, bytes]:
    """Return what OpenVINO's two files hold."""
    if path.suffix == ".xml":
        if not (beside := companions(path)):
            raise UserError(f"{path} has its weights in {path.with_suffix('.bin').name}, which is missing beside it.")
        check_total(path, path.stat().st_size + beside[0].stat().st_size)
        return path.read_bytes(), beside[0].read_bytes()
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
        except DAMAGED as error:
            raise UserError(f"{path} is no archive: {error}.") from error
        members = archive.infolist()
        check_total(path, sum(member.file_size for member in members))
        found = [[member for member in members if member.filename.endswith(suffix)] for suffix in (".xml", ".bin")]
        if [len(each) for each in found] != [1, 1]:
            names = first([member.filename for member in members]) or "nothing"
            raise UserError(f"{path} holds {names}: expected one .xml and one .bin, as OpenVINO writes them.")
        try:
            xml, weights = (archive.read(each[0]) for each in found)
        except DAMAGED as error:
            raise UserError(f"{path} is damaged: {error}.") from error
        return xml, weights


def _before(ops: Any, chips: Any, pixels: Pixels, channels_first: bool) -> Any:
    hidden = ops.add(ops.multiply(chips, ops.constant(pixels.scale)), ops.constant(pixels.offset))
    hidden = ops.transpose(hidden, np.array([0, 3, 1, 2]))
    if (matrix := pixels.matrix) is not None:
        hidden = ops.matmul(ops.constant(matrix), hidden, False, False)
        hidden = ops.matmul(hidden, ops.constant(matrix), False, True)
    return hidden if channels_first else ops.transpose(hidden, np.array([0, 2, 3, 1]))


def _after(ops: Any, output: Any, taken: Taken) -> list[Any]:
    """Return the parts of the features that are taken of an output."""
    hidden = ops.convert(output, np.float32)
    if taken.kind == "cls":
        return [ops.gather(hidden, np.array(0), np.array(1))]
    if taken.prefix:
        ends = np.array([taken.prefix]), np.array([np.iinfo(np.int64).max]), np.array([1]), np.array([1])
        hidden = ops.slice(hidden, *ends)
    reduce = {"avg": ops.reduce_mean, "max": ops.reduce_max}
    pooled = [reduce[how](hidden, np.array(taken.axes), False) for how in taken.pooling]
    return pooled or [hidden]
