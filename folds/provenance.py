"""What the scores of one (model, fold) were made with, and the file that says it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from folds.scores import Scores

FORMAT = 2


@dataclass(frozen=True)
class Provenance:
    """What the scores of one (model, fold) were made with.

    Attributes:
        model: name of the model.
        fold: fold number that was held out.
        labels: the labels, in column order.
        scored: those of them that have scores, in the same order; a specialist's are not all.
        fold_digest: digest of the fold table.
        label_digest: digest of the label table.
        recipe_digest: digest of the resolved recipe and its weights.
        views: the test-time views that were averaged, the same for held-out and test chips.
        left_out: chips that were left out as broken.
        versions: versions of what made them, by package.
    """

    model: str
    fold: int
    labels: tuple[str, ...]
    scored: tuple[str, ...]
    fold_digest: str
    label_digest: str
    recipe_digest: str
    views: tuple[str, ...]
    left_out: tuple[str, ...]
    versions: dict[str, str]

    def __post_init__(self) -> None:
        if not self.scored or self.scored != tuple(label for label in self.labels if label in self.scored):
            raise ValueError(f"The labels scored, {self.scored}, must be some of {self.labels}, in that order.")

    def fits(self, scores: Scores) -> bool:
        """Whether `scores` has numbers for just the labels scored."""
        return not scores.names or scores.scored.tolist() == [label in self.scored for label in self.labels]


@dataclass(frozen=True)
class Marker:
    """The content of a fold's `scores.json`: provenance, and the digests of the score files by name."""

    provenance: Provenance
    files: dict[str, str]


def read_marker(path: Path, again: str) -> Marker:
    """Read a fold's `scores.json`.

    Raises:
        UserError: if it is damaged or of another format; the line ends with what to do, `again`.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if (found := content.pop("format")) != FORMAT:
            raise UserError(
                f"{path} was written by another version of the toolkit (format {found}, this one reads {FORMAT}). "
                f"Use that version, or begin the fold again. {again}."
            )
        files = dict(content.pop("files"))
        for name in ("labels", "scored", "views", "left_out"):
            content[name] = tuple(content[name])
        if not all(
            isinstance(content[name], str) for name in ("model", "fold_digest", "label_digest", "recipe_digest")
        ):
            raise TypeError("digest")
        return Marker(Provenance(**content), files)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged. {again}.") from error
