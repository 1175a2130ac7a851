"""How far the training of one fold has come; read without Keras."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.records import read_record, write_record
from folds.store.alone import model_and_fold, owner_of
from models.runs.folders import CHECKPOINTS, FORMAT, HEAD, check_owner, restart_command

STATE = "state.json"
DIVERGED = "diverged.json"
DEFAULT_RATE = 1e-3  # of recipes, which most networks stand


class DivergedError(UserError):
    """Training went wrong: a loss is no number, or so high that nothing but noise was learnt.

    Args:
        what: went wrong, as a sentence without its end.
        rate: the learning rate; 0 of a solver that has none.
        model: whose training it is; "" where that is not known.
        fold: of it.
    """

    def __init__(self, what: str, rate: float, model: str = "", fold: int = -1) -> None:
        text = f"{what}{f', at a learning rate of {rate:g}' if rate else ''}."
        other = f"--learning-rate {min(rate / 10, DEFAULT_RATE):g}" if rate else "--solver gradient"
        command = {"to begin again": f"train --models {model} {other} --restart"} if model else ""
        super().__init__(f"'{model}' fold {fold} has diverged: {text}" if model else text, command=command)
        self.what, self.rate, self.model, self.fold = what, rate, model, fold

    def __reduce__(self) -> tuple[type[DivergedError], tuple[str, float, str, int]]:
        """Return how to make it again: pickle, which brings it from a cluster's machine, would take its text alone."""
        return type(self), (self.what, self.rate, self.model, self.fold)


def write_diverged(error: DivergedError, folder: Path) -> None:
    """Keep that the training of the job in a folder has diverged."""
    write_record(folder / DIVERGED, {"what": error.what, "rate": error.rate}, version=FORMAT)


def has_diverged(folder: Path) -> bool:
    """Whether the training of the job in a folder has diverged."""
    return (folder / DIVERGED).is_file()


def check_diverged(folder: Path) -> None:
    """Refuse to go on with a job whose training has diverged: with the same values it would again.

    Raises:
        DivergedError: if it has.
    """
    if has_diverged(folder):
        model, fold = model_and_fold(folder)
        raise read_record(
            folder / DIVERGED,
            lambda content: DivergedError(str(content["what"]), float(content["rate"]), model, fold),
            version=FORMAT,
            command=restart_command(folder),
        )


@dataclass(frozen=True)
class Epoch:
    """The figures of one finished epoch; the losses are means over chips, the metric is the competition's.

    What is called `heldout` is of the chips by which epochs are judged, be they held out or set aside.

    `input_size` tells epochs of progressive training apart: those at another size do not compete for the best.
    """

    number: int
    loss: float
    metric: float
    heldout_loss: float
    heldout_metric: float
    learning_rate: float
    seconds: float
    input_size: int


@dataclass
class TrainingState:
    """Where training stands after its last finished epoch.

    Attributes:
        history: the finished epochs.
        best: number of the epoch with the best held-out metric; -1 before the first.
    """

    history: list[Epoch] = field(default_factory=list)
    best: int = -1

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    @property
    def best_metric(self) -> float:
        """The best held-out metric so far; NaN before the first epoch."""
        return self.history[self.best].heldout_metric if self.history else float("nan")

    @property
    def waited(self) -> int:
        """Epochs finished since the best one."""
        return self.epochs - 1 - self.best

    def add(self, epoch: Epoch, sign: int = 1) -> bool:
        """Add a finished epoch; return whether it is the best so far.

        Args:
            epoch: its figures.
            sign: of the metric: 1 if more of it is better, -1 if less.
        """
        better = not self.is_at(epoch.input_size) or sign * epoch.heldout_metric > sign * self.best_metric
        self.history.append(epoch)
        if better:
            self.best = epoch.number
        return better

    def best_epochs(self, many: int, sign: int = 1) -> list[int]:
        """Return the numbers of the best epochs of those at the last input size, the best first, the earlier of equals.

        Args:
            many: how many at most.
            sign: of the metric: 1 if more of it is better, -1 if less.
        """
        last = takewhile(lambda epoch: epoch.input_size == self.history[-1].input_size, reversed(self.history))
        ranked = sorted(last, key=lambda epoch: (-sign * epoch.heldout_metric, epoch.number))
        return [epoch.number for epoch in ranked[:many]]

    def is_at(self, size: int) -> bool:
        """Whether the last finished epoch was at an input size."""
        return bool(self.history) and self.history[-1].input_size == size

    def is_over(self, epochs: int, patience: int) -> bool:
        """Whether training has reached its last epoch, or has waited too long for a better one."""
        return self.epochs >= epochs or (patience > 0 and self.waited >= patience)

    def write(self, path: Path) -> None:
        """Write the state as JSON, atomically."""
        write_record(path, owner_of(path) | asdict(self), version=FORMAT)

    @classmethod
    def read(cls, path: Path) -> TrainingState:
        """Read a state.

        Raises:
            UserError: if the file is damaged, or of another job.
        """

        def parse(content: dict[str, Any]) -> TrainingState:
            content = check_owner(content, path)
            state = cls([Epoch(**epoch) for epoch in content["history"]], content["best"])
            if not 0 <= state.best < state.epochs:
                raise ValueError(f"its best epoch is {state.best + 1} of {state.epochs}")
            return state

        return read_record(path, parse, version=FORMAT, command=restart_command(path))


def state_name(seed: int) -> str:
    """Return the name of the state of one seed's network, in a checkpoint of several that were trained together."""
    return f"state{seed}.json" if seed else STATE


def checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints of a fold, the latest last."""
    return sorted(path for path in (folder / CHECKPOINTS).glob("epoch*") if (path / STATE).is_file())


def state_of(folder: Path) -> TrainingState:
    """Return how far the training of a fold has come: of a finished job, or of its latest checkpoint."""
    if (folder / "history.json").is_file():
        return TrainingState.read(folder / "history.json")
    paths = checkpoints(folder)
    return TrainingState.read(paths[-1] / STATE) if paths else TrainingState()


def best_epochs(folders: Iterable[Path], swa: int) -> str:
    """Return which epochs are kept, of the networks in some folders; of the best `swa` the mean, if it is not 0."""
    states = map(state_of, folders)
    best = "best epoch " + ", ".join(f"{state.best + 1} of {state.epochs}" for state in states)
    return f"{best}, averaged with the {swa - 1} next best" if swa else best


def has_begun(folder: Path) -> bool:
    """Whether a fold has finished an epoch, be it of the head that comes before fine-tuning."""
    return bool(state_of(folder).epochs or state_of(folder / HEAD).epochs)
