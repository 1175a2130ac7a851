"""What a stack learns from: the members' log odds, and columns that tell more about a chip than one label's scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import unknown_name
from submissions.combine.means import weighted_mean
from submissions.decide.log_odds import TINY, log_odds
from submissions.names import EXTRAS

NEIGHBOURS = 30


@dataclass(frozen=True)
class Table:
    """Columns of some chips.

    Attributes:
        members: float32 array (num_chips, num_members, num_labels), the members' log odds.
        extra: float32 array (num_chips, num_extra).
    """

    members: NDArray[np.float32]
    extra: NDArray[np.float32]

    def of_label(self, label: int) -> NDArray[np.float32]:
        """Return the columns (num_chips, num_members + num_extra) of one label."""
        return np.concatenate([self.members[:, :, label], self.extra], axis=1)

    def of_all(self) -> NDArray[np.float32]:
        """Return the columns (num_chips, num_members * num_labels + num_extra) of all labels."""
        return np.concatenate([self.members.reshape(len(self.members), -1), self.extra], axis=1)


class Columns:
    """Makes columns of scores.

    Args:
        extras: any of `groups` (the sum of the scores of each exclusive group), `entropy` (how unsure the mean is of
            the chip), `spread` (how far the members are apart, by label) and `neighbours` (how often the chips of the
            most similar mean scores, among those fitted to, carry each label).
        groups: columns of each exclusive group.

    Raises:
        UserError: if there is no such extra.
    """

    def __init__(self, extras: Sequence[str] = (), groups: Sequence[Sequence[int]] = ()) -> None:
        for name in (name for name in extras if name not in EXTRAS):
            raise unknown_name("extra column", name, list(EXTRAS))
        self.extras, self.groups = tuple(extras), [list(group) for group in groups]

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Table:
        """Remember what `neighbours` needs; return the columns of the chips fitted to, each without itself.

        Args:
            scores: float array (num_members, num_chips, num_labels), NaN where a member scores no label.
            truth: bool array (num_chips, num_labels).
        """
        mean = _mean(scores)
        if "neighbours" in self.extras:
            self.remember(log_odds(mean), truth)
        return self._table(scores, mean, None)

    def remember(self, fitted: NDArray[np.floating], truth: NDArray[np.bool_]) -> None:
        """Remember, for `neighbours`, the mean log odds (num_chips, num_labels) of chips fitted to, and their truth."""
        from sklearn.neighbors import NearestNeighbors

        self.fitted, self.truth = fitted, truth
        number = min(NEIGHBOURS, len(truth) - 1)
        self.search = NearestNeighbors(n_neighbors=number, algorithm="brute").fit(fitted)

    def of(self, scores: NDArray[Any]) -> Table:
        """Return the columns of chips that were not fitted to."""
        mean = _mean(scores)
        return self._table(scores, mean, log_odds(mean))

    def _table(self, scores: NDArray[Any], mean: NDArray[np.float32], asked: NDArray[np.float32] | None) -> Table:
        filled = np.where(np.isnan(scores), mean, scores).astype(np.float32)
        extra = [np.zeros((len(mean), 0), dtype=np.float32)]
        if "groups" in self.extras and self.groups:
            extra.append(np.stack([mean[:, group].sum(axis=1) for group in self.groups], axis=1))
        if "entropy" in self.extras:
            sure = np.clip(mean, TINY, 1 - TINY)
            extra.append(-(sure * np.log(sure) + (1 - sure) * np.log(1 - sure)).mean(axis=1, keepdims=True))
        if "spread" in self.extras:
            extra.append(filled.std(axis=0))
        if "neighbours" in self.extras:
            # Asked for nothing, it tells those of the chips fitted to, each without itself.
            nearest = self.search.kneighbors(asked, return_distance=False)
            extra.append(self.truth[nearest].mean(axis=1))
        members = log_odds(filled).astype(np.float32).swapaxes(0, 1)
        return Table(members, np.concatenate(extra, axis=1).astype(np.float32))


def _mean(scores: NDArray[Any]) -> NDArray[np.float32]:
    return weighted_mean(scores, np.ones(len(scores))).astype(np.float32)
