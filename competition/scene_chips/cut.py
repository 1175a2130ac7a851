"""Cutting labelled chips from scenes into a folder that is a competition of its own: chips, table, and its file."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import check_writable, replace_folder, write_text
from competition.common.interrupts import check
from competition.common.progress import reporter
from competition.common.text import counted, first
from competition.gdal.imports import gdal
from competition.scene_chips.described import FILE, FOLDER, TABLE, described, header_of, labels_of, read_described
from competition.scene_chips.places import Place
from competition.scene_chips.rules import Rules
from competition.scenes.hidden import shows_ground
from competition.scenes.scene import Scene
from competition.scenes.values import quantiles_of
from competition.spec.competition import Competition
from competition.terminal.tables import table

THIN = 8  # of a chip's pixels along each side, one in so many tells what values its bands span
READERS = 4  # threads


@dataclass(frozen=True)
class CutChips:
    """Chips that were cut.

    Attributes:
        folder: that holds them.
        scenes: how many were cut from each, by name.
        labels: how many chips carry each label.
        num_chips: in all.
        num_negatives: that show no feature.
        num_groups: blocks of ground.
        num_left_out: places with too few data.
    """

    folder: Path
    scenes: dict[str, int]
    labels: dict[str, int]
    num_chips: int
    num_negatives: int
    num_groups: int
    num_left_out: int

    def text(self) -> str:
        """Return the counts as a table, and what was written."""
        lines = [table(["label", "chips"], list(self.labels.items())), ""]
        if len(self.scenes) > 1:
            lines += [table(["scene", "chips"], list(self.scenes.items())), ""]
        negatives = f", {self.num_negatives:,} of them beside all features" if self.num_negatives else ""
        lines += [
            f"Cut {counted(self.num_chips, 'chip')}{negatives}, in {counted(self.num_groups, 'block')} of ground."
        ]
        if self.num_left_out:
            lines += [f"Left out {counted(self.num_left_out, 'place')} with too few data."]
        return "\n".join([*lines, f"Wrote {self.folder}"])

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "folder": str(self.folder), "scenes": self.scenes, "labels": self.labels, "chips": self.num_chips,
            "negatives": self.num_negatives, "groups": self.num_groups, "left_out": self.num_left_out,
        }  # fmt: skip


def cut_chips(
    scenes: Sequence[Scene], places: Sequence[Place], size: int, output: Path, *, like: Competition | None
) -> CutChips:
    """Cut chips from scenes into a new folder, all of it or nothing.

    Args:
        scenes: with the bands that are wanted, and names that tell them apart; see `open_scenes`.
        places: where they lie; see `sample_places`.
        size: pixels along each side of a chip's file.
        output: the folder; new or empty.
        like: competition whose labels, rules and metric hold for them; None: none do.

    Raises:
        UserError: if there are none, a label is none of the competition's, or a chip would lack one.
    """
    labels = labels_of([label for place in places for label in place.labels], like)
    _check(scenes, places, output, like)
    with replace_folder(output) as folder:
        (folder / FOLDER).mkdir()
        with reporter.bar(len(places), "cutting") as bar, ThreadPoolExecutor(READERS) as pool:
            pixels = []
            for each in pool.map(lambda place: _cut(place, size, folder / FOLDER), places):
                check()
                bar.update()
                pixels.append(each)
        kept = [place for place, each in zip(places, pixels, strict=True) if each is not None]
        if not kept:
            raise UserError(f"No chip of {_shown(scenes)} holds enough data. Give other points, or another scene.")
        ranges = _ranges(scenes[0], [each for each in pixels if each is not None], like)
        metres = kept[0].window.width * kept[0].scene.metres[0] / size
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", output.absolute().name).strip("-._") or "chips"
        text = described(name[:100], labels, like, scenes, ranges, metres)
        write_text(folder / FILE, text)
        _write_table(folder / TABLE, kept, read_described(text))
    counts = Counter(label for place in kept for label in place.labels)
    by_scene = Counter(place.scene.name for place in kept)
    return CutChips(
        output,
        {scene.name: by_scene[scene.name] for scene in scenes},
        {label: counts[label] for label in labels},
        len(kept),
        sum(place.negative for place in kept),
        len({place.group for place in kept}),
        len(places) - len(kept),
    )


def chip_name(place: Place) -> str:
    """Return the id of a chip: the scene's name, and where its upper left pixel lies on it."""
    return f"{place.scene.name}_{place.window.x}_{place.window.y}"


def _shown(scenes: Sequence[Scene]) -> str:
    return first(scene.source.shown for scene in scenes)


def check_output(output: Path) -> None:
    """Refuse a folder into which no chips can be cut.

    Raises:
        UserError: if it holds something, or cannot be made.
    """
    if not output.exists():
        check_writable(output)
    elif not output.is_dir() or any(output.iterdir()):
        raise UserError(f"Will not cut chips into {output}: it is not empty. Name a new folder, or empty this one.")


def _check(scenes: Sequence[Scene], places: Sequence[Place], output: Path, like: Competition | None) -> None:
    check_output(output)
    if not places:
        raise UserError(f"None of the features lies on {_shown(scenes)}. Is it the scene that they were drawn on?")
    if like is not None and not like.unlabelled and not all(place.labels for place in places):
        raise UserError(
            f"Negatives carry no label, and every chip of '{like.name}' carries one: name those that all chips carry, "
            "such as by --with clear,primary."
        )
    rules = Rules.of(like, ())
    if lacking := [group for place in places if (group := rules.lacks(place.labels))]:
        raise UserError(
            f"{counted(len(lacking), 'chip')} would carry none of {first(lacking[0])}, of which every chip of "
            f"'{like.name if like else ''}' carries one: name what holds where no feature says so, such as by "
            f"--with {lacking[0][0]}."
        )


def _cut(place: Place, size: int, folder: Path) -> NDArray[Any] | None:
    """Write a chip, and return some of its pixels; None where it has too few data to be one."""
    scene = place.scene
    chip, valid = scene.read(place.window, size)
    if not shows_ground(valid[None])[0]:
        return None
    a, b, c, d, e, f = scene.transform
    x, y, width, height = place.window
    across, down = width / size, height / size
    place_of = a * across, b * down, a * x + b * y + c, d * across, e * down, d * x + e * y + f
    with gdal() as rasterio:
        profile = {
            "driver": "GTiff", "width": size, "height": size, "count": len(scene.bands), "dtype": chip.dtype,
            "crs": scene.wkt or None, "transform": rasterio.Affine(*place_of), "interleave": "pixel",
            "compress": "deflate", "photometric": "minisblack", "alpha": "unspecified",
        }  # fmt: skip
        with rasterio.open(folder / f"{chip_name(place)}.tif", "w", **profile) as dataset:
            dataset.write(np.moveaxis(chip, -1, 0))
            dataset.descriptions = scene.bands
    return chip[::THIN, ::THIN]


def _ranges(scene: Scene, pixels: Sequence[NDArray[Any]], like: Competition | None) -> dict[str, tuple[float, float]]:
    """Return what bands span: as the competition says of the same bands, or else their 1st and 99th percentile."""
    if scene.dtype == "uint8":
        return {}
    if like is not None:
        known = next((images.range for images in like.images.values() if set(scene.bands) <= set(images.range)), None)
        if known is not None:
            return {band: known[band] for band in scene.bands}
    found = quantiles_of(pixels)
    return {
        band: (float(low), float(high if high > low else low + 1))
        for band, low, high in zip(scene.bands, found[0], found[-1], strict=True)
    }


def _write_table(path: Path, places: Sequence[Place], competition: Competition) -> None:
    """Write ids, tags and blocks of the chips, and the scene and day of each, sorted by id."""
    form = competition.tables
    rows = sorted(
        (
            chip_name(place), form.join([t for t in competition.labels if t in place.labels]), place.group,
            place.scene.name, place.scene.date,
        )
        for place in places
    )  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header_of(competition))
        writer.writerows(rows)
