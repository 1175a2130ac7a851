"""What is said of two dates that do not fit each other."""

import re

import numpy as np
import pytest
from rasterio import Affine

from competition.common.errors import UserError
from submissions.change.changes import find_changes
from submissions.change.compare import Terms
from submissions.map.rules import rule_of
from tests.competition.scenes.samples import NORTH_UP
from tests.submissions.change.samples import CUT, LOW
from tests.submissions.map.samples import raster_of

CUTS = {"road": 0.5, "water": 0.5}


@pytest.fixture
def make(tmp_path):
    def made(name: str, *, planes: int = 2, hidden: int = 0, **values):
        plane = np.full((8, 10), LOW)
        plane[2:4, 2:4] = CUT
        plane[:hidden] = np.nan
        return raster_of(tmp_path / name, *[plane] * planes, **{"cuts": {}, **values})

    return made


def said(before, after, again=None, **terms) -> str:
    rule = rule_of("cuts" if before.scored.cuts else "cut=.5", before.scored)
    return "\n".join(find_changes(before, after, rule, again=again, terms=Terms(**terms)).notes)


def test_dates_that_fit_need_no_words_but_of_noise(make) -> None:
    digests = {"model": "a", "scene": "b", "windows": "c"}
    one, other, again = (make(name, digests=digests) for name in "bac")
    assert said(one, other).startswith("How much of this noise alone would make is not known. Score the earlier ground")
    assert said(one, other, again).splitlines() == [
        "By noise: what the same comparison finds between s and s (--again), if nothing has changed there; for as many "
        "cells.",
        "Not in it, so that true noise is more: light, season and sensor.",
    ]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"model": "n"}, r"Scored by different models \(m and n\): what differs may be these, and not the place"),
        ({"digests": {"model": "x"}}, r"different models \(two trainings of m\)"),
        ({"chip_metres": 100.0}, "Windows have other sizes: 96 and 100 m"),
        ({"digests": {"windows": "x"}}, "Views, values or missing shares of `scene predict` were others"),
        ({"cuts": {"road": 0.3, "water": 0.5}}, "The later scores keep other cuts of road; the earlier ones' decide"),
        ({"planes": 1, "cuts": {"road": 0.5}}, "Only one of the dates has scores of: water"),
        ({"hidden": 2}, r"Left out: cells that one of the dates does not know or reach, up to 25.0% of a label's"),
        ({"transform": Affine.translation(1.8, 0) @ NORTH_UP}, "nearest are compared, whose middles are up to 0.30 of"),
    ],
)
def test_what_differs_is_said(make, values, line) -> None:
    before, after = make("before", cuts=CUTS), make("after", **{"cuts": CUTS, **values})
    found = said(before, after)
    assert len(found.splitlines()) == 2
    assert re.search(line, found), found


def test_of_what_noise_is_measured_by_the_same_is_said(make) -> None:
    before, after = make("before"), make("after")
    found = said(before, after, make("again", model="n"))
    assert "Scored by different models (m and n): what differs may be these, and not noise." in found
    moved = make("moved", transform=Affine.translation(1.8, 0) @ NORTH_UP)
    assert "Not in it, so that true noise is more: windows that lie elsewhere." in said(before, moved, after)
    found = said(before, after, make("other", hidden=8))
    assert "Noise is not known, as --again has no cell of them that --before has: road, water." in found


def test_what_hovers_is_said(make, tmp_path) -> None:
    before = raster_of(tmp_path / "hovers", np.full((8, 10), 0.4), np.full((8, 10), 0.4))
    assert "Doubtful: crosses the cut, but moves by less than 1 in log odds (--margin)" in said(before, make("after"))
    assert "Doubtful" not in said(before, make("other"), margin=0.0)


def test_small_regions_are_counted(make, tmp_path) -> None:
    before = raster_of(tmp_path / "empty", np.full((8, 10), LOW), np.full((8, 10), LOW))
    assert "Left out: 2 regions of changed cells of less than 1 ha." in said(before, make("after"), smallest_ha=1.0)


def test_scores_given_twice_and_dates_in_the_wrong_order_are_refused(make) -> None:
    one, other = make("one", date="2026-01-02"), make("other", date="2026-01-01")
    with pytest.raises(UserError, match=r"--before is of 2026-01-02, and --after of 2026-01-01, .* Exchange them"):
        said(one, other)
    with pytest.raises(UserError, match="--after is the same file as --before"):
        said(one, one)
    with pytest.raises(UserError, match="--again is the same file as --before"):
        said(other, one, other)
    with pytest.raises(UserError, match="--again is the same file as --after"):
        said(other, one, one)
