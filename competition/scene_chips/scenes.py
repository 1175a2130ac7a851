"""The scenes that chips are cut from together: with the same bands and values, and told apart by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.data.chips import DTYPES
from competition.gdal.sources import images_in
from competition.scenes.said import letter_of
from competition.scenes.scene import Scene
from competition.spec.competition import Competition

LONGEST = 60  # letters of a scene's name in a chip's id


def open_scenes(
    where: Sequence[str], folder: Path | None, bands: Sequence[str], named: Sequence[str], like: Competition | None
) -> list[Scene]:
    """Open scenes, with the same bands in the same order, and names that no two of them share.

    Args:
        where: each lies, see `Scene.open`.
        folder: in which every image is a scene; None for no such folder.
        bands: that are read; none: those of `usual_bands`.
        named: names of all the bands of each, where the files name none, or wrong ones.
        like: competition that the chips are to follow; None for none.

    Raises:
        UserError: if there are none, one is given twice, cannot be read or lacks a band, or their values are not alike.
    """
    every = [*where, *([] if folder is None else map(str, images_in(folder)))]
    if not every:
        raise UserError("Give --scene SCENE, as often as there are scenes, or --scenes FOLDER.")
    scenes = list[Scene]()
    for each in every:
        scene = Scene.open(each, bands, named=named)
        wanted = tuple(bands) or (scenes[0].bands if scenes else usual_bands(like, scene.bands))
        scenes.append(scene if scene.bands == wanted else Scene.open(each, wanted, named=named))
    _check(scenes)
    for doubt in dict.fromkeys(scene.doubt for scene in scenes if scene.doubt):
        reporter.say(doubt)
    return [replace(scene, name=name) for scene, name in zip(scenes, _names(scenes), strict=True)]


def usual_bands(like: Competition | None, bands: Sequence[str]) -> tuple[str, ...]:
    """Return the bands of chips: as a competition calls and orders them, if it has these, or else as they are."""
    letters = sorted(map(letter_of, bands))
    alike = (images.bands for images in (like.images.values() if like else ()))
    return next((each for each in alike if sorted(map(letter_of, each)) == letters), tuple(bands))


def usual_metres(like: Competition | None, scenes: Sequence[Scene]) -> float:
    """Return how much ground a chip's pixel shows: as a competition says of the same bands, or the coarsest scene's."""
    alike = [images for images in like.images.values() if set(images.bands) == set(scenes[0].bands)] if like else []
    said = next((images.metres_per_pixel for images in alike if images.metres_per_pixel), None)
    return said or max(sum(scene.metres) / 2 for scene in scenes)


def _check(scenes: Sequence[Scene]) -> None:
    """Refuse scenes whose chips would not be of one kind."""
    first, *others = scenes
    if first.dtype not in DTYPES:
        raise UserError(f"Chips hold values of {', '.join(DTYPES)}; {first.source.shown} holds {first.dtype}.")
    if twice := [each for each, many in Counter(scene.source.target for scene in scenes).items() if many > 1]:
        shown = next(scene.source.shown for scene in scenes if scene.source.target == twice[0])
        raise UserError(f"{shown} is given twice. Give each scene once.")
    for scene in others:
        for what, one, other in (
            ("values of", first.dtype, scene.dtype),
            ("scales and offsets of", (first.scales, first.offsets), (scene.scales, scene.offsets)),
        ):
            if one != other:
                raise UserError(
                    f"The scenes are not alike: {first.source.shown} holds {what} {one}, and {scene.source.shown} "
                    f"{other}. Bring them to the same values (gdal_translate -unscale -ot), or cut each by itself."
                )


def _names(scenes: Sequence[Scene]) -> list[str]:
    """Return a name for each scene: its own, with that of its folder where two have the same, or else with a number."""
    names = [_plain(scene.name) for scene in scenes]
    many, taken = Counter(map(str.lower, names)), set[str]()
    for place, scene in enumerate(scenes):
        if many[names[place].lower()] > 1:
            names[place] = _plain(f"{Path(scene.source.shown).parent.name}-{scene.name}")
        number, name = 2, names[place]
        while names[place].lower() in taken:
            names[place], number = f"{name}-{number}", number + 1
        taken.add(names[place].lower())
    return names


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", name)[:LONGEST].strip("-") or "scene"
