"""The project's own layers; each keeps the name under which exported files know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from competition.common.errors import UserError, unknown_name
from models.networks.input_spec import bicubic


@keras.saving.register_keras_serializable(package="planet")
class Resize(layers.Layer):
    """Resize square chips by bicubic interpolation, as Pillow does, smoothing before it makes them smaller.

    Two multiplications by fixed matrices: every backend and every format of exported networks knows them, while the
    backends' own bicubic resizing differs between them, and OpenVINO does not take TensorFlow's.

    Args:
        size: pixels along each side of what it returns.
        whole: round to whole numbers in 0 to 255 after each multiplication, as Pillow does to chips of 8 bits.
    """

    def __init__(self, size: int, whole: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.size, self.whole = size, whole

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the matrix for chips of that size."""
        self.matrix = bicubic(int(input_shape[1] or 0), self.size)

    def call(self, chips: Any) -> Any:
        """Return chips (num_chips, size, size, num_bands)."""
        _, height, width, bands = chips.shape
        matrix = ops.convert_to_tensor(self.matrix, dtype=chips.dtype)
        wide = self._rounded(ops.matmul(matrix, ops.reshape(chips, (-1, width, bands))))  # first, as in Pillow
        tall = self._rounded(ops.matmul(matrix, ops.reshape(wide, (-1, height, self.size * bands))))
        return ops.reshape(tall, (-1, self.size, self.size, bands))

    def _rounded(self, pixels: Any) -> Any:
        return ops.clip(ops.floor(pixels + 0.5), 0, 255) if self.whole else pixels

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of what it returns."""
        return (input_shape[0], self.size, self.size, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is rebuilt from."""
        return {**super().get_config(), "size": self.size, "whole": self.whole}


# An index is (first - second) / (first + second).
INDICES = {"ndvi": ("N", "R"), "ndwi": ("G", "N")}


@keras.saving.register_keras_serializable(package="planet")
class SpectralIndices(layers.Layer):
    """Append spectral indices to the bands, each brought from [-1, 1] to 0 to 255; 0 / 0 counts as an index of 0.

    "ndvi" is (N - R) / (N + R), high on leaves (Rouse et al. 1974); "ndwi" is (G - N) / (G + N), high on open water
    (McFeeters 1996).

    It takes the values of the files, before any range is stretched to 0 to 255. An index forgets a factor that both
    bands share, such as illumination, only if both count from the same zero, as radiances and reflectances do; a
    stretch gives each band a zero and a gain of its own, and the denominator may then even pass through 0.

    Args:
        bands: bands of the chips: a letter each, or their names.
        indices: names of `INDICES`, in the order in which they are appended.

    Raises:
        UserError: if an index is unknown, or the chips lack a band that it needs.
    """

    def __init__(self, bands: str | Sequence[str], indices: Sequence[str], **options: Any) -> None:
        # In float32 under any policy: the difference of two close 16-bit values is lost in bfloat16.
        super().__init__(**{"dtype": "float32", **options})
        self.bands, self.indices = bands if isinstance(bands, str) else tuple(bands), tuple(indices)
        for index in self.indices:
            _check(index, bands)

    def call(self, chips: Any) -> Any:
        """Return the bands and the indices, (num_chips, height, width, num_bands + num_indices)."""
        indices = [self._index(chips, *INDICES[name]) for name in self.indices]
        return ops.concatenate([chips, *indices], axis=-1)

    def _index(self, chips: Any, *pair: str) -> Any:
        first, second = (chips[..., self.bands.index(band), None] for band in pair)
        total = first + second
        # Where the sum is 0, the division is by 1: a gradient through an unused 0 / 0 would still be no number.
        nothing = ops.equal(total, 0)
        index = ops.where(nothing, 0.0, (first - second) / ops.where(nothing, 1.0, total))
        return (index + 1) * 127.5

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return (*input_shape[:-1], len(self.bands) + len(self.indices))

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from."""
        return {**super().get_config(), "bands": self.bands, "indices": self.indices}


def _check(index: str, bands: str | Sequence[str]) -> None:
    if index not in INDICES:
        raise unknown_name("index", index, list(INDICES))
    needed = sorted(INDICES[index], key="RGBN".index)
    if missing := [band for band in needed if band not in bands]:
        raise UserError(
            f"indices {index} needs bands {' and '.join(needed)}, received {_joined(bands)}. "
            f"Give --images with a rendering that has them, and --bands {_joined((*bands, *missing))}."
        )


def _joined(bands: Sequence[str]) -> str:
    """Return bands as the flag takes them."""
    return ("" if all(len(band) == 1 for band in bands) else ",").join(bands)


@keras.saving.register_keras_serializable(package="planet")
class AtRest(layers.Layer):
    """A network that stays as it is while others learn: batch-norm statistics are kept, dropout is off.

    `backbone(chips, training=False)` does not do it: `fit` runs every layer of the whole in the mode of the whole.
    """

    def __init__(self, network: keras.Model, **options: Any) -> None:
        super().__init__(**options)
        self.network = network

    def call(self, chips: Any) -> Any:
        """Return the features of the chips."""
        return self.network(chips, training=False)


@keras.saving.register_keras_serializable(package="planet")
class PriorShift(layers.Layer):
    """Add to each logit, while training only, the log of how much better the odds of its label are in the batches.

    A network that is shown a rare label more often than it occurs learns scores that are too high. With the shift the
    logits before it stay those of the true frequencies (logit adjustment, Menon et al. 2021; King and Zeng 2001).

    Args:
        shift: array (num_labels,), the log of the odds in the batches over those among the chips.
    """

    def __init__(self, shift: NDArray[np.float32] | None = None, **options: Any) -> None:
        super().__init__(dtype="float32", **{key: value for key, value in options.items() if key != "dtype"})
        self.initial = shift

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Make the weight that holds the shift."""
        self.shift = self.add_weight(shape=(input_shape[-1],), initializer="zeros", trainable=False, name="shift")
        if self.initial is not None:
            self.shift.assign(self.initial)

    def call(self, logits: Any, training: bool = False) -> Any:
        """Return the logits, shifted while training."""
        return logits + self.shift if training else logits


@keras.saving.register_keras_serializable(package="planet", name="Scores")
class ScoreLayer(layers.Layer):
    """Scores from logits: a softmax over each group of columns, a sigmoid of each other one; always float32.

    Args:
        groups: columns of each group, such as those of `softmax_groups`.
        options: those of every layer.
    """

    def __init__(self, groups: Sequence[Sequence[int]] = (), **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})
        self.groups = tuple(tuple(group) for group in groups)

    def call(self, logits: Any) -> Any:
        """Return the scores (num_chips, num_labels) in [0, 1] of as many logits."""
        scores = keras.activations.sigmoid(logits)
        for group in self.groups:
            member = ops.convert_to_tensor(np.isin(np.arange(logits.shape[-1]), group)[None])
            scores = ops.where(member, ops.softmax(ops.where(member, logits, -1e30), axis=-1), scores)
        return scores

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the scores: that of the logits."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "groups": [list(group) for group in self.groups]}


@keras.saving.register_keras_serializable(package="planet")
class SharedDense(layers.Layer):
    """A dense layer with ReLU whose kernel the members of an ensemble share: relu(((x * r) @ kernel) * s + bias).

    Each member has its own r, s and bias (BatchEnsemble, Wen et al. 2020, eq. 5). As in TabM (Gorishniy et al. 2025,
    section 3.3) the r of the first layer begin at random signs, which is what tells the members apart, and all others
    at 1. Weights, in this order: kernel (num_inputs, units), r (members, num_inputs), s and bias (members, units).

    Args:
        units: number of outputs.
        members: number of members.
        options: those of every layer.
    """

    def __init__(self, units: int, members: int, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.members = units, members

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights: for the first layer, which is given (num_chips, num_inputs), or for a later one."""
        num_inputs = int(input_shape[-1] or 0)
        signs = _random_signs if len(input_shape) == 2 else "ones"
        self.kernel = self.add_weight(shape=(num_inputs, self.units), initializer="glorot_uniform", name="kernel")
        self.r = self.add_weight(shape=(self.members, num_inputs), initializer=signs, name="r")
        self.s = self.add_weight(shape=(self.members, self.units), initializer="ones", name="s")
        self.bias = self.add_weight(shape=(self.members, self.units), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        """Return what the members make of the same inputs, or each of its own: (num_chips, members, units)."""
        if len(inputs.shape) == 2:  # member by member: the inputs of all of them at once would take gigabytes
            each = [ops.matmul(inputs * self.r[member], self.kernel) for member in range(self.members)]
            return ops.relu(ops.stack(each, axis=1) * self.s + self.bias)
        return ops.relu(ops.matmul(inputs * self.r, self.kernel) * self.s + self.bias)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of what it returns."""
        return (input_shape[0], self.members, self.units)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is rebuilt from."""
        return {**super().get_config(), "units": self.units, "members": self.members}


def _random_signs(shape: tuple[int, ...], dtype: Any = None) -> Any:
    drawn = keras.initializers.RandomUniform(-1, 1)(shape, dtype)
    return ops.where(drawn < 0, -ops.ones_like(drawn), ops.ones_like(drawn))


@keras.saving.register_keras_serializable(package="planet")
class OwnDense(layers.Layer):
    """A linear layer of each member's own, as TabM's last one is.

    Weights, in this order: kernel (members, num_inputs, units), bias (members, units).

    Args:
        units: number of outputs.
        bias: array (units,) at which every member's bias begins; None: zeros.
        options: those of every layer.
    """

    def __init__(self, units: int, bias: NDArray[np.float32] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.initial = units, bias

    def build(self, input_shape: tuple[int | None, int, int]) -> None:
        """Make the weights, the kernels as those of a dense layer (Glorot and Bengio 2010)."""
        _, members, num_inputs = input_shape
        limit = (6 / (num_inputs + self.units)) ** 0.5
        drawn = keras.initializers.RandomUniform(-limit, limit)
        self.kernel = self.add_weight(shape=(members, num_inputs, self.units), initializer=drawn, name="kernel")
        self.bias = self.add_weight(shape=(members, self.units), initializer="zeros", name="bias")
        if self.initial is not None:
            self.bias.assign(np.tile(self.initial, (members, 1)))

    def call(self, inputs: Any) -> Any:
        """Return (num_chips, members, units) of inputs (num_chips, members, num_inputs)."""
        each = ops.matmul(ops.transpose(inputs, (1, 0, 2)), self.kernel)
        return ops.transpose(each, (1, 0, 2)) + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, int, int]) -> tuple[int | None, int, int]:
        """Return the shape of what it returns."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is rebuilt from; its weights come next."""
        return {**super().get_config(), "units": self.units}
