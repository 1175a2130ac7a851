"""Ours against other tools on the same features and folds, in equal seconds on equal cores, one after another.

Run with

    python -m tests.benchmarks.bench_peers --workspace W --model densenet121_levels \
        --bank FOLDER/bank.npz --environments FOLDER/environments --results FOLDER/results

`--workspace` and `--model` write the bank's file if it is not there; `--made-up 600x256` makes one up instead. The
environments take 8 GB with a CPU build of torch; with PyPI's own, a CUDA build, some three times as much. What was run
is kept in the results' folder and not run again, so that the table can be filled over several calls: `--only
TabM:pca-small` runs one variant, `--only ours,FLAML` some peers; `--seconds 60` one length. The table always shows all
that is kept for a bank.

Ours is the recipe densenet121_levels with half of its epochs, not `auto`: a bank of one view leaves nothing to plan.
The recipe was chosen on Planet's chips, so that of their bank ours has seen more than the peers have.

How it is fair. The seconds are for all folds together, from the start of the process to its end, imports and all. What
takes a limit is given its share of what is left for each fold, or fold and label; it may then be late, by which the
table tells, but not by more than half of the seconds and ten more. What takes none is stopped when its time is up. A
label that was not reached has its frequency among the chips of the other folds. All see the one view of each chip that
the bank's file holds. For those to which 3,840 columns are too many there are variants with the word "pca": 256
principal components. Of several variants of a peer the best is shown, --all shows all; that choice is in their favour.

All scores are judged by our own rules: at the prior cut; and by what `compare` would choose on the chips of the other
folds. Differences are to ours, with their paired standard error.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from competition.common.files import digest_file, replace_atomically
from competition.common.progress import reporter
from competition.common.text import short
from competition.metrics.bootstrap import bootstrap
from competition.metrics.judge import measure
from competition.spec.competition import Competition
from competition.spec.load import load
from competition.spec.metric import Metric
from competition.terminal import tables
from competition.workspace import Workspace
from folds.store.scores import Scores
from submissions.choose.candidates import Candidates
from submissions.choose.compare import compare
from submissions.combine.methods import Setting
from submissions.members.members import Member, SharedChips
from tests.benchmarks.peers.bank_file import from_workspace, made_up
from tests.benchmarks.peers.environments import OURS, PEERS, Peer, python_of

ROOT = Path(__file__).parents[2]
LATE, LATER = 1.5, 10.0  # how late what keeps to a limit by itself may be: times the seconds, and as many more
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Figure(NamedTuple):
    """A metric of scores, and what it is of bootstrapped sets of chips."""

    value: float
    resampled: NDArray[np.float64]

    def text(self, ours: Figure | None) -> str:
        """Return it, with the difference to ours and the standard error of that."""
        if ours is None or ours is self:
            return f"{self.value:.4f}"
        error = np.std(self.resampled - ours.resampled, ddof=1)
        return f"{self.value:.4f} ({self.value - ours.value:+.4f} ± {error:.4f})"


@dataclass(frozen=True)
class Bank:
    """The bank's file, less its features.

    Attributes:
        path: of the file.
        competition: gives labels and metric.
        truth: bool array (num_chips, num_labels).
        folds: int array (num_chips,).
    """

    path: Path
    competition: Competition
    truth: NDArray[np.bool_]
    folds: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> Bank:
        """Read a bank's file."""
        with np.load(path) as arrays:
            competition = Competition.model_validate_json(str(arrays["competition"]))
            return cls(path, competition, arrays["truth"], arrays["folds"])

    @cached_property
    def digest(self) -> str:
        """Of the file."""
        return short(digest_file(self.path))

    def filled(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores in which each that is missing is its label's frequency among the chips of the other folds."""
        filled = scores.copy()
        for fold in np.unique(self.folds):
            held = self.folds == fold
            filled[held] = np.where(np.isnan(scores[held]), self.truth[~held].mean(axis=0), scores[held])
        return filled

    def figures(self, scores: NDArray[np.float32]) -> dict[str, Figure]:
        """Return what scores without gaps are worth."""
        names, empty = tuple(map(str, range(len(scores)))), Scores((), scores[:0])
        member = Member("peer", Path(), Scores(names, scores), empty, {}, {"name": "peer", "kind": "model"}, (), ())
        chips = SharedChips(names, scores[None], self.truth, self.folds, (), "")
        setting = Setting(self.competition, ("peer",), np.zeros(scores.shape[1], dtype=bool))
        compared, metric = compare(Candidates((member,), chips, setting)), self.competition.metric
        plain = compared.reference
        figures = {
            f"{metric.title} at {metric.prior_cut:.3g}": Figure(plain.cross_fitted, plain.resampled),
            f"{metric.title}, chosen": Figure(*compared.chosen_by_fold),
        }
        for other in (Metric(name="average_precision"), Metric(name="log_loss", clip=1e-4)):
            resampled = bootstrap(self.truth, [scores], other)[:, 0]
            figures[other.title] = Figure(measure(self.truth, scores, other), resampled)
        return figures


@dataclass(frozen=True)
class Turn:
    """A peer's turn.

    Attributes:
        peer: whose.
        variant: of the peer.
        seconds: that it has.
    """

    peer: Peer
    variant: str
    seconds: int

    def path(self, results: Path, bank: Bank) -> Path:
        """Return the file of its result."""
        name = self.peer.name.replace(" ", "_")
        cores = len(os.sched_getaffinity(0))
        return results / f"{bank.digest}-{name}-{self.variant}-{cores}-cores-{self.seconds}s.npz"

    def run(self, python: str, bank: Bank, path: Path) -> None:
        """Run it in a process of its own, and keep its scores and how long it took."""
        scores, started = path.with_suffix(".part.npz"), time.time()
        scores.unlink(missing_ok=True)
        module = f"tests.benchmarks.peers.{self.peer.module}"
        arguments = [bank.path.absolute(), scores.absolute(), started + self.seconds, self.variant]
        limit = LATE * self.seconds + LATER if self.peer.has_limit else self.seconds
        with path.with_suffix(".log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [python, "-m", module, *map(str, arguments)],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that processes that it begins end with it
            )
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(limit)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        taken = time.time() - started
        made = np.load(scores)["scores"] if scores.is_file() else np.full(bank.truth.shape, np.nan, dtype=np.float32)
        scores.unlink(missing_ok=True)
        how = {0: "ended", -signal.SIGKILL: "stopped"}.get(process.returncode, "failed")
        if how == "failed":
            click.echo(f"It failed, and is not kept; {path.with_suffix('.log')} says how.")
            return
        with replace_atomically(path) as temporary:
            np.savez(temporary, scores=made, taken=taken, how=how)


class Result(NamedTuple):
    """What became of a turn: its scores, the seconds taken, and whether it ended or was stopped."""

    turn: Turn
    scores: NDArray[np.float32]
    taken: float
    how: str

    def row(self, bank: Bank, ours: dict[str, Figure] | None) -> tuple[dict[str, Figure], list[str]]:
        """Return its figures, and its row in the table."""
        figures = bank.figures(bank.filled(self.scores)) if ours is None or self.turn.peer is not OURS else ours
        cells = [figure.text(None if ours is None else ours[name]) for name, figure in figures.items()]
        scored, taken = f"{1 - np.isnan(self.scores).mean():.0%}", f"{self.taken:.0f} {self.how}"
        return figures, [str(self.turn.seconds), self.turn.peer.name, self.turn.variant, *cells, taken, scored]


def turns(seconds: Sequence[int], only: Sequence[str]) -> Iterator[Turn]:
    """Yield the turns that are asked for, the shortest first."""
    for length in sorted(seconds):
        for peer in PEERS:
            for variant in peer.variants:
                if not only or {peer.name, f"{peer.name}:{variant}"} & set(only):
                    yield Turn(peer, variant, length)


def table(bank: Bank, results: Sequence[Result], *, every: bool) -> str:
    """Return the table: of each peer and length the best variant, or every one."""
    rows: list[list[str]] = []
    headers: list[str] = []
    for length in sorted({result.turn.seconds for result in results}):
        some = [result for result in results if result.turn.seconds == length]
        ours = next((bank.figures(bank.filled(each.scores)) for each in some if each.turn.peer is OURS), None)
        made = [(result, *result.row(bank, ours)) for result in some]
        headers = ["seconds", "peer", "variant", *made[0][1], "taken", "scored"]
        chosen = headers[4]
        made.sort(key=lambda each: -bank.competition.metric.sign * each[1][chosen].value)
        shown: set[str] = set()
        for result, _, row in made:
            if every or result.turn.peer.name not in shown:
                rows.append(row)
            shown.add(result.turn.peer.name)
    return tables.table(headers, rows)


def make_bank(path: Path, *, workspace: Path | None, model: str, competition: str, size: str) -> None:
    """Write a bank's file.

    Raises:
        UsageError: if it is not said of what.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if workspace is not None:
        from_workspace(path, Workspace(workspace, load(competition)), model)
    elif size:
        num_chips, num_features = map(int, size.split("x"))
        made_up(path, load(competition), num_chips, num_features)
    else:
        raise click.UsageError(f"There is no {path}. Give --workspace and --model, or --made-up.")


@click.command()
@click.option("--bank", "path", type=click.Path(path_type=Path), required=True, help="the bank's file")
@click.option(
    "--environments", type=click.Path(path_type=Path), required=True, help="folder of the peers' environments"
)
@click.option("--results", type=click.Path(path_type=Path), required=True, help="folder of what was run")
@click.option("--workspace", type=click.Path(path_type=Path), help="whose bank is written, if there is no file")
@click.option("--model", default="densenet121_levels", show_default=True, help="whose bank it is")
@click.option("--competition", default="planet", show_default=True, help="name or file")
@click.option("--made-up", "size", default="", help="CHIPSxFEATURES: make a bank up, if there is no file")
@click.option("--seconds", default="60,300,1800", show_default=True, help="lengths, joined by commas")
@click.option("--only", default="", help="peers, or PEER:VARIANT, joined by commas; default: all")
@click.option("--cores", default=2, show_default=True, help="that each may use")
@click.option("--all", "every", is_flag=True, help="show every variant, not the best of each peer")
def main(
    path: Path, environments: Path, results: Path, seconds: str, only: str, cores: int, every: bool, **of_bank: Any
) -> None:
    """Run what was not run yet, and print the table of all that was."""
    if not path.is_file():
        make_bank(path, **of_bank)
    bank, asked = Bank.read(path), only.split(",") if only else []
    results.mkdir(parents=True, exist_ok=True)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    os.environ |= dict.fromkeys(THREADS, str(cores))
    for turn in turns([int(each) for each in seconds.split(",")], asked):
        file = turn.path(results, bank)
        if not file.is_file():
            python = python_of(turn.peer, environments, sys.executable, click.echo)
            click.echo(f"{turn.seconds} s for {turn.peer.name}, {turn.variant}.")
            turn.run(python, bank, file)
    kept: list[Result] = []
    lengths = {int(file.stem.rsplit("-", 1)[1][:-1]) for file in results.glob(f"{bank.digest}-*s.npz")}
    for turn in turns(sorted(lengths), []):
        if (file := turn.path(results, bank)).is_file():
            with np.load(file) as arrays:
                kept.append(Result(turn, arrays["scores"], float(arrays["taken"]), str(arrays["how"])))
    with reporter.silent():
        click.echo(table(bank, kept, every=every))


if __name__ == "__main__":
    main()
