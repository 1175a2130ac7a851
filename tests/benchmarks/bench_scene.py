"""`scene predict`: chips a second against the network's own, memory by the size of the scene, and kills.

    python -m tests.benchmarks.bench_scene speed --workspace DIR --model M --images CHIPS
    python -m tests.benchmarks.bench_scene memory --workspace DIR --model M --images CHIPS --side 100000
    python -m tests.benchmarks.bench_scene kills --workspace DIR --model M --images CHIPS

Scenes are put together of chips of a folder (uint8, R, G, B, blocks of 512 px, DEFLATE), at 3 m a pixel: so a window is
256 px, and half of it is new. Where they are larger than what is filled, the file is sparse.

`speed` holds the chips of some groups of rows in memory and lets three take turns in one process: the network on these
chips, the readers alone, and both together as `scene predict` runs them. Rates are those of the clock and of CPU
seconds, which others at work change less. On a machine all of whose cores the network keeps busy, reading takes its
share of them: what both together can reach is 1 / (1 / network + 1 / reading) by CPU seconds.

`memory` runs the command in a process of its own; counted is the most that it ever held (ru_maxrss, libraries and pages
of files included).

`kills` runs the command, kills it (SIGKILL) at random moments, runs it again until it ends, and compares the raster
with one that was never interrupted.

Measured on two cores that others used too (load 1 to 3), 950 real chips at random, medians of three rounds:

                                network            reading               both        both by CPU
                            a second (CPU)     a second (CPU)     a second (CPU)
    MobileNetV2, 64 px      1,359  (688)       1,127  (652)         726  (373)           54 %
    MobileNetV2, 224 px       161   (82)         797  (420)         133   (68)           83 %
    DenseNet121, 224 px        27   (14)         668  (355)          26   (13)           96 %

Both are 99 to 111 % of what the cores can do of both: nothing waits, and what is lost is the CPU time of reading. Half
of that and more is Pillow's resizing of a window to what the network takes, which `predict` does of chips too, and
which must be the same for the same scores.

100,000 x 100,000 px of which 6,144 x 6,144 hold data, by a model of a workspace (MobileNetV2, 64 px): 625 MB at most,
113 s; 20,000 x 20,000 px with the same data: 625 MB, 10 s. With 3,072 x 3,072 px of data: 562 MB by that model, 464
MB by its file in OpenVINO's format, 643 MB in ONNX. A .keras file brings TensorFlow with it: 1,603 MB at 224 px.

6,144 px at 224 px of input, killed six times until it was done: equal bytes.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

import run
from competition.gdal.imports import gdal
from competition.terminal.tables import table
from competition.workspace import Workspace
from models.inputs.views import apply_view
from models.predict.predictor import Predictor
from models.scenes.cutting import Asked, Cutting
from models.scenes.predict_scene import tiling_of
from models.scenes.windows import Windows
from models.stream.command import predictor_maker

ROOT = Path(run.__file__).parent
BLOCK = 512
_PATH = click.Path(path_type=Path, exists=True)


def write_scene(path: Path, images: Path, side: int, filled: int) -> Path:
    """Write a square scene, of which the upper left corner is filled with chips at random."""
    rng, files = np.random.default_rng(0), sorted(images.iterdir())[:64]
    chips = [np.asarray(Image.open(file).convert("RGB").resize((256, 256))) for file in files]
    with gdal() as rasterio:
        profile = {
            "driver": "GTiff", "width": side, "height": side, "count": 3, "dtype": "uint8", "nodata": 0,
            "crs": "EPSG:32721", "transform": rasterio.Affine(3, 0, 5e5, 0, -3, 9e6), "photometric": "RGB",
            "interleave": "pixel", "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate",
            "SPARSE_OK": True, "BIGTIFF": "YES",
        }  # fmt: skip
        with rasterio.open(path, "w", **profile) as dataset:
            for y in range(0, min(filled, side - BLOCK + 1), BLOCK):
                for x in range(0, min(filled, side - BLOCK + 1), BLOCK):
                    four = np.stack([chips[number] for number in rng.integers(0, len(chips), 4)])
                    block = four.reshape(2, 2, 256, 256, 3).transpose(0, 2, 1, 3, 4).reshape(BLOCK, BLOCK, 3)
                    place = ((y, y + BLOCK), (x, x + BLOCK))
                    dataset.write(np.maximum(block, 1).transpose(2, 0, 1), window=place)
    return path


def cpu_seconds() -> float:
    """Return those of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@click.group()
def main() -> None:
    """Measure `scene predict`."""


_shared = [
    click.option("--workspace", "root", type=_PATH, required=True),
    click.option("--model", required=True, help="a model of it, or an exported file"),
    click.option("--images", type=_PATH, required=True, help="folder of chips"),
]


def shared(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a command what all of them take."""
    for flag in reversed(_shared):
        verb = flag(verb)
    return verb


@main.command()
@shared
@click.option("--side", default=8192, show_default=True, help="pixels of the scene")
@click.option("--groups", default=4, show_default=True, help="groups of rows that are scored")
@click.option("--rounds", default=3, show_default=True)
@click.option("--threads", type=int, help="that read")
def speed(root: Path, model: str, images: Path, side: int, groups: int, rounds: int, threads: int | None) -> None:
    """Let the network, the readers and both take turns, and print a table."""
    predictor = predictor_maker(Workspace.open(root), model)()
    with tempfile.TemporaryDirectory() as scratch:
        asked = Asked(str(write_scene(Path(scratch) / "scene.tif", images, side, side)), scale=1.0)
        scene = asked.scene(predictor)
        cutting = Cutting.of(asked, scene, predictor)
        windows = Windows(scene, cutting, tiling_of(predictor, scene, cutting), threads)
        asked_for = windows.tiling.groups(range(cutting.grid.window_rows))[:groups]
        tiles = [chips for _, _, chips in windows.read(asked_for) if chips is not None]
        number, score = sum(map(len, tiles)), _scoring(predictor, windows)
        ways: dict[str, Callable[[], Iterable[Any]]] = {
            "network": lambda: map(score, tiles),
            "reading": lambda: windows.read(asked_for),
            "both": lambda: (score(chips) for _, _, chips in windows.read(asked_for) if chips is not None),
        }
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                clock, cpu = time.monotonic(), cpu_seconds()
                deque(way(), maxlen=0)
                rates[name].append((number / (time.monotonic() - clock), number / (cpu_seconds() - cpu)))
                print(name, rates[name][-1], f"load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    medians = {name: [statistics.median(each) for each in zip(*of, strict=True)] for name, of in rates.items()}
    rows = [[name, *(f"{each:,.1f}" for each in medians[name])] for name in ways]
    print(table(["", "chips a second", "chips a CPU second"], rows))
    best = 1 / (1 / medians["network"][1] + 1 / medians["reading"][1])
    print(f"Both by CPU seconds: {medians['both'][1] / medians['network'][1]:.1%} of the network's rate; ", end="")
    print(f"{medians['both'][1] / best:.1%} of what one core can do of both.")


def _scoring(predictor: Predictor, windows: Windows) -> Callable[[np.ndarray], np.ndarray]:
    scorer = predictor.scorer(windows.sample())

    def score(chips: np.ndarray) -> np.ndarray:
        return scorer(apply_view(chips, view) for view in predictor.views)

    score(windows.sample())
    return score


def command_of(root: Path, model: str, scene: Path, output: Path) -> list[str]:
    """Return the command that scores a scene."""
    verb = [sys.executable, "run.py", "scene", "predict", "--workspace", str(root.absolute()), "--model", model]
    return [*verb, "--scene", str(scene), "--output", str(output), "--scale", "1"]


@main.command()
@shared
@click.option("--side", default=20_000, show_default=True, help="pixels of the scene")
@click.option("--filled", default=6144, show_default=True, help="pixels of the part with data")
def memory(root: Path, model: str, images: Path, side: int, filled: int) -> None:
    """Score one scene, and print what it took."""
    with tempfile.TemporaryDirectory() as scratch:
        scene = write_scene(Path(scratch) / "scene.tif", images, side, filled)
        started = time.monotonic()
        process = subprocess.Popen(command_of(root, model, scene, Path(scratch) / "out"), cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise click.ClickException("the command failed")
        seconds = time.monotonic() - started
    print(f"{side:,} px: {usage.ru_maxrss / 1024:,.0f} MB at most, {seconds:,.0f} s.")


@main.command()
@shared
@click.option("--side", default=8192, show_default=True, help="pixels of the scene")
@click.option("--kills", default=10, show_default=True)
@click.option("--seconds", default=8.0, show_default=True, help="after which it is killed, at most")
def kills(root: Path, model: str, images: Path, side: int, kills: int, seconds: float) -> None:
    """Kill the command again and again, and compare the raster with that of one that was not."""
    with tempfile.TemporaryDirectory() as scratch:
        scene = write_scene(Path(scratch) / "scene.tif", images, side, side)
        run_here = partial(subprocess.run, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        run_here(command_of(root, model, scene, Path(scratch) / "whole"))
        command, killed = command_of(root, model, scene, Path(scratch) / "killed"), 0
        for _ in range(kills):
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
            try:
                process.wait(random.uniform(seconds / 3, seconds))
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
        run_here(command)
        same = [(Path(scratch) / name / "scores.tif").read_bytes() for name in ("whole", "killed")]
        print(f"Killed {killed} times: {'equal' if same[0] == same[1] else 'OTHER'} bytes ({len(same[0]):,}).")


if __name__ == "__main__":
    main()
