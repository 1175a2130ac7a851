"""TabM heads: members that share their kernels, trained as an ensemble in one head.

Source: Gorishniy et al., "TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling", ICLR 2025. The
layers are `SharedDense` and `OwnDense` in networks/layers.py, which say what they compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.heads.stack import Each, Floats, HeadShape, Part, one_by_one, parts_of, product

ROWS = 512  # of a kernel whose gradient one core makes at once


@dataclass(frozen=True)
class TabmShape(HeadShape):
    """The sizes of TabM heads that are trained together.

    Attributes:
        members: members of each head.
    """

    members: int = 1

    @property
    def parts(self) -> list[Part]:
        """The kernels (num_heads, num_inputs, units) of the hidden layers, that of the last (num_heads, members,
        num_inputs, num_labels); then r, s and bias of each hidden layer, and the last bias."""
        hidden = list(zip((self.num_features, *self.units), self.units[:-1], strict=False))
        shapes: list[tuple[int, ...]] = [(before, after) for before, after in hidden]
        shapes.append((self.members, self.units[-2], self.units[-1]))
        for before, after in hidden:
            shapes += [(self.members, before), (self.members, after), (self.members, after)]
        shapes.append((self.members, self.units[-1]))
        return parts_of([((self.num_heads, *shape), 0) for shape in shapes])

    def _tell_apart(self, layers: list[list[Floats]], random: np.random.Generator) -> None:
        """Begin r and s at 1, but the first r, by which members differ, at random signs."""
        for place, (_, r, s, _) in enumerate(layers[:-1]):
            r[:] = 1 if place else random.choice([-1, 1], r.shape)
            s[:] = 1

    def mask_shapes(self, num_chips: int) -> list[tuple[int, ...]]:
        """Return the shape of the mask of each hidden layer."""
        return [(self.num_heads, self.members, num_chips, units) for units in self.units[:-1]]

    def layers(self, values: Floats, number: int) -> list[list[Floats]]:
        """Return the weights of each layer of one head, in the order of Keras' layers: views into the buffer."""
        arrays = [part.of(values)[number] for part in self.parts]
        kernels, others = arrays[: len(self.units)], arrays[len(self.units) :]
        hidden = [[kernel, *others[3 * place : 3 * place + 3]] for place, kernel in enumerate(kernels[:-1])]
        return [*hidden, [kernels[-1], others[-1]]]

    def stack(self, values: Floats, each: Each = one_by_one) -> TabmStack:
        """Return the heads with some weights."""
        return TabmStack(self, values, each)


class TabmStack:
    """TabM heads that see the same chips: forward and backward, head after head.

    Args:
        shape: the sizes.
        values: float32 array (num_weights,); not copied.
        each: does some work on each of some blocks, at once if it can.
    """

    def __init__(self, shape: TabmShape, values: Floats, each: Each = one_by_one) -> None:
        self.shape, self.each = shape, each
        self._layers = [shape.layers(values, head) for head in range(shape.num_heads)]
        self._seen: list[list[Any]] = []
        self._factor = np.float32(1)

    def logits(self, features: Floats, masks: Sequence[NDArray[np.bool_]] = (), factor: float = 1.0) -> Floats:
        """Return the logits (num_heads * members, num_chips, num_labels).

        Args:
            features: float32 array (num_chips, num_features), as the first layer takes them.
            masks: for each hidden layer, which of its units (num_heads, members, num_chips, units) are kept; none: all.
            factor: by which those that are kept are multiplied.
        """
        self._seen, self._factor = [], np.float32(factor)
        logits = np.empty((self.shape.num_heads, self.shape.members, len(features), self.shape.units[-1]), np.float32)
        for head, (*hidden, (kernel, bias)) in enumerate(self._layers):
            inputs, seen = features[None], []
            for number, (shared, r, s, shift) in enumerate(hidden):
                raw = self._shared(inputs * r[:, None], shared)
                outputs = raw * s[:, None]
                outputs += shift[:, None]
                np.maximum(outputs, 0, out=outputs)
                if masks:
                    outputs *= masks[number][head]
                    outputs *= self._factor
                seen.append((inputs, raw, outputs))
                inputs = outputs
            np.matmul(inputs, kernel, out=logits[head])
            logits[head] += bias[:, None]
            self._seen.append(seen)
        return logits.reshape(-1, *logits.shape[2:])

    def gradients(self, by_logits: Floats, out: Floats) -> None:
        """Write the gradients by all weights, for the chips of the last call, into `out` (num_weights,).

        Args:
            by_logits: the gradient by the logits (num_heads * members, num_chips, num_labels).
            out: receives the gradients.
        """
        by_head = by_logits.reshape(self.shape.num_heads, self.shape.members, *by_logits.shape[1:])
        for head, (by_last, seen) in enumerate(zip(by_head, self._seen, strict=True)):
            *hidden, (by_kernel, by_bias) = self.shape.layers(out, head)
            *layers, (kernel, _) = self._layers[head]
            np.sum(by_last, axis=1, out=by_bias)
            np.matmul(seen[-1][2].swapaxes(1, 2), by_last, out=by_kernel)
            delta = by_last @ kernel.swapaxes(1, 2)
            for number in reversed(range(len(hidden))):
                delta = self._back(delta, layers[number], hidden[number], seen[number], is_first=not number)

    def _back(
        self, delta: Floats, layer: list[Floats], into: list[Floats], seen: tuple[Floats, ...], *, is_first: bool
    ) -> Floats:
        """Write the gradients of one hidden layer; return the gradient by its inputs, if it is not the first."""
        (kernel, r, s, _), (by_kernel, by_r, by_s, by_shift) = layer, into
        inputs, raw, outputs = seen
        delta *= outputs > 0  # what dropout dropped is 0, too
        delta *= self._factor
        np.sum(delta, axis=1, out=by_shift)
        np.einsum("mbu,mbu->mu", delta, raw, out=by_s)
        delta *= s[:, None]

        # Of a member's product of inputs and gradients both the kernel's gradient and that of r are made: a third
        # product with the kernel would be as large.
        def block(rows: slice) -> None:
            by_kernel[rows] = 0
            for member, own in enumerate(delta):
                made = inputs[member % len(inputs), :, rows].T @ own
                np.einsum("fu,fu->f", made, kernel[rows], out=by_r[member, rows])
                made *= r[member, rows, None]
                by_kernel[rows] += made

        self.each(block, [slice(start, start + ROWS) for start in range(0, len(kernel), ROWS)])
        return delta if is_first else self._shared(delta, kernel.T) * r[:, None]

    def _shared(self, inputs: Floats, kernel: Floats) -> Floats:
        """Return the product of each member's inputs (members, num_chips, num_inputs) with a kernel."""
        made = np.empty((*inputs.shape[:2], kernel.shape[1]), dtype=np.float32)
        product(inputs.reshape(-1, inputs.shape[2]), kernel, made.reshape(-1, kernel.shape[1]), self.each)
        return made
