"""Which windows show the ground: where there are data, and no clouds by the model's own scores."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import unknown_name
from competition.spec.competition import Competition

MOST_MISSING = 0.2  # of a window's pixels
HAZE = "haze"


def shows_ground(valid: NDArray[np.bool_], most_missing: float = MOST_MISSING) -> NDArray[np.bool_]:
    """Return whether windows have data enough to be scored.

    Args:
        valid: bool array (num_windows, size, size), where there are data.
        most_missing: the largest share of a window's pixels that may lack them.

    Returns:
        Bool array (num_windows,).
    """
    missing = 1 - valid.mean(axis=(1, 2))
    return missing <= most_missing


def hiding_labels(competition: Competition, labels: Sequence[str], given: Collection[str] | None) -> tuple[str, ...]:
    """Return the scored labels that hide the ground.

    Args:
        competition: says which labels stand alone, as clouds do.
        labels: that are scored.
        given: what the user names; None: labels that stand alone, and haze.

    Raises:
        UserError: if a label that is given is not scored.
    """
    if given is None:
        given = {*competition.alone, HAZE} & set(labels)
    for label in given:
        if label not in labels:
            raise unknown_name("label to hide by", label, list(labels))
    return tuple(label for label in labels if label in given)


def hide(
    scores: NDArray[np.float32],
    labels: Sequence[str],
    hides: Collection[str],
    exclusive: Sequence[Sequence[str]],
    cuts: Sequence[float],
) -> NDArray[np.float32]:
    """Return the scores of windows, unknown but for the labels that hide the ground where one of these is decided.

    A label of an exclusive group that is scored whole is decided where it has the group's highest score, as on chips;
    any other from its cut.

    Args:
        scores: float array (num_windows, num_labels), NaN where a window was not scored.
        labels: of its columns.
        hides: those of them that hide the ground.
        exclusive: groups of labels of which a place carries one.
        cuts: score of each label from which it is decided (num_labels,).

    Returns:
        A new float32 array (num_windows, num_labels).
    """
    place = {label: column for column, label in enumerate(labels)}
    kept, hidden = [place[label] for label in labels if label in hides], np.zeros(len(scores), dtype=bool)
    groups = [group for group in exclusive if set(group) <= place.keys()]
    known = np.nan_to_num(scores, nan=-1.0)
    for column in kept:
        group = next(([place[label] for label in group] for group in groups if labels[column] in group), None)
        if group is None:
            hidden |= known[:, column] >= np.float32(cuts[column])
        else:
            hidden |= np.asarray(group)[known[:, group].argmax(axis=1)] == column
    seen = scores.astype(np.float32)
    others = np.setdiff1d(np.arange(len(labels)), kept)
    seen[np.ix_(hidden, others)] = np.nan
    return seen
