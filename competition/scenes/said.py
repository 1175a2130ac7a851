"""What a file says of a scene: the names of its bands, where it lies on the ground, and when it was taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from competition.common.errors import UserError
from competition.common.text import cut, first, printable
from competition.gdal.sources import ALPHA
from competition.scenes.ground import OTHERWISE, Affine, metres_of_pixels

# What files call bands that letters stand for; a band is found by its name in any case.
LETTERS = {"red": "r", "green": "g", "blue": "b", "nir": "n", "near infrared": "n", "near-infrared": "n"}
TIMES = (("IMAGERY", "ACQUISITIONDATETIME"), (None, "ACQUISITIONDATETIME"), (None, "TIFFTAG_DATETIME"))


def names_of(dataset: Any, named: Sequence[str], shown: str) -> list[str]:
    """Return the names of a file's bands: those given, or its descriptions, or its colours.

    Raises:
        UserError: if others are given than it has.
    """
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


def check_colours(dataset: Any, indexes: Sequence[int], shown: str) -> None:
    """Refuse bands that hold numbers of colours in a table, between which nothing lies.

    Raises:
        UserError: if one does.
    """
    if "palette" in [dataset.colorinterp[index - 1].name for index in indexes]:
        raise UserError(f"{shown} holds colours of a table. Write it in three bands (gdal_translate -expand rgb).")


def doubt_about(dataset: Any, named: Sequence[str], shown: str) -> str:
    """Return why the names of a file's bands may be wrong; "" if nothing speaks for it."""
    colours = [colour.name for colour in dataset.colorinterp]
    if named or any(dataset.descriptions) or ALPHA not in colours or dataset.dtypes[colours.index(ALPHA)] == "uint8":
        return ""
    return (
        f"{shown} says of its bands no more than colours: {', '.join(colours)}. Planet's files of blue, green, red and "
        "near infrared say the same; if it is one of these, give --scene-bands BGRN."
    )


def found(wanted: Sequence[str], names: Sequence[str], shown: str) -> tuple[int, ...]:
    """Return the numbers of bands in a file, from 1.

    Raises:
        UserError: if it lacks one, or has several of that name.
    """
    known = [letter_of(name) for name in names]
    if missing := [name for name in wanted if known.count(letter_of(name)) != 1]:
        how = "several of" if letter_of(missing[0]) in known else "no"
        raise UserError(
            f"{shown} has {how} band {missing[0]!r}; its bands are {first([cut(name) for name in names], 12)}. "
            f"Name all of them in their order, such as --scene-bands BGRN."
        )
    return tuple(known.index(letter_of(name)) + 1 for name in wanted)


def letter_of(name: str) -> str:
    """Return the letter that stands for a band of this name, or else the name; in small letters."""
    return LETTERS.get(name.lower(), name.lower())


def placed(dataset: Any, given: float | None, shown: str) -> tuple[str, Affine, tuple[float, float]]:
    """Return a scene's coordinate system, its map from pixels to coordinates, and the size of its pixels.

    Args:
        dataset: of the file.
        given: metres of a pixel that the user says.
        shown: the file, for people.

    Raises:
        UserError: if nobody says where it lies.
    """
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    wkt = "" if dataset.crs is None else dataset.crs.to_wkt()
    transform = (a, b, c, d, e, f)
    is_placed = bool(wkt) and transform != (1, 0, 0, 0, 1, 0)
    if given is not None:
        return wkt if is_placed else "", transform, (given, given)
    if not is_placed:
        why = "it has control points, and no grid: warp it (gdalwarp)" if dataset.gcps[0] else f"set it, or {OTHERWISE}"
        raise UserError(f"{shown} does not say where on the ground it lies, nor how large its pixels are: {why}.")
    return wkt, transform, metres_of_pixels(wkt, transform, dataset.width, dataset.height)


def date_in(dataset: Any) -> str:
    """Return when a file says that it was taken, as "2026-11-28"; "" where it does not."""
    for domain, tag in TIMES:
        text = dataset.tags(ns=domain).get(tag, "")
        if match := re.match(r"\s*(\d{4})[:\-/](\d\d)[:\-/](\d\d)", text):
            try:
                return date(*map(int, match.groups())).isoformat()
            except ValueError:
                continue
    return ""


def day_of(text: str, flag: str) -> str:
    """Return a day that was given by a flag, as "2026-11-28".

    Raises:
        UserError: if it is none.
    """
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise UserError(f"{flag} takes a day such as 2026-11-28, received {text!r}.") from error
