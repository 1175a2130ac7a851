"""From scores to decided labels: the cuts, and what the competition allows a chip to carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.spec.competition import Competition
from folds.store.scores import Scores, scored_labels

if TYPE_CHECKING:
    from submissions.measure.cross_fit import Rule


def at_or_above(scores: ArrayLike, cuts: ArrayLike) -> NDArray[np.bool_]:
    """Return `score >= cut` for scores (..., num_labels), the one comparison of the project.

    Both sides are taken as float32, in which scores are stored: as float64, a stored .7 is less than a cut of .7.

    Example:
        >>> np.float32(0.7) >= np.float64(0.7), at_or_above(np.float32(0.7), 0.7)
        (np.False_, np.True_)
    """
    return np.asarray(scores, dtype=np.float32) >= np.asarray(cuts, dtype=np.float32)


def decide(
    scores: NDArray[Any], cuts: ArrayLike, competition: Competition, *, exclusive: bool = True, alone: bool = False
) -> NDArray[np.bool_]:
    """Decide the labels of chips by cuts, within what the competition allows.

    Args:
        scores: float array (num_chips, num_labels).
        cuts: float array (num_labels,), or one number.
        competition: gives the exclusive groups and the labels that stand alone.
        exclusive: as `obey`.
        alone: as `obey`.

    Returns:
        Bool array (num_chips, num_labels).
    """
    return obey(at_or_above(scores, cuts), scores, competition, exclusive=exclusive, alone=alone, cuts=cuts)


def tags_of(scores: Scores, cuts: ArrayLike, competition: Competition) -> list[str]:
    """Return the tags of chips, decided by cuts (num_labels,), as text."""
    from competition.tables.write import to_tags

    return to_tags(decide(scores.values, cuts, competition), competition)


def obey(
    decisions: NDArray[np.bool_],
    scores: NDArray[Any],
    competition: Competition,
    *,
    exclusive: bool,
    alone: bool = False,
    cuts: ArrayLike = 1.0,
) -> NDArray[np.bool_]:
    """Bring decisions to what the competition allows.

    No chip is left without a label, unless the competition has unlabelled chips.

    A label without scores (NaN for every chip, as a specialist has them) is not decided, and what would need its
    scores is left aside: its exclusive group, the company of labels that stand alone, and that every chip has a label.

    Measured on real held-out scores of Planet (3 x 6,000 chips, cut 0.2): exactly one label of its exclusive group
    costs .007 to .008 F2, because where two are in doubt F2 prefers both; `alone` costs another .001 to .002 with
    `exclusive` and .004 to .005 without.

    Args:
        decisions: bool array (num_chips, num_labels).
        scores: float array (num_chips, num_labels).
        competition: gives the exclusive groups and the labels that stand alone.
        exclusive: give every chip exactly one label of each exclusive group, the one of the highest score. Cuts play
            no part in that; ties go to the label named first in the group. Of a multi-class competition it is always
            done, whatever this says.
        alone: let a label that stands alone have no company: it stays, and the others go, if `exclusive` has chosen it
            or no label scores higher; otherwise it goes.
        cuts: float array (num_labels,), or one number: a chip without a label gets the one whose score is highest
            relative to its cut.

    Returns:
        Bool array (num_chips, num_labels).

    Raises:
        ValueError: if a label has scores of some of the chips only.
    """
    scored, decisions = scored_labels(scores), decisions.copy()
    exclusive = exclusive or competition.is_multi_class
    if exclusive:
        for columns in (np.array(group) for group in competition.exclusive_columns if scored[list(group)].all()):
            winner = columns[scores[:, columns].argmax(axis=1)]
            decisions[:, columns] = winner[:, None] == columns
    if alone and scored.all():
        _stand_alone(decisions, scores, competition, exclusive)
    if not competition.unlabelled and scored.all():
        _fill_empty(decisions, scores, cuts)
    return decisions


class Obedient:
    """A decision rule whose decisions are brought to what the competition allows.

    Args:
        rule: decides.
        competition: gives the exclusive groups and the labels that stand alone.
        exclusive: as `obey`.
        alone: as `obey`.

    Attributes:
        cuts: of the rule, float array (num_labels,); None if it decides by something else.
    """

    def __init__(self, rule: Rule, competition: Competition, *, exclusive: bool = True, alone: bool = False) -> None:
        self.rule, self.competition, self.exclusive, self.alone = rule, competition, exclusive, alone

    @property
    def learns(self) -> bool:
        """Whether the rule does."""
        return self.rule.learns

    @property
    def cuts(self) -> NDArray[np.float64] | None:
        """The rule's cuts."""
        return getattr(self.rule, "cuts", None)

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Fit the rule to scores (num_chips, num_labels) and truth (num_chips, num_labels)."""
        self.rule.fit(scores, truth)
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.bool_]:
        """Return decisions (num_chips, num_labels)."""
        decisions, cuts = self.rule.predict(scores), 1.0 if self.cuts is None else self.cuts
        return obey(decisions, scores, self.competition, exclusive=self.exclusive, alone=self.alone, cuts=cuts)


def _stand_alone(decisions: NDArray[np.bool_], scores: NDArray[Any], competition: Competition, exclusive: bool) -> None:
    grouped = {column for group in competition.exclusive_columns for column in group}
    for label in competition.alone:
        column = competition.label_index[label]
        crowded = decisions[:, column] & (decisions.sum(axis=1) > 1)
        chosen = exclusive and column in grouped
        wins = crowded if chosen else crowded & (scores[:, column] >= scores.max(axis=1))
        decisions[crowded & ~wins, column] = False
        decisions[wins] = False
        decisions[wins, column] = True


def _fill_empty(decisions: NDArray[np.bool_], scores: NDArray[Any], cuts: ArrayLike) -> None:
    """Give chips without a label the one whose score is highest relative to its cut."""
    empty = np.flatnonzero(~decisions.any(axis=1))
    relative = scores[empty] / np.asarray(cuts, dtype=np.float64)  # no cut is 0 here: at 0 the label is decided
    decisions[empty, relative.argmax(axis=1)] = True
