"""Scores of chips: one row per chip, one column per label; columns of labels that are not scored are NaN.

Pseudo-labels are scores too, some of which count, to be learnt from.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from competition.common.errors import UserError, unknown_name
from competition.common.files import replace_atomically
from competition.common.text import readable
from competition.spec.competition import Competition

if TYPE_CHECKING:
    import pandas as pd

WORDS = "US", "list of words"
KINDS = {"scores": ("fiub", "numbers"), "targets": ("f", "numbers"), "counted": ("b", "array of yes and no")}


def scored_labels(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which labels have scores, bool (num_labels,), for scores (num_chips, num_labels).

    Raises:
        ValueError: if a label has scores of some of the chips only.
    """
    if not len(values):
        return np.ones(values.shape[1], dtype=bool)
    scored = ~np.isnan(values.max(axis=0))  # NaN where one is: no mask as large as the scores
    if not np.isnan(values[:, ~scored]).all():
        raise ValueError("Scores must be numbers in [0, 1], or NaN for every chip of a label that is not scored.")
    return np.asarray(scored)


def write_tables(path: Path, tables: Iterable[pd.DataFrame]) -> None:
    """Write tables of scores of the same columns to `path`, one after another as one CSV, atomically."""
    with replace_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for number, table in enumerate(tables):
            table.to_csv(file, index=False, header=not number, float_format="%.6f")


def read_arrays(path: Path, names: Sequence[str], most: int | None = None) -> dict[str, NDArray[Any]]:
    """Return some arrays of an `.npz` file: those of `KINDS`, by name, and words.

    Args:
        path: the file.
        names: of the arrays; those that it lacks are left out.
        most: bytes of all arrays in it, unpacked; default: any number, as of files that are our own.

    Raises:
        ValueError: if there are more, or one holds something else, such as pickled objects, which are never loaded.
        Exception: whatever NumPy and zipfile raise on a damaged file.
    """
    found: dict[str, NDArray[Any]] = {}
    # Not by `np.load`, which leaves a damaged file open, and takes one that is no archive for a pickle.
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if most is not None and unpacked > most:
            raise ValueError(f"it unpacks to {readable(unpacked)}, where {readable(most)} would hold every chip")
        file.seek(0)
        with NpzFile(file, allow_pickle=False) as arrays:
            for name in (name for name in names if name in arrays):
                array = arrays[name]
                kinds, what = KINDS.get(name, WORDS)
                if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds or not array.itemsize:
                    raise ValueError(f"its array {name} holds no {what}")
                if name not in KINDS and array.ndim != 1:
                    raise ValueError(f"its array {name} of shape {array.shape} holds no {what}")
                found[name] = array
    return found


@dataclass(frozen=True)
class Scores:
    """Scores of some chips.

    Attributes:
        names: ids of the chips.
        values: float32 array (num_chips, num_labels), columns in the competition's label order; a column is in [0, 1]
            throughout or, if its label is not scored, NaN throughout.
    """

    names: tuple[str, ...]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or len(self.names) != len(self.values):
            raise ValueError(f"{len(self.names)} names do not fit scores of shape {self.values.shape}.")
        if len(set(self.names)) != len(self.names):
            raise ValueError("Scores name a chip twice.")
        if len(self.values):
            scored = self.scored
            low, high = (bound[scored] for bound in (self.values.min(axis=0), self.values.max(axis=0)))
            if not ((low >= 0).all() and (high <= 1).all()):
                raise ValueError("Scores must be numbers in [0, 1].")

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which labels have scores, bool (num_labels,); without chips, all."""
        return scored_labels(self.values)

    def frame(self, competition: Competition) -> pd.DataFrame:
        """Return the scores as a pandas frame: one row per chip, named by its id, one column per label."""
        import pandas as pd

        return pd.DataFrame(self.values, index=pd.Index(self.names, name="chip"), columns=list(competition.labels))

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, competition: Competition) -> Scores:
        """Return the scores in a frame such as that of `frame`; a label without a column is not scored.

        Raises:
            UserError: if a column is no label of the competition.
            ValueError: if a score is not a number in [0, 1], or a chip comes twice.
        """
        for name in (name for name in frame.columns if name not in competition.labels):
            raise unknown_name("label", str(name), list(competition.labels))
        values = frame.reindex(columns=list(competition.labels)).to_numpy(dtype=np.float32)
        return cls(tuple(map(str, frame.index)), values)

    def aligned(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return the rows of `names` in that order, NaN where a chip has no scores.

        Of all chips in their own order these are `values` themselves, which are not to be changed.
        """
        if tuple(names) == self.names:
            return self.values
        row = {name: i for i, name in enumerate(self.names)}
        rows = np.array([row.get(name, -1) for name in names], dtype=np.int64)
        values = np.full((len(rows), self.values.shape[1]), np.nan, dtype=np.float32)
        values[rows >= 0] = self.values[rows[rows >= 0]]
        return values

    def write(self, path: Path) -> None:
        """Write the scores to `path` as `.npz` without pickles, atomically."""
        with replace_atomically(path) as temporary:
            np.savez_compressed(temporary, names=np.array(self.names, dtype=np.str_), scores=self.values)

    def write_table(self, path: Path, competition: Competition, tags: Sequence[str] | None = None) -> None:
        """Write the scores to `path` as CSV, atomically: ids, a column for each label scored, and perhaps tags."""
        import pandas as pd

        scored = zip(competition.labels, self.values.T, self.scored, strict=True)
        columns = {label: values for label, values, is_scored in scored if is_scored}
        last = {} if tags is None else {"tags": tags}
        write_tables(path, [pd.DataFrame({competition.tables.id_column: self.names, **columns, **last})])

    @classmethod
    def read(cls, path: Path) -> Scores:
        """Read scores written by `write`.

        Raises:
            UserError: if the file is missing or damaged.
        """
        try:
            arrays = read_arrays(path, ("names", "scores"))
            return cls(tuple(arrays["names"].tolist()), arrays["scores"].astype(np.float32, copy=False))
        except Exception as error:  # NumPy and zipfile raise whatever they like on a damaged file
            raise UserError(f"Cannot read the scores {path}: {error}.") from error


def mean_of(matrices: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the mean of matrices; of one, itself. Not by `np.mean`, which would copy them side by side first."""
    if len(matrices) == 1:
        return matrices[0]
    total = matrices[0] + matrices[1]
    for matrix in matrices[2:]:
        total += matrix
    total /= len(matrices)
    return total


@dataclass(frozen=True)
class NestedScores:
    """Scores of labelled chips for the training of each fold, by heads that saw neither the chip's fold nor that one.

    Attributes:
        model: whose features the heads are fitted to.
        recipe_digest: of its recipe.
        features: by path of an array of features, within the workspace, its checksum.
        folds: by fold, the scores of the labelled chips that it does not hold out.
    """

    model: str
    recipe_digest: str
    features: dict[str, int]
    folds: dict[int, Scores]


@dataclass(frozen=True)
class FoldLabels:
    """The pseudo-labels for the training of one fold.

    Attributes:
        names: ids of the chips.
        targets: float32 array (num_chips, num_labels) in [0, 1], in the competition's label order.
        counted: bool array (num_chips, num_labels): which of them are sure enough to learn from.
    """

    names: tuple[str, ...]
    targets: NDArray[np.float32]
    counted: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not self.targets.shape == self.counted.shape == (len(self.names), self.counted.shape[-1]):
            raise ValueError(f"{len(self.names)} names, {self.targets.shape} targets, {self.counted.shape} counted")
        if len(set(self.names)) < len(self.names):
            raise ValueError("it names a chip twice")
        if len(self.targets) and not 0 <= self.targets.min() <= self.targets.max() <= 1:
            raise ValueError("targets must be numbers in [0, 1]")

    @classmethod
    def read(cls, path: Path, num_labels: int) -> FoldLabels:
        """Read the arrays of a file, each by its attribute's name.

        Raises:
            ValueError: if they are of another number of labels, or no pseudo-labels.
            Exception: whatever NumPy and zipfile raise on a damaged file.
        """
        found = read_arrays(path, ("names", "targets", "counted"))
        if lacking := [name for name in cls.__dataclass_fields__ if name not in found]:
            raise ValueError(f"it lacks the array {lacking[0]}")
        labels = cls(tuple(found["names"].tolist()), found["targets"], found["counted"])
        if labels.targets.shape[1] != num_labels:
            raise ValueError(f"it is of {labels.targets.shape[1]} labels, not {num_labels}")
        return labels
