"""Corrections of suspected labels: of labelled chips, for the training of each fold by what did not see the fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import counted
from competition.terminal.tables import table
from folds.store.provenance import Network
from folds.store.pseudo_labels import LABELLED, Made, PseudoLabels, write_pseudo
from folds.store.score_store import ScoreStore
from folds.store.scores import FoldLabels, NestedScores, Scores
from submissions.evidence.suspects import LIKELY, wrong_by_label
from submissions.pseudo.make import check_values, powered

if TYPE_CHECKING:
    from competition.workspace import Workspace

# Given a workspace, a model and whether to leave broken chips out, returns scores by heads on the model's features.
MakeNested = Callable[["Workspace", str, bool], NestedScores]
TINY = 1e-12


@dataclass(frozen=True)
class OfFold:
    """What is corrected for the training of one fold.

    Attributes:
        fold: its number.
        chips: how many chips it learns from.
        corrected: of how many of them a label is corrected.
        removed: int array (num_labels,): how many chips carry a label that is rather wrong.
        added: int array (num_labels,): how many rather lack one that they should carry.
    """

    fold: int
    chips: int
    corrected: int
    removed: NDArray[np.int64]
    added: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Corrected:
    """Corrections that were made.

    Attributes:
        pseudo: what was written.
        folds: what is corrected for the training of each fold.
        carried: int array (num_labels,): how many labelled chips carry each label.
    """

    pseudo: PseudoLabels
    folds: Sequence[OfFold]
    carried: NDArray[np.int64]

    def text(self) -> str:
        """Return what was made, for people."""
        made = self.pseudo.made
        removed, added = (np.mean([getattr(one, name) for one in self.folds], axis=0) for name in ("removed", "added"))
        rows = [
            [label, f"{carried:,}", f"{less:,.0f}", f"{more:,.0f}"]
            for label, carried, less, more in zip(made.labels, self.carried, removed, added, strict=True)
        ]
        shares = [
            f"fold {one.fold}: {counted(int(one.removed.sum() + one.added.sum()), 'label')} of "
            f"{counted(one.corrected, 'chip')}, {one.corrected / one.chips:.1%}"
            for one in self.folds
        ]
        return (
            f"{table(['label', 'labelled chips', 'rather without', 'rather with'], rows)}\n"
            "`rather without`, `rather with`: chips said to carry the label, and not to, whose label is suspected, on "
            "average over the folds.\n"
            f"Corrected of the chips to learn from, by the fold held out: {'; '.join(shares)}.\n\n"
            f"Wrote {self.pseudo.folder}: corrections for the training of {counted(len(self.folds), 'fold')}, by heads "
            f"on the features of '{made.source}' that saw neither the chip's own fold nor the one held out."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same, for JSON."""
        made = self.pseudo.made
        settings = {"of": made.of, "from": made.source, "power": made.power, "sure": made.sure}
        folds = [
            {
                **{name: getattr(one, name) for name in ("fold", "chips", "corrected")},
                **{
                    name: dict(zip(made.labels, getattr(one, name).tolist(), strict=True))
                    for name in ("removed", "added")
                },
            }
            for one in self.folds
        ]
        return {"name": made.name, **settings, "digest": self.pseudo.digest, "folds": folds}


def make_corrections(
    name: str,
    source: str,
    workspace: Workspace,
    nested: MakeNested,
    *,
    power: float = 1.0,
    sure: float = LIKELY,
    skip_broken: bool = False,
) -> Corrected:
    """Correct suspected labels for the training of each fold, by scores that know neither the chip's fold nor that one.

    Args:
        name: of the corrections.
        source: a model that learns from features, on which heads are fitted that score the chips.
        workspace: of the competition.
        nested: makes these scores.
        power: by which the odds of a label's being wrong are raised.
        sure: labels are corrected that are wrong at least so often.
        skip_broken: leave broken chips out.

    Raises:
        UserError: if a value or the name cannot be, the source has no such scores, or no label is suspected.
    """
    check_values(name, power, sure)
    scores, labelled = nested(workspace, source, skip_broken), workspace.labelled
    row, competition = {name: number for number, name in enumerate(labelled.image_names)}, workspace.competition
    labels, said = dict[int, FoldLabels](), list[OfFold]()
    for fold, others in scores.folds.items():
        truth = labelled.truth[[row[name] for name in others.names]]
        labels[fold] = corrections_of(others, truth, competition.exclusive_columns, power, sure)
        said.append(_said(fold, labels[fold], labelled.truth[[row[name] for name in labels[fold].names]], len(truth)))
    if not any(one.corrected for one in said):
        raise UserError(
            f"No label is suspected of being wrong at least {sure:.0%} of the time, by the features of '{source}'. "
            "There is nothing to correct."
        )
    made = Made(
        name=name,
        source=source,
        method="logistic",
        power=power,
        sure=sure,
        labels=competition.labels,
        fold_digest=ScoreStore.of(workspace).table.digest,
        label_digest=labelled.digest,
        networks={fold: (Network(source, fold, scores.recipe_digest, ""),) for fold in labels},
        of=LABELLED,
        features=scores.features,
    )
    return Corrected(write_pseudo(workspace, made, labels), said, labelled.truth.sum(axis=0))


def corrections_of(
    scores: Scores, truth: NDArray[np.bool_], groups: Sequence[Sequence[int]], power: float = 1.0, sure: float = LIKELY
) -> FoldLabels:
    """Return the corrections of some chips' labels by their scores; of chips without a suspected label none.

    Of exclusive labels all count where one is suspected: the one that is there by how likely it is right, and the
    others share what is left as their scores do. A chip that does not carry just one of them keeps what it has.

    Args:
        scores: of the chips, by what did not learn from them.
        truth: bool array (num_chips, num_labels), as the labels say.
        groups: columns of each group of exclusive labels.
        power: by which the odds of a label's being wrong are raised.
        sure: labels are corrected that are wrong at least so often.
    """
    pool = Parallel(n_jobs=-1, prefer="threads")
    by_label = pool(delayed(wrong_by_label)(*of) for of in zip(scores.values.T, truth.T, strict=True))
    wrong = np.stack(by_label, axis=1).clip(0, 1)  # sums that should be 1 are so but for rounding
    counts, moved = wrong >= sure, powered(wrong, power)
    targets = np.where(truth, 1 - moved, moved)
    for group in map(list, groups):
        there = truth[:, group]
        others = np.where(there, 0, scores.values[:, group])
        others /= np.maximum(others.sum(axis=1, keepdims=True), TINY)
        most = moved[:, group].max(axis=1, keepdims=True)
        targets[:, group] = np.where(there, 1 - most, most * others)
        counts[:, group] = (counts[:, group].any(axis=1) & (there.sum(axis=1) == 1))[:, None]
    rows = np.flatnonzero(counts.any(axis=1))
    return FoldLabels(tuple(scores.names[row] for row in rows), targets[rows], counts[rows])


def _said(fold: int, labels: FoldLabels, truth: NDArray[np.bool_], chips: int) -> OfFold:
    """Return what is corrected, of the chips with a suspected label and their truth."""
    removed, added = (
        labels.counted & turned for turned in (truth & (labels.targets < 0.5), ~truth & (labels.targets > 0.5))
    )
    return OfFold(fold, chips, len(labels.names), removed.sum(axis=0), added.sum(axis=0))
