"""Candidates of some members, measured alike."""

from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.metrics.judge import measure
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.choose.candidates import Candidate, Candidates, make_candidates, simplest
from submissions.decide.decisions import decide
from submissions.names import CUT_RULES, RULES, TUNED
from tests.submissions.samples import NUM_CHIPS, add_model, make_workspace

RARE = ("blow_down", "conventional_mine")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with two models of all labels and one of the rare ones. Not to be changed."""
    workspace = make_workspace(tmp_path_factory.mktemp("candidates"))
    add_model(ScoreStore.of(workspace), "rare", workspace.labelled.truth, 7, scored=RARE)
    return workspace


@pytest.fixture(scope="module")
def candidates(workspace: Workspace) -> Candidates:
    return make_candidates(["a", "rare", "b"], workspace)


def test_those_that_score_all_labels_are_measured_by_themselves(candidates: Candidates) -> None:
    assert candidates.whole == [0, 2]
    (single,) = candidates.singles(2, ["fixed"])
    assert [member.name for member in single.members] == ["b"]
    assert single.evaluation.name == "b alone, fixed 0.2"
    np.testing.assert_array_equal(single.combined.scores, candidates.chips.scores[2])


def test_the_reference_is_the_mean_of_all_members_at_the_prior_cut(candidates: Candidates) -> None:
    (mean,) = candidates.blends("mean", ["fixed"])
    assert candidates.reference.name == "mean, fixed 0.2"
    assert candidates.reference.cross_fitted == mean.evaluation.cross_fitted
    assert candidates.reference is candidates.reference  # measured once


def test_a_vote_is_by_rules_that_find_cuts(candidates: Candidates) -> None:
    rules = [rule for rule in RULES if rule != TUNED]
    votes = candidates.blends("vote", rules)
    assert [vote.rule for vote in votes] == [rule for rule in rules if rule in CUT_RULES]
    assert {tuple(vote.evaluation.fitted.cuts) for vote in votes} == {(0.5,) * 17}


def test_what_fits_more_numbers_is_less_simple(candidates: Candidates) -> None:
    def simplicity(method: str, rule: str) -> tuple[float, int]:
        (candidate,) = candidates.blends(method, [rule])
        return candidate.simplicity

    assert candidates.singles(0, ["fixed"])[0].simplicity == (0, 1)
    assert simplicity("mean", "fixed") == (0, 3)
    assert simplicity("mean", "uniform") == (1, 3)
    assert simplicity("greedy", "uniform") == (4, 3)
    assert simplicity("vote", "per-label") == (3 * 17, 3)


def test_the_competitions_rules_are_the_last_step(workspace: Workspace) -> None:
    bound = make_candidates(["a", "b"], workspace, exclusive=True)
    (candidate,) = bound.blends("mean", ["fixed"])
    decided = decide(candidate.combined.scores, 0.2, workspace.competition, exclusive=True)
    np.testing.assert_array_equal(candidate.evaluation.answers, decided)
    value = measure(workspace.labelled.truth, decided, workspace.competition.metric)
    assert candidate.evaluation.cross_fitted == value
    assert candidate.as_dict(bound.reference)["difference"] == 0


def test_the_simplest_within_an_error_of_the_best_is_taken(candidates: Candidates) -> None:
    by_rule = candidates.blends("mean", ["fixed", "uniform", "per-label"])
    chosen: Candidate = simplest(by_rule)
    best = max(by_rule, key=lambda candidate: candidate.evaluation.cross_fitted)
    lag = best.evaluation.over(chosen.evaluation)
    assert lag.value <= max(lag.error, 1e-12)
    for simpler in by_rule[: by_rule.index(chosen)]:
        assert best.evaluation.over(simpler.evaluation).value > best.evaluation.over(simpler.evaluation).error
    assert len(chosen.evaluation.answers) == NUM_CHIPS


def test_what_candidates_cannot_be_made_of_is_named(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Unknown extra column 'wether'"):
        make_candidates(["a", "b"], workspace, extras=["wether"])
    with pytest.raises(UserError, match=r"No scores of agriculture, .*, water by 'rare'"):
        make_candidates(["rare"], workspace)
    with pytest.raises(UserError, match=r"Unknown .*: blowdown. Known: agriculture"):
        make_candidates(["a"], workspace, union=["blowdown"])
