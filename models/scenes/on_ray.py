"""Rows of a scene's windows scored by the processes of a Ray cluster: a group of rows a task, with the same bytes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from competition.common.errors import UserError
from competition.scenes.score_raster import Scored
from models.predict.predictor import Predictor
from models.scenes.cutting import Asked, Cutting
from models.scenes.rows import Group, RowScorer
from models.scenes.tiles import Tiling
from models.scenes.windows import Windows
from models.stream.deal import Cluster, Work, dealt

COUNTS = 16  # bytes of two numbers


@dataclass(frozen=True)
class Elsewhere:
    """The processes that score a scene.

    Attributes:
        make: makes what scores the windows, on any machine.
        cluster: of Ray.
        threads: that read in each process; None: as many as it has cores.
    """

    make: Callable[[], Predictor]
    cluster: Cluster
    threads: int | None = None

    def groups(
        self, asked: Asked, cutting: Cutting, tiling: Tiling, scored: Scored, groups: Iterable[range]
    ) -> Iterator[Group]:
        """Yield the scores of groups of rows as they are made, in any order.

        Args:
            asked: where the scene lies, for every machine.
            cutting: how its windows become chips.
            tiling: which are scored together.
            scored: what the scores are of.
            groups: the numbers of their rows.

        Raises:
            UserError: if there is no such cluster, or that of a process.
        """
        numbered = {group.start: group for group in groups}
        jobs = [(number, b"%d %d" % (group.start, group.stop)) for number, group in numbered.items()]
        scoring = Scoring(self.make, asked, cutting, tiling, scored, self.threads)
        for number, made in dealt(self.cluster, jobs, scoring):
            shape = len(numbered[number]), cutting.grid.window_columns, len(scored.labels)
            num_scored, num_hidden = np.frombuffer(made[:COUNTS], dtype="<i8").tolist()
            scores = np.frombuffer(made[COUNTS:], dtype="<f4").reshape(shape).astype(np.float32)
            yield Group(numbered[number], scores, num_scored, num_hidden)


@dataclass(frozen=True)
class Scoring:
    """What scores groups of rows, in any process.

    Attributes:
        make: makes what scores the windows.
        asked: where the scene lies, for every machine.
        cutting: how its windows become chips.
        tiling: which are scored together.
        scored: what the scores are of: others are refused.
        threads: that read in each process.
    """

    make: Callable[[], Predictor]
    asked: Asked
    cutting: Cutting
    tiling: Tiling
    scored: Scored
    threads: int | None = None

    def __call__(self) -> Work:
        """Load the networks, open the scene, and return what scores a group of rows.

        Raises:
            UserError: if this machine has other networks, or another scene.
        """
        predictor, here = self.make(), socket.gethostname()
        scene = self.asked.scene(predictor)
        if predictor.digest != self.scored.digests["model"]:
            raise UserError(f"{predictor.said} on {here}: expected the model that was asked for; its files differ.")
        if scene.digest() != self.scored.digests["scene"]:
            raise UserError(
                f"{scene.source.shown} on {here} is another scene. Give --scene a file that all machines share, or "
                "an address."
            )
        scorer = RowScorer(Windows(scene, self.cutting, self.tiling, self.threads), predictor, self.scored)

        def work(job: bytes) -> bytes:
            (group,) = scorer([range(*map(int, job.split()))])
            counts = np.array([group.num_scored, group.num_hidden], dtype="<i8")
            return counts.tobytes() + group.scores.astype("<f4").tobytes()

        return work
