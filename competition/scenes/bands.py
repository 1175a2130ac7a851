"""The bands of a scene by name, whatever its file calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from competition.common.errors import UserError
from competition.common.text import cut, first, printable
from competition.gdal.sources import ALPHA

# What files call bands that letters stand for; a band is found by its name in any case.
LETTERS = {"red": "r", "green": "g", "blue": "b", "nir": "n", "near infrared": "n", "near-infrared": "n"}


def names_in(dataset: Any, named: Sequence[str], shown: str) -> list[str]:
    """Return the names of a file's bands: those given, or its descriptions, or its colours."""
    if named:
        if len(named) != dataset.count:
            raise UserError(
                f"--scene-bands names {len(named)} bands, and {shown} has {dataset.count}. Name each of them, in order."
            )
        return list(named)
    described = [printable(text or "").strip() for text in dataset.descriptions]
    colours = [colour.name for colour in dataset.colorinterp]
    return [
        text or (colour if colour in (*LETTERS, ALPHA) else f"band {number}")
        for number, (text, colour) in enumerate(zip(described, colours, strict=True), start=1)
    ]


def numbers_of(wanted: Sequence[str], names: Sequence[str], shown: str) -> tuple[int, ...]:
    """Return the numbers of bands in a file, from 1."""
    known = [_plain(name) for name in names]
    if missing := [name for name in wanted if known.count(_plain(name)) != 1]:
        how = "several of" if _plain(missing[0]) in known else "no"
        raise UserError(
            f"{shown} has {how} band {missing[0]!r}; its bands are {first([cut(name) for name in names], 12)}. "
            f"Name all of them in their order, such as --scene-bands B,G,R,N."
        )
    return tuple(known.index(_plain(name)) + 1 for name in wanted)


def _plain(name: str) -> str:
    return LETTERS.get(name.lower(), name.lower())
