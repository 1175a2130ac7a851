"""The fold table: who is held out when, on disk.

`folds.csv` has one row per chip, with columns `image_name`, `fold` and, for further repeats, `fold_repeat1`,
`fold_repeat2`, ... Fold numbers are unique over repeats: repeat r uses r * k to r * k + k - 1. Written by hand, its
rows may be in any order and it may have other columns. `folds.json` beside it says how it was made and how good it is.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.common.errors import UserError
from competition.common.files import digest_json, replace_atomically
from competition.common.text import cut, first
from competition.tables.csv_files import read_table
from folds.dealing.stratify import grouped_stratified_folds, stratified_folds

NAME_COLUMN = "image_name"


@dataclass(frozen=True, eq=False)
class FoldTable:
    """Who is held out when.

    Attributes:
        image_names: ids of the chips.
        folds: int64 array (num_repeats, num_chips), read-only: the fold that holds each chip out, by repeat.
        k: number of folds of a repeat.

    Raises:
        UserError: if a name is repeated or not fit for a CSV, a fold is empty, or a repeat uses other numbers than its
            own.
        ValueError: if `folds` is not an integer array (num_repeats, num_chips).
    """

    image_names: tuple[str, ...]
    folds: NDArray[np.int64]
    k: int

    def __post_init__(self) -> None:
        folds = np.asarray(self.folds)
        if folds.ndim != 2 or folds.shape[1] != len(self.image_names) or not np.issubdtype(folds.dtype, np.integer):
            raise ValueError(
                f"folds must be integers of shape (num_repeats, {len(self.image_names)}); "
                f"received {folds.dtype} {folds.shape}."
            )
        folds = folds.astype(np.int64)  # a copy, read-only because the digest is cached
        folds.flags.writeable = False
        object.__setattr__(self, "folds", folds)
        object.__setattr__(self, "image_names", tuple(self.image_names))
        _check_names(self.image_names)
        if self.k < 2:
            raise UserError(f"A fold table needs at least 2 folds; received {self.k}.")
        if not len(folds):
            raise UserError("A fold table needs at least 1 repeat; received 0.")
        for repeat, numbers in enumerate(folds):
            _check_numbers(repeat, numbers, self.k)

    @property
    def num_repeats(self) -> int:
        """How many times every chip is held out."""
        return len(self.folds)

    @property
    def num_folds(self) -> int:
        """Folds of all repeats together."""
        return self.k * self.num_repeats

    @cached_property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) of names, folds and k; the order of the rows plays no part."""
        return digest_json({"k": self.k, "rows": sorted(self._rows())})

    def heldout(self, fold: int) -> NDArray[np.bool_]:
        """Return a bool array (num_chips,): which chips `fold` holds out. It trains on the others.

        Raises:
            UserError: if there is no such fold.
        """
        return self.folds[self.repeat_of(fold)] == fold

    def repeat_of(self, fold: int) -> int:
        """Return the repeat that `fold` belongs to.

        Raises:
            UserError: if there is no such fold.
        """
        if not 0 <= fold < self.num_folds:
            raise UserError(f"No fold {fold}. The fold table has folds 0 to {self.num_folds - 1}.")
        return fold // self.k

    def folds_of(self, image_names: Sequence[str], repeat: int) -> NDArray[np.int64]:
        """Return the fold (num_names,) that holds out each of some chips in a repeat."""
        row = {name: index for index, name in enumerate(self.image_names)}
        return self.folds[repeat, [row[name] for name in image_names]]

    def ordered_as(self, image_names: Sequence[str]) -> FoldTable:
        """Return the same table with its rows in the order of `image_names`; its digest stays.

        Raises:
            UserError: if the table has other chips than `image_names`.
        """
        row = {name: index for index, name in enumerate(self.image_names)}
        if missing := [name for name in image_names if name not in row]:
            raise UserError(
                f"The fold table lacks {len(missing)} of {len(image_names)} chips: {first(map(cut, missing))}."
            )
        if unknown := row.keys() - set(image_names):
            raise UserError(
                f"The fold table has {len(unknown)} chips without labels: {first(map(cut, sorted(unknown)))}."
            )
        return FoldTable(tuple(image_names), self.folds[:, [row[name] for name in image_names]], self.k)

    def write(self, path: Path) -> None:
        """Write the table to `path` as CSV, atomically."""
        with replace_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([NAME_COLUMN, *map(_fold_column, range(self.num_repeats))])
            writer.writerows(self._rows())

    def _rows(self) -> list[list[Any]]:
        return [[name, *folds] for name, folds in zip(self.image_names, self.folds.T.tolist(), strict=True)]

    @classmethod
    def read(cls, path: Path) -> FoldTable:
        """Read a table that `write` or a person wrote; k is the highest number in column `fold` plus one.

        Raises:
            UserError: if the file is missing or is not a fold table; the text says what to mend.
        """
        if not path.exists():
            raise UserError(f"No fold table at {path}.", command="folds --k 5 --seed 0")
        table = read_table(path, [NAME_COLUMN, _fold_column(0)])
        try:
            columns = _fold_columns(list(table.columns))
            folds = np.array([parse_folds(column, table[column].tolist()) for column in columns], dtype=np.int64)
            if not folds.size:
                raise UserError("no chips, only a header.")
            return cls(tuple(table[NAME_COLUMN].str.strip()), folds, int(folds[0].max()) + 1)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error


def make_table(
    image_names: Sequence[str],
    truth: ArrayLike,
    *,
    k: int,
    seed: int,
    repeats: int = 1,
    groups: Sequence[Any] | None = None,
) -> FoldTable:
    """Assign chips to stratified folds, `repeats` times over.

    Repeat 0 uses `seed` as it is, so that others can make the same folds. Repeat r uses a number drawn from
    `SeedSequence([seed, r])`: with seed + r, repeat 1 of seed 0 would be repeat 0 of seed 1. More repeats leave the
    earlier ones as they are.

    Args:
        image_names: ids of the chips.
        truth: bool array (num_chips, num_labels), rows in the order of `image_names`.
        k: number of folds of a repeat.
        seed: 0 to 2**32 - 1.
        repeats: how many times every chip is held out.
        groups: the group of each chip (num_chips,); the chips of a group are held out together.

    Raises:
        UserError: if `k`, `seed`, `repeats` or `groups` do not fit the chips, or a name is repeated.
        ValueError: if `truth` and `image_names` differ in length.
    """
    if repeats < 1:
        raise UserError(f"repeats must be 1 or more; received {repeats}.")
    truth = np.asarray(truth, dtype=bool)
    if len(truth) != len(image_names):
        raise ValueError(f"truth has {len(truth)} rows for {len(image_names)} image names.")
    folds = []
    for repeat in range(repeats):
        own_seed = int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0]) if repeat else seed
        if groups is None:
            numbers = stratified_folds(truth, k, own_seed)
        else:
            numbers = grouped_stratified_folds(truth, groups, k, own_seed)
        folds.append(repeat * k + numbers)
    return FoldTable(tuple(image_names), np.stack(folds), k)


def read_groups(
    path: Path, image_names: Sequence[str], column: str | None = None, id_column: str = NAME_COLUMN
) -> list[str]:
    """Read the group of each chip from a CSV with a column of ids and a column of groups.

    Args:
        path: the file; its rows may be in any order, and those of other chips are passed over.
        image_names: ids of the chips.
        column: the column of groups; may be left out where there is one beside that of ids.
        id_column: the column of ids.

    Returns:
        The group of each chip, in the order of `image_names`.

    Raises:
        UserError: if the file or a column is missing, the column is not clear, an id is repeated, or a chip has no
            group.
    """
    table = read_table(path, [id_column])
    others = [name for name in table.columns if name != id_column]
    if column is None and len(others) != 1:
        raise UserError(
            f"{path} must have one column beside {id_column}, or be told which holds groups; it has {others}."
        )
    column = others[0] if column is None else column
    if column not in others:
        raise UserError(f"{path} has no column of groups {column!r}; it has {others}.")
    names = table[id_column].str.strip()
    if names.duplicated().any():
        raise UserError(f"{path} repeats ids: {first(names[names.duplicated()])}.")
    group_of = dict(zip(names, table[column].str.strip(), strict=True))
    return of_chips(group_of, image_names, str(path), "group")


def of_chips(cells: Mapping[str, str], image_names: Sequence[str], source: str, what: str) -> list[str]:
    """Return the cell of each chip, such as its group, in the order of `image_names`.

    Args:
        cells: by id of the chip.
        image_names: ids of the chips.
        source: where the cells stand, for the error.
        what: they say, for the error.

    Raises:
        UserError: if a chip has none or a blank one.
    """
    if missing := [name for name in image_names if not cells.get(name)]:
        raise UserError(f"{source} has no {what} for {len(missing)} of {len(image_names)} chips: {first(missing)}.")
    return [cells[name] for name in image_names]


def _fold_column(repeat: int) -> str:
    return f"fold_repeat{repeat}" if repeat else "fold"


def _fold_columns(columns: list[str]) -> list[str]:
    """Return the columns of folds in order of repeats, or raise if a repeat is skipped."""
    later = {column for column in columns if re.fullmatch(r"fold_repeat[0-9]+", column)}
    expected = [_fold_column(repeat) for repeat in range(len(later) + 1)]
    if stray := later - set(expected):
        raise UserError(f"column {_quoted(min(stray))} where [{first(map(repr, expected[1:]))}] were expected.")
    return expected


def parse_folds(column: str, cells: list[str]) -> list[int]:
    """Return a column of fold numbers; nine digits at most, lest a slip of the hand overflow.

    Raises:
        UserError: if a cell is no whole number from 0.
    """
    cells = [str(cell).strip() for cell in cells]
    if wrong := [cell for cell in cells if not re.fullmatch(r"[0-9]{1,9}", cell)]:
        raise UserError(f"column {column!r} must hold whole numbers from 0; it holds {first(map(_quoted, wrong))}.")
    return [int(cell) for cell in cells]


def _quoted(cell: str) -> str:
    """Return a cell as it is shown: a damaged file may be all one word."""
    return repr(cut(cell))


def _check_names(names: tuple[str, ...]) -> None:
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise UserError(f"image names must be unique; repeated: {first(map(cut, repeated))}.")
    if unfit := [name for name in names if not name or name != name.strip() or re.search(r"[\r\n\0]", name)]:
        raise UserError(
            "image names must not be empty, nor start or end with a space, nor hold a line break; "
            f"received {first(map(_quoted, unfit))}."
        )


def _check_numbers(repeat: int, numbers: NDArray[np.int64], k: int) -> None:
    """Raise unless a repeat uses all of its k numbers and no other."""
    start, column = repeat * k, _fold_column(repeat)
    present = set(np.unique(numbers).tolist())
    if strange := sorted(number for number in present if not start <= number < start + k):
        raise UserError(f"column {column!r} must hold {start} to {start + k - 1}; it holds {first(strange)}.")
    if len(present) < k:
        gap = next(fold for fold in count(start) if fold not in present)
        raise UserError(f"column {column!r} has a gap: fold {gap} of {start} to {start + k - 1} holds no chip.")
