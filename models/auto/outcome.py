"""What a run has come to: the metric after each step, what each took and added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from competition.terminal.tables import table
from models.auto.record import Record
from models.plan.plan import Plan, shown_time


@dataclass(frozen=True)
class Outcome:
    """What a run has come to.

    Attributes:
        name: of the run.
        record: of its steps.
        minutes: that it may take.
        plan: of what is left.
        chosen: the comparison and the submission, for people.
    """

    name: str
    record: Record
    minutes: float
    plan: Plan
    chosen: str

    def text(self) -> str:
        """Return what was reached, and what each step added."""
        rows: list[list[str]] = []
        if self.record.start is not None:
            rows.append(["(the labels' shares)", "", "", f"{self.record.start:.4f}", ""])
        for done in self.record.done:
            gain = f"{done.gain:+.4f} ± {done.error:.4f}"
            times = shown_time(done.planned), shown_time(done.taken)
            rows.append([f"{self.name}-{done.step.name}", *times, f"{done.value:.4f}", gain])
        metric = f"{self.record.metric} after it"
        headers = ["step", "planned", "taken", metric, "gain"]
        steps = table(headers, rows)
        spent = f"{shown_time(self.record.spent)} of {shown_time(60 * self.minutes)} are spent"
        said = (
            "The metric is cross-fitted; the choice of members, blend and rule is in it, that of the best step not. "
            "A step that does not help leaves the better one."
        )
        failed = [f"{name} could not be made: {reason}" for name, reason in self.record.failed.items()]
        return "\n".join(filter(None, [self.chosen, "", steps, f"{said} {spent}.", *failed]))

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        steps = [
            {
                "model": f"{self.name}-{done.step.name}",
                **{key: getattr(done, key) for key in ("planned", "taken", "value", "gain", "error", "chosen")},
            }
            for done in self.record.done
        ]
        spent, metric = self.record.spent, self.record.metric
        return {"name": self.name, "metric": metric, "spent": spent, "steps": steps, "plan": self.plan.as_dict()}
