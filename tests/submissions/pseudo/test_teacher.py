"""Who labels chips for the training of a fold: nothing that depends on the fold's chips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.members.exchange import export_scores, import_scores
from submissions.pseudo.teacher import Teacher
from tests.submissions.samples import blend_of, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def test_a_models_chips_are_labelled_by_the_network_of_the_fold_alone(workspace: Workspace) -> None:
    teacher, store = Teacher.of("a", workspace), ScoreStore.of(workspace)
    assert teacher.folds == [0, 1, 2]
    for fold in teacher.folds:
        own = store.read("a", fold).test
        np.testing.assert_array_equal(teacher.scores(fold), own.aligned(teacher.names))
        (network,) = teacher.networks(fold)
        assert (network.model, network.fold) == ("a", fold)


def test_a_blend_combines_the_networks_of_the_fold(workspace: Workspace) -> None:
    blend_of("ab", ["a", "b"], workspace, rule="fixed")
    teacher, store = Teacher.of("ab", workspace), ScoreStore.of(workspace)
    own = [store.read(name, 1).test.aligned(teacher.names) for name in "ab"]
    np.testing.assert_allclose(teacher.scores(1), np.mean(own, axis=0), rtol=1e-6)
    assert [network.model for network in teacher.networks(1)] == ["a", "b"]


@pytest.mark.parametrize("method", ["mean", "rank", "vote", "greedy", "log-loss", "ridge"])
def test_what_is_said_for_a_fold_knows_nothing_of_its_chips(workspace: Workspace, method: str) -> None:
    blend_of("ab", ["a", "b"], workspace, method=method, rule="fixed")
    teacher = Teacher.of("ab", workspace)
    chips, held = teacher.candidates.chips, teacher.candidates.chips.folds == 1
    scores, truth = chips.scores.copy(), chips.truth.copy()
    scores[0, held], truth[held] = 1 - scores[0, held], ~truth[held]
    changed = replace(teacher, candidates=replace(teacher.candidates, chips=replace(chips, scores=scores, truth=truth)))
    np.testing.assert_array_equal(changed.scores(1), teacher.scores(1))
    for one, other in zip(changed.of_labelled(1), teacher.of_labelled(1), strict=True):
        np.testing.assert_array_equal(one, other)
    if method not in ("mean", "vote"):  # that learn from others
        assert (changed.scores(0) != teacher.scores(0)).any()


def test_a_stack_is_judged_on_chips_that_it_was_not_fitted_on(workspace: Workspace) -> None:
    blend_of("ab", ["a", "b"], workspace, method="ridge", rule="fixed")
    teacher = Teacher.of("ab", workspace)
    chips, others = teacher.candidates.chips, teacher.candidates.chips.folds != 0
    said, truth = teacher.of_labelled(0)
    np.testing.assert_array_equal(truth, chips.truth[others])
    in_sample = teacher._new().fit(chips.scores[:, others], truth).predict(chips.scores[:, others])
    assert np.abs(said - truth).mean() > np.abs(in_sample - truth).mean()


def test_scores_from_files_do_not_say_which_networks_saw_which_chips(workspace: Workspace, tmp_path: Path) -> None:
    export_scores("a", tmp_path / "a.csv", workspace)
    import_scores("mate", [tmp_path / "a.csv"], workspace)
    with pytest.raises(UserError, match="came from files, which do not say which networks saw which chips"):
        Teacher.of("mate", workspace)
    blend_of("with-mate", ["b", "mate"], workspace, rule="fixed")
    with pytest.raises(
        UserError, match=r"has mate among its members.*blend --members b,MODEL --name with-mate-of-models"
    ):
        Teacher.of("with-mate", workspace)


def test_an_unknown_teacher_is_named(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="Unknown model or blend 'c'"):
        Teacher.of("c", workspace)
