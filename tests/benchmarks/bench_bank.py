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
from folds.table import FoldTable, make_table
from models.backend import load_backend
from models.recipes import Recipe, resolve


def run(workspace: Workspace, table: FoldTable, recipe: Recipe, root: Path) -> tuple[float, float, int]:
    """Return the seconds that every fold takes together, the out-of-fold metric, and the chips."""
    from models.jobs import Job

    competition = workspace.competition
    store = ScoreStore(root / "runs", competition.labels, table, workspace.labelled.digest)
    start = time.perf_counter()
    for fold in range(table.num_folds):
        Job(workspace, store, "model", recipe, fold, with_test=False).run()
    seconds = time.perf_counter() - start
    oof = store.join("model").oof
    row = {name: i for i, name in enumerate(workspace.labelled.image_names)}
    truth = workspace.labelled.truth[[row[name] for name in oof.names]]
    return seconds, f_beta(truth, oof.values >= competition.metric.prior_cut, competition.metric), len(oof.names)


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
    augment = "d4" if views == "d4" else "none"
    overrides = {
        "images": "jpg",
        "backbone": backbone,
        "weights": weights,
        "input_size": input_size,
        "epochs": epochs,
        "patience": 0,
    }
    plain = resolve("mobilenet_v2", {**overrides, "views": views, "augment": () if augment == "none" else ("d4",)})
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(root, load("planet"))
        chosen = np.sort(np.random.default_rng(0).permutation(len(workspace.labelled.image_names))[:num_chips])
        labelled = dataclasses.replace(
            workspace.labelled,
            image_names=tuple(workspace.labelled.image_names[i] for i in chosen),
            truth=workspace.labelled.truth[chosen],
        )
        table = make_table(labelled.image_names, labelled.truth, k=folds, seed=0)
        own = Workspace(Path(folder), workspace.competition)
        own.data.symlink_to((root / "data").resolve())
        own.__dict__["labelled"] = labelled
        for name, bank in (("backbone in every epoch", False), ("feature bank", True)):
            with mock.patch.object(Recipe, "on_bank", property(lambda recipe, bank=bank: bank)):
                seconds, metric, count = run(own, table, plain, own.root / name.replace(" ", "_"))
            rows.append([name, f"{seconds:.1f}", f"{metric:.4f}", count])
    ratio = float(rows[0][1]) / float(rows[1][1])
    print(tabulate(rows, headers=["", "seconds", "out-of-fold metric", "chips"]))
    print(f"{ratio:.1f} times as fast: {backbone} at {input_size} px, {folds} folds x {epochs} epochs, views {views}.")


if __name__ == "__main__":
    main()
