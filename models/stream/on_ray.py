"""Scoring chips on a Ray cluster: Ray Data deals parts to processes that have the networks loaded, a few at a time."""

from __future__ import annotations

import importlib
import json
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from competition.cluster.connect import connected
from competition.cluster.tasks import Room, Surroundings
from competition.common.errors import UserError
from competition.common.interrupts import check, heeded
from competition.common.progress import reporter
from competition.common.text import counted
from competition.remote.places import Place
from folds.scores import Scores
from models.backend.load import turned_aside
from models.predict.predictor import Predictor
from models.stream.output import Output
from models.stream.parts import CHIPS, SAMPLED, PartScorer, as_text, chips_a_part, digest_of, parts_of

SHOWN = 5


@dataclass(frozen=True)
class Streamed:
    """What was scored.

    Attributes:
        url: of the folder of the parts.
        num_chips: that have scores.
        num_parts: files.
        left_out: a line for each chip left out as broken.
    """

    url: str
    num_chips: int
    num_parts: int
    left_out: tuple[str, ...] = ()

    def text(self) -> str:
        """Return it for people; where many chips were left out, the first of them."""
        lines = [f"Left out: {line}" for line in self.left_out[:SHOWN]]
        if len(self.left_out) > SHOWN:
            lines.append(f"Left out: {len(self.left_out) - SHOWN:,} more, which predictions.json there names.")
        wrote = f"Wrote {self.url}: {counted(self.num_chips, 'chip')} in {counted(self.num_parts, 'Parquet file')}."
        return "\n".join([*lines, wrote])


def predict_on_ray(
    make: Callable[[], Predictor],
    images: str,
    output: str,
    *,
    skip_broken: bool = False,
    tags: Callable[[Scores], Sequence[str]] | None = None,
    address: str | None = None,
    cpus: int | None = None,
    least: int = CHIPS,
) -> Streamed:
    """Score every chip of a folder or URL on a Ray cluster, into a folder of Parquet files.

    Interrupted, the next call scores the parts that are not there yet. Scores are those of one process, bit by bit.

    Args:
        make: makes what scores the chips, on any machine.
        images: folder that all machines share, or URL.
        output: folder that all machines share, or URL.
        skip_broken: leave broken chips out, instead of stopping.
        tags: returns the tags that are decided of scores, on any machine; None where none are asked for.
        address: of the cluster, see `connected`.
        cpus: cores to keep for each process; None: as many as this machine has, where others do.
        least: chips of a part.

    Raises:
        UserError: if there is no such cluster, the output holds something else, or a chip is broken and is not to be
            left out.
    """
    predictor, there = make(), Output(Place.of(output))
    found, place = predictor.find(images)
    size, num_chips = chips_a_part(predictor.recipe.input_size, least), len(found)
    head = as_text(islice(found.items(), SAMPLED))
    texts = parts_of(found, size)
    del found  # a dictionary takes many times the room
    asked = {"tags": tags is not None, "skip_broken": skip_broken}
    done = there.begin({"model": dict(predictor.key), "chips": digest_of(texts), "part": size, **asked})
    reporter.say(f"Scoring {counted(num_chips, 'chip')} with {predictor.said}.")
    parts = [{"part": part, "chips": text} for part, text in enumerate(texts) if part not in done]
    num_parts = len(texts)
    del texts
    if parts:
        how = {"skip_broken": skip_broken, "tags": tags}
        with reporter.bar(num_chips, "predicting") as bar, connected(address) as ray, heeded():
            bar.update(min(size * len(done), num_chips))
            needs = Room.of(ray).needs(cpus, gpu=True)
            for part, said in _scored(ray, parts, (make, head, place, there, how, needs["cpus"]), needs):
                bar.update(min(size, num_chips - part * size))
                for line in said:
                    reporter.say(line)
    left_out = there.end(num_chips)
    return Streamed(there.place.url, num_chips - len(left_out), num_parts, tuple(left_out))


def _scored(
    ray: Any, parts: list[dict[str, Any]], arguments: tuple[Any, ...], needs: dict[str, int]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each part as it is done, and what there is to say of it."""
    processes = max(1, int(ray.cluster_resources().get("CPU", 1)) // needs["cpus"])
    try:
        with _quiet(), turned_aside(2):  # Ray's core has a line to say of every actor that Ray Data begins
            batches = iter(_dealt(parts, arguments, needs, min(processes, len(parts))))
            batch = next(batches, None)
        while batch is not None:
            check()
            for part, error, said in zip(batch["part"], batch["error"], batch["said"], strict=True):
                if error:
                    raise UserError(str(error))
                yield int(part), json.loads(str(said))
            with _quiet():
                batch = next(batches, None)
    except ray.exceptions.RayError as error:
        why = (str(getattr(error, "cause", None) or error).strip() or type(error).__name__).splitlines()[-1]
        raise UserError(f"The chips could not be scored on the cluster: {why}") from error


def _dealt(
    parts: list[dict[str, Any]], arguments: tuple[Any, ...], needs: dict[str, int], processes: int
) -> Iterable[Any]:
    """Let Ray Data deal parts to processes that have loaded the networks, each the next one as it is done with one."""
    data = importlib.import_module("ray.data")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    scored = data.from_items(parts, override_num_blocks=len(parts)).map_batches(
        Worker,
        fn_constructor_args=arguments,
        batch_size=1,
        num_cpus=needs["cpus"],
        num_gpus=needs.get("gpus"),
        compute=data.ActorPoolStrategy(size=processes),
    )
    batches: Iterable[Any] = scored.iter_batches(batch_size=None, prefetch_batches=0)
    return batches


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Ray warns its own developers of to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Worker:
    """One process of the cluster. What the user can mend it returns: Ray would wrap it in a traceback."""

    def __init__(self, make: Any, head: str, place: Any, output: Any, how: dict[str, Any], threads: int) -> None:
        def load() -> PartScorer:
            return PartScorer(make, head, place, output, **how)

        self.score: PartScorer | None = None
        self.error = ""
        try:
            self.score = Surroundings(threads=threads).call(load, ())
        except UserError as error:
            self.error = str(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Score a part; return its number, the error if there was one, and what there is to say, as JSON."""
        (part,), (text,), said = batch["part"], batch["chips"], list[str]()
        if self.score is not None:
            try:
                said, self.error = self.score(int(part), str(text)), ""
            except UserError as error:
                self.error = str(error)
        return {"part": [int(part)], "error": [self.error], "said": [json.dumps(said)]}
