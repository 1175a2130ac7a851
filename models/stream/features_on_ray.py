"""Features made on a Ray cluster, for a bank that one process alone writes: the same bank, bit by bit."""

from __future__ import annotations

import json
import socket
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from competition.cluster.shared import shared_word
from competition.common.errors import UserError
from competition.workspace import Workspace
from models.backend.load import load_backend
from models.recipes.recipe import Recipe
from models.stream.deal import Cluster, Work, dealt

if TYPE_CHECKING:
    from models.inputs.feature_bank import Asked, Maker

VECTORS = 4096  # features that a process makes before it hands them over, or a batch more


@dataclass(frozen=True)
class FeaturesOnRay:
    """Makes the features of a workspace's chips on a Ray cluster, whose machines share the workspace.

    They come in the order of the bank: wherever it is interrupted, what is in it is whole up to a row.

    Attributes:
        workspace: where the chips are.
        cluster: whose processes do it.
        skip_broken: leave broken chips out, instead of stopping.
    """

    workspace: Workspace
    cluster: Cluster
    skip_broken: bool = False

    def __call__(self, recipe: Recipe, split: str, digest: str) -> Maker:
        """Return what makes the features of a split's chips, of this digest, by a recipe."""
        workspace = replace(self.workspace, root=self.workspace.root.absolute())
        return partial(self._make, Making(workspace, recipe, split, digest, self.skip_broken))

    def _make(self, making: Making, asked: Sequence[Asked]) -> Generator[NDArray[np.float16]]:
        groups = list(grouped(asked, VECTORS))
        jobs = [(number, as_job(group)) for number, group in enumerate(groups)]
        with shared_word(making.workspace.root) as word:
            made = dealt(self.cluster, jobs, making, word=word, in_order=True)
            for group, (_, values) in zip(groups, made, strict=True):
                counts = [len(rows) for rows, views in group for _ in views]
                features = np.frombuffer(values, np.float16).reshape(sum(counts), -1)
                yield from np.split(features, np.cumsum(counts)[:-1])


@dataclass(frozen=True)
class Making:
    """What makes features in any process.

    Attributes:
        workspace: where the chips are.
        recipe: of the features.
        split: of the chips.
        digest: that these must have.
        skip_broken: leave broken chips out, instead of stopping.
    """

    workspace: Workspace
    recipe: Recipe
    split: str
    digest: str
    skip_broken: bool

    def __call__(self) -> Work:
        """Load the network, and return what makes the features of a job with it.

        Raises:
            UserError: if this machine has other chips.
        """
        load_backend()
        from models.inputs.feature_bank import MIXED, bank_runner, made_by
        from models.inputs.sources import Sources

        sources = Sources(self.workspace, self.recipe, self.skip_broken)
        chips = sources.chips(self.split)
        if chips.cache.digest != self.digest:
            raise UserError(
                f"The chips of {self.workspace.root} on {socket.gethostname()} are not those of where it began."
            )
        mixed = self.recipe.precision == MIXED
        runner = bank_runner(sources.extractor, chips, mixed=mixed)
        return lambda job: b"".join(made.tobytes() for made in made_by(runner, chips, of_job(job)))


def grouped(asked: Sequence[Asked], least: int) -> Iterator[list[Asked]]:
    """Yield what is asked for in groups of so many features, or a batch more."""
    group: list[Asked] = []
    number = 0
    for rows, views in asked:
        group.append((rows, views))
        number += len(rows) * len(views)
        if number >= least:
            yield group
            group, number = [], 0
    if group:
        yield group


def as_job(group: Sequence[Asked]) -> bytes:
    """Return what is asked for as it travels; each is of neighbouring chips."""
    return json.dumps([(int(rows[0]), int(rows[-1]) + 1, views) for rows, views in group]).encode()


def of_job(job: bytes) -> list[Asked]:
    """Return what `as_job` was given."""
    return [(np.arange(start, stop), views) for start, stop, views in json.loads(job)]
