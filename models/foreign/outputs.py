"""What is taken of a network's outputs as features: maps and tokens of patches pooled, class tokens, vectors.

Outputs are named by words `KIND` or `NAME:KIND`, NAME being one of several outputs:

Without a name it is the first output that has the axes of the kind:

    vector    an output (num_chips, num_values), as it is
    map       one of (num_chips, num_values, height, width), or with the values last, pooled over its places
    cls       the first token of (num_chips, num_tokens, num_values)
    patches   its tokens after those that are of no patch, pooled
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError, unknown_name
from models.recipes.recipe import Recipe

Kind = Literal["vector", "map", "cls", "patches"]
RANKS: dict[str, int] = {"vector": 2, "map": 4, "cls": 3, "patches": 3}
OF_RANK = {2: "vector", 4: "map"}


@dataclass(frozen=True)
class Layout:
    """What a network says of its outputs.

    Attributes:
        channels_first: of what it is given, which decides where the shape of a map does not.
        prefix: number of tokens before those of the patches; None: it does not say.
        has_class: whether the first of these is the class token, and no register.
        ends_in_vector: whether its last normalisation, or a pooling that it learnt, comes after its tokens, so that
            its vector alone has it.
    """

    channels_first: bool = True
    prefix: int | None = None
    has_class: bool = True
    ends_in_vector: bool = False


@dataclass(frozen=True)
class Taken:
    """What is taken of one output.

    Attributes:
        name: of the output.
        kind: what it is taken for.
        axes: those over which it is pooled; none of what is not.
        pooling: avg, max or both, side by side.
        prefix: tokens before those of the patches.
    """

    name: str
    kind: Kind
    axes: tuple[int, ...] = ()
    pooling: tuple[str, ...] = ()
    prefix: int = 0

    def __call__(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Return the features (num_chips, num_features) of an output."""
        values = output.astype(np.float32)
        if self.kind == "cls":
            return values[:, 0]
        if self.kind == "vector":
            return values
        values = values[:, self.prefix :] if self.kind == "patches" else values
        pooled = [values.mean(axis=self.axes) if how == "avg" else values.max(axis=self.axes) for how in self.pooling]
        return np.concatenate(pooled, axis=1)

    def of_keras(self, output: Any) -> list[Any]:
        """Return the same of an output within a network of Keras, part by part."""
        ops = importlib.import_module("keras").ops
        values = ops.cast(output, "float32")
        if self.kind == "cls":
            return [values[:, 0]]
        if self.kind == "vector":
            return [values]
        values = values[:, self.prefix :] if self.kind == "patches" else values
        pool = {"avg": ops.mean, "max": ops.max}
        return [pool[how](values, axis=self.axes) for how in self.pooling]


def taken_of(recipe: Recipe, shapes: Mapping[str, tuple[int, ...]], source: str, layout: Layout) -> list[Taken]:
    """Return what a recipe takes of a network's outputs.

    Args:
        recipe: its outputs, pooling and number of prefix tokens.
        shapes: of the network's outputs for some chips, by name.
        source: what the network is called.
        layout: what the network says of them.

    Raises:
        UserError: if it asks for what there is not, or does not say what it wants of tokens.
    """
    prefix = _agreed(layout.prefix, recipe.prefix_tokens, source)
    has_class = prefix != 0 and layout.has_class
    taken: list[Taken] = []
    for word in recipe.outputs or _default(shapes, source, prefix, has_class, layout.ends_in_vector):
        name, kind = _name_and_kind(word, shapes, source)
        shape = shapes[name]
        if len(shape) != RANKS[kind]:
            raise UserError(
                f"{source} has no {kind} in its output {name}, of shape {shape[1:]}: expected {_expected(kind)}. Give "
                f"--outputs {_fitting(shape)}."
            )
        if kind == "cls" and not has_class:  # the first token would be a register's or a patch's
            raise UserError(f"{source} has no class token. Give --outputs patches, or vector where it has one.")
        if kind == "patches":
            taken.append(Taken(name, "patches", (1,), recipe.pooling, _prefix(shape[1], prefix, source, name)))
        elif kind == "map":
            taken.append(Taken(name, "map", _places(shape, layout.channels_first), recipe.pooling))
        else:
            taken.append(Taken(name, "cls" if kind == "cls" else "vector"))
    return taken


def _agreed(own: int | None, given: int | None, source: str) -> int | None:
    """Return the number of tokens before those of the patches, as the network says it or else the recipe."""
    if None not in (own, given) and own != given:
        raise UserError(
            f"{source} has {own} tokens before those of its patches, received --prefix-tokens {given}. Leave it out."
        )
    return given if own is None else own


def _default(
    shapes: Mapping[str, tuple[int, ...]], source: str, prefix: int | None, has_class: bool, ends_in_vector: bool
) -> Sequence[str]:
    """Return what is taken of the first output, where nothing says it."""
    name, shape = next(iter(shapes.items()))
    if ends_in_vector:
        return ("vector",)
    if len(shape) in OF_RANK:
        return (OF_RANK[len(shape)],)
    if len(shape) == 3 and prefix is not None:
        return ("cls", "patches") if has_class else ("patches",)
    if len(shape) == 3:
        raise UserError(
            f"{source} gives {shape[1]} tokens for each chip, in its output {name}. Give --outputs cls, patches or "
            f"both, and with patches --prefix-tokens{_guess(shape[1])}."
        )
    raise UserError(f"{source} gives no features in its output {name}, of shape {shape[1:]}. Give --outputs NAME:KIND.")


def _name_and_kind(word: str, shapes: Mapping[str, tuple[int, ...]], source: str) -> tuple[str, str]:
    name, _, kind = word.rpartition(":")
    if kind not in RANKS:  # the name alone, which may hold a colon itself
        name, kind = word, OF_RANK.get(len(shapes.get(word, ())), "")
        if name in shapes and not kind:
            raise UserError(f"--outputs {name} does not say what is taken of it. Give {_fitting(shapes[name], name)}.")
        if ":" in word and word not in shapes and word.rpartition(":")[0] in shapes:
            raise unknown_name("kind of output", word.rpartition(":")[2], list(RANKS))
    fitting = (other for other, shape in shapes.items() if len(shape) == RANKS.get(kind))
    name = name or next(fitting, next(iter(shapes)))
    if name not in shapes:
        raise unknown_name(f"output of {source}", name, list({**shapes, **RANKS}))
    return name, kind


def _prefix(num_tokens: int, prefix: int | None, source: str, name: str) -> int:
    if prefix is None:
        raise UserError(
            f"{source} gives {num_tokens} tokens in its output {name}, and does not say how many of them are of no "
            f"patch. Give --prefix-tokens{_guess(num_tokens)}."
        )
    if prefix >= num_tokens:
        raise UserError(f"{source} gives {num_tokens} tokens: expected --prefix-tokens below it, received {prefix}.")
    return prefix


def _guess(num_tokens: int) -> str:
    side = math.isqrt(num_tokens)
    return f" {num_tokens - side**2} where its patches are {side} x {side}"


def _places(shape: tuple[int, ...], channels_first: bool) -> tuple[int, int]:
    """Return the axes of a map's places: those of equal length, and else as the network's input has them."""
    first, last = shape[2] == shape[3], shape[1] == shape[2]
    return (2, 3) if (first if first != last else channels_first) else (1, 2)


def _expected(kind: str) -> str:
    return {2: "(num_values)", 3: "(num_tokens, num_values)", 4: "(num_values, height, width)"}[RANKS[kind]]


def _fitting(shape: tuple[int, ...], name: str = "") -> str:
    fitting = [kind for kind, rank in RANKS.items() if rank == len(shape)]
    return " or ".join(f"{name}:{kind}" if name else kind for kind in fitting) or "with another output, NAME:KIND"
