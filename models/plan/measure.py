"""How fast this machine is at what a plan is made of, measured on some of its own chips."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.data.chips import BrokenChipError, read_chip, resize_chip
from competition.index.chip_index import ChipFile
from competition.spec.images import ImageSet
from competition.workspace import Workspace
from models.inputs.sources import Sources
from models.networks.build import build_network, compile_network
from models.plan.candidates import Candidate
from models.plan.speeds import Speeds

SAMPLE = 64  # chips that are decoded
ENOUGH = 0.3  # seconds for which something is measured
KEEPING = 1.5  # how much longer it takes to decode chips and keep them than to decode them alone


class Meter:
    """Measures candidates one after another, as long as there is time for it.

    Args:
        workspace: whose chips are used.
        speeds: what is known, to which is added.
    """

    def __init__(self, workspace: Workspace, speeds: Speeds) -> None:
        self.workspace, self.speeds = workspace, speeds

    def measure(self, candidates: Sequence[Candidate], sizes: Sequence[int], seconds: float) -> None:
        """Measure every candidate at the smallest size that it takes, then at a larger one, until the time is over.

        Args:
            candidates: the first come first, so that a short time has something of them.
            sizes: input sizes to plan with, in ascending order; networks of others have one of their own.
            seconds: for it; what was begun is finished, and one candidate is measured in any case.

        Raises:
            UserError: if none can be measured; of one that cannot, this is said.
        """
        ends, errors = time.monotonic() + seconds, dict[str, UserError]()
        if not self.speeds.flops:
            self.speeds.flops = matrix_speed()
        passes = (False,) if self.speeds.chips else (False, True)  # when a run goes on, what is new alone
        for later, candidate in itertools.product(passes, candidates):
            known = self.speeds.known(candidate.source)
            if bool(known) == later and (time.monotonic() < ends or not self.speeds.chips):
                fitting = candidate.sizes(sizes)
                left = [size for size in fitting[len(fitting) // 2 * later :] if size not in known]
                try:
                    self._first_of(candidate, left)
                except UserError as raised:
                    errors[candidate.label] = raised
        if errors and not self.speeds.chips:
            raise next(iter(errors.values()))
        for label, error in errors.items():
            reporter.say(f"{label} is left out: {error}")

    def _first_of(self, candidate: Candidate, sizes: Sequence[int]) -> None:
        """Measure a candidate at the first of some sizes that its network takes."""
        for size in sizes:
            recipe = replace(candidate.recipe, input_size=size).settled(self.workspace.competition)
            try:
                (self._of_training if candidate.from_scratch else self._of_features)(replace(candidate, recipe=recipe))
            except UserError as error:
                if size == sizes[-1] or not str(error).startswith("Cannot build"):  # as it is of too few pixels
                    raise
            else:
                return

    def _of_features(self, candidate: Candidate) -> None:
        started, recipe = time.monotonic(), candidate.recipe
        chips, sources = self._sample(candidate)
        runner = sources.extractor.runner(chips[:8], mixed=recipe.precision == "mixed")
        ready = time.monotonic() - started
        seconds = _repeated(lambda many: runner(np.resize(chips, (many, *chips.shape[1:]))))
        self._add(candidate, seconds, ready, sources.extractor.num_features)

    def _of_training(self, candidate: Candidate) -> None:
        started, recipe = time.monotonic(), candidate.recipe
        chips, sources = self._sample(candidate)
        task = recipe.task(self.workspace.competition)
        truth = self.workspace.labelled.truth[:, task.columns]
        network = build_network(recipe, task, sources.inputs)
        compile_network(network, recipe, task, 1, truth)
        size = min(recipe.batch_size, len(truth))
        batch, answers = np.resize(chips, (size, *chips.shape[1:])), np.resize(truth, (size, truth.shape[1]))
        network.train_on_batch(batch, answers.astype(np.float32))
        network.predict_on_batch(batch)
        ready = time.monotonic() - started

        def steps(many: int) -> None:
            for _ in range(-(-many // size)):
                network.train_on_batch(batch, answers.astype(np.float32))

        def scores(many: int) -> None:
            for _ in range(-(-many // size)):
                network.predict_on_batch(batch)

        self.speeds.scores[f"{candidate.source} {recipe.input_size}"] = _repeated(scores, size)
        self._add(candidate, _repeated(steps, size), ready, 0)

    def _add(self, candidate: Candidate, seconds: float, ready: float, num_features: int) -> None:
        source, size, speeds = candidate.source, candidate.recipe.input_size, self.speeds
        speeds.chips[f"{source} {size}"] = seconds
        speeds.ready[source] = max(ready, speeds.ready.get(source, 0.0))
        speeds.features[source] = num_features
        what = "learns from" if candidate.from_scratch else "makes features of"
        reporter.say(f"{candidate.label} at {size} px {what} {1 / seconds:,.0f} chips a second.")

    def _sample(self, candidate: Candidate) -> tuple[NDArray[Any], Sources]:
        """Return some labelled chips as a recipe takes them, decoded for this."""
        sources = Sources(self.workspace, candidate.recipe)
        chips = sources.sample(SAMPLE)
        if str(size := chips.shape[1]) not in self.speeds.decode:
            files = self.workspace.layout.locate(sources.images, "train", sources.names("train")[:SAMPLE])
            self.speeds.decode[str(size)] = _seconds_to_decode(files, sources.images, size)
        return chips, sources


def _seconds_to_decode(files: Sequence[ChipFile], images: ImageSet, size: int) -> float:
    """Return the seconds in which a chip is decoded where all cores are at it; of few, a cache takes much longer."""

    def decode(file: ChipFile) -> None:
        with suppress(BrokenChipError, OSError):
            resize_chip(read_chip(file, images), size)

    started = time.monotonic()
    with ThreadPoolExecutor(cpu_count()) as pool:
        list(pool.map(decode, files))
    return KEEPING * (time.monotonic() - started) / len(files)


def _repeated(work: Callable[[int], object], many: int = SAMPLE) -> float:
    """Return the seconds that a unit of work takes, with so many at once that the clock can tell."""
    work(many)
    while True:
        seconds = _timed(work, many)
        if seconds >= ENOUGH or many >= 2**16:
            return max(min(seconds, _timed(work, many)), 1e-9) / many  # the quicker of two: others use the machine, too
        many = min(2**16, many * max(2, min(8, round(ENOUGH / max(seconds, 1e-3)))))


def _timed(work: Callable[[int], object], many: int) -> float:
    started = time.monotonic()
    work(many)
    return time.monotonic() - started


def matrix_speed() -> float:
    """Return the products and sums a second of matrices like those of heads."""
    random = np.random.default_rng(0)
    left, right = (random.random(shape, dtype=np.float32) for shape in ((512, 2048), (2048, 1024)))
    return (
        2
        * left.shape[0]
        * left.shape[1]
        * right.shape[1]
        / _repeated(lambda many: [left @ right for _ in range(many)], 1)
    )
