"""The search for what is worth most."""

from __future__ import annotations

import pytest

from models.plan.search import MOST_FIRSTS, Search, worth_of
from models.plan.steps import Bank, Step
from models.plan.worth import DENSE, LINEAR, VIEWS
from tests.models.plan.samples import LARGE, SMALL, candidates, costs

TINY = Bank("mobilenet_v2_levels", "mobilenetv2", 32, VIEWS[0], short=20.0)


def search(left: float, begun: tuple[Step, ...] = (), **options: object) -> Search:
    facts = options.get("facts", LARGE)
    room = options.get("room", 10**12)
    return Search(candidates(), costs(facts), lambda members: 1.0, begun, left, room)  # type: ignore[arg-type]


@pytest.mark.parametrize("left", [60.0, 600.0, 3600.0, 36000.0])
def test_what_is_found_fits_by_the_exact_reckoning_too(left: float) -> None:
    steps = search(left).best()
    assert sum(seconds.whole for seconds in costs().of(steps)) + len(steps) <= left


def test_what_is_begun_counts_and_is_not_found_again() -> None:
    begun = tuple(search(3600.0).best())
    found = search(36000.0, begun).best()
    assert found
    assert not set(found) & set(begun)
    assert worth_of([*begun, *found]) > worth_of(begun)


def test_an_earlier_plan_stays_unless_another_is_clearly_better() -> None:
    best = search(600.0, facts=SMALL).best()
    assert search(600.0, facts=SMALL).best(best[1:] + best[:1]) == best[1:] + best[:1]
    poor = [Step((TINY,), LINEAR)]
    assert search(600.0, facts=SMALL).best(poor) != poor
    assert search(1.0, facts=SMALL).best(best) == []  # it fits no more


def test_steps_to_begin_with_fit_and_take_longer_only_for_more() -> None:
    for seconds in (600.0, 3600.0):
        firsts = search(3600.0).firsts(seconds)
        taken = [costs().of([first])[0].whole for first in firsts]
        assert taken == sorted(taken)
        assert taken[-1] <= seconds
        assert [first.short for first in firsts] == sorted({first.short for first in firsts}, reverse=True)
        assert 1 < len(firsts) <= MOST_FIRSTS
    assert search(3600.0).firsts(1.0) == []


def test_steps_come_by_their_worth_a_second() -> None:
    cheap, dear = Step((TINY,), LINEAR), Step((Bank("vgg16_levels", "vgg16", 96, VIEWS[-1], short=19.9),), DENSE)
    assert search(1e6).ordered([dear, cheap]) == [cheap, dear]
