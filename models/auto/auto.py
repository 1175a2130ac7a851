"""The run: it measures, plans, carries out step after step, and lets the best so far be chosen after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from competition.common.errors import UserError
from competition.common.files import checked_name
from competition.common.interrupts import watched
from competition.common.locks import lock_of, locked
from competition.common.progress import reporter
from competition.workspace import Workspace
from folds.assign import default_folds
from folds.store.score_store import ScoreStore
from models.auto.chooser import MakeChooser
from models.auto.clock import Clock, OutOfTime
from models.auto.outcome import Outcome
from models.auto.record import Done, Record
from models.auto.work import Work
from models.backend.load import load_backend
from models.plan.candidates import Candidate, Settings, candidates_of
from models.plan.cost import FEATURES, FIT, Costs
from models.plan.plan import Plan, Planned, Planner, shown_time
from models.plan.steps import Bank
from models.plan.worth import VIEWS, sizes_for

FIRST = 0.2  # share of the time by which there is to be a model
MEASURED, LEAST, MOST = 0.05, 8.0, 60.0  # share of the time for measuring, and its bounds in seconds
RESERVE, LEAST_RESERVE = 0.02, 1.5  # share of the time, and seconds, for what comes after the last step
GIVEN_UP = 3  # steps that could not be made, and none that could
SLACK = 1.5  # how much longer than foreseen choosing may take


def folder_of(workspace: Workspace, name: str) -> Path:
    """Return the folder of a run's records."""
    return workspace.auto / checked_name("run", name)


class Run:
    """A run of one name.

    Args:
        workspace: chips, labels and everything that is made.
        name: of the run, of its blend and its submission; those of its models begin with it.
        minutes: that it may take, over all its starts.
        settings: its flags.
        make_chooser: makes what chooses.
        now: the seconds of a clock that never goes back.

    Raises:
        UserError: if the minutes are none, or the data are not prepared.
    """

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        minutes: float,
        settings: Settings,
        make_chooser: MakeChooser,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now, self._started = now, now()
        if not 0 < minutes < float("inf"):
            raise UserError(f"--minutes must be above 0, received {minutes:g}.")
        self.workspace, self.name, self.minutes, self.settings = workspace, name, minutes, settings
        self.folder, self._make_chooser = folder_of(workspace, name), make_chooser
        _ = workspace.labelled  # said before anything is made, if the data are not prepared

    def plan(self) -> Plan:
        """Return the plan alone: nothing is trained, and nothing kept but what the cache holds."""
        self._open()
        return self._planner_of(self._measured()).plan(self.record.steps, self._left, self._first_by)

    def carry_out(self) -> Outcome:
        """Measure, plan and carry out, until the time is over or nothing that is left would help.

        Raises:
            UserError: if another process is at the run, it was begun with other flags, or the first steps fail.
        """
        if made := default_folds(self.workspace):
            reporter.say(f"There were no folds yet; they are made.\n{made.text()}")
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(lock_of(self.folder), f"'{self.name}'", "give another --name"):
            return self._carry_out()

    def _open(self) -> None:
        """Read what was done so far, and let the clock go on."""
        known = self.settings.as_dict()
        if self.workspace.fold_table.is_file():
            known["folds"] = ScoreStore.of(self.workspace).table.digest
        self.record = Record.of(self.folder, self.name, known)
        self.record.failed.clear()  # it may have been mended since
        before = self.record.spent + self._now() - self._started
        self.clock = Clock(60 * self.minutes, before, self._save, self._now)
        self.chooser = self._make_chooser(self.folder, self.with_submission)
        self._drop_lost()

    @property
    def with_submission(self) -> bool:
        """Whether there are chips to predict, and a submission of them is asked for."""
        images = self.settings.images or self.workspace.competition.default_images
        chips = self.workspace.competition.image_set(images)
        return not self.settings.no_test and bool(self.workspace.test_names_of(chips))

    def _drop_lost(self) -> None:
        """Forget steps whose models somebody has removed since."""
        lost = [done for done in self.record.done if not self._is_whole(self._model(done))]
        if lost:
            reporter.say(f"No longer there, and planned anew: {', '.join(map(self._model, lost))}.")
            self.record.done = [done for done in self.record.done if done not in lost]

    def _is_whole(self, model: str) -> bool:
        """Whether a model has scores of every fold."""
        store = ScoreStore.of(self.workspace)
        return store.folds_of(model) == list(range(store.table.num_folds))

    def _model(self, done: Done) -> str:
        return f"{self.name}-{done.step.name}"

    def _carry_out(self) -> Outcome:
        self._open()
        plan = Plan(self.name, ())
        try:
            begun = self.chooser.begin([self._model(done) for done in self.record.done])
            if self.record.start is None:
                self.record.start, self.record.metric = begun.value, begun.metric
            self._save(self.clock.spent)
            if self.clock.left > 0:
                with suppress(OutOfTime):
                    with watched(self.clock.look):
                        candidates = self._measured()
                    plan = self._steps(self._planner_of(candidates))
            else:
                reporter.say(f"The {self.minutes:g} minutes of '{self.name}' are spent; more --minutes go on with it.")
        finally:
            self._save(self.clock.spent)
        return Outcome(self.name, self.record, self.minutes, plan, self.chooser.text())

    def _save(self, spent: float) -> None:
        self.record.spent = spent
        self.record.write(self.folder)

    @property
    def _left(self) -> float:
        """Seconds for steps."""
        limit = self.clock.limit
        return self.clock.left - max(LEAST_RESERVE, RESERVE * limit)

    @property
    def _first_by(self) -> float:
        """Seconds until there is to be a model; 0 if there is one, or it is too late."""
        return 0.0 if self.record.done else max(0.0, FIRST * self.clock.limit - self.clock.spent)

    def _measured(self) -> list[Candidate]:
        """Return the candidates that were measured, by now or by an earlier start."""
        load_backend()
        from models.backend.runners import computes_bfloat16
        from models.networks.applications import applications
        from models.plan.measure import Meter

        candidates = candidates_of(self.settings, applications(), mixed=computes_bfloat16())
        work = self._work = Work(
            self.workspace, self.name, self.folder, self.settings, {each.source: each for each in candidates}
        )
        facts = work.facts()
        seconds = min(MOST, max(LEAST, MEASURED * self.clock.limit))
        sizes = sizes_for(facts.chip_size)
        Meter(self.workspace, self.record.speeds).measure(candidates, sizes, seconds)
        known = [each for each in candidates if self.record.speeds.known(each.source)]
        for each in (each for each in candidates if each not in known):
            reporter.say(f"{each.label} is left out: there was no time to measure it.")
        self.costs = Costs(facts, self.record.speeds, {each.source: each for each in known})
        self.costs.corrections.update(self.record.corrections)
        decoded = work.decoded()
        for candidate, size in ((each, size) for each in known for size in each.sizes(sizes)):
            if min(size, facts.chip_size) in decoded:
                self._look_up(Bank(candidate.source, candidate.label, size, VIEWS[0]))
        return known

    def _look_up(self, bank: Bank) -> None:
        """Take over how much of a bank is made, whoever made it."""
        self.costs.made.update(self._work.made(bank))
        self.costs.decoded.add(min(bank.size, self.costs.facts.chip_size))

    def _planner_of(self, candidates: Sequence[Candidate]) -> Planner:
        work = self._work
        return Planner(self.name, candidates, self.costs, self.chooser.seconds, lambda: work.room, self.record.failed)

    def _steps(self, planner: Planner) -> Plan:
        """Carry out steps, planning anew after each with what was learnt of their seconds; return what is left."""
        plan = Plan(self.name, ())
        with suppress(OutOfTime):
            while True:
                said, before = plan.names[1:], [planned.step for planned in plan.steps[1:]]
                plan = planner.plan(self.record.steps, self._left, self._first_by, before)
                if plan.names != said or not plan.steps:
                    how = "The plan is another now" if said else "The plan"
                    left = f"{shown_time(self.clock.left)} of {shown_time(self.clock.limit)} are left"
                    reporter.say(f"{how}; {left}.\n{plan.text(self.clock.spent)}")
                if not plan.steps:
                    return plan
                self._step(plan.steps[0], sum(later.seconds.whole for later in plan.steps[1:]))
        reporter.say(f"The time is over. {plan.names[0]} is not finished; more --minutes go on with it.")
        return plan

    def _step(self, planned: Planned, later: float) -> None:
        """Carry out a step, and let the best so far be chosen.

        Args:
            planned: the step.
            later: seconds that the steps after it are to take.
        """
        step, started = planned.step, self.clock.spent
        reporter.say(f"Next: {self.name}-{step.name}, about {shown_time(planned.seconds.whole)}.")
        self._save(self.clock.spent)
        try:
            with watched(self.clock.look):
                self._fill(planned)
                if self.costs.of_fit(step) + planned.seconds.choosing > self.clock.left:
                    reporter.say(f"There is no time left for the heads of {self.name}-{step.name}.")
                    return
                seconds, is_whole = self._work.train(step)
        except UserError as error:
            self._fail(step.name, str(error))
            if not self.record.done and len(self.record.failed) == GIVEN_UP:
                raise
            return
        if not is_whole:
            self._fail(step.name, "another process is at some of its folds")
            return
        self.costs.correct(f"{FIT} {step.head}", self.costs.plain_fit(step), seconds)
        members = [*map(self._model, self.record.done), f"{self.name}-{step.name}"]
        foreseen = SLACK * planned.seconds.choosing
        chosen = self.chooser(members, foreseen if later else max(foreseen, self._left))
        taken = self.clock.spent - started
        figures = chosen.value, chosen.gain, chosen.error, chosen.name
        self.record.done.append(Done(step, planned.seconds.whole, taken, *figures))
        self.record.corrections = dict(self.costs.corrections)
        self._save(self.clock.spent)
        helped = f"{chosen.gain:+.4f} ± {chosen.error:.4f}" if chosen.is_better else "no better than before"
        reporter.say(f"Best so far: {chosen.name}, {chosen.metric} {chosen.value:.4f} ({helped}).")

    def _fill(self, planned: Planned) -> None:
        """Fill a step's banks, and learn from how long it took."""
        step = planned.step
        lacking = {bank: self.costs.lacking(bank) for bank in step.banks if not step.from_scratch}
        seconds = self._work.fill(step)
        for bank in step.banks:
            self._look_up(bank)
        if sum(lacking.values()) and len(lacking) == 1:
            (bank,) = lacking
            speeds = self.costs.speeds
            part, foreseen = f"{FEATURES} {bank.source}", lacking[bank] * speeds.seconds_a_chip(bank.source, bank.size)
            corrected = foreseen * self.costs.corrections.get(part, 1.0)
            beside = max(0.0, planned.seconds.features - corrected)  # until it ran, and for decoding
            self.costs.correct(part, foreseen, max(seconds - beside, 0.3 * seconds))

    def _fail(self, name: str, reason: str) -> None:
        reporter.say(f"{self.name}-{name} is left out: {reason}")
        self.record.failed[name] = reason
        self._save(self.clock.spent)
