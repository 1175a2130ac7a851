"""Reckoning seconds."""

from __future__ import annotations

import pytest

from models.plan.cost import EPOCHS, FIT
from models.plan.steps import Bank, Step, same_views
from models.plan.worth import DENSE, JOINT, LINEAR, QUICK, SCRATCH_HEAD, VIEWS, WIDE
from tests.models.plan.samples import LARGE, SMALL, costs

D4, FLIPS, PLAIN = VIEWS[-1], VIEWS[2], VIEWS[0]
DENSENET = Bank("densenet121_levels", "densenet121", 64, D4)


def test_a_bank_that_is_made_costs_nothing_again() -> None:
    first, second = costs().of([Step((DENSENET,), DENSE), Step((DENSENET,), LINEAR)])
    assert first.features > 100
    assert second.features == 0
    assert second.fit > 0
    reckoned = costs()
    reckoned.made.update(DENSENET.rows(LARGE.num_train, LARGE.num_test))
    reckoned.decoded.add(32)
    assert reckoned.of([Step((DENSENET,), DENSE)])[0].features == 0
    assert reckoned.bytes_of(DENSENET) == 0 < costs().bytes_of(DENSENET)


def test_half_a_bank_takes_half_the_time() -> None:
    reckoned = costs()
    reckoned.decoded.add(32)
    whole = reckoned.of([Step((DENSENET,), DENSE)])[0].features
    rows = {key: count // 2 for key, count in DENSENET.rows(LARGE.num_train, LARGE.num_test).items()}
    reckoned.made.update(rows)
    assert reckoned.of([Step((DENSENET,), DENSE)])[0].features == pytest.approx(whole / 2, rel=0.02)


def test_more_of_anything_takes_longer() -> None:
    reckoned = costs()

    def seconds(bank: Bank, head: str = DENSE) -> float:
        return reckoned.of([Step((bank,), head)])[0].whole

    assert seconds(DENSENET) > seconds(Bank("densenet121_levels", "densenet121", 32, D4))
    assert seconds(DENSENET) > seconds(Bank("densenet121_levels", "densenet121", 64, FLIPS))
    assert seconds(DENSENET, WIDE) > seconds(DENSENET) > seconds(DENSENET, QUICK)
    small = costs(SMALL)
    assert small.of([Step((DENSENET,), DENSE)])[0].whole < 0.1 * seconds(DENSENET)
    joint = Step(same_views([DENSENET, Bank("vgg16_levels", "vgg16", 64, D4)]), JOINT)
    assert reckoned.of_fit(joint) > 1.5 * reckoned.of_fit(Step((DENSENET,), DENSE))


def test_what_a_step_took_corrects_those_like_it() -> None:
    reckoned, step = costs(), Step((DENSENET,), DENSE)
    before, other = reckoned.of_fit(step), reckoned.of_fit(Step((DENSENET,), LINEAR))
    reckoned.correct(f"{FIT} {DENSE}", reckoned.plain_fit(step), 2 * before)
    assert reckoned.of_fit(step) == pytest.approx(2 * before)
    reckoned.correct(f"{FIT} {DENSE}", reckoned.plain_fit(step), 2 * before)  # and not twice
    assert reckoned.of_fit(step) == pytest.approx(2 * before)
    assert reckoned.of_fit(Step((DENSENET,), LINEAR)) == other


def test_epochs_from_scratch_take_as_long_as_each_was_measured() -> None:
    reckoned = costs(LARGE, "residual")
    one, four = (
        reckoned.of_fit(Step((Bank("residual", "residual", 32, PLAIN, epochs),), SCRATCH_HEAD)) for epochs in (1, 4)
    )
    learning = LARGE.num_folds * LARGE.num_train * (1 - LARGE.share_held_out)
    assert four - one == pytest.approx(3 * (EPOCHS * learning / 100 + LARGE.num_train / 1000))
    assert reckoned.of([Step((Bank("residual", "residual", 32, PLAIN, 1),), SCRATCH_HEAD)])[0].features < 30
