"""Chips in parts: ranges of their ids, each of as many whole batches as one process would make of all of them.

So every chip is scored among the same chips as there, and its scores are the same bit by bit, whoever scores it.
"""

from __future__ import annotations

import hashlib
import json
import socket
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.spec.competition import Competition
from folds.store.scores import Scores
from models.backend.devices import batch_size_for
from models.predict.chip_files import AllBrokenError, Paths, Where
from models.predict.predictions import Predictions, predict_files
from models.predict.predictor import Predictor
from models.stream.deal import Work
from models.stream.output import Output

CHIPS = 4096  # of a part, or a batch more


def chips_a_part(input_size: int, least: int = CHIPS) -> int:
    """Return how many chips are a part, at least, for networks that take chips of `input_size` pixels."""
    batch = batch_size_for(input_size)
    return -(-least // batch) * batch


def packed(chips: Iterable[tuple[str, Paths]]) -> bytes:
    """Return chips by id, which take a hundredth of the room then: a million some 10 MB."""
    return zlib.compress(json.dumps(dict(chips)).encode())


def unpacked(part: bytes) -> dict[str, Paths]:
    """Return the chips by id that `packed` has packed."""
    return {name: tuple(paths) for name, paths in json.loads(zlib.decompress(part)).items()}


@dataclass
class Parts:
    """Chips in parts.

    Attributes:
        size: chips of a part.
        packed: the chips of each part.
        num_chips: of all parts.
    """

    size: int
    packed: list[bytes] = field(default_factory=list)
    num_chips: int = 0

    def jobs(self, done: Collection[int]) -> list[tuple[int, bytes]]:
        """Return what is left to do, numbered."""
        left = (part for part in range(len(self.packed)) if part not in done)
        return [(part, b"%d\n" % part + self.packed[part]) for part in left]

    @classmethod
    def of(cls, chips: Iterable[tuple[str, Paths]], size: int) -> Parts:
        """Return chips in parts, never with more than one part of them in memory as they come."""
        parts, left = cls(size), iter(chips)
        while some := list(islice(left, size)):
            parts.packed.append(packed(some))
            parts.num_chips += len(some)
        return parts

    def count(self, part: int) -> int:
        """Return how many chips a part has."""
        return min(self.size, self.num_chips - part * self.size)

    def digest(self) -> str:
        """Return the digest of the ids and paths of all chips."""
        digest = hashlib.sha256()
        for part in self.packed:
            digest.update(zlib.decompress(part))
        return digest.hexdigest()

    def sample(self, predictor: Predictor, where: Where, *, skip_broken: bool) -> NDArray[Any]:
        """Return a few of the chips, the first that can be read, as `ChipFiles.sample` does.

        Everyone is given these: by what networks are run must not depend on the part that somebody has first.
        """
        reason = ""
        for part in self.packed:
            try:
                return predictor.files(where, unpacked(part), skip_broken=skip_broken).sample()
            except AllBrokenError as error:
                reason = reason or error.reason
        raise AllBrokenError(self.num_chips, reason)


@dataclass(frozen=True)
class Tagging:
    """How tags are decided, on any machine.

    Attributes:
        cuts: float array (num_labels,), NaN for labels that are not scored.
        decide: returns the tags of scores by cuts.
    """

    cuts: NDArray[np.float64]
    decide: Callable[[Scores, NDArray[np.float64], Competition], list[str]]

    def __call__(self, predictions: Predictions) -> list[str]:
        """Return the tags of each chip."""
        return self.decide(predictions.scores, self.cuts, predictions.competition)


@dataclass(frozen=True)
class Scoring:
    """What scores parts, and writes their scores, in any process.

    Attributes:
        make: makes what scores the chips.
        key: that this must have, see `Predictor`.
        sample: some chips as the networks take them.
        where: the folder or the place that the chips are in.
        output: that the parts are written to.
        skip_broken: leave broken chips out, instead of stopping.
        tagging: how tags are decided; None where none are asked for.
    """

    make: Callable[[], Predictor]
    key: Mapping[str, Any]
    sample: NDArray[Any]
    where: Where
    output: Output
    skip_broken: bool
    tagging: Tagging | None

    def __call__(self) -> Work:
        """Load the networks, and return what scores a part with them.

        Raises:
            UserError: if this machine has other networks, or another folder of chips.
        """
        predictor, here = self.make(), socket.gethostname()
        if predictor.key != self.key:
            raise UserError(f"{predictor.said} on {here}: expected the model that was asked for; its files differ.")
        if isinstance(self.where, Path) and not self.where.is_dir():
            raise UserError(
                f"No folder {self.where} on {here}. Give --images a folder that all machines share, or a URL."
            )
        scorer = predictor.scorer(self.sample)

        def work(job: bytes) -> bytes:
            part, packed_chips = job.split(b"\n", 1)
            files = predictor.files(self.where, unpacked(packed_chips), skip_broken=self.skip_broken)
            with reporter.silent():
                predictions = predict_files(scorer, files, predictor.views, predictor.task)
            tags = self.tagging(predictions) if self.tagging else None
            self.output.write(int(part), predictions, predictor.task.labels, tags)
            return json.dumps([*filter(None, [files.resizing()]), *files.remarks()]).encode()

        return work
