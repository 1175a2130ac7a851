"""How the windows of a scene become chips as a network takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.data.chips import resize_chip
from competition.scenes.grid import Grid, Window
from competition.scenes.ground import chip_metres
from competition.scenes.hidden import MOST_MISSING, shows_ground
from competition.scenes.scene import Scene
from competition.scenes.values import Values, probe, values_of
from models.networks.input_spec import as_network_input
from models.predict.predictor import LearntFrom, Predictor

LARGER = 4  # times the side of what the network takes, at most, where nobody knows how large chips' files are


@dataclass(frozen=True)
class Asked:
    """What a user says of a scene, and of how it is cut.

    Attributes:
        where: it lies, see `Scene.open`; for other machines a whole path, or an address.
        named: names of all its bands, in order; () for what the file says.
        taken: when it was taken, as "2026-11-28"; None for what the file says.
        metres_per_pixel: of the scene; None for what the file says.
        chip_metres: side of a window on the ground; None for that of the chips that the model has learnt from.
        steps: into which a window's side is divided, see `Grid.over`.
        how: "match", where values are stretched; see `values_of`.
        scale: see there.
        offset: see there.
        most_missing: largest share of a window's pixels that may lack data.
    """

    where: str
    named: tuple[str, ...] = ()
    taken: str | None = None
    metres_per_pixel: float | None = None
    chip_metres: float | None = None
    steps: int = 2
    how: Literal["match"] | None = None
    scale: float | None = None
    offset: float | None = None
    most_missing: float = MOST_MISSING

    def scene(self, predictor: Predictor) -> Scene:
        """Open the scene, with the bands that a network takes."""
        return Scene.open(
            self.where,
            tuple(predictor.inputs.bands),
            named=self.named,
            metres_per_pixel=self.metres_per_pixel,
            taken=self.taken,
        )

    @property
    def says_values(self) -> bool:
        """Whether the user says how the scene's values become those of chips."""
        return (self.how, self.scale, self.offset) != (None, None, None)


@dataclass(frozen=True)
class Cutting:
    """How windows are cut, which makes the same chips of the same scene anywhere.

    Attributes:
        grid: which windows there are.
        metres: side of a window on the ground.
        pixels: along each side of a chip's file: a window is brought to these first, as chips were.
        size: pixels along each side of what the network takes.
        values: what makes values of chips of the scene's.
        most_missing: largest share of a window's pixels that may lack data.
    """

    grid: Grid
    metres: float
    pixels: int
    size: int
    values: Values
    most_missing: float

    @classmethod
    def of(cls, asked: Asked, scene: Scene, predictor: Predictor) -> Cutting:
        """Return how a scene is cut for a predictor, once its values were looked at, and say what they are.

        Raises:
            UserError: if nothing says how large a window is, the scene is smaller than one, or its values cannot be
                what the model has learnt from and the user does not say how they become so.
        """
        learnt, images, size = predictor.learnt_from(), predictor.images, predictor.inputs.size
        metres = chip_metres(images, predictor.recipe.images, learnt.pixels, asked.chip_metres)
        grid = Grid.over(scene.size, scene.metres, metres, steps=asked.steps)
        values = values_of(scene, learnt.values, grid.window, how=asked.how, scale=asked.scale, offset=asked.offset)
        _check_values(asked, scene, grid, values, learnt)
        if (pixels := learnt.pixels) is None:
            known = metres / images.metres_per_pixel if images.metres_per_pixel else min(grid.window)
            pixels = min(max(round(known), size), LARGER * size)
        return cls(grid, metres, pixels, size, values, asked.most_missing)

    def chips(self, scene: Scene, windows: list[Window]) -> tuple[NDArray[np.bool_], list[NDArray[Any]]]:
        """Return which of some windows that lie close together have data enough, and the chips of these.

        Returns:
            Bool array (num_windows,), and of each that is true an array (size, size, num_bands).
        """
        shows, chips = np.zeros(len(windows), dtype=bool), []
        for number, (pixels, valid) in enumerate(scene.read_batch(windows, self.pixels)):
            shows[number] = shows_ground(valid[None], self.most_missing)[0]
            if shows[number]:
                chip = self.values(resize_chip(pixels, self.size))
                chips.append(as_network_input(chip, tuple(range(chip.shape[-1]))))
        return shows, chips


def _check_values(asked: Asked, scene: Scene, grid: Grid, values: Values, learnt: LearntFrom) -> None:
    """Say what a scene's values are beside those of chips, and refuse such as a model has never seen."""
    if scene.doubt:
        reporter.say(scene.doubt)
    found = probe(scene, grid.window, values, learnt.values)
    if found.problem and found.found is not None and not asked.says_values:
        raise UserError(f"{found.problem} To score them as they are, give --scale 1.")
    reporter.say(found.text())
