"""What neighbours tell where nothing has shifted."""

from __future__ import annotations

import numpy as np
import pytest

from models.shift.apart import reduced, told_apart
from models.shift.area import area
from models.shift.halves import FEWEST_KNOWN, Halves
from tests.models.shift.samples import both_in_blocks


@pytest.mark.parametrize(("shift", "differs"), [(0.0, False), (4.0, True)])
def test_what_neighbours_tell_is_no_shift_and_more_than_that_is(shift: float, differs: bool) -> None:
    both = both_in_blocks(40, 15, shift, 0)
    components = reduced(both)
    found = area(told_apart(components, both.is_test, both.folds), both.is_test, both.folds, learnt=True)
    halves = Halves.of(components, both)
    assert found.sigmas > 5  # as if chips were independent: a false alarm without a shift
    assert halves.groups == 40
    assert 0.5 < halves.mean < halves.bound
    assert (found.value > halves.bound) == differs


def test_of_too_few_halves_nothing_is_known() -> None:
    halves = Halves(30, (0.6,) * (FEWEST_KNOWN - 1))
    assert np.isnan(halves.bound)
