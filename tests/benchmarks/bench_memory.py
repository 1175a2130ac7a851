"""Peak memory of filling a feature bank and training a fold, by the number of chips: it must not grow with it.

Run with `python -m tests.benchmarks.bench_memory --weights mobilenet_v2_notop.weights.h5 --workspace DIR`, a workspace
with data. Each measurement is a process of its own. Counted is memory of its own (RssAnon, read 20 times a second,
Linux): pages of memory-mapped files, which the system gives back whenever it needs them, are not.

Measured with 9,000, 18,000 and 36,000 chips: a head on the bank peaks at 671, 680 and 677 MB, training from scratch at
974, 1,077 and 1,085 MB.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from competition.spec.load import load
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.backend.load import load_backend
from models.recipes.named import resolve
from tests.benchmarks.bench_bank import with_some_chips

RECIPES = {
    "head on the bank": (
        "mobilenet_v2_levels",
        {"input_size": 32, "epochs": 2, "views": "flips", "augment": ("flips",)},
    ),
    "from scratch": ("residual", {"input_size": 32, "epochs": 1, "views": "identity"}),
}


def train(root: Path, weights: str, kind: str, num_chips: int) -> None:
    """Train a fold on some chips of a workspace."""
    from models.train.job import Job
    from models.train.run_jobs import run_jobs

    name, values = RECIPES[kind]
    if name != "residual":
        values = {**values, "weights": weights}
    with tempfile.TemporaryDirectory() as folder:
        workspace = with_some_chips(Workspace(root, load("planet")), Path(folder) / "workspace", num_chips, 5)
        recipe = resolve(name, {**values, "images": "jpg", "bands": "RGB"})
        run_jobs([Job(workspace, ScoreStore.of(workspace), "model", recipe, 0, with_test=False)])


def peak_of(command: list[str]) -> float:
    """Return the peak of a process' own memory, in MB.

    Raises:
        RuntimeError: if it fails.
    """
    process, peak = subprocess.Popen(command, stdout=subprocess.DEVNULL), 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:  # it has just ended
            break
        found = [int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")]
        peak = max(peak, *found, 0)
        time.sleep(0.05)
    if process.wait():
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return peak / 1024


@click.command()
@click.option("--workspace", "root", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--weights", required=True, help="weights file of MobileNetV2")
@click.option("--chips", "counts", default="2000,36000", show_default=True, help="numbers of chips")
@click.option("--kind", type=click.Choice(list(RECIPES)), help="train this on the first number of chips, and no more")
def main(root: Path, weights: str, counts: str, kind: str | None) -> None:
    """Measure every kind at every number of chips, and print a table."""
    numbers = [int(count) for count in counts.split(",")]
    if kind:
        load_backend()
        train(root, weights, kind, numbers[0])
        return
    rows = []
    for each in RECIPES:
        own = [sys.executable, "-m", "tests.benchmarks.bench_memory", "--workspace", str(root), "--weights", weights]
        rows.append([each, *(f"{peak_of([*own, '--kind', each, '--chips', str(number)]):,.0f}" for number in numbers)])
    print(table(["peak MB", *(f"{number:,} chips" for number in numbers)], rows))


if __name__ == "__main__":
    main()
