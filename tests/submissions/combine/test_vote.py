"""The vote, and unions of members."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from competition.metrics.f_beta import decisions_by_label
from submissions.combine.means import Mean, Union
from submissions.combine.vote import Vote
from submissions.decide.cut_rules import FixedRule
from submissions.decide.rules import cut_rules
from tests.submissions.samples import draw_scores, draw_truth, planet

Scores = NDArray[np.float32]
STEPS = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0])  # exact in binary, so that ties are ties


def fitted_vote(cuts: NDArray[np.float64]) -> Vote:
    vote = Vote(lambda _: FixedRule(0.0))
    vote.cuts = cuts
    return vote


@st.composite
def ballots(draw: st.DrawFn) -> tuple[list[list[float]], list[float]]:
    """Draw the scores of one chip and label by member and fold, and the cuts of the members."""
    voters = draw(st.lists(st.lists(STEPS, min_size=1, max_size=5), min_size=1, max_size=5))
    return voters, draw(st.lists(STEPS, min_size=len(voters), max_size=len(voters)))


@settings(max_examples=400, deadline=None)
@given(ballots())
def test_the_vote_is_that_of_plain_python_ties_included(ballot: tuple[list[list[float]], list[float]]) -> None:
    voters, cuts = ballot
    share = sum(
        Fraction(sum(score >= cut for score in folds), len(folds)) for folds, cut in zip(voters, cuts, strict=True)
    ) / len(voters)
    mean = sum(sum(map(Fraction, folds)) / len(folds) for folds in voters) / len(voters)
    tie_break = np.float32(float(mean)) >= np.float32(float(sum(map(Fraction, cuts)) / len(cuts)))
    expected = tie_break if share == Fraction(1, 2) else share > Fraction(1, 2)
    matrices = [[np.full((1, 1), score, dtype=np.float32) for score in folds] for folds in voters]
    score = fitted_vote(np.array(cuts)[:, None]).count(matrices)
    assert 0 <= score[0, 0] <= 1
    assert score.dtype == np.float32
    assert bool(score[0, 0] >= 0.5) == expected


def test_more_votes_always_score_higher_and_equal_votes_by_their_mean() -> None:
    random = np.random.default_rng(0)
    members = random.random((3, 500, 1), dtype=np.float32)
    cut = 0.3
    score = fitted_vote(np.full((3, 1), cut)).predict(members)[:, 0]
    votes, mean = (members >= cut).sum(axis=0)[:, 0], members.mean(axis=0)[:, 0]
    for number in range(3):
        assert score[votes == number].max() < score[votes == number + 1].min()
    for number in range(4):
        by_mean = np.argsort(mean[votes == number])
        assert (np.diff(score[votes == number][by_mean]) >= 0).all()
        assert len(np.unique(score[votes == number])) > 5


def test_a_member_has_one_voice_whatever_its_number_of_folds() -> None:
    yes, no = (np.full((1, 1), score, dtype=np.float32) for score in (0.9, 0.0))
    vote = fitted_vote(np.full((3, 1), 0.5))
    assert vote.count([[no], [no], [yes] * 5])[0, 0] < 0.5
    assert vote.count([[yes], [yes], [no] * 5])[0, 0] >= 0.5


def test_a_vote_of_one_is_its_decisions() -> None:
    truth = draw_truth(planet(), 200)
    scores = draw_scores(truth)
    vote = Vote(cut_rules(planet())["uniform"]).fit(scores[None], truth)
    decisions = scores >= vote.cuts[0].astype(np.float32)
    np.testing.assert_array_equal(vote.predict(scores[None]) >= 0.5, decisions)


def test_ballots_are_counted_without_loss() -> None:
    """Folds of 2, 3 and 5: the votes are whole numbers of their least common multiple."""
    vote = fitted_vote(np.full((3, 1), 0.5))
    folds = [2, 3, 5]
    for number in range(prod(f + 1 for f in folds)):
        ones = [number // 1 % 3, number // 3 % 4, number // 12 % 6]
        voters = [
            [np.full((1, 1), 1.0 if i < one else 0.0, dtype=np.float32) for i in range(count)]
            for one, count in zip(ones, folds, strict=True)
        ]
        share = sum(Fraction(one, count) for one, count in zip(ones, folds, strict=True)) / 3
        if share != Fraction(1, 2):
            assert (vote.count(voters)[0, 0] >= 0.5) == (share > Fraction(1, 2))


@st.composite
def partial_members(draw: st.DrawFn) -> tuple[Scores, NDArray[np.float64], NDArray[np.bool_]]:
    """Draw scores (num_members, 6, 4) of members that score some labels each, their cuts, and labels to join."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = random.integers(0, 9, (draw(st.integers(1, 4)), 6, 4)).astype(np.float32) / 8
    unscored = random.random((len(scores), 4)) < 0.4
    unscored[random.integers(len(scores)), :] = False
    cuts = np.where(unscored, np.nan, random.integers(1, 8, unscored.shape) / 8)
    scores[np.broadcast_to(unscored[:, None], scores.shape)] = np.nan
    return scores, cuts, random.random(4) < 0.5


def plain_mean(scores: list[float], union: bool) -> float:
    return max(scores) if union else sum(scores) / len(scores)


def plain_vote(scores: list[float], cuts: list[float], union: bool) -> bool:
    votes = [score >= cut for score, cut in zip(scores, cuts, strict=True)]
    if union:
        return any(votes)
    tie = 2 * sum(votes) == len(votes)
    return np.float32(np.mean(scores)) >= np.float32(np.mean(cuts)) if tie else 2 * sum(votes) > len(votes)


@settings(max_examples=150, deadline=None)
@given(partial_members())
def test_means_and_votes_are_over_the_members_that_score_a_label(
    drawn: tuple[Scores, NDArray[np.float64], NDArray[np.bool_]],
) -> None:
    scores, cuts, union = drawn
    mean = Union(Mean(), union).predict(scores)
    vote = Vote(lambda _: FixedRule(0.0), union)
    vote.cuts = cuts
    voted = vote.predict(scores)
    assert ((voted >= 0) & (voted <= 1)).all()
    for chip, label in np.ndindex(6, 4):
        own = [m for m in range(len(scores)) if not np.isnan(scores[m, chip, label])]
        given_scores, given_cuts = [float(scores[m, chip, label]) for m in own], [float(cuts[m, label]) for m in own]
        assert mean[chip, label] == np.float32(plain_mean(given_scores, union[label]))
        assert bool(voted[chip, label] >= 0.5) == plain_vote(given_scores, given_cuts, union[label])


def test_a_union_is_the_logical_or_of_the_members_decisions() -> None:
    truth = draw_truth(planet(), 200)
    members = np.stack([draw_scores(truth, seed) for seed in range(3)])
    joined = np.arange(17) % 2 == 0
    make = cut_rules(planet())["uniform"]
    vote = Vote(make, joined).fit(members, truth)
    own = np.stack([scores >= cuts.astype(np.float32) for scores, cuts in zip(members, vote.cuts, strict=True)])
    np.testing.assert_array_equal(vote.predict(members)[:, joined] >= 0.5, own.any(axis=0)[:, joined])
    np.testing.assert_array_equal(vote.predict(members)[:, ~joined] >= 0.5, (own.sum(axis=0) > 1)[:, ~joined])
    np.testing.assert_array_equal(
        Union(Mean(), joined).predict(members)[:, joined] >= np.float32(0.4),
        (members >= np.float32(0.4)).any(axis=0)[:, joined],
    )


def test_in_a_union_a_member_has_the_say_of_the_majority_of_its_folds() -> None:
    yes, no = (np.full((1, 1), score, dtype=np.float32) for score in (0.9, 0.1))
    vote = Vote(lambda _: FixedRule(0.0), True)
    vote.cuts = np.full((2, 1), 0.5)
    assert vote.count([[no] * 5, [yes, yes, no]])[0, 0] >= 0.5
    assert vote.count([[no] * 5, [yes, no, no]])[0, 0] < 0.5


def test_a_specialists_cuts_are_found_on_its_labels_by_their_mean() -> None:
    competition, truth = planet(), draw_truth(planet(), 200)
    members = np.stack([draw_scores(truth, seed) for seed in range(2)])
    members[1, :, 2:] = np.nan
    vote = Vote(cut_rules(competition)["uniform"]).fit(members, truth)
    grid = np.arange(101) / 100
    values = [decisions_by_label(truth[:, :2], members[1][:, :2] >= np.float32(cut), 2).f_beta.mean() for cut in grid]
    assert max(values) - 1e-12 <= values[round(vote.cuts[1, 0] * 100)]
    assert np.isnan(vote.cuts[1]).tolist() == [False] * 2 + [True] * 15


@pytest.mark.parametrize("combiner", [Mean(), fitted_vote(np.array([[0.2, np.nan]]))])
def test_a_label_that_nobody_scores_is_never_made_up(combiner: Mean | Vote) -> None:
    with pytest.raises(ValueError, match="no member that scores it"):
        combiner.predict(np.array([[[0.1, np.nan]]], dtype=np.float32))
