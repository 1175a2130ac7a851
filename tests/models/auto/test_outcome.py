"""What a run has come to."""

from __future__ import annotations

import json

from models.auto.outcome import Outcome
from models.auto.record import Done, Record
from models.plan.plan import Plan
from models.plan.steps import Bank, Step
from models.plan.worth import DENSE, VIEWS

STEP = Step((Bank("vgg16_levels", "vgg16", 48, VIEWS[0]),), DENSE)


def test_it_shows_what_each_step_took_and_added_and_what_could_not_be_made() -> None:
    done = [Done(STEP, 60.0, 75.0, 0.9, 0.25, 0.01, "vgg16 alone")]
    record = Record({}, 100.0, 0.65, "F2", done=done, failed={"x": "no room"})
    outcome = Outcome("best", record, 5.0, Plan("best", ()), "the comparison")
    lines = outcome.text().splitlines()
    assert lines[0] == "the comparison"
    assert ["best-vgg16-48px-plain", "1:00", "1:15", "0.9000", "+0.2500", "±", "0.0100"] in map(str.split, lines)
    assert any(line.startswith("(the labels' shares)") and line.rstrip().endswith("0.6500") for line in lines)
    assert "1:40 of 5:00 are spent" in outcome.text()
    assert "x could not be made: no room" in lines[-1]
    assert json.loads(json.dumps(outcome.as_dict()))["steps"][0]["taken"] == 75.0
