"""Time and peak memory of each step from labels to a comparison, with as many labels and chips as iMet 2019 has.

    python -m tests.benchmarks.bench_scale --chips 20000
    python -m tests.benchmarks.bench_scale --chips 109000 --members 2      # minutes, and 3 GB of disk

Labels have the frequencies of a long tail, three a chip in the mean; members are calibrated, and agree in part. Each
step is a process of its own, whose peak of resident memory is measured.

Measured with 109,000 x 1,103, on two cores that others used too, in CPU seconds and MB of peak memory: reading labels
1.2 s and 370 MB, folds 59 s and 660 MB, writing a member's scores 19 s and 1.0 GB, joining its folds 6 s and 1.4 GB,
measuring decisions .03 s, one cut for all labels 2.4 s and 1.4 GB, a cut for each 6.5 s and 1.5 GB, shrunk cuts 20 s
and 2.0 GB, the comparison of 3 members 197 s and 5.9 GB. With 20,000 x 1,103, the decoder takes 152 s, nearly all
of them for the calibration.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from competition.spec.competition import Competition
from competition.spec.metric import Metric
from competition.terminal.tables import table
from competition.workspace import Layout, Workspace
from folds.dealing.audit import audit
from folds.dealing.table import make_table
from folds.store.score_store import FoldScores, ScoreStore
from folds.store.scores import Scores
from submissions.choose.candidates import make_candidates
from submissions.choose.compare import compare
from submissions.decide.cut_rules import PerLabelRule, ShrunkRule, UniformRule
from submissions.decide.expected_f_beta import ExpectedFBeta, Structure
from submissions.decide.rules import default_rules
from submissions.measure.fast_metric import DecidedMetric
from tests.submissions.samples import provenance, write_table

K = 5
PER_CHIP = 3.0  # labels
EVIDENCE = 3.4  # by how many standard deviations a member tells labels that are there from those that are not
AGREEMENT = 0.6  # share of what misleads one member that misleads all
TEST_SHARE = 15  # chips with labels for each one to predict
AT_ONCE = 4096  # chips


def competition_of(num_labels: int) -> Competition:
    """Return a competition of many labels whose names are numbers."""
    return Competition.model_validate(
        {
            "name": "scale",
            "title": "Scale",
            "labels": tuple(map(str, range(num_labels))),
            "metric": {"name": "f_beta", "beta": 2},
            "tables": {
                "train": "train.csv",
                "sample_submission": "sample.csv",
                "id_column": "id",
                "tags_column": "tags",
            },
            "images": {"png": {"suffix": ".png", "train": "train", "test": "test", "bands": "RGB"}},
        }
    )


def rates_of(num_labels: int) -> NDArray[np.float64]:
    """Return the frequencies of the labels."""
    weights = (np.arange(num_labels) + 5.0) ** -1.1
    return np.minimum(PER_CHIP * weights / weights.sum(), 0.5)


def truth_of(num_chips: int, num_labels: int, seed: int = 0) -> NDArray[np.bool_]:
    """Draw truth (num_chips, num_labels); each chip carries one label at least."""
    random, rates = np.random.default_rng(seed), rates_of(num_labels)
    truth = np.empty((num_chips, num_labels), dtype=bool)
    for start in range(0, num_chips, AT_ONCE):
        block = truth[start : start + AT_ONCE]
        block[:] = random.random(block.shape, dtype=np.float32) < rates
        block[np.arange(len(block)), random.choice(num_labels, len(block), p=rates / rates.sum())] = True
    return truth


def scores_of(truth: NDArray[np.bool_], member: int) -> NDArray[np.float32]:
    """Draw scores of a member: the odds that a label is there, by what the member sees of it."""
    rates = rates_of(truth.shape[1]).astype(np.float32)
    prior, scores = np.log(rates / (1 - rates)), np.empty(truth.shape, dtype=np.float32)
    for number, start in enumerate(range(0, len(truth), AT_ONCE)):
        block = truth[start : start + AT_ONCE]
        common, own = (np.random.default_rng(seed) for seed in ([number, 0], [number, 1 + member]))
        noise = np.sqrt(AGREEMENT) * common.standard_normal(block.shape, dtype=np.float32)
        noise += np.float32(np.sqrt(1 - AGREEMENT)) * own.standard_normal(block.shape, dtype=np.float32)
        noise += EVIDENCE * (block - np.float32(0.5))
        scores[start : start + AT_ONCE] = 1 / (1 + np.exp(-prior - EVIDENCE * noise))
    return scores


class Steps:
    """The steps, in their order; each leaves on disk what later ones need.

    Args:
        root: folder of the workspace.
        num_chips: with labels.
        num_labels: number of labels.
        num_members: number of members.
    """

    def __init__(self, root: Path, num_chips: int, num_labels: int, num_members: int) -> None:
        self.workspace = Workspace(root, competition_of(num_labels))
        self.num_chips, self.num_labels = num_chips, num_labels
        self.members = tuple(f"member{number}" for number in range(num_members))
        self.names = tuple(f"chip{number}" for number in range(num_chips))
        self.metric = Metric(beta=2)

    def make_labels(self) -> Callable[[], object]:
        """Write the tables."""
        data, competition = self.workspace.data, self.workspace.competition
        data.mkdir(parents=True)
        files = {name: data / name for name in ("train.csv", "sample.csv")}
        num_test = self.num_chips // TEST_SHARE
        write_table(files["train.csv"], self.names, truth_of(self.num_chips, self.num_labels), competition)
        test = truth_of(num_test, self.num_labels, seed=1)
        write_table(files["sample.csv"], [f"test{number}" for number in range(num_test)], test, competition)
        Layout(competition.name, {}, files).write(data / "layout.json")
        return lambda: None

    def read_labels(self) -> Callable[[], object]:
        """Read the table of labels."""
        return lambda: self.workspace.labelled.truth

    def folds(self) -> Callable[[], object]:
        """Deal and audit folds."""
        truth, labels = self.workspace.labelled.truth, self.workspace.competition.labels

        def deal() -> None:
            table = make_table(self.names, truth, k=K, seed=0)
            audit(table, truth, labels).text()
            table.write(self.workspace.fold_table)

        return deal

    def write_scores(self) -> Callable[[], object]:
        """Write the scores of a member, fold by fold; those of the others are made beforehand."""
        store, truth = ScoreStore.of(self.workspace), self.workspace.labelled.truth
        test = scores_of(truth_of(self.num_chips // TEST_SHARE, self.num_labels, seed=1), 0)
        names = tuple(f"test{number}" for number in range(len(test)))

        def write(member: int, scores: NDArray[np.float32]) -> None:
            for fold in range(K):
                rows = np.flatnonzero(store.table.heldout(fold))
                made = replace(provenance(store, self.members[member], fold), scored=store.labels)
                held = Scores(tuple(self.names[row] for row in rows), scores[rows])
                store.write(FoldScores(made, held, Scores(names, test)))

        for member in range(1, len(self.members)):
            write(member, scores_of(truth, member))
        scores = scores_of(truth, 0)
        return lambda: write(0, scores)

    def join_scores(self) -> Callable[[], object]:
        """Read the scores of a member and join its folds."""
        store = ScoreStore.of(self.workspace)
        return lambda: store.join(self.members[0])

    def metric_of_decisions(self) -> Callable[[], object]:
        """Measure decisions once."""
        truth = self.workspace.labelled.truth
        metric_of, decided = DecidedMetric(truth, self.metric), np.ascontiguousarray(scores_of(truth, 0).T >= 0.2)
        return lambda: metric_of(decided)

    def uniform_cut(self) -> Callable[[], object]:
        """Find one cut for all labels."""
        truth = self.workspace.labelled.truth
        scores = scores_of(truth, 0)
        return lambda: UniformRule(self.metric).fit(scores, truth)

    def cuts_by_label(self) -> Callable[[], object]:
        """Find a cut for each label."""
        truth = self.workspace.labelled.truth
        scores = scores_of(truth, 0)
        return lambda: PerLabelRule(self.metric).fit(scores, truth)

    def shrunk_cuts(self) -> Callable[[], object]:
        """Find a cut for each label, and how far to go to it."""
        truth = self.workspace.labelled.truth
        scores = scores_of(truth, 0)
        return lambda: ShrunkRule(self.metric).fit(scores, truth)

    def decoder(self) -> Callable[[], object]:
        """Calibrate, and decide by the expected metric."""
        truth = self.workspace.labelled.truth
        scores = scores_of(truth, 0)
        return lambda: ExpectedFBeta(2, Structure()).fit(scores, truth).predict(scores)

    def compare(self) -> Callable[[], object]:
        """Compare members, mean and greedy selection by the rules that are usual."""
        rules = default_rules(self.workspace.competition, self.num_chips)
        return lambda: print(compare(make_candidates(self.members, self.workspace), ["mean", "greedy"], rules).text())


STEPS = tuple(name for name in vars(Steps) if not name.startswith("_"))


def run(step: str, root: Path, num_chips: int, num_labels: int, num_members: int) -> None:
    """Run one step in this process; what it prints last are seconds and the peak of memory in MB."""
    work = getattr(Steps(root, num_chips, num_labels, num_members), step)()
    start, used = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.2f} {cpu:.2f} {peak:.0f}")


@click.command()
@click.option("--chips", default=20_000, show_default=True)
@click.option("--labels", default=1_103, show_default=True)
@click.option("--members", default=2, show_default=True)
@click.option("--steps", default=",".join(STEPS), help="which of them; their input must be in --folder")
@click.option("--folder", type=click.Path(path_type=Path), help="where the workspace is kept; default: nowhere")
@click.option("--step", type=click.Choice(STEPS), help="run this in this process, and no other")
def main(chips: int, labels: int, members: int, steps: str, folder: Path | None, step: str | None) -> None:
    """Measure every step, and print a table."""
    if step:
        assert folder
        run(step, folder, chips, labels, members)
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = folder or Path(temporary) / "workspace"
        command = [sys.executable, "-m", "tests.benchmarks.bench_scale", "--folder", str(root)]
        command += ["--chips", str(chips), "--labels", str(labels), "--members", str(members)]
        rows = []
        for name in steps.split(","):
            done = subprocess.run([*command, "--step", name], capture_output=True, text=True, check=False)
            *said, last = done.stdout.splitlines() or [""]
            print("\n".join(said) if not done.returncode else done.stderr[-2000:])
            rows.append([name.replace("_", " "), *(last.split() if not done.returncode else ["failed"])])
            print(rows[-1], flush=True)
    print(table([f"{chips:,} x {labels:,}", "seconds", "CPU seconds", "peak MB"], rows))


if __name__ == "__main__":
    main()
