"""Labelled chips and those to predict side by side: their features as one bank, and the folds they are judged in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import counted
from competition.tables.joined import read_column
from competition.workspace import Workspace
from folds.dealing.table import FoldTable
from folds.groups import kept_groups
from models.inputs.feature_bank import FeatureBank
from models.inputs.fill_banks import AS_THEY_ARE, check_filled
from models.inputs.sources import Sources
from models.shift.area import FEWEST

SPLITS = ("train", "test")
ALONE = 1.1  # chips in the group of the mean chip, up to which groups are as none: such as of a few copies
FEWEST_GROUPS = 20  # below which nothing is known of how much groups differ


@dataclass(frozen=True, eq=False)
class Both:
    """Labelled chips, and after them those to predict.

    Attributes:
        bank: their features.
        names: ids of the chips.
        is_test: bool array (num_chips,), whether a chip is to be predicted.
        folds: int array (num_chips,): of labelled chips the fold, of the first repeat, that holds them out; the others
            are dealt to the folds at random.
        arrays: paths of the features, within the workspace.
        groups: int array (num_labelled,), which labelled chips are of one group, such as a block of ground, and so more
            alike than others; None where each stands for itself. Of chips to predict nobody knows.
    """

    bank: FeatureBank
    names: tuple[str, ...]
    is_test: NDArray[np.bool_]
    folds: NDArray[np.int64]
    arrays: tuple[Path, ...]
    groups: NDArray[np.int64] | None = None

    @property
    def num_test(self) -> int:
        """How many chips are to be predicted."""
        return int(self.is_test.sum())

    @property
    def labelled(self) -> tuple[str, ...]:
        """Ids of the labelled chips."""
        return self.names[: len(self.names) - self.num_test]

    @property
    def to_predict(self) -> tuple[str, ...]:
        """Ids of the chips to predict."""
        return self.names[len(self.labelled) :]


def both_splits(sources: Sources, table: FoldTable, model: str, seed: int = 0) -> Both:
    """Return the chips of both splits, whose features must have been made.

    Args:
        sources: the chips as a model takes them.
        table: the fold table.
        model: name of the model, for the command that makes the features.
        seed: deals the chips to predict to folds.

    Raises:
        UserError: if there are no chips to predict, too few chips or groups, or features that are not made yet.
    """
    if not sources.names("test"):
        raise UserError(
            "There are no chips to predict in the workspace: nothing to compare the labelled ones with.",
            command="data prepare --from DIR",
        )
    check_filled(sources, model, SPLITS)
    names = [sources.cache(split).names for split in SPLITS]
    for split, own in zip(("labelled", "to predict"), names, strict=True):
        if len(own) < max(FEWEST, table.k):
            raise UserError(
                f"{counted(len(own), 'chip')} {split}: too few to tell them from the others; {FEWEST} are needed."
            )
    groups = _groups(sources.workspace, names[0])
    banks = [sources.bank(split, (AS_THEY_ARE,)) for split in SPLITS]
    random = np.random.default_rng([seed, 20])
    dealt = random.permutation(np.arange(len(names[1])) % table.k)
    return Both(
        bank=banks[0].followed_by(banks[1]),
        names=(*names[0], *names[1]),
        is_test=np.repeat([False, True], [len(own) for own in names]),
        folds=np.concatenate([table.folds_of(names[0], 0), dealt]),
        arrays=tuple(path for split in SPLITS for path in sources.arrays(split, AS_THEY_ARE)),
        groups=groups,
    )


def _groups(workspace: Workspace, names: Sequence[str]) -> NDArray[np.int64] | None:
    """Return the groups of labelled chips: those of the fold table, or the competition's if it was made without."""
    tables, every = workspace.competition.tables, workspace.labelled.image_names
    of_chips = kept_groups(workspace)
    if of_chips is None and tables.group_column is not None:
        cells = read_column(workspace.training_tables, tables, workspace.competition.labels, tables.group_column)
        of_chips = [cells.get(name) or name for name in every]
    if of_chips is None:
        return None
    of_chip = dict(zip(every, map(str, of_chips), strict=True))
    _, codes, sizes = np.unique([of_chip[name] for name in names], return_inverse=True, return_counts=True)
    if sizes[codes].mean() <= ALONE:
        return None
    if len(sizes) < FEWEST_GROUPS:
        raise UserError(
            f"The labelled chips come in {counted(len(sizes), 'group')}: too few to know by how much groups differ "
            f"where nothing has shifted; {FEWEST_GROUPS} are needed."
        )
    return codes
