"""A stand-in for a network, and scenes for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import run
from competition.scenes.grid import Window
from competition.scenes.values import ChipValues, quantiles_of
from models.predict.predictor import LearntFrom, Predictor
from models.predict.scorer import Scorer
from tests.competition.scenes.samples import write_scene
from tests.conftest import CHIP_SIZE
from tests.models.samples import PLANET, inputs_of, tiny_recipe

SIDE = 32  # pixels of a chip's file, and of a window in scenes of 3 m
ROWS, COLUMNS = 4, 6  # of chips in a scene
SIZE = 16  # pixels of what the network takes


def means_and_corners(chips: NDArray[Any]) -> NDArray[np.float32]:
    """Stand in for a network: each label looks at another pixel and band, and at the mean."""
    chips = chips.astype(np.float64) / 10_000
    scores = [(chips[:, n % SIZE, 3 * n % SIZE, n % 3] + chips.mean(axis=(1, 2, 3))) / 2 for n in range(17)]
    return np.stack(scores, axis=1).clip(0, 1).astype(np.float32)


def stand_in(
    network: Callable[[NDArray[Any]], NDArray[np.float32]] = means_and_corners, pixels: int | None = SIDE, **values: Any
) -> Predictor:
    """Return a predictor of 16 bit chips whose network takes R, G and B."""
    recipe = tiny_recipe(images="tif", bands="RGB", input_size=SIZE)
    inputs = inputs_of(recipe)
    quantiles = quantiles_of([landscape(64, 64)[[2, 1, 0]].transpose(1, 2, 0)])
    known: dict[str, Any] = {
        "model": "stand-in",
        "said": "a stand-in, 2 views",
        "key": {"model": "stand-in"},
        "task": recipe.task(PLANET),
        "images": PLANET.image_set("tif"),
        "ids": "stem",
        "recipe": recipe,
        "inputs": inputs,
        "dtype": "uint16",
        "views": ("identity", "turn90_mirror"),
        "scorer": lambda sample: Scorer([network]),
        "learnt_from": lambda: LearntFrom(pixels, ChipValues("uint16", tuple("RGB"), quantiles, sampled=True)),
        "cuts": np.full(len(PLANET.labels), 0.2),
    }
    return Predictor(**{**known, **values})


def landscape(height: int, width: int) -> NDArray[np.uint16]:
    """Return the values (4, height, width) of a scene's bands B, G, R and N, of which no two places are alike."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (7 + band)) + np.cos(y / (11 + 2 * band)) for band in range(4)]
    grain = np.random.default_rng(0).normal(0, 0.3, (4, height, width))
    return (2500 + 800 * (np.stack(waves) + grain) + 400 * np.arange(4)[:, None, None]).clip(1, 9999).astype(np.uint16)


def scene_in(folder: Path, height: int = 150, width: int = 210, **options: Any) -> Path:
    """Write a scene of four bands with their names."""
    path = folder / "scene.tif"
    return write_scene(path, landscape(height, width), **{"names": ("blue", "green", "red", "nir"), **options})


def cut_as_files(values: NDArray[Any], windows: list[Window], folder: Path) -> None:
    """Write windows of values (num_bands, height, width) as chips by themselves, called by their numbers."""
    import tifffile

    folder.mkdir()
    for number, (x, y, width, height) in enumerate(windows):
        chip = np.moveaxis(values[:, y : y + height, x : x + width], 0, -1)
        tifffile.imwrite(
            folder / f"{number:05}.tif", np.ascontiguousarray(chip), photometric="minisblack", planarconfig="contig"
        )


def scene_of_chips(source: Path, folder: Path) -> None:
    """Write some chips as files, and a scene put together of them, whose bands have another order."""
    (folder / "chips").mkdir()
    chips = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(source.iterdir())[: ROWS * COLUMNS]]
    for number, chip in enumerate(chips):
        Image.fromarray(chip).save(folder / "chips" / f"{number:02}.png")
    tiled = np.stack(chips).reshape(ROWS, COLUMNS, CHIP_SIZE, CHIP_SIZE, 3).transpose(0, 2, 1, 3, 4)
    values = tiled.reshape(ROWS * CHIP_SIZE, COLUMNS * CHIP_SIZE, 3)[..., ::-1].transpose(2, 0, 1)
    write_scene(folder / "scene.tif", values, names=("blue", "green", "red"))


def command(*arguments: object, code: int = 0) -> str:
    """Return what a command shows; with --json its result alone."""
    done = CliRunner().invoke(run.main, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done.stdout if "--json" in arguments else done.output
