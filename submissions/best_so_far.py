"""The best of the members so far, chosen anew with each further one, and its submission: the choosing of `auto`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from competition.common.errors import UserError
from competition.common.files import checked_name, digest_file
from competition.common.progress import reporter
from competition.common.records import read_record, write_record
from competition.metrics.bootstrap import bootstrap
from competition.metrics.judge import measure
from competition.workspace import Workspace
from folds.store.scores import Scores
from submissions.choose.blending import check_name, keep_chosen
from submissions.choose.candidates import Candidates, make_candidates
from submissions.choose.compare import Comparison, compare, methods_for
from submissions.decide.decisions import Obedient
from submissions.decide.rules import default_rules, make_rule, rules_for
from submissions.names import CALIBRATED, FIXED, MEAN, PLAIN, QUICK, TUNED
from submissions.submit.provenance import read_provenance
from submissions.submit.validate import SubmissionReport, validate_submission
from submissions.submit.write import write_decided

FILE = "best.json"
FORMAT = 1
SHARES = "the labels' shares"  # what stands until the first model is there
MADE_BY = "auto"  # in the record beside the submission

USUAL = (MEAN, "logit", "log-loss", "log-loss-by-label")  # of the methods, those that won on real scores, and are quick
DECIDING = (FIXED, "uniform", "shrunk", "structured", PLAIN, CALIBRATED)  # of the rules, likewise

# What a comparison takes, in units that are measured. With 36,037 chips and 17 labels a candidate of the simplest rule
# took a second on a busy machine, another about five, and what every comparison takes about six.
ALWAYS, SIMPLEST, LEARNT = 6.0, 1.0, 5.0
GUESS = 1.5e-6  # seconds of a unit for each chip and label, until one is measured
MARGIN = 1.5  # how much longer than foreseen a comparison may take


class Effort(NamedTuple):
    """How much is compared: whatever the scores are, so that the figure of choosing is free of luck.

    Attributes:
        methods: of combining the members.
        rules: that make answers of a blend, or of the one member.
        rules_alone: that make them of each of several members by itself.
    """

    methods: tuple[str, ...]
    rules: tuple[str, ...]
    rules_alone: tuple[str, ...]

    def cost(self, num_members: int) -> float:
        """Return what it takes, in the units of `ALWAYS`."""

        def of(rules: Sequence[str]) -> float:
            return SIMPLEST + LEARNT * (len(rules) - 1)

        if num_members == 1:
            return ALWAYS + of(self.rules)
        return ALWAYS + num_members * of(self.rules_alone) + len(self.methods) * (SIMPLEST + of(self.rules))


@dataclass(frozen=True)
class Chosen:
    """What the choice after a step is worth.

    Attributes:
        metric: the competition's.
        value: the metric of the best so far, cross-fitted, choosing included.
        gain: how much better that is than before the step; 0 where the step did not help.
        error: standard error of the difference that the step made, whether it helped or not.
        is_better: whether the step helped.
        name: of what is chosen.
    """

    metric: str
    value: float
    gain: float
    error: float
    is_better: bool
    name: str


@dataclass(frozen=True)
class _Kept:
    """What is kept of the best so far, in `best.json`.

    Attributes:
        name: of what is chosen.
        value: the metric of choosing.
        resampled: the same of bootstrapped sets of chips.
        table: the comparison, for people.
        sha256: of the submission; "" where there is none, or it was about to be written.
        unit: seconds that a unit of comparing takes; 0 before any.
    """

    name: str
    value: float
    resampled: tuple[float, ...]
    table: str
    sha256: str
    unit: float = 0.0


class BestSoFar:
    """Chooses the best blend and rule of some members within some seconds, and keeps it if it is better than the last.

    Args:
        name: of the blend and of its submission.
        workspace: of the competition.
        folder: of the records.
        with_submission: write it; False where the chips to predict are not scored.

    Raises:
        UserError: if the name is that of a model, or of a blend or a submission that was made or changed otherwise.
    """

    def __init__(self, name: str, workspace: Workspace, folder: Path, *, with_submission: bool) -> None:
        self.name, self.workspace, self.with_submission = name, workspace, with_submission
        self._record = folder / FILE
        check_name(name, (), workspace)
        self._kept = self._read() if self._record.is_file() else None
        self._unit = 0.0 if self._kept is None else self._kept.unit
        self._check_own()

    @property
    def path(self) -> Path:
        """The submission."""
        return self.workspace.submissions / f"{checked_name('submission', self.name)}.csv"

    def begin(self, members: Sequence[str]) -> Chosen:
        """Return what is chosen so far, writing its submission anew if that was lost.

        Before there is a member, every chip is answered by the labels' shares: that takes a second, and there is a
        submission from then on, whatever becomes of the first model.

        Args:
            members: names of models with all their folds.
        """
        if self._kept is not None and self._is_written:
            return self._chosen(0.0, 0.0, is_better=False)
        if members:
            self._kept = None
            return self(members, MARGIN * self.seconds(len(members)))
        competition, labelled = self.workspace.competition, self.workspace.labelled
        truth, metric = labelled.truth, competition.metric
        rule = Obedient(make_rule(rules_for(competition)[0], competition), competition, exclusive=False)
        shares = np.broadcast_to(truth.mean(axis=0, dtype=np.float32), truth.shape)
        answers = rule.fit(shares, truth).predict(shares)
        value, resampled = measure(truth, answers, metric), bootstrap(truth, [answers], metric)[:, 0]

        def write() -> None:
            made = {"name": self.name, "method": SHARES, "test_left_out": list(self.workspace.test_names)}
            none = Scores((), np.zeros((0, truth.shape[1]), dtype=np.float32))
            with reporter.silent():  # that no chip has scores
                write_decided(none, rule, self.workspace, {**made, "made_by": MADE_BY})

        return self._keep(_Kept(SHARES, value, tuple(resampled.tolist()), "", ""), write)

    def __call__(self, members: Sequence[str], seconds: float) -> Chosen:
        """Choose among some members, and write what is chosen if it is better than what is kept.

        Args:
            members: names of models with all their folds.
            seconds: how long it may take; the least effort is made in any case.

        Raises:
            UserError: if a member does not fit the workspace, or lacks scores of chips to predict.
        """
        comparison = self._compared(members, seconds)
        value, resampled = comparison.chosen_by_fold
        before, sign = self._kept, self.workspace.competition.metric.sign
        difference = error = 0.0
        if before is not None:
            difference = sign * (value - before.value)
            error = float(np.std(resampled - np.array(before.resampled), ddof=1))
            if difference <= 0 and self._is_written:
                self._kept = replace(before, unit=self._unit)
                self._save()
                return self._chosen(0.0, error, is_better=False)
        name, table = comparison.chosen.evaluation.name, comparison.text(top=10)
        kept = _Kept(name, value, tuple(resampled.tolist()), table, "", self._unit)
        return self._keep(kept, lambda: self._write(comparison), difference, error)

    def seconds(self, num_members: int) -> float:
        """Return how long choosing among so many members takes with the usual effort."""
        unit = self._unit or GUESS * self.workspace.labelled.truth.size
        return unit * _efforts(self.workspace)[1].cost(num_members)

    def text(self) -> str:
        """Return the comparison behind what is chosen, and what was found in its submission."""
        lines = [] if self._kept is None or not self._kept.table else [self._kept.table, ""]
        if self.with_submission:
            lines.append(self._report().text())
        return "\n".join(lines)

    def _compared(self, members: Sequence[str], seconds: float) -> Comparison:
        """Return the comparison of the greatest effort that fits, and remember how long a unit of it takes."""
        candidates = make_candidates(members, self.workspace)
        started = time.monotonic()
        comparison: Comparison | None = None
        for number, effort in enumerate(_efforts(self.workspace)):
            cost = effort.cost(len(members))
            left = seconds - (time.monotonic() - started)
            if number and (self._unit == 0 or MARGIN * self._unit * cost > left):
                break
            began = time.monotonic()
            comparison = _compare(candidates, effort)
            self._unit = (time.monotonic() - began) / cost
        assert comparison is not None
        return comparison

    def _write(self, comparison: Comparison) -> None:
        blend = keep_chosen(self.name, comparison, self.workspace)
        if blend.lacking:
            raise blend.lacking
        provenance = {**blend.provenance, "made_by": MADE_BY}
        write_decided(blend.test, blend.evaluation.fitted, self.workspace, provenance)

    def _keep(self, kept: _Kept, write: Callable[[], None], gain: float = 0.0, error: float = 0.0) -> Chosen:
        """Write what is chosen; that it is about to be written is recorded first, so that a kill is mended."""
        self._kept = kept
        if self.with_submission:
            self._save()
            write()
            self._kept = replace(kept, sha256=digest_file(self.path))
        self._save()
        return self._chosen(gain, error, is_better=True)

    def _save(self) -> None:
        assert self._kept is not None
        write_record(self._record, asdict(self._kept), version=FORMAT)

    def _chosen(self, gain: float, error: float, *, is_better: bool) -> Chosen:
        assert self._kept is not None
        metric = self.workspace.competition.metric.title
        return Chosen(metric, self._kept.value, gain, error, is_better, self._kept.name)

    @property
    def _is_written(self) -> bool:
        """Whether the submission is the one that is recorded."""
        if not self.with_submission:
            return True
        return self._kept is not None and self.path.is_file() and digest_file(self.path) == self._kept.sha256

    def _report(self) -> SubmissionReport:
        competition, sample = self.workspace.competition, self.workspace.sample
        return validate_submission(self.path, competition, sample, exclusive=competition.is_multi_class)

    def _check_own(self) -> None:
        """Refuse to replace what somebody made or changed otherwise."""
        if self._kept is None:
            taken = [path for path in (self.workspace.blends / self.name, self.path) if path.exists()]
            if taken and read_provenance(self.path).get("made_by") != MADE_BY:
                raise UserError(f"{taken[0]} is there, and was not made by `auto`. Give another --name.")
        elif self._kept.sha256 and self.path.exists() and not self._is_written:
            raise UserError(
                f"{self.path} was changed since `auto` wrote it. Give another --name, or move it away, and it is "
                "written anew."
            )

    def _read(self) -> _Kept:
        def parse(content: dict[str, Any]) -> _Kept:
            kept = _Kept(**{**content, "resampled": tuple(map(float, content["resampled"]))})
            if not all(isinstance(text, str) for text in (kept.name, kept.table, kept.sha256)):
                raise TypeError("a text is none")
            return kept

        return read_record(self._record, parse, version=FORMAT, otherwise=f"remove {self._record}")


def _efforts(workspace: Workspace) -> list[Effort]:
    """Return the efforts that serve a competition's metric, the least first."""
    competition = workspace.competition
    rules = default_rules(competition, len(workspace.labelled.truth))
    simplest = rules_for(competition)[:1]
    deciding = tuple(rule for rule in rules if rule in DECIDING)
    every = tuple(method for method in methods_for(competition) if method in QUICK and method != TUNED)
    return [
        Effort((MEAN, "log-loss"), simplest, simplest),
        Effort(USUAL, deciding, simplest),
        Effort(every, rules, rules),
    ]


def _compare(candidates: Candidates, effort: Effort) -> Comparison:
    comparison = compare(candidates, effort.methods, effort.rules, rules_alone=effort.rules_alone)
    _ = comparison.chosen_by_fold  # which takes a good part of the time
    return comparison
