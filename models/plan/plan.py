"""The plan: which models to train within the time that is left, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from competition.terminal.tables import table
from models.plan.candidates import Candidate
from models.plan.cost import Costs, Seconds
from models.plan.search import Search, worth_of
from models.plan.steps import Step

EARLY = 0.5  # share of the time for the first model where none is made within `first_by`, lest all hang on one


@dataclass(frozen=True)
class Planned:
    """A step and what it takes."""

    step: Step
    seconds: Seconds


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        name: of the run, with which the names of its models begin.
        steps: in their order.
        first_by: seconds from now by which there is to be a model; 0 if there is one.
    """

    name: str
    steps: tuple[Planned, ...]
    first_by: float = 0.0

    @property
    def seconds(self) -> float:
        """All of it."""
        return sum(planned.seconds.whole for planned in self.steps)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models, in their order."""
        return tuple(f"{self.name}-{planned.step.name}" for planned in self.steps)

    def text(self, spent: float = 0.0) -> str:
        """Return the table of the steps and when each is done, for a terminal.

        Args:
            spent: seconds that the run has taken so far.
        """
        if not self.steps:
            return "Nothing that fits the time left would help."
        rows, done = [], spent
        for name, planned in zip(self.names, self.steps, strict=True):
            done += planned.seconds.whole
            parts = (planned.seconds.features, planned.seconds.fit, planned.seconds.choosing)
            rows.append([name, *map(shown_time, parts), shown_time(done)])
        headers = ["model", "features", "training, scores", "choosing", "done at"]
        steps = table(headers, rows)
        if self.first_by and self.steps[0].seconds.whole > self.first_by:
            late = "No model is there within a fifth of the time: until then the submission is the labels' shares."
            steps = f"{steps}\n{late}"
        return steps

    def as_dict(self) -> dict[str, Any]:
        """Return the plan, for JSON."""
        return {
            "seconds": self.seconds,
            "steps": [
                {"model": name, **vars(planned.seconds), "seconds": planned.seconds.whole}
                for name, planned in zip(self.names, self.steps, strict=True)
            ],
        }


def shown_time(seconds: float) -> str:
    """Return seconds as minutes and seconds.

    Example:
        >>> shown_time(75.2), shown_time(0)
        ('1:15', '0:00')
    """
    return f"{round(seconds) // 60}:{round(seconds) % 60:02d}"


@dataclass(frozen=True)
class Planner:
    """Makes plans.

    Attributes:
        name: of the run.
        candidates: the recipes to choose from that were measured.
        costs: what steps take.
        choosing: returns the seconds of the choice among a number of models.
        room: returns the bytes that banks may take.
        failed: names of steps that cannot be carried out.
    """

    name: str
    candidates: Sequence[Candidate]
    costs: Costs
    choosing: Callable[[int], float]
    room: Callable[[], int]
    failed: Collection[str] = ()

    def plan(self, done: Sequence[Step], left: float, first_by: float = 0.0, before: Sequence[Step] = ()) -> Plan:
        """Return the plan of most worth that fits the time left; a model comes first that fits `first_by`, if one does.

        Args:
            done: steps that are carried out.
            left: seconds for all of it.
            first_by: seconds for the first model; 0 where there is one already.
            before: the steps that are left of the plan before.
        """
        firsts: Sequence[Step | None] = [None]
        if not done and first_by:
            search = self._search((), left, self.room())
            firsts = search.firsts(min(first_by, left)) or search.firsts(EARLY * left)[-1:] or firsts
        plans = [self._after(first, done, left, before) for first in firsts]
        steps = max(plans, key=lambda steps: worth_of([*done, *steps]))
        pairs = zip(steps, self._seconds(steps, len(done)), strict=True)
        return Plan(self.name, tuple(Planned(step, seconds) for step, seconds in pairs), 0.0 if done else first_by)

    def _after(self, first: Step | None, done: Sequence[Step], left: float, before: Sequence[Step]) -> list[Step]:
        """Return the steps of most worth that begin with one."""
        room, steps = self.room(), list[Step]()
        if first is not None:
            steps.append(first)
            left -= self._seconds(steps, len(done))[0].whole
            room -= self.costs.room_for(first.banks)
        search = self._search([*done, *steps], left, room)
        return [*steps, *search.ordered(search.best(before))]

    def _search(self, begun: Sequence[Step], left: float, room: int) -> Search:
        return Search(self.candidates, self.costs, self.choosing, begun, left, room, self.failed)

    def _seconds(self, steps: Sequence[Step], num_done: int) -> list[Seconds]:
        """Return what steps take one after another, with the choice after each."""
        return [
            replace(seconds, choosing=self.choosing(num_done + number))
            for number, seconds in enumerate(self.costs.of(steps), 1)
        ]
