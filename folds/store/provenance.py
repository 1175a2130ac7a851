"""What the scores of one (model, fold) were made with, and the file that says it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from competition.common.errors import UserError
from competition.common.records import read_record
from competition.spec.load import describe
from folds.store.scores import Scores

FORMAT = 2
MARKER = "scores.json"
SCORES = "test.npz"  # of a fold, that pseudo-labels are made of


@dataclass(frozen=True)
class PseudoLearnt:
    """Pseudo-labels that a network has learnt from, beside the labelled chips.

    Attributes:
        name: of them.
        fold: that they were made for: networks that saw its chips have no part in them.
        digest: of the pseudo-labels of all folds.
        round: 1 if they are of networks that learnt from labelled chips alone, 2 if of students of such, and so on.
        without: digest of the recipe without them, by which a model of the same recipe is found.
    """

    name: str
    fold: int
    digest: str
    round: int
    without: str


@dataclass(frozen=True)
class Network:
    """A network, or several of one job, or heads on features, by whose scores chips were labelled.

    Attributes:
        model: its name; of heads, that of the model whose features they are fitted to.
        fold: that it held out.
        recipe_digest: of what it was made with.
        scores: digest of the file of its scores; "" of heads, whose scores are not kept.
        pseudo: pseudo-labels that it has learnt from itself; None if it has learnt from labelled chips alone.
    """

    model: str
    fold: int
    recipe_digest: str
    scores: str
    pseudo: PseudoLearnt | None = None


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
        left_out: labelled chips that were left out as broken.
        versions: versions of what made them, by package.
        test_left_out: chips to predict that were left out as broken; None in older records, where `left_out` has both.
        delivered_digest: digest of the label table without corrections; None in older records.
        pseudo: what it has learnt from beside the labelled chips; None if nothing.
        further_left_out: further chips that were left out as broken.
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
    test_left_out: tuple[str, ...] | None = None
    delivered_digest: str | None = None
    pseudo: PseudoLearnt | None = None
    further_left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.scored or self.scored != tuple(label for label in self.labels if label in self.scored):
            raise ValueError(f"The labels scored, {self.scored}, must be some of {self.labels}, in that order.")

    @property
    def broken_test(self) -> tuple[str, ...]:
        """Chips to predict that were left out as broken; of older records, every chip that was."""
        return self.left_out if self.test_left_out is None else self.test_left_out

    def fits(self, scores: Scores) -> bool:
        """Whether `scores` has numbers for just the labels scored."""
        return not scores.names or scores.scored.tolist() == [label in self.scored for label in self.labels]


@dataclass(frozen=True)
class Marker:
    """The content of a fold's `scores.json`: provenance, and the digests of the score files by name."""

    provenance: Provenance
    files: dict[str, str]


def read_marker(path: Path, command: str) -> Marker:
    """Read a fold's `scores.json`.

    Args:
        path: of the file.
        command: what makes it again.

    Raises:
        UserError: if it is damaged or of another format.
    """

    def parse(content: dict[str, Any]) -> Marker:
        try:
            return TypeAdapter(Marker).validate_python({"files": content.pop("files"), "provenance": content})
        except ValidationError as error:
            raise ValueError(describe(error)) from error

    return read_record(path, parse, version=FORMAT, command=command)


def scores_digest(runs: Path, model: str, fold: int) -> str:
    """Return the digest of a finished fold's scores of chips to predict, as its marker says; "" if it has none."""
    with suppress(UserError):
        return read_marker(runs / model / f"fold{fold}" / MARKER, "").files.get(SCORES, "")
    return ""
