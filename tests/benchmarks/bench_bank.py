"""The paper's procedure, a frozen backbone run in every epoch of every fold, against the feature bank.

Run with `python -m tests.benchmarks.bench_bank --weights mobilenet_v2_notop.weights.h5 --workspace DIR`, a workspace
with data and folds. Both train the same heads on the same chips and folds for the same epochs, with the backbone fold
by fold, on the bank all folds at once; the out-of-fold metric of both is shown. Filling the bank, which grows with
neither folds nor epochs, is told apart, so that the ratio for more of them follows.

Measured on two cores (AVX-512, with bfloat16 unused): five folds of ten epochs of the paper's head on MobileNetV2 at 96
px, with 2,000 chips, take 280.5 s with the backbone in every epoch; with it 6.4 s for the bank and 4.1 s for the heads:
26.7 times as fast in all, 68.3 once the bank is there, F2 .8138 and .8144. With heads trained one after another by
Keras' `fit`, as before, it was 9.5 times. The bank's part falls with every further head.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import click
import numpy as np

from competition.metrics.judge import measure
from competition.spec.load import load
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.dealing.table import make_table
from folds.store.score_store import ScoreStore
from models.backend.load import load_backend
from models.recipes.named import resolve
from models.recipes.recipe import Recipe


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def folds_seconds(workspace: Workspace, recipe: Recipe, *, bank: bool) -> float:
    """Return the seconds that all folds take, by the bank or with the backbone in every epoch."""
    from models.train.job import Job
    from models.train.run_jobs import run_jobs

    store = ScoreStore.of(workspace)
    jobs = [Job(workspace, store, "model", recipe, fold, with_test=False) for fold in range(store.table.num_folds)]
    with mock.patch.object(Recipe, "on_bank", bank):
        return seconds_of(lambda: run_jobs(jobs))


def oof_metric(workspace: Workspace) -> float:
    """Return the out-of-fold metric at the prior cut."""
    competition, labelled = workspace.competition, workspace.labelled
    scores = ScoreStore.of(workspace).join("model").oof.aligned(labelled.image_names)
    return measure(labelled.truth, scores >= competition.metric.prior_cut, competition.metric)


def with_some_chips(source: Workspace, root: Path, num_chips: int, num_folds: int) -> Workspace:
    """Return a new workspace at `root` with some of the labelled chips of another, decoded, and folds."""
    workspace, every = Workspace(root, source.competition), source.labelled
    root.mkdir(parents=True)
    workspace.data.symlink_to(source.data.resolve())
    chosen = np.sort(np.random.default_rng(0).permutation(len(every.image_names))[:num_chips])
    names = tuple(every.image_names[i] for i in chosen)
    labelled = dataclasses.replace(every, image_names=names, truth=every.truth[chosen])
    workspace.__dict__["labelled"] = labelled  # instead of those of the table
    make_table(names, labelled.truth, k=num_folds, seed=0).write(workspace.fold_table)
    return workspace


@click.command()
@click.option("--workspace", "root", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--weights", required=True, help="weights file of the backbone")
@click.option("--backbone", default="MobileNetV2", show_default=True)
@click.option("--input-size", default=96, show_default=True)
@click.option("--chips", "num_chips", default=2000, show_default=True)
@click.option("--folds", default=5, show_default=True)
@click.option("--epochs", default=10, show_default=True)
@click.option("--views", default="identity", show_default=True, help="test-time views; augmentation draws d4 if d4")
def main(
    root: Path, weights: str, backbone: str, input_size: int, num_chips: int, folds: int, epochs: int, views: str
) -> None:
    """Measure both, and print a table."""
    load_backend()
    values = {"images": "jpg", "backbone": backbone, "weights": weights, "input_size": input_size}
    augment = ("d4",) if views == "d4" else ()
    recipe = resolve("mobilenet_v2", {**values, "epochs": epochs, "patience": 0, "views": views, "augment": augment})
    from models.inputs.fill_banks import fill_banks

    with tempfile.TemporaryDirectory() as folder:
        spaces = [with_some_chips(Workspace(root, load("planet")), Path(folder) / n, num_chips, folds) for n in "pb"]
        filling = seconds_of(lambda: fill_banks(spaces[1], recipe, no_test=True))
        heads = folds_seconds(spaces[1], recipe, bank=True)
        every_epoch = folds_seconds(spaces[0], recipe, bank=False)
        metrics = [oof_metric(workspace) for workspace in spaces]
    rows = [
        ["backbone in every epoch", f"{every_epoch:.1f}", f"{metrics[0]:.4f}"],
        ["filling the bank, once", f"{filling:.1f}", ""],
        ["heads on the bank", f"{heads:.1f}", f"{metrics[1]:.4f}"],
    ]
    print(table(["", "seconds", "out-of-fold metric"], rows))
    print(f"{backbone} at {input_size} px, {num_chips} chips, {folds} folds x {epochs} epochs, views {views}:")
    print(f"{every_epoch / (filling + heads):.1f} times as fast, {every_epoch / heads:.1f} once the bank is there.")


if __name__ == "__main__":
    main()
