"""Making pseudo-labels: for each fold by the networks that held it out, soft, and only where these are sure enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from competition.common.errors import UserError
from competition.common.files import checked_name
from competition.common.text import counted, first
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.pseudo_labels import Made, PseudoLabels, write_pseudo
from folds.store.scores import FoldLabels
from submissions.decide.calibration import Calibration
from submissions.names import PLATT
from submissions.pseudo.teacher import Teacher

HARDLY = 0.1  # of a label's share among labelled chips: a mean target below says `never`
HALF = 0.5  # how sure any target is: it is right at least every second time


@dataclass(frozen=True, eq=False)
class Written:
    """Pseudo-labels that were made.

    Attributes:
        pseudo: what was written.
        models: whose networks made them.
        num_chips: how many chips they are of.
        carried: float array (num_labels,): the mean target, over chips and folds.
        among_labelled: float array (num_labels,): the share of the labelled chips that carry each label.
        counted: float array (num_labels,): the share of the targets that are sure enough to count.
        learnt: float array (num_labels,): the mean of the targets that count; 0 where none does.
    """

    pseudo: PseudoLabels
    models: tuple[str, ...]
    num_chips: int
    carried: NDArray[np.float64]
    among_labelled: NDArray[np.float64]
    counted: NDArray[np.float64]
    learnt: NDArray[np.float64]

    @property
    def never(self) -> list[str]:
        """The labels that hardly a target that counts says yes to, though labelled chips carry them."""
        hardly = (self.learnt < HARDLY * self.among_labelled) & (self.counted > 0)
        return [label for label, is_never in zip(self.pseudo.made.labels, hardly, strict=True) if is_never]

    def text(self) -> str:
        """Return what was made, for people."""
        made = self.pseudo.made
        rows = [
            [label, f"{labelled:.3f}", f"{carried:.3f}", f"{counts:.1%}"]
            for label, labelled, carried, counts in zip(
                made.labels, self.among_labelled, self.carried, self.counted, strict=True
            )
        ]
        figures = table(["label", "of labelled chips", "of pseudo-labels", "count"], rows)
        how = f", {made.method} of {counted(len(self.models), 'model')}" if len(self.models) > 1 else ""
        legend = "`of pseudo-labels`: their mean target; `count`: how many are sure enough to be learnt from."
        if self.never:
            legend += (
                f"\nWarning: of {first(self.never)} nearly all targets that count say no: what learns from them learns "
                "`never`. Give a lower --sure or --power."
            )
        return (
            f"{figures}\n{legend}\n\n"
            f"Wrote {self.pseudo.folder}: pseudo-labels of {self.num_chips:,} chips for the training of "
            f"{counted(len(made.networks), 'fold')}, each by the networks of '{made.source}'{how} that held the fold "
            f"out. Round {made.round}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same, for JSON."""
        made = self.pseudo.made
        columns = {"labelled": self.among_labelled, "pseudo": self.carried, "count": self.counted}
        by_label = {
            label: {name: float(values[row]) for name, values in columns.items()}
            for row, label in enumerate(made.labels)
        }
        settings = {"from": made.source, "method": made.method, "power": made.power, "sure": made.sure}
        digest = {"round": made.round, "digest": self.pseudo.digest}
        return {"name": made.name, **settings, **digest, "chips": self.num_chips, "labels": by_label}


def make_pseudo(name: str, source: str, workspace: Workspace, *, power: float = 1.0, sure: float = HALF) -> Written:
    """Label the chips to predict for the training of each fold, by networks that did not see the fold.

    Args:
        name: of the pseudo-labels.
        source: a model, or a blend of models.
        workspace: of the competition.
        power: by which the odds of scores are raised: 1 keeps them; above 1 they become surer, below less sure.
        sure: targets count that are right at least so often, from a half, which all are, to 1: by the label's scores,
            calibrated on the labelled chips of the other folds.

    Raises:
        UserError: if a value or the name cannot be, or the source has no scores by fold.
    """
    check_values(name, power, sure)
    teacher = Teacher.of(source, workspace)
    labels = {fold: _of_fold(teacher, fold, power, sure) for fold in teacher.folds}
    made = Made(
        name=name,
        source=source,
        method=teacher.method,
        power=power,
        sure=sure,
        labels=workspace.competition.labels,
        fold_digest=teacher.store.table.digest,
        label_digest=workspace.labelled.digest,
        networks={fold: teacher.networks(fold) for fold in teacher.folds},
    )
    every = labels.values()
    return Written(
        pseudo=write_pseudo(workspace, made, labels),
        models=tuple(member.name for member in teacher.members),
        num_chips=len(teacher.names),
        carried=np.mean([each.targets.mean(axis=0, dtype=np.float64) for each in every], axis=0),
        among_labelled=workspace.labelled.truth.mean(axis=0),
        counted=np.mean([each.counted.mean(axis=0) for each in every], axis=0),
        learnt=sum(np.where(each.counted, each.targets, 0).sum(axis=0, dtype=np.float64) for each in every)
        / np.maximum(sum(each.counted.sum(axis=0) for each in every), 1),
    )


def check_values(name: str, power: float, sure: float) -> None:
    """Refuse a name or a value that pseudo-labels cannot have.

    Raises:
        UserError: if it is such a one.
    """
    if name == "none":  # as in `train --pseudo none`
        raise UserError("'none' stands for no pseudo-labels. Give another name.")
    checked_name("pseudo-labels", name)
    if not 0 < power < np.inf:
        raise UserError(f"--power must be above 0 and finite, received {power:g}.")
    if not HALF <= sure < 1:
        raise UserError(f"--sure must be at least {HALF} and below 1, received {sure:g}.")


def _of_fold(teacher: Teacher, fold: int, power: float, sure: float) -> FoldLabels:
    """Return the pseudo-labels for the training of a fold."""
    scores = teacher.scores(fold)
    counts = np.ones(scores.shape, dtype=bool)
    if sure > HALF:
        likely = Calibration(PLATT).fit(*teacher.of_labelled(fold)).predict(scores)
        counts = np.maximum(likely, 1 - likely) >= sure
    return FoldLabels(teacher.names, powered(scores, power), counts)


def powered(scores: NDArray[np.floating], power: float) -> NDArray[np.float32]:
    """Return scores whose odds are raised to a power: what is a half stays, what is surer becomes more so above 1.

    Example:
        >>> powered(np.array([0.2, 0.5, 0.8]), 2.0).round(3)
        array([0.059, 0.5  , 0.941], dtype=float32)
    """
    if power == 1:
        return scores.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):  # of log odds beyond all numbers, which are as sure as can be
        return expit(power * logit(scores.astype(np.float64))).astype(np.float32)
