"""Weights of labelled chips by how much they look like those to predict, on disk: one record, `shift.json`.

`models` finds them and may learn by them, and `submissions` measures with them: like scores, they are handed over here.
The record says what they were made of, so that weights of another fold table, other chips to predict or other features
are noticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.common.records import read_record, write_record
from competition.common.text import first, short
from competition.workspace import Workspace
from folds.store.kept import KeptFolds

FORMAT = 1
FILE = "shift.json"
MEAN = 0.01, 2.0  # of all weights, at least and at most: 1, but for the largest ones, which may have been clipped
SUMS = "sums.json"  # beside the features of a bank: their checksum, by view


@dataclass(frozen=True)
class MadeOf:
    """What weights were made of.

    Attributes:
        model: whose features told the chips apart.
        recipe_digest: of its recipe.
        fold_digest: of the fold table.
        test_digest: of the ids of the chips to predict.
        features: by path of an array of features, within the workspace, its checksum.
    """

    model: str
    recipe_digest: str
    fold_digest: str
    test_digest: str
    features: dict[str, int]

    @property
    def command(self) -> str:
        """What makes the weights again."""
        return f"adversarial {self.model}"


@dataclass(frozen=True, eq=False)
class ChipWeights:
    """What labelled chips count for, so that together they look like the chips to predict.

    Attributes:
        names: ids of the chips.
        values: float array (num_chips,), at least 0, of mean 1 or, where many are clipped, near it.
        made_of: what they were made of.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    made_of: MadeOf

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.names),) or not np.isfinite(self.values).all() or (self.values < 0).any():
            raise ValueError(f"Expected a weight of 0 or more for each of {len(self.names):,} chips")
        mean = float((self.values / max(len(self.values), 1)).sum())  # divided first: the sum may be beyond any number
        if not MEAN[0] <= mean <= MEAN[1]:
            raise ValueError(f"Expected weights of mean 1, received {mean:g}")

    @cached_property
    def digest(self) -> str:
        """Of which chip weighs what; the same weights found again have the same."""
        return digest_json([self.names, self.values.tolist()])

    def of(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the weights of some chips, in that order.

        Raises:
            UserError: if one has none, or all are 0.
        """
        known = dict(zip(self.names, self.values.tolist(), strict=True))
        if missing := [name for name in names if name not in known]:
            raise UserError(
                f"{len(missing):,} of {len(names):,} chips have no weight in {FILE}: {first(missing)}.",
                command=self.made_of.command,
            )
        values = np.array([known[name] for name in names])
        if not values.any():
            raise UserError(f"All chips weigh 0 in {FILE}.", command=self.made_of.command)
        return values


def effective(weights: NDArray[np.floating]) -> float:
    """Return how many chips of the same weight would give as certain a mean (Kish 1965); 0 where none counts."""
    return float(weights.sum() ** 2 / max((weights**2).sum(), np.finfo(float).tiny))


def write_weights(weights: ChipWeights, workspace: Workspace, **further: Any) -> Path:
    """Write weights to a workspace, atomically, and return the path; `further` values are for people."""
    path = workspace.root / FILE
    values = [round(value, 6) for value in weights.values.tolist()]
    content = {**further, "made_of": asdict(weights.made_of), "names": list(weights.names), "weights": values}
    write_record(path, content, version=FORMAT)
    return path


def read_weights(workspace: Workspace) -> ChipWeights:
    """Read the weights of a workspace.

    Raises:
        UserError: if there are none, they are damaged, or what they were made of has changed since.
    """
    if not (workspace.root / FILE).is_file():
        raise UserError(
            "No weights of the labelled chips yet. What finds them takes a model that learns from features.",
            command="adversarial MODEL",
        )
    weights = weights_in(workspace.root)
    _check(weights.made_of, workspace)
    return weights


def weights_in(root: Path) -> ChipWeights:
    """Read the weights of the workspace at `root`, whatever they were made of.

    Raises:
        UserError: if they are missing or damaged.
    """
    return read_record(root / FILE, _parse, version=FORMAT, command="adversarial MODEL")


def digest_of_test(workspace: Workspace) -> str:
    """Return the digest of the ids of the chips to predict."""
    return digest_json(sorted(workspace.test_names))


def checksum_of(array: Path) -> int | None:
    """Return the checksum that lies beside an array of features; None where there is none."""
    sums = array.parent / SUMS
    if not sums.is_file():
        return None
    return read_record(sums, lambda content: content.get(array.stem), version=FORMAT)


def checksums_of(arrays: Sequence[Path], workspace: Workspace) -> dict[str, int]:
    """Return the checksums of arrays of features, by their paths within the workspace; of those that have one."""
    found = {path.relative_to(workspace.root).as_posix(): checksum_of(path) for path in arrays}
    return {path: checksum for path, checksum in found.items() if checksum is not None}


def changed_features(features: Mapping[str, int], workspace: Workspace) -> list[str]:
    """Return the paths of features that are others by now; those that were removed may be what they were."""
    known = ((path, sum_then, checksum_of(workspace.root / path)) for path, sum_then in features.items())
    return [path for path, sum_then, sum_now in known if sum_now not in (None, sum_then)]


def _parse(content: Mapping[str, Any]) -> ChipWeights:
    made = content["made_of"]
    features = {str(path): int(checksum) for path, checksum in made["features"].items()}
    values = np.array(content["weights"], dtype=np.float64)
    recipe, folds, test = (str(made[f"{of}_digest"]) for of in ("recipe", "fold", "test"))
    made_of = MadeOf(str(made["model"]), recipe, folds, test, features)
    return ChipWeights(tuple(map(str, content["names"])), values, made_of)


def _check(made: MadeOf, workspace: Workspace) -> None:
    """Refuse weights of what is no longer there."""
    table = KeptFolds(workspace).read()
    if made.fold_digest != table.digest:
        raise UserError(
            f"The weights in {FILE} were made with another fold table (expected {short(table.digest)}, received "
            f"{short(made.fold_digest)}).",
            command=made.command,
        )
    if made.test_digest != digest_of_test(workspace):
        raise UserError(f"The weights in {FILE} are of other chips to predict.", command=made.command)
    if changed := changed_features(made.features, workspace):
        text = f"The weights in {FILE} were made of other features than those in {first(changed)}."
        raise UserError(text, command=made.command)
