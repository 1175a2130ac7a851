"""Scoring chips on a Ray cluster, into a folder of Parquet files, or a CSV file of them all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from competition.checksums import checksum
from competition.cluster.shared import shared_word
from competition.common.files import scratch_folder
from competition.common.progress import reporter
from competition.common.text import counted
from competition.remote.places import Place
from competition.remote.reaching import is_url
from models.predict.chip_files import where_of
from models.predict.predictor import Predictor
from models.stream.deal import Cluster, dealt
from models.stream.output import MARKER, Output
from models.stream.parts import CHIPS, Parts, Scoring, Tagging, chips_a_part

SHOWN = 5  # lines of a kind
PARTS = ".parts"  # ends the name of the folder from which a CSV file is made


@dataclass(frozen=True)
class Streamed:
    """What was scored.

    Attributes:
        url: of the folder of the parts, or of the CSV file.
        num_chips: that have scores.
        num_parts: files; None where they were put into one.
        left_out: a line for each chip left out as broken.
    """

    url: str
    num_chips: int
    num_parts: int | None = None
    left_out: tuple[str, ...] = ()

    def text(self) -> str:
        """Return it for people; of a folder with many chips left out, the first of them."""
        shown = len(self.left_out) if self.num_parts is None else SHOWN
        lines = [f"Left out: {line}" for line in self.left_out[:shown]]
        if len(self.left_out) > shown:
            lines.append(f"Left out: {len(self.left_out) - shown:,} more, which {MARKER} there names.")
        parts = "" if self.num_parts is None else f" in {counted(self.num_parts, 'Parquet file')}"
        return "\n".join([*lines, f"Wrote {self.url}: {counted(self.num_chips, 'chip')}{parts}."])


def predict_on_ray(
    make: Callable[[], Predictor],
    images: str,
    output: str,
    cluster: Cluster,
    *,
    skip_broken: bool = False,
    tagging: Tagging | None = None,
    least: int = CHIPS,
) -> Streamed:
    """Score every chip of a folder or URL on a Ray cluster.

    Interrupted, the next call scores the parts that are not there yet. Scores are those of one process, bit by bit.

    Args:
        make: makes what scores the chips, on any machine.
        images: folder that all machines share, or URL.
        output: folder that all machines share, or URL, for Parquet files; or of a CSV file, beside which these lie
            until it is whole.
        cluster: whose processes do it.
        skip_broken: leave broken chips out, instead of stopping.
        tagging: how tags are decided; None where none are asked for.
        least: chips of a part.

    Raises:
        UserError: if there is no such cluster, the output holds something else, or a chip is broken and is not to be
            left out.
    """
    predictor, where = make(), where_of(images)
    to_csv = is_csv(output)
    there = Output(Place.of(output.rstrip("/") + PARTS if to_csv else output))
    parts = Parts.of(predictor.chips_in(where), chips_a_part(predictor.recipe.input_size, least))
    asked = {"cuts": tagging and checksum(tagging.cuts), "broken chips": "left out" if skip_broken else "refused"}
    done = there.begin({"model": dict(predictor.key), "chips": parts.digest(), "part": parts.size, **asked})
    reporter.say(f"Scoring {counted(parts.num_chips, 'chip')} with {predictor.said}.")
    if len(done) < len(parts.packed):
        sample = parts.sample(predictor, where, skip_broken=skip_broken)
        _score(cluster, parts, done, Scoring(make, predictor.key, sample, where, there, skip_broken, tagging))
    left_out = tuple(there.end(parts.num_chips, len(parts.packed)))
    num_chips = parts.num_chips - len(left_out)
    if not to_csv:
        return Streamed(there.place.url, num_chips, len(parts.packed), left_out)
    with written_to(output) as path:
        columns = [predictor.task.competition.tables.id_column, *predictor.task.labels, *(["tags"] if tagging else [])]
        there.write_csv(path, len(parts.packed), columns)
    there.remove()
    return Streamed(there.place.url.removesuffix(PARTS), num_chips, left_out=left_out)


def _score(cluster: Cluster, parts: Parts, done: set[int], scoring: Scoring) -> None:
    place = scoring.output.place
    sharing = shared_word(Path(place.root)) if place.is_local else nullcontext()
    heard = set[str]()
    with reporter.bar(parts.num_chips, "predicting") as bar, sharing as word:
        bar.update(sum(map(parts.count, done)))
        for part, said in dealt(cluster, parts.jobs(done), scoring, word=word):
            bar.update(parts.count(part))
            for line in set(json.loads(said)) - heard if len(heard) < SHOWN else ():
                heard.add(line)
                reporter.say(line)


def is_csv(output: str) -> bool:
    """Whether an output is a CSV file, rather than a folder."""
    return output.rstrip("/").lower().endswith(".csv")


@contextmanager
def written_to(output: str) -> Iterator[Path]:
    """Yield where to write a file that is to lie at a path or a URL, and bring it there at the end of the block."""
    if not is_url(output):
        yield Path(output)
        return
    folder, _, name = output.rstrip("/").rpartition("/")
    with scratch_folder() as scratch:
        yield scratch / name
        Place.of(folder).send(scratch / name, name)
