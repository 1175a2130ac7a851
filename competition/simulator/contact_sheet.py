"""One picture with a simulated chip of every label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from competition.common.files import replace_atomically
from competition.simulator.canvas import Floats
from competition.simulator.render import LABELS, render_chip

# What usually comes with a label, so that a tile of the contact sheet shows it at home.
COMPANIONS = {
    "artisinal_mine": ("clear", "primary", "water"),
    "clear": ("agriculture", "primary", "road", "water"),
    "cloudy": (),
    "habitation": ("agriculture", "clear", "primary", "road"),
    "haze": ("agriculture", "primary", "road", "water"),
    "partly_cloudy": ("agriculture", "primary", "road", "water"),
}


def contact_sheet(path: Path, size: int = 128, seed: int = 1) -> None:
    """Write a labelled grid with one typical chip for each label, and one chip in false colours that show the NIR band.

    Args:
        path: the JPEG to write.
        size: width of a tile in pixels.
        seed: which examples are drawn.
    """
    gap, caption, columns = max(4, size // 16), max(14, size // 7), 6
    tiles = [(label, _typical_chip(label, size, seed)[..., 2::-1]) for label in LABELS]
    tiles.append(("NIR, R, G as colours", _typical_chip("clear", size, seed)[..., 3:0:-1]))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (size + gap) + gap, rows * (size + gap + caption) + gap), "white")
    font, draw = ImageFont.load_default(size=max(9, size // 11)), ImageDraw.Draw(sheet)
    for order, (title, colours) in enumerate(tiles):
        x, y = gap + order % columns * (size + gap), gap + order // columns * (size + gap + caption)
        sheet.paste(Image.fromarray((colours * 255 + 0.5).astype(np.uint8)), (x, y))
        draw.text((x + size // 2, y + size + caption // 2), title, fill="black", font=font, anchor="mm")
    with replace_atomically(path) as temporary:
        sheet.save(temporary, "JPEG", quality=88)


def _typical_chip(label: str, size: int, seed: int) -> Floats:
    present = {label, *COMPANIONS.get(label, ("clear", "primary"))}
    rng = np.random.default_rng((seed, LABELS.index(label)))
    return render_chip([name in present for name in LABELS], size, rng)
