"""What a model says of a folder of chips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.progress import reporter
from competition.common.text import counted
from competition.spec.competition import Competition
from competition.task import Task
from folds.store.scores import Scores
from models.backend.devices import batch_size_for
from models.inputs.views import apply_view
from models.predict.chip_files import ChipFiles
from models.predict.scorer import Scorer


@dataclass(frozen=True)
class Predictions:
    """The scores of a folder of chips.

    Attributes:
        scores: of the chips; NaN for labels that the model does not score.
        competition: whose labels they are.
        left_out: a line for each chip left out as broken.
    """

    scores: Scores
    competition: Competition
    left_out: tuple[str, ...] = ()

    def write(self, path: Path, tags: Sequence[str] | None = None) -> None:
        """Write the scores as CSV: ids, one column for each label scored, and perhaps the tags decided."""
        self.scores.write_table(path, self.competition, tags)

    def text(self, path: Path | str) -> str:
        """Return which chips were left out, and how many were written to `path`."""
        left_out = [f"Left out: {line}" for line in self.left_out]
        return "\n".join([*left_out, f"Wrote {path}: {counted(len(self.scores.names), 'chip')}."])

    def as_dict(self) -> dict[str, Any]:
        """Return the same as values for JSON."""
        labels = [label for label, has in zip(self.competition.labels, self.scores.scored, strict=True) if has]
        return {"chips": len(self.scores.names), "labels": labels, "left_out": list(self.left_out)}


def predict_files(scorer: Scorer, files: ChipFiles, views: Sequence[str], task: Task) -> Predictions:
    """Return what a model says of chip files.

    Args:
        scorer: the networks of the model.
        files: the chips; one at least can be read, of which `files.sample()` makes sure.
        views: test-time views.
        task: the labels that the networks score.

    Raises:
        BrokenChipError: if a chip is broken and is not to be left out.
    """
    names: list[str] = []
    scores: list[NDArray[np.float32]] = []
    left_out: list[str] = []
    said_resized = False
    with reporter.bar(len(files.files), "predicting") as bar:
        for batch in files.batches(batch_size_for(files.recipe.input_size)):
            if files.resized and not said_resized:
                reporter.say(files.resizing())
                said_resized = True
            names += batch.names
            left_out += batch.broken
            if batch.chips:
                chips = np.stack(batch.chips)
                scores.append(scorer(apply_view(chips, view) for view in views))
            bar.update(len(batch.chips) + len(batch.broken))
    for line in files.remarks():
        reporter.say(line)
    values = task.spread(np.concatenate(scores) if scores else np.empty((0, len(task.labels)), dtype=np.float32))
    return Predictions(Scores(tuple(names), values), task.competition, tuple(left_out))
