"""The paper's procedure, a frozen backbone run in every epoch of every fold, against the feature bank.

Run with `python -m tests.benchmarks.bench_bank --weights mobilenet_v2_notop.weights.h5 --workspace DIR`, a workspace
with data and folds. Both train the same heads on the same chips and folds for the same epochs, in turns within one run;
the out-of-fold metric of both is shown. What does not grow with folds and epochs (filling the bank) and what does (the
rest) are told apart, so that the ratio for other numbers of folds and epochs follows.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path
from unittest import mock

import click
import numpy as np
from tabulate import tabulate

from competition.metrics import f_beta
from competition.spec import load
from competition.workspace import Workspace
from folds.scores import ScoreStore
from folds.table import make_table
from models.backend import load_backend
from models.recipes import Recipe, resolve


def run(workspace: Workspace, recipe: Recipe) -> tuple[float, float]:
    """Return the seconds that every fold takes together, and the out-of-fold metric."""
    from models.jobs import Job

    competition, labelled = workspace.competition, workspace.labelled
    store = ScoreStore.of(workspace)
    start = time.perf_counter()
    for fold in range(store.table.num_folds):
        Job(workspace, store, "model", recipe, fold, with_test=False).run()
    seconds = time.perf_counter() - start
    oof = store.join("model").oof
    scores = oof.aligned(labelled.image_names)
    return seconds, f_beta(labelled.truth, scores >= competition.metric.prior_cut, competition.metric)


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
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, bank in (("backbone in every epoch", False), ("feature bank", True)):
            workspace = with_some_chips(Workspace(root, load("planet")), Path(folder) / str(bank), num_chips, folds)
            with mock.patch.object(Recipe, "on_bank", property(lambda recipe, bank=bank: bank)):
                seconds, metric = run(workspace, recipe)
            rows.append([name, f"{seconds:.1f}", f"{metric:.4f}"])
    ratio = float(rows[0][1]) / float(rows[1][1])
    print(tabulate(rows, headers=["", "seconds", "out-of-fold metric"]))
    print(f"{ratio:.1f} times as fast: {backbone} at {input_size} px, {folds} folds x {epochs} epochs, views {views}.")


if __name__ == "__main__":
    main()
