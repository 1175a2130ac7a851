"""What pseudo-labels gain: students against their twins and their teacher, on the same held-out chips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from competition.workspace import Workspace
from folds.store.provenance import PseudoLearnt
from folds.store.score_store import ScoreStore
from submissions.pseudo.gain import gains_of
from submissions.pseudo.make import make_pseudo
from tests.submissions.samples import add_model, blend_of, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def add_student(workspace: Workspace, name: str, seed: int, teacher: str = "a", **changes: str) -> None:
    """Write scores of a model that has learnt from the pseudo-labels "p", and else is made as "b" is."""
    store, pseudo = ScoreStore.of(workspace), make_pseudo("p", teacher, workspace).pseudo
    add_model(store, name, workspace.labelled.truth, seed)
    for fold in range(store.table.num_folds):
        learnt = replace(PseudoLearnt("p", fold, pseudo.digest, 1, "recipe of b"), **changes)
        scores = store.read(name, fold)
        store.write(replace(scores, provenance=replace(scores.provenance, pseudo=learnt)))


def test_a_student_is_held_against_the_same_recipe_and_its_teacher(workspace: Workspace) -> None:
    add_student(workspace, "student", seed=1)  # whose scores are those of "b", to the last bit
    (student,) = gains_of("p", workspace).students
    assert (student.name, student.twin, student.is_of_now) == ("student", "b", True)
    assert student.over_twin == (0, 0)
    assert student.over_teacher
    assert student.over_teacher.error > 0
    text = gains_of("p", workspace).text()
    assert "+0.0000 ± 0.0000" in text
    assert "over the same without" in text


def test_a_vote_that_teaches_is_worth_what_its_majority_decides(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, models=("a", "b", "c"))
    voted = blend_of("voted", ["a", "b", "c"], workspace, method="vote", rule="fixed", exclusive=False)
    add_student(workspace, "student", seed=7, teacher="voted")
    (student,) = gains_of("p", workspace).students
    assert student.over_teacher
    assert student.reached - student.over_teacher.value == pytest.approx(voted.evaluation.cross_fitted, abs=1e-6)


def test_a_student_of_earlier_labels_and_one_without_a_twin_are_named(workspace: Workspace) -> None:
    add_student(workspace, "student", seed=2, digest="earlier", without="recipe of none")
    gains = gains_of("p", workspace)
    (student,) = gains.students
    assert not student.is_of_now
    assert student.over_twin is None
    assert "student (earlier labels)" in gains.text()
    assert "No model has the recipe of student without these" in gains.text()
    assert gains.as_dict()["students"][0]["over_twin"] is None


def test_a_student_that_labels_anew_what_it_has_learnt_from_is_not_held_against_itself(workspace: Workspace) -> None:
    add_student(workspace, "student", seed=7)
    make_pseudo("p", "student", workspace)
    (student,) = gains_of("p", workspace).students
    assert (student.is_of_now, student.over_teacher) == (False, None)
    assert student.over_twin


def test_without_students_or_after_its_source_has_changed_it_says_so(workspace: Workspace) -> None:
    make_pseudo("p", "a", workspace)
    assert "No model that has learnt from them" in gains_of("p", workspace).text()
    add_model(ScoreStore.of(workspace), "a", workspace.labelled.truth, seed=8)
    assert "were made of earlier scores than a has now" in gains_of("p", workspace).text()


def test_the_difference_is_the_metrics(workspace: Workspace) -> None:
    add_student(workspace, "student", seed=7)
    gains = gains_of("p", workspace)
    (student,) = gains.students
    assert student.over_twin
    assert np.isclose(student.reached - student.over_twin.value, _reached(workspace, "b"))


def _reached(workspace: Workspace, name: str) -> float:
    from competition.metrics.judge import measure
    from competition.task import Task

    store, competition = ScoreStore.of(workspace), workspace.competition
    oof = store.join(name).oof.aligned(workspace.labelled.image_names)
    return measure(workspace.labelled.truth, Task(competition, competition.labels).answers(oof), competition.metric)
