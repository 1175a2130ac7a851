"""What a search has found, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from competition.common.text import counted
from competition.terminal.command_line import shown
from competition.terminal.tables import table
from models.tune.figures import Figure, Figures, best_of
from models.tune.inner import Trial
from models.tune.space import Settings, plain_settings

SHOWN = 10  # trials in the table
WORTH = 0.01  # importances that are shown, at least


@dataclass(frozen=True)
class Tuned:
    """What a search has found.

    Attributes:
        source: recipe or model that it began from.
        name: of the winner's model.
        start: settings of the recipe that it began from.
        trials: all of the study.
        importances: share of each setting in how much the losses differ.
        figures: what tuning is worth; None if nothing was better than the start, or another process is still at it.
    """

    source: str
    name: str
    start: Settings
    trials: Sequence[Trial]
    importances: dict[str, float] = field(default_factory=dict)
    figures: Figures | None = None

    @property
    def winner(self) -> Trial:
        """The trial with the lowest mean loss."""
        return best_of(self.trials)

    @property
    def is_better(self) -> bool:
        """Whether it is another one than the start."""
        return self.winner.settings != self.start

    def text(self) -> str:
        """Return the best trials, what matters, and what tuning is worth."""
        counts = [(state, sum(trial.state == state for trial in self.trials)) for state in ("pruned", "diverged")]
        ended = "".join(f", {number} {state}" for state, number in counts if number)
        lines = [self._table(), f"\n{counted(len(self.trials), 'trial')}{ended}. {LEGEND}"]
        if shares := {name: share for name, share in self.importances.items() if share >= WORTH}:
            said = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
            lines.append(f"What the losses of these settings differ by: {said}.")
        if not self.is_better:
            lines.append(f"Nothing is better than '{self.source}' as it is: no model is made.")
        elif self.figures is not None:
            lines.append(self._worth(self.figures))
        return "\n".join(lines)

    def _table(self) -> str:
        complete = sorted((trial for trial in self.trials if trial.is_complete), key=lambda trial: trial.loss)
        start = next(trial for trial in complete if trial.settings == self.start)
        rows = complete[:SHOWN] if start in complete[:SHOWN] else [*complete[:SHOWN], start]
        names = [name for name in self.start if len({str(trial.settings[name]) for trial in rows}) > 1]
        cells = [
            [
                *(_cell(trial.settings[name]) for name in names),
                f"{trial.loss:.4f} ± {_error(trial.losses):.4f}",
                "the start" if trial is start else _difference(trial, start),
                trial.epochs,
                f"{trial.seconds:.0f}",
            ]
            for trial in rows
        ]
        return table(
            [*names, "loss", "less the start's", "epochs run", "seconds"], cells, "r", spare=["seconds", "epochs run"]
        )

    def _worth(self, figures: Figures) -> str:
        best = f"'{self.name}' is the best of {counted(len(self.trials), 'trial')}, which is partly luck"
        lines = [
            f"{figures.metric}, out-of-fold: '{self.source}' as it is {figures.start.value:.4f}; "
            f"'{self.name}' {_over(figures.winner)}.",
            f"{best}: settings chosen for each fold by the chips of the others give {_over(figures.chosen)}; "
            f"choosing flatters by {figures.optimism:+.4f}.",
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "model": self.name if self.is_better else None,
            "start": plain_settings(self.start),
            "winner": plain_settings(self.winner.settings),
            "trials": [
                {
                    **vars(trial),
                    "settings": plain_settings(trial.settings),
                    "loss": trial.loss if trial.losses else None,
                }
                for trial in self.trials
            ],
            "importances": self.importances,
            "figures": None if self.figures is None else self.figures.as_dict(),
        }


LEGEND = (
    "The loss is the log loss on each fold's inner split, in which the chips that the fold holds out have no part: a "
    "mean over labels and folds ± its standard error over folds."
)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else shown(value)


def _error(losses: Sequence[float]) -> float:
    return float(np.std(losses, ddof=1) / np.sqrt(len(losses)))


def _difference(trial: Trial, start: Trial) -> str:
    differences = np.subtract(trial.losses, start.losses)
    return f"{differences.mean():+.4f} ± {_error(differences.tolist()):.4f}"


def _over(figure: Figure) -> str:
    return f"{figure.value:.4f}, {figure.difference:+.4f} ± {figure.error:.4f}"
