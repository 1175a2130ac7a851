"""What `predict` takes beyond the features and the heads: start, reading chips, turning them, writing scores.

    python -m tests.benchmarks.bench_predict --workspace DIR --model densenet121_levels --images CHIPS

The model is a trained one with a frozen backbone. `predict` runs as users run it, in a process of its own; the features
alone are those of the same runner for the same chips under the same views, in one call with all chips decoded; the
heads alone score these features. Rounds take turns, as the speed of a shared machine changes from minute to minute, for
which CPU seconds, of all cores together, are shown beside those of the clock.

Measured on two cores that others used too, medians of three rounds: DenseNet121 at 64 px, five heads of 512, 4,442
chips of 32 px under eight views, 35,536 in all:

                seconds    CPU seconds    share    share of CPU
    predict       164.5          183.1   100.0%          100.0%
    features      176.7          167.0    89.4%           91.5%
    heads          11.5            9.3     7.0%            5.0%
    beyond         11.7            5.4     5.9%            3.0%

On two other cores, quiet and with AVX-512 (bfloat16), features were made seven times as fast, 2,250 a second, and what
lies beyond has become the eighth part of less: of 19.6 s the features took 15.8, the heads 1.4, and 2.4 went beyond.

Before conversions were kept, when every start loaded Keras, built and converted the network and traced it, 18.5 of
197.8 CPU seconds (9.4 %) went beyond. The first `predict` of a model whose conversion is gone still takes that long.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import run
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.backend.runners import Runner
from models.inputs.views import apply_view
from models.predict.chip_files import ChipFiles, chips_in
from models.predict.load_networks import scorer_of
from models.predict.trained_model import Trained

Seconds = NDArray[np.float64]  # by the clock, and of all cores together


def seconds_of(work: Callable[[], object]) -> Seconds:
    """Return what some work in this process takes."""
    start = np.array([time.perf_counter(), time.process_time()])
    work()
    return np.array([time.perf_counter(), time.process_time()]) - start


def seconds_of_process(command: list[str]) -> Seconds:
    """Return what a command takes in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=Path(run.__file__).parent)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime])


def parts_of(workspace: Workspace, model: str, folder: Path) -> tuple[Runner, Runner, NDArray[Any]]:
    """Return the extractor of a model, its heads, and the chips of a folder under all of its views."""
    trained = Trained.of(workspace, ScoreStore.of(workspace), model)
    images = workspace.competition.image_set(trained.recipe.images)
    found = dict(chips_in(folder, images, workspace.competition.tables.ids))
    files = ChipFiles(folder, found, images, trained.recipe, trained.inputs, np.dtype(trained.dtype))
    folders, extractor = list(trained.folders.values()), trained.extractor(workspace.cache)
    scorer = scorer_of(trained.recipe, trained.task, trained.inputs, folders, files.sample(), extractor)
    if scorer.extractor is None or len(scorer.networks) > 1:
        raise click.ClickException(f"{model} has no frozen backbone with heads that run as one.")
    chips = np.concatenate([np.stack(batch.chips) for batch in files.batches(1024)])
    seen = np.concatenate([apply_view(chips, view) for view in trained.recipe.test_views])
    return scorer.extractor, scorer.networks[0], seen


@click.command()
@click.option("--workspace", "root", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", required=True, help="a trained model with a frozen backbone")
@click.option("--images", "folder", type=click.Path(path_type=Path, exists=True), required=True, help="folder of chips")
@click.option("--rounds", default=3, show_default=True)
def main(root: Path, model: str, folder: Path, rounds: int) -> None:
    """Measure the whole and its parts, and print a table."""
    extractor, heads, seen = parts_of(Workspace.open(root), model, folder)
    taken = []
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, run.__file__, "predict", "--workspace", str(root.absolute()), "--model", model]
        command += ["--images", str(folder.absolute()), "--output", str(Path(output) / "scores.csv")]
        for _ in range(rounds):
            whole, features = seconds_of_process(command), list[Any]()
            of_features = seconds_of(lambda: features.append(extractor(seen)))  # noqa: B023 - called at once
            of_heads = seconds_of(lambda: heads(features[0]))  # noqa: B023
            taken.append([whole, of_features, of_heads, whole - of_features - of_heads])
    rows = []
    for number, name in enumerate(("predict", "features", "heads", "beyond")):
        clock, cores = (statistics.median(each[number][kind] for each in taken) for kind in (0, 1))
        shares = (statistics.median(each[number][kind] / each[0][kind] for each in taken) for kind in (0, 1))
        rows.append([name, f"{clock:.1f}", f"{cores:.1f}", *(f"{share:.1%}" for share in shares)])
    print(f"{len(seen):,} chips and views, medians of {rounds} rounds")
    headers = ["", "seconds", "CPU seconds", "share", "share of CPU"]
    print(table(headers, rows))


if __name__ == "__main__":
    main()
