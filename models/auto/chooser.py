"""What a run asks of whoever chooses the best of its models: this room makes models, and knows nothing of blends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol


class Chosen(Protocol):
    """What the choice after a step is worth: the metric of the best so far, and what the step added to it."""

    @property
    def metric(self) -> str:
        """Title of the metric."""

    @property
    def value(self) -> float:
        """Of the best so far, cross-fitted, choosing included."""

    @property
    def gain(self) -> float:
        """What the step added; 0 where it did not help."""

    @property
    def error(self) -> float:
        """Standard error of the difference that the step made."""

    @property
    def is_better(self) -> bool:
        """Whether the step helped."""

    @property
    def name(self) -> str:
        """Of the best so far."""


class Chooser(Protocol):
    """Chooses the best of the models so far, and keeps its submission."""

    def begin(self, members: Sequence[str]) -> Chosen:
        """Return what is chosen so far, or what stands until there is a model."""

    def __call__(self, members: Sequence[str], seconds: float) -> Chosen:
        """Choose among models within some seconds, and keep it if it is better."""

    def seconds(self, num_members: int) -> float:
        """Return how long choosing among so many takes."""

    def text(self) -> str:
        """Return the comparison and the submission that are kept, for a terminal."""


MakeChooser = Callable[[Path, bool], Chooser]  # from the run's folder, and whether there is to be a submission
