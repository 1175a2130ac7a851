"""Chips in parts: ranges of their ids, each of as many whole batches as one process would make of all of them.

So every chip is scored among the same chips as there, and its scores are the same bit by bit, whoever scores it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from competition.common.progress import reporter
from competition.index.chip_index import ChipFile
from competition.remote.places import Place
from folds.scores import Scores
from models.backend.devices import batch_size_for
from models.predict.predictions import predict_files
from models.predict.predictor import Predictor
from models.stream.output import Output

CHIPS = 4096  # of a part, or a batch more
SAMPLED = 64  # chips among which those are looked for on which a faster way of running networks is checked


def chips_a_part(input_size: int, least: int = CHIPS) -> int:
    """Return how many chips are a part, at least, for networks that take chips of `input_size` pixels."""
    batch = batch_size_for(input_size)
    return -(-least // batch) * batch


def as_text(found: Mapping[str, ChipFile] | Iterable[tuple[str, ChipFile]]) -> str:
    """Return chips by id as text, which takes a tenth of the room, and which any machine reads."""
    paths = ((name, [file] if isinstance(file, Path) else file) for name, file in dict(found).items())
    return json.dumps({name: [path.as_posix() for path in some] for name, some in paths})


def of_text(text: str, *, is_split: bool) -> dict[str, ChipFile]:
    """Return the chips by id that `as_text` has written.

    Args:
        text: of them.
        is_split: whether each band has a file of its own.
    """
    files = {name: tuple(map(Path, paths)) for name, paths in json.loads(text).items()}
    return {name: paths if is_split else paths[0] for name, paths in files.items()}


def parts_of(found: Mapping[str, ChipFile], size: int) -> list[str]:
    """Return chips by id in parts of `size`, each as text."""
    chips = iter(found.items())
    return [as_text(islice(chips, size)) for _ in range(0, len(found), size)]


def digest_of(parts: Sequence[str]) -> str:
    """Return the digest of the ids and files of all parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode())
    return digest.hexdigest()


class PartScorer:
    """Scores parts, with networks loaded once.

    Args:
        make: makes what scores the chips.
        head: the first chips of all, as text. Everyone takes its sample of them: by what networks are run must not
            depend on the part that comes first.
        place: that the chips are in; None on this machine.
        output: that the parts are written to.
        skip_broken: leave broken chips out, instead of stopping.
        tags: returns the tags that are decided of scores; None where none are asked for.
    """

    def __init__(
        self,
        make: Callable[[], Predictor],
        head: str,
        place: Place | None,
        output: Output,
        *,
        skip_broken: bool,
        tags: Callable[[Scores], Sequence[str]] | None,
    ) -> None:
        self.predictor, self.place, self.output = make(), place, output
        self.skip_broken, self.tags = skip_broken, tags
        files = of_text(head, is_split=self.predictor.images.is_split)
        self.scorer = self.predictor.scorer(self.predictor.files(files, place, skip_broken=skip_broken).sample())

    def __call__(self, part: int, text: str) -> list[str]:
        """Score the chips of a part and write their scores; return what there is to say of them."""
        predictor = self.predictor
        found = of_text(text, is_split=predictor.images.is_split)
        files = predictor.files(found, self.place, skip_broken=self.skip_broken)
        with reporter.silent():
            predictions = predict_files(self.scorer, files, predictor.views, predictor.task)
        self.output.write(part, predictions, self.tags(predictions.scores) if self.tags else None)
        return files.remarks()
