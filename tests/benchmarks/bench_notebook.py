"""How fast a notebook scores chips, beside `predict` of the same model on the same machine.

    python -m tests.benchmarks.bench_notebook --workspace DIR --model mobilenet_v2_levels --images CHIPS

The model is a trained one with cuts, or that of a blend (`--name`). It is packed once; then `predict` and the code of
the notebook, each in a process of its own, score the same chips in turns, as the speed of a shared machine changes from
minute to minute. For the same reason CPU seconds, of all cores together, are shown beside those of the clock, and
speeds are compared within each round.

Measured on two cores, frozen MobileNetV2 with three heads under four views, speed beside `predict` by the clock and by
CPU seconds; others used these cores too but in the first row:

    20,522 chips of 32 px (planet32), two rounds                      95.2 %   100.6 %
    the same, one round                                               99.9 %    95.9 %
     6,000 of these, three rounds, load 11                            80.2 %    93.5 %
       950 chips of 256 px (planet256), three rounds, load 15         88.9 %    98.1 %

What is lost is the start, and the first chips, which are decoded twice.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

import run
from competition.kernels.wheels import kaggles_image
from competition.tables.write import write_table
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.notebook.packing import pack_model
from models.predict.trained_model import predictor_of
from submissions.notebook.make import Asked, make_notebook
from tests.benchmarks.bench_predict import seconds_of_process

THERE = {"openvino", "onnxruntime", "tifffile", "imagecodecs"}  # here, in the place of Kaggle's image


def lay_input(workspace: Workspace, model: str, images: Path, folder: Path) -> int:
    """Lay chips, and a sample submission that names them, as a notebook finds them; return how many."""
    predictor, competition = predictor_of(workspace, ScoreStore.of(workspace), model), workspace.competition
    names = [name for name, _ in predictor.chips_in(images)]
    folder.mkdir()
    (folder / predictor.images.test[0]).symlink_to(images)
    sample = np.zeros((len(names), len(competition.labels)), dtype=bool)
    path = folder / str(competition.tables.sample_submission)
    write_table(path, names, sample, competition.submission_form, competition.labels)
    return len(names)


def notebook_of(workspace: Workspace, name: str, folder: Path) -> Path:
    """Pack a blend or model, and return the file with the code of its notebook, which runs within a folder."""
    image = kaggles_image()
    asked = Asked("somebody", False, 9.0, None, False, replace(image, packages=image.packages | THERE))
    made = make_notebook(name, workspace, folder / "notebook", pack_model, asked)
    cells = json.loads((made.folder / f"{name}.ipynb").read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    (folder / "input" / "networks").symlink_to(made.folder / "dataset")
    (folder / "working").mkdir()
    path = folder / "code.py"
    path.write_text(code.replace("/kaggle/", f"{folder}/"))
    return path


@click.command()
@click.option("--workspace", "root", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", required=True, help="a trained model")
@click.option("--name", help="blend of that model alone, which is packed; default: the model by its cuts")
@click.option("--images", type=click.Path(path_type=Path, exists=True), required=True, help="folder of chips")
@click.option("--rounds", default=3, show_default=True)
def main(root: Path, model: str, name: str | None, images: Path, rounds: int) -> None:
    """Measure both, and print a table."""
    workspace, images = Workspace.open(root.absolute()), images.absolute()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        count = lay_input(workspace, model, images, folder / "input")
        notebook = [sys.executable, "-P", str(notebook_of(workspace, name or model, folder))]
        local = [sys.executable, run.__file__, "predict", "--workspace", str(root.absolute()), "--model", model]
        local += ["--images", str(images), "--output", str(folder / "scores.csv")]
        taken = [[seconds_of_process(local), seconds_of_process(notebook)] for _ in range(rounds)]
    rows = []
    for number, title in enumerate(("predict", "notebook")):
        seconds = [f"{statistics.median(each[number][kind] for each in taken):.1f}" for kind in (0, 1)]
        speeds = [f"{statistics.median(each[0][kind] / each[number][kind] for each in taken):.1%}" for kind in (0, 1)]
        rows.append([title, *seconds, *speeds])
    print(f"{count:,} chips, medians of {rounds} rounds")
    print(table(["", "seconds", "CPU seconds", "speed", "by CPU"], rows))


if __name__ == "__main__":
    main()
