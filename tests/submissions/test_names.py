"""The names that `--help` shows are those of what there is."""

from __future__ import annotations

from submissions import names
from submissions.combine import methods
from submissions.decide.calibration import KINDS
from submissions.decide.rules import cut_rules
from tests.submissions.samples import planet


def test_the_names_are_those_of_what_there_is() -> None:
    assert tuple(methods.METHODS) == names.METHODS
    assert tuple(cut_rules(planet())) == names.CUT_RULES
    assert (*names.CUT_RULES, *names.DECODERS, *names.SCORE_RULES) == names.RULES
    assert tuple(KINDS) == names.CALIBRATIONS
    assert set(names.METHODS) == {*names.QUICK, *names.SLOW}
    assert set(names.SLOW) < set(names.STACKS) < set(names.METHODS)
