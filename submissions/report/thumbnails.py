"""Chips as small pictures within a page, and over them where a network looked."""

from __future__ import annotations

import base64
import io
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from competition.common.errors import UserError
from competition.data.chips import read_chip, resize_chip
from competition.index.chip_index import ChipFile
from competition.spec.images import ImageSet
from submissions.evidence.chips import Look, Shown
from submissions.evidence.evidence import Evidence

SIZES = (160, 128, 96)  # pixels of a thumbnail, the larger the fewer there are
MOST_BYTES = 2_600_000  # of all thumbnails as WebP: a page has room for a third more as text
QUALITY = 70
STRETCH = (2, 98)  # percentiles that become black and white where values have no range of their own
NATURAL = "natural"
# The bands that become red, green and blue: letters, or Sentinel-2's names.
WAYS = {
    NATURAL: (("R", "G", "B"), ("B04", "B03", "B02")),
    "near infrared": (("N", "R", "G"), ("NIR", "R", "G"), ("B08", "B04", "B03")),
}
FOR, AGAINST = (213, 94, 0), (0, 114, 178)  # Okabe and Ito's vermillion and blue, apart for every kind of eye
FULL = 3.0  # of log odds, from which on a colour is full, on every chip alike: noise would else look like evidence
OPAQUE = 0.8  # of a full colour: what is there is still to be seen
GREYS = (90, 245)  # between which a chip is grey under colours: in a dark forest blue would be lost


def draw(evidence: Evidence, chips: list[Shown]) -> list[Shown]:
    """Give chips their pictures and overlays, as large as fit into the page; return those that can be read."""
    renderings = _renderings(evidence)
    arrays = {chip.name: _read(chip.name, renderings) for chip in chips}
    for size in SIZES:
        for chip in chips:
            pixels = {way: _pixels(array, size) for way, array in arrays[chip.name].items()}
            chip.pictures = {way: _url(seen) for way, seen in pixels.items()}
            chip.overlays = [(look, _url(overlay(next(iter(pixels.values())), look))) for look in chip.looks if pixels]
        if sum(map(_num_bytes, chips)) <= MOST_BYTES:
            break
    return [chip for chip in chips if chip.pictures]


def _num_bytes(chip: Shown) -> int:
    return sum(map(len, chip.pictures.values())) + sum(len(url) for _, url in chip.overlays)


def _read(name: str, renderings: list[tuple[ImageSet, dict[str, ChipFile]]]) -> dict[str, NDArray[np.generic]]:
    """Return a chip (size, size, 3) as it would look to the eye, and with near infrared as red if it has that."""
    found = dict[str, NDArray[np.generic]]()
    for images, files in renderings:
        wanted = {way: columns for way, columns in _ways(images.bands).items() if way not in found}
        if not wanted or name not in files:
            continue
        try:
            array = read_chip(files[name], images)
        except UserError:
            continue
        found |= {way: resize_chip(array[:, :, columns], SIZES[0]) for way, columns in wanted.items()}
    return found


def _ways(bands: tuple[str, ...]) -> dict[str, list[int]]:
    """Return the ways to show chips of some bands, and the columns that become red, green and blue."""
    found = dict[str, list[int]]()
    for way, choices in WAYS.items():
        for choice in choices:
            if way not in found and set(choice) <= set(bands):
                found[way] = [bands.index(band) for band in choice]
    return found or {NATURAL: [0, 1, 2] if len(bands) >= 3 else [0, 0, 0]}


def _renderings(evidence: Evidence) -> list[tuple[ImageSet, dict[str, ChipFile]]]:
    """Return the renderings of the labelled chips with the file of each chip, the usual one first."""
    workspace, found = evidence.workspace, list[tuple[ImageSet, dict[str, ChipFile]]]()
    usual = workspace.competition.default_images
    for name in sorted(workspace.competition.images, key=lambda name: name != usual):
        images = workspace.competition.image_set(name)
        with suppress(UserError):  # a rendering that is not there
            found.append((images, workspace.layout.files(images, "train")))
    return found


def _pixels(chip: NDArray[np.generic], size: int) -> NDArray[np.uint8]:
    """Return what is seen of a chip, uint8 (size, size, 3)."""
    values = resize_chip(chip, size).astype(np.float32)
    if chip.dtype != np.uint8:
        low, high = np.percentile(values, STRETCH)
        values = (values - low) / max(float(high - low), 1e-6) * 255
    return values.clip(0, 255).astype(np.uint8)


def overlay(pixels: NDArray[np.uint8], look: Look) -> NDArray[np.uint8]:
    """Return a chip in grey, under the colours of what speaks for a label and against it.

    Args:
        pixels: of the chip, uint8 (size, size, 3).
        look: where a network looked for the label; the place that matters most is outlined, if one does.
    """
    size = len(pixels)
    grey = np.interp(np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float32), (0, 255), GREYS)
    falls = Image.fromarray(look.falls.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    strength = (np.asarray(falls) / FULL).clip(-1, 1)[:, :, None] * OPAQUE
    colour = np.where(strength > 0, np.array(FOR), np.array(AGAINST))
    picture = Image.fromarray((grey[:, :, None] + np.abs(strength) * (colour - grey[:, :, None])).astype(np.uint8))
    if look.matters:
        top, left, bottom, right = (round(end * (size - 1)) for end in look.place)
        pen = ImageDraw.Draw(picture)
        pen.rectangle((left, top, right, bottom), outline="black")
        pen.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline="white")
    return np.asarray(picture)


def _url(pixels: NDArray[np.uint8]) -> str:
    kept = io.BytesIO()
    Image.fromarray(pixels).save(kept, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(kept.getvalue()).decode()}"
