"""From scores to decided labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from competition.spec.competition import Competition
from submissions.decide.decisions import decide
from tests.submissions.samples import planet

PLANET = planet()
UNIT = st.one_of(st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.floats(0, 1, width=32)).map(np.float32)
SCORES = hnp.arrays(np.float32, st.tuples(st.integers(0, 12), st.just(17)), elements=UNIT)
CUTS = hnp.arrays(np.float64, 17, elements=st.floats(0, 1))
GROUP = list(PLANET.exclusive_columns[0])


def tags(**scores: float) -> NDArray[np.float32]:
    """Return one chip's scores, 0 where not given."""
    chip = np.zeros((1, len(PLANET.labels)), dtype=np.float32)
    for label, score in scores.items():
        chip[0, PLANET.label_index[label]] = score
    return chip


def decided(scores: NDArray[np.float32], cuts: float = 0.2, competition: Competition = PLANET, **how: bool) -> set[str]:
    return {PLANET.labels[i] for i in np.flatnonzero(decide(scores, cuts, competition, **how)[0])}


@settings(deadline=None)
@given(SCORES, CUTS)
def test_every_chip_gets_one_label_of_the_group_and_the_others_by_their_cuts(
    scores: NDArray[np.float32], cuts: NDArray[np.float64]
) -> None:
    decisions = decide(scores, cuts, PLANET)
    assert (decisions[:, GROUP].sum(axis=1) == 1).all()
    others = [i for i in range(17) if i not in GROUP]
    np.testing.assert_array_equal(decisions[:, others], scores[:, others] >= cuts[others].astype(np.float32))


@settings(deadline=None)
@given(SCORES, CUTS, st.booleans())
def test_no_chip_is_left_without_a_label_and_no_decided_one_is_taken(
    scores: NDArray[np.float32], cuts: NDArray[np.float64], alone: bool
) -> None:
    decisions = decide(scores, cuts, PLANET, exclusive=False, alone=alone)
    assert decisions.any(axis=1).all()
    if not alone:
        above = scores >= cuts.astype(np.float32)
        assert decisions[above].all()
        assert (decisions[~above.any(axis=1)].sum(axis=1) == 1).all()


@settings(deadline=None)
@given(SCORES, CUTS, st.booleans())
def test_with_alone_cloudy_has_no_company(
    scores: NDArray[np.float32], cuts: NDArray[np.float64], exclusive: bool
) -> None:
    decisions = decide(scores, cuts, PLANET, exclusive=exclusive, alone=True)
    cloudy = decisions[:, PLANET.label_index["cloudy"]]
    assert (decisions[cloudy].sum(axis=1) == 1).all()
    if exclusive:
        assert (decisions[:, GROUP].sum(axis=1) == 1).all()


def test_the_groups_label_of_the_highest_score_wins_whatever_its_cut() -> None:
    assert decided(tags(haze=0.1, clear=0.05, primary=0.9)) == {"haze", "primary"}
    assert decided(tags(haze=0.9, clear=0.8)) == {"haze"}
    assert decided(tags(haze=0.9, clear=0.8), exclusive=False) == {"haze", "clear"}


def test_a_tie_within_the_group_goes_to_the_first_of_the_group() -> None:
    assert decided(tags(cloudy=0.5, partly_cloudy=0.5)) == {"partly_cloudy"}
    assert decided(tags()) == {"clear"}


def test_an_empty_chip_gets_the_label_nearest_to_its_cut() -> None:
    cuts = np.full(17, 0.5)
    cuts[PLANET.label_index["water"]] = 0.2
    scores = tags(water=0.15, road=0.3)
    assert decide(scores, cuts, PLANET, exclusive=False)[0].nonzero()[0].tolist() == [PLANET.label_index["water"]]


@pytest.mark.parametrize(("cloudy", "expected"), [(0.9, {"cloudy"}), (0.3, {"primary", "clear"})])
def test_with_several_labels_of_the_group_cloudy_stands_alone_or_goes(cloudy: float, expected: set[str]) -> None:
    scores = tags(cloudy=cloudy, primary=0.8, clear=0.4)
    assert decided(scores, exclusive=False, alone=True) == expected
    assert decided(scores, exclusive=False) == {"cloudy", "primary", "clear"}


def test_a_chip_may_go_without_a_label_where_the_competition_says_so() -> None:
    bound, free = (
        Competition.model_validate({**PLANET.model_dump(), "exclusive": (), "unlabelled": unlabelled})
        for unlabelled in (False, True)
    )
    assert decided(tags(water=0.1), competition=bound) == {"water"}
    assert decided(tags(water=0.1), competition=free) == set()


@settings(deadline=None)
@given(SCORES, CUTS, st.booleans(), st.booleans())
def test_a_chip_of_a_multi_class_competition_gets_its_highest_score_whatever_the_cuts(
    scores: NDArray[np.float32], cuts: NDArray[np.float64], exclusive: bool, alone: bool
) -> None:
    one_group = {"exclusive": (PLANET.labels,), "unlabelled": False, "metric": {"name": "accuracy"}}
    competition = Competition.model_validate({**PLANET.model_dump(), **one_group})
    decisions = decide(scores, cuts, competition, exclusive=exclusive, alone=alone)
    np.testing.assert_array_equal(decisions, scores.argmax(axis=1)[:, None] == np.arange(17))


@settings(deadline=None)
@given(SCORES, CUTS, st.sets(st.integers(0, 16), min_size=1, max_size=16), st.booleans())
def test_labels_without_scores_are_not_decided_and_the_others_by_what_they_need(
    scores: NDArray[np.float32], cuts: NDArray[np.float64], unscored: set[int], alone: bool
) -> None:
    part = scores.copy()
    part[:, list(unscored)] = np.nan
    decisions = decide(part, cuts, PLANET, alone=alone)
    scored = [i for i in range(17) if i not in unscored]
    by_cuts = scored if unscored & set(GROUP) else [i for i in scored if i not in GROUP]
    assert not decisions[:, list(unscored)].any()
    np.testing.assert_array_equal(decisions[:, by_cuts], scores[:, by_cuts] >= cuts[by_cuts].astype(np.float32))
    if not unscored & set(GROUP):
        assert (decisions[:, GROUP].sum(axis=1) == 1).all()


def test_scores_of_some_chips_only_are_not_decided() -> None:
    scores = np.repeat(tags(water=0.9), 2, axis=0)
    scores[1, 3] = np.nan
    with pytest.raises(ValueError, match="NaN for every chip"):
        decide(scores, 0.2, PLANET)
