"""Nodes of a cluster that die in mid-epoch, and what a task costs: `python -m tests.benchmarks.bench_cluster [KILLS]`.

A cluster of several raylets on this machine, each with one core. A model is trained one process after another, and then
on the cluster, while nodes on which a fold is being trained are killed (`remove_node(node, allow_graceful=False)`) and
new ones join. At the end the scores are compared bit by bit, and the completion markers that there were at a kill are
looked at: none may have been written again.

The last row is the price of a task: a process that loads Keras, and a task of a running cluster that does.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from competition.cluster.connect import connected, import_ray
from competition.common.progress import reporter
from competition.data.prepare import prepare
from competition.simulator.simulate import simulate
from competition.spec.load import load
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.dealing.table import make_table
from folds.store.score_store import ScoreStore
from models.cluster.on_ray import train_on_ray
from models.cluster.steps import Training
from models.runs.model_recipe import ModelRequest
from models.runs.training_state import state_of

NODES, K = 3, 3
VALUES = {"input_size": 32, "batch_size": 32, "epochs": 12, "patience": 0}
Marks = dict[Path, tuple[int, int]]


def workspace_in(root: Path) -> Workspace:
    """Return a workspace of made-up chips with K folds."""
    workspace = Workspace(root / "workspace", load("planet"))
    simulate(root / "kaggle", num_train=300, num_test=60, size=32, rare_boost=6.0)
    prepare(workspace, root / "kaggle")
    labelled = workspace.labelled
    make_table(labelled.image_names, labelled.truth, k=K, seed=0).write(workspace.fold_table)
    return workspace


def run(workspace: Path, *words: str) -> float:
    """Run a command; return its seconds."""
    started = time.monotonic()
    subprocess.run([sys.executable, "run.py", *words, "--workspace", str(workspace), "-q"], check=True)
    return time.monotonic() - started


def marks_of(workspace: Workspace) -> Marks:
    """Return the completion markers by when they were written, and as which file."""
    found = {}
    for path in workspace.runs.glob("*/fold*/scores.json"):
        with contextlib.suppress(OSError):
            found[path] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


class Killer:
    """Kills a node while tasks train on all of them, and brings another, until it has killed so many.

    Args:
        cluster: of Ray.
        nodes: of it, which may be killed.
        workspace: that it trains in.
        kills: how many.
    """

    def __init__(self, cluster: Any, nodes: list[Any], workspace: Workspace, kills: int) -> None:
        self.cluster, self.nodes, self.workspace, self.kills = cluster, nodes, workspace, kills
        self.killed, self.again = 0, 0
        self._seen: Marks = {}

    def run(self, over: threading.Event) -> None:
        """Kill, each time after an epoch has ended somewhere and the next has begun."""
        random.seed(0)
        epochs = self._epochs()
        while self.killed < self.kills and not over.wait(0.2):
            if (now := self._epochs()) > epochs and not over.wait(random.uniform(0, 2)):
                epochs = now
                self._kill()
        over.wait()
        self.look()

    def _kill(self) -> None:
        self.look()
        node = self.nodes.pop(random.randrange(len(self.nodes)))
        self.cluster.remove_node(node, allow_graceful=False)
        self.killed += 1
        print(f"kill {self.killed} after epoch {self._epochs()} of all folds", file=sys.stderr, flush=True)
        self.nodes.append(self.cluster.add_node(num_cpus=1))

    def look(self) -> None:
        """Count the markers that were written again since they were seen."""
        now = marks_of(self.workspace)
        self.again += sum(now.get(path) != mark for path, mark in self._seen.items())
        self._seen.update(now)

    def _epochs(self) -> int:
        total = 0
        for folder in self.workspace.runs.glob("*/fold*"):
            with contextlib.suppress(Exception):  # a checkpoint that is being replaced
                total += state_of(folder).epochs
        return total


def train_with_kills(workspace: Workspace, models: int, kills: int) -> dict[str, Any]:
    """Train models on a cluster that loses nodes; return what was seen."""
    ray = import_ray()
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(NODES)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    killer, over, seen = Killer(cluster, nodes, workspace, kills), threading.Event(), dict[str, Any]()

    def train() -> None:
        try:
            seen["whole"] = train_on_ray(Training(workspace, requests(models)))
        finally:
            over.set()

    training, started = threading.Thread(target=train), time.monotonic()
    try:
        training.start()
        killer.run(over)  # by the main thread, which alone may begin nodes
        training.join()
    finally:
        ray.shutdown()
        cluster.shutdown()
    return {"kills": killer.killed, "again": killer.again, "seconds": time.monotonic() - started, "whole": False} | seen


def requests(models: int) -> tuple[ModelRequest, ...]:
    """Return variants of a small network trained on pixels."""
    return tuple(ModelRequest("baseline", f"m{seed}", {**VALUES, "seed": seed}) for seed in range(models))


def differing(one: Workspace, other: Workspace) -> tuple[int, int]:
    """Return how many files of scores there are, and how many differ in a bit or are not there."""
    files, bad = list(one.runs.glob("*/fold*/*.npz")), 0
    for path in files:
        twin = other.root / path.relative_to(one.root)
        bad += not twin.is_file() or any(
            not np.array_equal(np.load(path)[name], np.load(twin)[name]) for name in np.load(path).files
        )
    return len(files), bad


def overhead() -> tuple[float, float, float]:
    """Return the seconds of a process that imports what a task does, those of such a task, and its overhead."""
    ray = import_ray()
    code = "import models.cluster.work; from models.backend.load import load_backend; load_backend()"
    alone, within = [], []
    with connected():
        call = ray.remote(max_calls=1)(_load)
        ray.get(call.remote())
        for _ in range(5):
            started = time.monotonic()
            subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
            alone.append(time.monotonic() - started)
            started = time.monotonic()
            ray.get(call.remote())
            within.append(time.monotonic() - started)
    return float(np.median(alone)), float(np.median(within)), float(np.median(within) - np.median(alone))


def _load() -> None:
    import models.cluster.work  # noqa: F401
    from models.backend.load import load_backend

    load_backend()


def main() -> None:
    """Measure, and print the figures."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    models = max(1, kills // 7)
    with tempfile.TemporaryDirectory() as folder, reporter.silent():
        root = Path(folder)
        workspace = workspace_in(root)
        shutil.copytree(workspace.root, root / "sequential")
        sequential = Workspace(root / "sequential", workspace.competition)
        flags = itertools.chain(*((f"--{name.replace('_', '-')}", str(value)) for name, value in VALUES.items()))
        words = list(flags)
        alone = sum(
            run(sequential.root, "train", "--models", "baseline", "--name", f"m{seed}", *words, "--seed", str(seed))
            for seed in range(models)
        )
        seen = train_with_kills(workspace, models, kills)
        files, bad = differing(sequential, workspace)
        store = ScoreStore.of(workspace)
        complete = sum(len(store.folds_of(f"m{seed}")) for seed in range(models))
    rows = [
        ["nodes killed", str(seen["kills"])],
        ["folds complete, of", f"{complete}, {models * K}"],
        ["complete folds made again", str(seen["again"])],
        ["files of scores that differ, of", f"{bad}, {files}"],
        ["seconds one after another", f"{alone:.0f}"],
        ["seconds on the cluster, with the kills", f"{seen['seconds']:.0f}"],
    ]
    print(table(["", "seen"], rows), flush=True)
    process, task, more = overhead()
    figures = f"{process:.1f}, {task:.1f}, {more:.1f}"
    print(table(["", "seen"], [["seconds of a process that loads Keras, a task that does, more", figures]]))


if __name__ == "__main__":
    main()
