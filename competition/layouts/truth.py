"""Which labels made-up chips carry: some often, some seldom, within what the competition allows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from competition.spec.competition import Competition

MOST_OFTEN = 0.5  # share of the chips that carry the commonest label
LABELS_A_CHIP = 3.0  # in the mean, at most
UNLABELLED = 0.2  # share of the chips without a label, where that is allowed
SURE = 3  # chips that carry each label at least, where there are enough


def draw_truth(
    competition: Competition, num_chips: int, rng: np.random.Generator, union: str | None = None
) -> NDArray[np.bool_]:
    """Draw labels.

    Args:
        competition: gives the labels and what they allow.
        num_chips: number of rows.
        rng: source of the draws.
        union: a label that is there wherever any other is.

    Returns:
        Bool array (num_chips, num_labels), in label order.
    """
    num_labels = len(competition.labels)
    weights = 1.0 / (4.0 + np.arange(num_labels))
    rates = np.minimum(weights / weights.sum() * min(LABELS_A_CHIP, num_labels / 4), MOST_OFTEN)
    truth = rng.random((num_chips, num_labels)) < rates
    sure = np.arange(min(num_chips, SURE * num_labels))
    truth[sure, sure % num_labels] = True
    for row, is_bare in zip(truth, rng.random(num_chips) < UNLABELLED, strict=True):
        if competition.unlabelled and is_bare:
            row[:] = False
        elif not competition.unlabelled and not row.any():
            row[0] = True
    rng.shuffle(truth)
    for row in truth:
        _keep_rules(row, competition, rng)
    if union is not None:
        others = np.arange(num_labels) != competition.label_index[union]
        truth[:, ~others] = truth[:, others].any(axis=1, keepdims=True)
    return truth


def _keep_rules(row: NDArray[np.bool_], competition: Competition, rng: np.random.Generator) -> None:
    """Give a row one label of each exclusive group, and no company to a label that stands alone."""
    for group in competition.exclusive_columns:
        carried = [column for column in group if row[column]] or list(group)
        row[list(group)] = False
        row[rng.choice(carried)] = True
    for label in competition.alone:
        column = competition.label_index[label]
        if row[column] and row.sum() > 1:
            grouped = any(column in group for group in competition.exclusive_columns)
            row[:] = False if grouped or rng.random() < 0.5 else row
            row[column] = not row.any()
