"""Drawing tools for simulated chips: tileable noise, soft-edged spots and anti-aliased shapes.

Nothing here knows a label. Places are unit coordinates (x to the right, y down, the chip spans 0 to 1), so that the
same drawing serves every chip size; colours are (B, G, R, NIR) in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Floats = NDArray[np.float32]
Colour = Sequence[float] | NDArray[np.floating]

# Cycles per chip of each kind of noise; "fractal" holds all scales, as clouds and hills do.
NOISE_BANDS = {"broad": (1.0, 3.0), "patch": (3.0, 8.0), "mottle": (8.0, 24.0), "canopy": (18.0, 60.0)}
NOISE_KINDS = (*NOISE_BANDS, "fractal")
NOISE_VARIANTS = 6


@lru_cache(maxsize=4)
def _noise_bank(size: int, chip: int) -> dict[str, Floats]:
    """Return textures (variants, size, size) by kind: tileable, mean 0, standard deviation 1.

    They are made once for each size and then only rolled and flipped: filtering fresh noise for every chip would take
    most of the time. Their own fixed seed keeps chips apart from the number of chips made before.

    Args:
        size: width of the textures in pixels.
        chip: width of a chip in pixels.
    """
    rng = np.random.default_rng(20170420)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]) * chip
    bank = {}
    for kind in NOISE_KINDS:
        spectrum = np.fft.rfft2(rng.standard_normal((NOISE_VARIANTS, size, size)))
        field = np.fft.irfft2(spectrum * _gain(kind, frequency, chip), s=(size, size))
        if kind == "canopy":
            # Crowns are lit from one side and cast small deep shadows: a relief, darker than bright.
            field += 0.8 * (field - np.roll(field, (max(1, chip // 128), max(1, chip // 128)), axis=(1, 2)))
            field -= 0.15 * field * field / field.std()
        field -= field.mean(axis=(1, 2), keepdims=True)
        bank[kind] = (field / field.std(axis=(1, 2), keepdims=True)).astype(np.float32)
    return bank


def _gain(kind: str, frequency: NDArray[np.float64], chip: int) -> NDArray[np.float64]:
    if kind == "fractal":
        return np.where(frequency > 0, np.maximum(frequency, 1.0) ** -1.9, 0.0)
    # Small chips cannot hold the finest scales: bands are cut at what the pixels carry.
    low, high = (min(limit, chip * share) for limit, share in zip(NOISE_BANDS[kind], (0.25, 0.5), strict=True))
    return np.exp(-0.5 * ((frequency - (low + high) / 2) / max((high - low) / 2, 0.5)) ** 2) * (frequency > 0)


@lru_cache(maxsize=2)
def _pixel_centres(size: int) -> tuple[Floats, Floats]:
    centres = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return centres[None, :], centres[:, None]


def noise(kind: str, size: int, rng: np.random.Generator, chip: int | None = None) -> Floats:
    """Return one random texture (size, size), mean 0 and standard deviation 1, whose opposite edges fit.

    Args:
        kind: one of `NOISE_KINDS`.
        size: width of the texture in pixels.
        rng: source of four draws.
        chip: width of a chip in pixels, by which the kinds are coarse or fine; default: `size`.
    """
    variant, down, right, flips = rng.integers((NOISE_VARIANTS, size, size, 8)).tolist()
    field = np.roll(_noise_bank(size, chip or size)[kind][variant], (down, right), axis=(0, 1))
    field = field[:: -1 if flips & 1 else 1, :: -1 if flips & 2 else 1]
    return field.T if flips & 4 else field


def spot(
    centre: Colour, radius: float, texture: Floats, roughness: float = 0.3, stretch: float = 1.0, angle: float = 0.0
) -> Floats:
    """Return the depth inside an irregular spot: 1 at its centre, 0 on its rim, negative outside.

    Args:
        centre: (x, y) in unit coordinates.
        radius: mean radius in chip widths.
        texture: noise (size, size) that makes the rim irregular.
        roughness: how far the rim strays, in radii per standard deviation of `texture`.
        stretch: length over width.
        angle: direction of the length in radians.
    """
    x, y = _pixel_centres(len(texture))
    x, y = x - np.float32(centre[0]), y - np.float32(centre[1])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = (cos * x + sin * y) / np.float32(stretch), (cos * y - sin * x) * np.float32(stretch)
    distance = np.sqrt(along * along + across * across) / np.float32(radius)
    return (1 + np.float32(roughness) * texture - distance).astype(np.float32, copy=False)


def inside(depth: Floats, radius: float, softness: float = 1.0) -> Floats:
    """Return the coverage in [0, 1] of a spot's `depth`, with a rim of about `softness` pixels."""
    return np.clip(depth * np.float32(radius * len(depth) / softness) + np.float32(0.5), 0, 1)


def blend(image: Floats, coverage: Floats, colour: Colour | Floats) -> None:
    """Mix `colour`, one for the chip or (size, size, 4), into `image` in place where `coverage` (size, size) is 1."""
    image += coverage[..., None] * (np.asarray(colour, np.float32) - image)


class Layer:
    """A transparent sheet to draw shapes on, to be laid onto an image.

    Shapes are drawn several times finer than the chip and averaged down, so that a line thinner than a pixel is a
    faint line and not a broken one.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._fine = 4 if size <= 48 else 3 if size <= 96 else 2
        side = size * self._fine
        # Pillow's name for four plain bytes per pixel; "RGBA" would be averaged as colour and opacity.
        self._colours = Image.new("CMYK", (side, side), 0)
        self._coverage = Image.new("L", (side, side), 0)
        self._colour_pen, self._coverage_pen = ImageDraw.Draw(self._colours), ImageDraw.Draw(self._coverage)

    def polygon(self, points: NDArray[np.floating], colour: Colour) -> None:
        """Fill the polygon through `points` (num_points, 2)."""
        flat = (points * (self.size * self._fine)).ravel().tolist()
        for draw, ink in self._pens(colour):
            draw.polygon(flat, fill=ink)

    def line(self, points: NDArray[np.floating], width: float, colour: Colour, min_pixels: float = 0.8) -> None:
        """Draw a line through `points` (num_points, 2), `width` chip widths and at least `min_pixels` wide."""
        flat = (points * (self.size * self._fine)).ravel().tolist()
        pixels = max(1, round(max(width * self.size, min_pixels) * self._fine))
        for draw, ink in self._pens(colour):
            draw.line(flat, fill=ink, width=pixels, joint="curve" if pixels > 3 else None)

    def dot(self, centre: Colour, radius: float, colour: Colour, min_pixels: float = 0.6) -> None:
        """Fill a disc of `radius` chip widths, at least `min_pixels`, around `centre`."""
        reach = max(radius * self.size, min_pixels) * self._fine
        x, y = (float(place) * self.size * self._fine for place in centre)
        for draw, ink in self._pens(colour):
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=ink)

    def lay_onto(self, image: Floats, texture: Floats | None = None, where: Floats | None = None) -> Floats:
        """Put the sheet onto `image` (size, size, 4) in place and return the coverage (size, size) in [0, 1].

        Args:
            image: the picture so far.
            texture: multiplies the sheet's colours, (size, size).
            where: opacity of the sheet, (size, size) in [0, 1].
        """
        scale = np.float32(1 / 255)
        coverage = np.asarray(self._coverage.reduce(self._fine), np.float32) * scale
        # Averaging with the empty sheet's zeros has already weighted the colours with the coverage.
        colours = np.asarray(self._colours.reduce(self._fine), np.float32) * scale
        if where is not None:
            coverage, colours = coverage * where, colours * where[..., None]
        if texture is not None:
            colours = colours * texture[..., None]
        image *= 1 - coverage[..., None]
        image += colours
        return coverage

    def _pens(self, colour: Colour) -> tuple[tuple[ImageDraw.ImageDraw, tuple[int, ...]], ...]:
        ink = tuple(min(255, max(0, round(255 * float(band)))) for band in colour)
        return (self._colour_pen, ink), (self._coverage_pen, (255,))
