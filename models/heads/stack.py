"""Heads trained at once: their weights in one buffer, their passes as products of matrices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Each = Callable[[Callable[[Any], None], Sequence[Any]], None]  # does some work on each of some things

COLUMNS = 256  # of a product that one core makes at once
VARIANCE = 1e-3  # added to each variance of features, as by the batch normalisation as which moments are kept


def one_by_one(work: Callable[[Any], None], things: Sequence[Any]) -> None:
    """Do some work on each of some things, one after another."""
    for thing in things:
        work(thing)


@dataclass(frozen=True)
class Part:
    """One array among the weights of a stack, and where it lies in the buffer.

    Attributes:
        shape: of the array.
        axis: its axis that counts the heads.
        start: its first place.
    """

    shape: tuple[int, ...]
    axis: int
    start: int

    @property
    def stop(self) -> int:
        """The place after its last."""
        return self.start + math.prod(self.shape)

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the array, a view into the buffer."""
        return values[self.start : self.stop].reshape(self.shape)


def parts_of(shapes: Sequence[tuple[tuple[int, ...], int]]) -> list[Part]:
    """Return arrays that follow each other in a buffer, by shape and the axis that counts the heads."""
    parts = list[Part]()
    for shape, axis in shapes:
        parts.append(Part(shape, axis, parts[-1].stop if parts else 0))
    return parts


def product(left: Floats, right: Floats, out: Floats, each: Each) -> None:
    """Write left @ right into `out`, in blocks of columns, each made by one core.

    BLAS's own threads wait for each other in every product, and their sums differ in the last bit with their number.
    """

    def block(start: int) -> None:
        columns = slice(start, start + COLUMNS)
        np.matmul(left, right[:, columns], out=out[:, columns])

    each(block, range(0, right.shape[1], COLUMNS))


@dataclass(frozen=True)
class HeadShape:
    """The sizes of heads that are trained together.

    Attributes:
        num_features: length of a feature vector.
        units: units of each layer, the labels last.
        num_heads: number of heads, one for each seed.
    """

    num_features: int
    units: tuple[int, ...]
    num_heads: int = 1

    @property
    def parts(self) -> list[Part]:
        """The kernels of all layers, then their biases.

        The first kernel is (num_features, num_heads, units), so that it is one matrix for all heads; the others are
        (num_heads, units_before, units), biases (num_heads, units).
        """
        heads, units = self.num_heads, self.units
        shapes: list[tuple[int, ...]] = [(self.num_features, heads, units[0])]
        shapes += [(heads, before, after) for before, after in itertools.pairwise(units)]
        shapes += [(heads, after) for after in units]
        return parts_of([(shape, 0 if number else 1) for number, shape in enumerate(shapes)])

    @property
    def num_decayed(self) -> int:
        """How many weights, the first ones of the buffer, belong to kernels, which weight decay makes smaller."""
        return self.parts[len(self.units)].start

    @property
    def num_weights(self) -> int:
        """How many weights all heads have."""
        return self.parts[-1].stop

    def begin(self, bias: NDArray[np.floating], seeds: Sequence[int]) -> Floats:
        """Return the weights (num_weights,) that heads begin with: kernels as Keras draws them (Glorot 2010).

        Args:
            bias: array (num_labels,), where the last biases begin.
            seeds: one for each head.
        """
        values = np.zeros(self.num_weights, dtype=np.float32)
        for number, seed in enumerate(seeds):
            random = np.random.default_rng([seed, 0])
            layers = self.layers(values, number)
            for kernel, *_ in layers:
                limit = math.sqrt(6 / sum(kernel.shape[-2:]))
                kernel[:] = random.uniform(-limit, limit, kernel.shape)
            self._tell_apart(layers, random)
            layers[-1][-1][:] = bias
        return values

    def _tell_apart(self, layers: list[list[Floats]], random: np.random.Generator) -> None:
        """Begin what members have of their own: nothing in plain heads, which have none."""

    def mask_shapes(self, num_chips: int) -> list[tuple[int, ...]]:
        """Return the shape of the mask of each hidden layer."""
        return [(num_chips, self.num_heads, units) for units in self.units[:-1]]

    def layers(self, values: Floats, number: int) -> list[list[Floats]]:
        """Return the weights of each layer of one head, in the order of Keras' layers: views into the buffer."""
        arrays = [np.moveaxis(part.of(values), part.axis, 0)[number] for part in self.parts]
        return [list(pair) for pair in zip(arrays[: len(self.units)], arrays[len(self.units) :], strict=True)]

    def stack(self, values: Floats, each: Each = one_by_one) -> Stack:
        """Return the heads with some weights."""
        return HeadStack(self, values, each)


class Stack(Protocol):
    """Heads that see the same chips: forward and backward for all of them."""

    def logits(self, features: Floats, masks: Sequence[NDArray[np.bool_]] = (), factor: float = 1.0) -> Floats:
        """Return the logits (num_heads * members, num_chips, num_labels); what it returns may be overwritten next.

        Args:
            features: float32 array (num_chips, num_features), as the first layer takes them.
            masks: for each hidden layer, which of its units are kept, as `HeadShape.mask_shapes`; none: all.
            factor: by which those that are kept are multiplied.
        """

    def gradients(self, by_logits: Floats, out: Floats) -> None:
        """Write the gradients by all weights, for the chips of the last call, into `out` (num_weights,).

        Args:
            by_logits: the gradient by the logits, of their shape.
            out: receives the gradients.
        """


class HeadStack:
    """Heads that see the same chips: forward and backward for all of them.

    The first layer, where nearly all of the work is, is one product for all heads.

    Args:
        shape: the sizes.
        values: float32 array (num_weights,); not copied.
        each: does some work on each of some blocks, at once if it can.
    """

    def __init__(self, shape: HeadShape, values: Floats, each: Each = one_by_one) -> None:
        self.shape, self.each = shape, each
        arrays = [part.of(values) for part in shape.parts]
        self._kernels, self._biases = arrays[: len(shape.units)], arrays[len(shape.units) :]
        self._buffers: dict[tuple[str, int], Floats] = {}
        self._seen: list[Floats] = []
        self._factor = np.float32(1)

    def logits(self, features: Floats, masks: Sequence[NDArray[np.bool_]] = (), factor: float = 1.0) -> Floats:
        """Return the logits (num_heads, num_chips, num_labels), in a buffer that the next call overwrites.

        Args:
            features: float32 array (num_chips, num_features), as the first layer takes them.
            masks: for each hidden layer, which of its units (num_chips, num_heads, units) are kept; none: all.
            factor: by which those that are kept are multiplied.
        """
        self._seen, self._factor = [features], np.float32(factor)
        for number, (kernel, bias) in enumerate(zip(self._kernels, self._biases, strict=True)):
            hidden = self._buffer("hidden", number, len(features))
            if number:
                np.matmul(_by_head(self._seen[-1]), kernel, out=_by_head(hidden))
            else:
                product(features, _merged(kernel), _merged(hidden), self.each)
            hidden += bias
            if number < len(self._kernels) - 1:
                np.maximum(hidden, 0, out=hidden)
                if masks:
                    hidden *= masks[number]
                    hidden *= self._factor
            self._seen.append(hidden)
        return _by_head(self._seen.pop())

    def gradients(self, by_logits: Floats, out: Floats) -> None:
        """Write the gradients by all weights, for the chips of the last call, into `out` (num_weights,).

        Args:
            by_logits: the gradient by the logits (num_heads, num_chips, num_labels).
            out: receives the gradients.
        """
        arrays = [part.of(out) for part in self.shape.parts]
        delta = by_logits.transpose(1, 0, 2)
        for number in reversed(range(len(self._kernels))):
            np.sum(delta, axis=0, out=arrays[len(self._kernels) + number])
            hidden = self._seen[number]
            if not number:
                product(hidden.T, _merged(delta), _merged(arrays[0]), self.each)
                return
            np.matmul(_by_head(hidden).swapaxes(1, 2), _by_head(delta), out=arrays[number])
            before = self._buffer("delta", number - 1, len(hidden))
            np.matmul(_by_head(delta), self._kernels[number].swapaxes(1, 2), out=_by_head(before))
            before *= hidden > 0  # what dropout dropped is 0, too
            before *= self._factor
            delta = before

    def _buffer(self, kind: str, number: int, num_chips: int) -> Floats:
        """Return a buffer (num_chips, num_heads, units) of a layer, the same memory as long as it is large enough."""
        buffer = self._buffers.get((kind, number))
        if buffer is None or len(buffer) < num_chips:
            shape = (num_chips, self.shape.num_heads, self.shape.units[number])
            buffer = self._buffers[kind, number] = np.empty(shape, dtype=np.float32)
        return buffer[:num_chips]


def _by_head(hidden: Floats) -> Floats:
    """Return (num_heads, num_chips, units) of (num_chips, num_heads, units), a view."""
    return hidden.transpose(1, 0, 2)


def _merged(array: Floats) -> Floats:
    """Return the last two axes as one: the columns of all heads."""
    return array.reshape(len(array), -1)
