"""A run, with a clock, speeds and steps that are made up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from competition.common.errors import UserError
from competition.common.interrupts import check
from competition.workspace import Workspace
from models.auto import clock
from models.auto.auto import FIRST, Outcome, Run
from models.auto.record import FILE
from models.plan.candidates import Candidate, Settings
from models.plan.cost import Costs, Facts, Made
from models.plan.plan import Plan
from models.plan.search import worth_of
from models.plan.steps import Bank, Step
from models.plan.worth import SCRATCH_HEAD
from tests.models.plan.samples import LARGE, SOURCES, candidates, costs

EVERY = 5.0  # seconds between two looks at the clock


@dataclass
class World:
    """What there is outside of a run: its clock, its models, its submission.

    Attributes:
        pace: how much longer than reckoned steps take.
        values: by a part of a model's name, the metric of the best blend from it on; others bring a little.
        stop: seconds at which the process is killed.
    """

    facts: Facts = LARGE
    sources: tuple[str, ...] = ("mobilenet_v2_levels", "densenet121_levels")  # of three, planning takes twice as long
    pace: float = 1.0
    values: dict[str, float] = field(default_factory=dict)
    stop: float = math.inf
    broken: dict[str, str] = field(default_factory=dict)
    now: float = 0.0
    trained: list[str] = field(default_factory=list)
    made: Made = field(default_factory=dict)
    written: list[tuple[float, str]] = field(default_factory=list)  # submissions, by the time of their writing
    best: float = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        ends = self.now + seconds
        while self.now < ends:
            self.now = min(ends, self.now + EVERY)
            if self.now >= self.stop:
                self.stop = math.inf
                raise Killed
            check()

    def truth(self) -> Costs:
        """Return what steps take in fact."""
        reckoned = costs(self.facts, *self.sources)
        reckoned.made.update(self.made)
        return reckoned


class Killed(BaseException):
    """Ends a run at once."""


class FakeWork:
    room = 10**12

    def __init__(self, world: World) -> None:
        self.world = world

    def fill(self, step: Step) -> float:
        world, began = self.world, self.world.now
        for bank in () if step.head == SCRATCH_HEAD else step.banks:
            rows = bank.rows(world.facts.num_train, world.facts.num_test)
            left = {key: count for key, count in rows.items() if world.made.get(key, 0) < count}
            for key, count in left.items():  # an interruption costs the view that it falls into
                world.pass_by(world.pace * world.truth().of_bank(bank, {**rows, key: 0}))
                world.made[key] = count
        return world.now - began

    def train(self, step: Step) -> tuple[float, bool]:
        world, began = self.world, self.world.now
        if error := world.broken.get(step.name) or world.broken.get("every"):
            raise UserError(error)
        world.pass_by(world.pace * world.truth().plain_fit(step))
        world.trained.append(f"best-{step.name}")
        return world.now - began, True

    def made(self, bank: Bank) -> Made:
        return {key: count for key, count in self.world.made.items() if key[:2] == (bank.source, bank.size)}


@dataclass(frozen=True)
class FakeChosen:
    metric: str
    value: float
    gain: float
    error: float
    is_better: bool
    name: str


class FakeChooser:
    def __init__(self, world: World) -> None:
        self.world = world

    def begin(self, members: Sequence[str]) -> FakeChosen:
        self.world.now += 1.0
        if not self.world.written:
            self.world.written.append((self.world.now, "shares"))
        return FakeChosen("F2", self.world.best, 0.0, 0.0, False, "shares")

    def __call__(self, members: Sequence[str], seconds: float) -> FakeChosen:
        world = self.world
        assert set(members) <= set(world.trained)
        assert seconds > 0
        world.now += min(seconds, self.seconds(len(members)))
        value = next((value for part, value in world.values.items() if part in members[-1]), world.best + 0.001)
        gain = value - world.best
        if gain > 0:
            world.best = value
            world.written.append((world.now, members[-1]))
        return FakeChosen("F2", world.best, max(0.0, gain), 0.001, gain > 0, members[-1])

    def seconds(self, num_members: int) -> float:
        return 2.0 + num_members

    def text(self) -> str:
        return "the comparison"


class FakeRun(Run):
    """A run in a made-up world: 30 seconds of measuring, or a twentieth of the time."""

    world: World

    def _is_whole(self, model: str) -> bool:
        return model in self.world.trained

    def _measured(self) -> list[Candidate]:
        self.world.now += min(30.0, self.clock.limit / 20) if not self.record.speeds.chips else 5.0
        self._work: Any = FakeWork(self.world)
        self.costs = self.world.truth()
        self.costs.made.clear()
        self.record.speeds = self.costs.speeds
        self.costs.corrections.update(self.record.corrections)
        self.costs.made.update(self.world.made)
        self.costs.decoded.update({32} if self.world.made else ())
        return candidates(*self.world.sources)


@pytest.fixture(autouse=True)
def seldom_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the time every two minutes: hours pass in a second here."""
    monkeypatch.setattr(clock, "SAVED_EVERY", 120.0)


@pytest.fixture
def run(workspace: Workspace) -> Callable[..., Outcome]:
    def run(world: World, minutes: float, settings: Settings | None = None, *, anew: bool = False) -> Outcome:
        if anew:
            (workspace.auto / "best" / FILE).unlink()
        made = FakeRun(workspace, "best", minutes, settings or Settings(), lambda *_: FakeChooser(world), now=world)
        made.world = world
        return made.carry_out()

    return run


@pytest.mark.parametrize("minutes", [5, 20, 60, 200])
@pytest.mark.parametrize("pace", [0.5, 1.0, 1.6])
def test_the_limit_is_kept_and_there_is_a_submission_from_the_first_fifth_on(
    minutes: float, pace: float, run: Callable[..., Outcome]
) -> None:
    world = World(pace=pace)
    outcome = run(world, minutes)
    assert world.now <= 60 * minutes * 1.03
    assert outcome.record.spent == pytest.approx(world.now, abs=1)
    assert world.written[0][0] < FIRST * 60 * minutes
    if pace <= 1.0 and minutes >= 20:
        assert world.written[1][0] <= FIRST * 60 * minutes  # and of a model
    assert [f"best-{done.step.name}" for done in outcome.record.done] == world.trained
    assert world.written[-1][1] in world.trained


def test_a_worse_step_leaves_the_better_submission(run: Callable[..., Outcome]) -> None:
    world = World(sources=tuple(SOURCES), values={"vgg16": 0.1, "densenet121": 0.9, "mobilenetv2": 0.5})
    outcome = run(world, 120)
    assert "densenet121" in world.written[-1][1]
    values = [done.value for done in outcome.record.done]
    assert values == sorted(values)
    assert all(done.gain == 0 for done in outcome.record.done if "vgg16" in done.step.name)
    assert outcome.record.done[-1].value == 0.9


@pytest.mark.parametrize("stop", [50.0, 1000.0, 3300.0])
def test_a_run_that_is_killed_goes_on_where_it_was(stop: float, run: Callable[..., Outcome]) -> None:
    undisturbed, world = World(), World(stop=stop)
    whole = run(undisturbed, 60)
    with pytest.raises(Killed):
        run(world, 60, anew=True)
    before, rows = list(world.trained), dict(world.made)
    outcome = run(world, 60)
    assert world.trained[: len(before)] == before
    assert len(set(world.trained)) == len(world.trained)
    assert rows.items() <= world.made.items()
    assert world.now <= 3600 * 1.03 + 130  # what a kill hides of the time spent is little
    assert worth_of(outcome.record.steps) == pytest.approx(worth_of(whole.record.steps), abs=3.0)
    assert outcome.record.start == whole.record.start


def test_more_minutes_go_on_and_the_same_again_do_nothing(run: Callable[..., Outcome], lines: list[str]) -> None:
    world = World()
    first = run(world, 20)
    done, now = list(world.trained), world.now
    again = run(world, 20)
    if again.record.spent >= 20 * 60:
        assert any("minutes of 'best' are spent" in line for line in lines)
    assert world.trained == done
    assert world.now < now + 10
    more = run(world, 120)
    assert world.trained[: len(done)] == done
    assert len(world.trained) > len(done)
    assert world.now < 120 * 60 * 1.03 + 30
    assert more.record.done[: len(done)] == first.record.done


def test_a_step_that_cannot_be_made_is_left_out_and_three_of_them_at_first_are_an_error(
    run: Callable[..., Outcome],
) -> None:
    world = World()
    names = [name.removeprefix("best-") for name in (run(world, 60), world)[1].trained]
    broken = World(broken={names[1]: "it is broken."})
    outcome = run(broken, 60, anew=True)
    assert outcome.record.failed == {names[1]: "it is broken."}
    assert f"best-{names[1]}" not in broken.trained
    assert "could not be made: it is broken." in outcome.text()
    first = World(broken={names[0]: "the first"})
    assert run(first, 60, anew=True).record.failed == {names[0]: "the first"}
    assert len(first.trained) > 1
    every = World(broken={"every": "all of them"})
    with pytest.raises(UserError, match="all of them"):
        run(every, 60, anew=True)


def test_a_model_that_was_removed_is_trained_again(run: Callable[..., Outcome], lines: list[str]) -> None:
    world = World()
    run(world, 60)
    lost = world.trained.pop(0)
    run(world, 240)
    assert any(lost in line and "planned anew" in line for line in lines)
    assert len(set(world.trained)) == len(world.trained)


def test_other_flags_with_the_same_name_are_one_line(run: Callable[..., Outcome]) -> None:
    run(World(), 5)
    with pytest.raises(UserError, match="'best' was begun with no --no-test; received --no-test"):
        run(World(), 5, Settings(no_test=True))


def test_a_second_process_is_refused(run: Callable[..., Outcome], workspace: Workspace) -> None:
    from filelock import FileLock

    workspace.auto.mkdir(parents=True)
    with (
        FileLock(workspace.auto / ".best.lock"),
        pytest.raises(UserError, match=r"Another process is at 'best'\. Wait for it"),
    ):
        run(World(), 5)


@pytest.mark.parametrize("minutes", [0, -1, math.nan, math.inf])
def test_minutes_are_a_number_above_0(minutes: float, run: Callable[..., Outcome]) -> None:
    with pytest.raises(UserError, match="--minutes must be above 0"):
        run(World(), minutes)


def test_a_plan_alone_leaves_nothing_behind(workspace: Workspace) -> None:
    world = World()
    before = sorted(path for path in workspace.root.rglob("*"))
    run = FakeRun(workspace, "best", 60, Settings(), lambda *_: FakeChooser(world), now=world)
    run.world = world
    plan = run.plan()
    assert isinstance(plan, Plan)
    assert plan.seconds <= 3600
    assert len(plan.steps) > 1
    assert sorted(path for path in workspace.root.rglob("*")) == before
    assert world.trained == []


def test_the_folds_are_made_if_there_are_none(
    workspace: Workspace, run: Callable[..., Outcome], lines: list[str]
) -> None:
    workspace.fold_table.unlink()
    run(World(), 5)
    assert workspace.fold_table.is_file()
    assert any("There were no folds yet; they are made." in line for line in lines)


def test_the_outcome_shows_what_each_step_took_and_added(run: Callable[..., Outcome]) -> None:
    outcome = run(World(), 60)
    text = outcome.text()
    assert text.startswith("the comparison\n")
    for done in outcome.record.done:
        assert f"best-{done.step.name} " in text
    assert "+0.0010 ± 0.0010" in text
    assert [step["model"] for step in outcome.as_dict()["steps"]] == [
        f"best-{done.step.name}" for done in outcome.record.done
    ]


def test_a_name_that_is_none_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="cannot name a run"):
        Run(workspace, "../x", 5, Settings(), lambda folder, _: FakeChooser(World()))


def test_an_unprepared_workspace_says_which_command_prepares_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="data prepare"):
        Run(Workspace.open(tmp_path / "none"), "best", 5, Settings(), lambda *_: FakeChooser(World()))
    assert not (tmp_path / "none").exists()
