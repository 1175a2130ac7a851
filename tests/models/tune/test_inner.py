"""Trials on inner splits."""

from __future__ import annotations

import numpy as np
import pytest

from competition.metrics.log_loss import losses
from models.heads.training import scores_of
from models.tune import inner as inner_module
from models.tune.inner import SHARES, inner_folds, run_trial
from tests.models.tune.samples import head_recipe, outer_folds


@pytest.mark.parametrize(("k", "repeats"), [(2, 1), (3, 1), (4, 2)])
def test_the_chips_of_a_fold_have_no_part_in_its_inner_split(k: int, repeats: int) -> None:
    outer = outer_folds(k, repeats=repeats)
    judged = np.zeros((repeats, len(outer[0].truth)))
    for fold, (of_fold, inner) in enumerate(zip(outer, inner_folds(outer, k), strict=True)):
        seen = np.concatenate([inner.training, inner.heldout])
        assert len(set(seen)) == len(seen)
        assert set(seen) == set(of_fold.training)
        judged[fold // k, inner.heldout] += 1
    assert k == 2 or (judged == 1).all()


def test_chips_set_aside_to_judge_epochs_are_learnt_from_or_judged_as_all_others_are() -> None:
    outer = outer_folds(3)
    aside = [examples.with_inner(None, 0) for examples in outer]
    for one, other in zip(inner_folds(aside, 3), inner_folds(outer, 3), strict=True):
        np.testing.assert_array_equal(one.training, other.training)
        np.testing.assert_array_equal(one.judged, other.judged)


def run(epochs: int, stop: int = SHARES + 1, **values: object) -> tuple[inner_module.Trial, list[tuple[int, float]]]:
    told: list[tuple[int, float]] = []

    def compare(share: int, loss: float) -> bool:
        told.append((share, loss))
        return share >= stop

    recipe = head_recipe(epochs=epochs, **values)
    return run_trial(recipe, {"epochs": epochs}, inner_folds(outer_folds(), 3), compare), told


@pytest.mark.parametrize(("epochs", "shares"), [(3, [3, 6]), (10, list(range(1, 10))), (20, list(range(1, 10)))])
def test_trials_are_compared_at_shares_of_their_epochs(epochs: int, shares: list[int]) -> None:
    trial, told = run(epochs)
    assert [share for share, _ in told] == shares
    assert list(trial.shares) == [*shares, SHARES]
    assert trial.is_complete
    assert trial.epochs == epochs
    assert trial.loss == pytest.approx(np.mean(trial.losses))
    assert trial.shares[SHARES] == pytest.approx(trial.loss)


def test_a_trial_that_is_stopped_trains_no_further() -> None:
    trial, told = run(20, stop=2)
    assert trial.state == "pruned"
    assert [share for share, _ in told] == [1, 2]
    assert 4 <= trial.epochs < 20  # a head may be some epochs ahead of the others


def test_the_loss_is_that_of_the_head_kept_whatever_it_learns_by(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[inner_module._Heads] = []

    class Watched(inner_module._Heads):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(inner_module, "_Heads", Watched)
    trial, _ = run(12, loss="focal", label_smoothing=0.2, learning_rate=0.3, schedule="constant", seeds=2)
    groups = made[0].groups
    assert any(group.states[0].best < 11 for group in groups)  # not all of the last epoch
    for group, loss in zip(groups, trial.losses, strict=True):
        positions = group.examples.heldout
        (scores,) = scores_of(group, positions, values=group.best)
        assert loss == pytest.approx(losses(group.examples.truth[positions], scores, 1e-7).mean())


def test_heads_that_wait_no_longer_do_not_keep_the_others_waiting() -> None:
    trial, told = run(20, patience=1, learning_rate=0.3, schedule="constant")
    assert trial.is_complete
    assert trial.epochs < 20
    assert [share for share, _ in told] == list(range(1, trial.epochs // 2 + 1))


def test_what_is_compared_does_not_depend_on_threads() -> None:
    assert run(12, patience=2)[1] == run(12, patience=2)[1]


def test_a_loss_that_is_no_number_is_no_error() -> None:
    trial, _ = run(3, learning_rate=1e30, clip=0.0)
    assert trial.state == "diverged"
    assert len(trial.losses) <= 3
