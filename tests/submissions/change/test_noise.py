"""What noise alone makes of a change."""

import numpy as np
import pytest

from submissions.change.changes import find_changes
from submissions.change.compare import KINDS, LESS, MORE, SAME, Terms
from submissions.map.rules import rule_of
from tests.submissions.change.samples import with_noise
from tests.submissions.map.samples import raster_of

SPREAD = 1.2  # log odds


@pytest.fixture(scope="module")
def ground():
    """Scores without noise: patches of a label in a place that has not changed, some as good as at the cut."""
    random = np.random.default_rng(3)
    plane = np.full((90, 110), 0.06)
    for row, column, score in zip(
        random.integers(0, 80, 60), random.integers(0, 100, 60), random.random(60), strict=True
    ):
        plane[row : row + 6, column : column + 6] = score
    return plane


@pytest.fixture(scope="module")
def dates(ground, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dates")
    return [raster_of(folder / str(seed), with_noise(ground, SPREAD, seed)) for seed in range(3)]


@pytest.mark.parametrize(("margin", "smallest"), [(0.0, 0.0), (1.0, 0.0), (1.0, 0.007)])
def test_where_nothing_changed_it_is_what_is_found(dates, margin, smallest) -> None:
    before, after, again = dates
    terms = Terms(margin, smallest_ha=smallest)
    (found,) = find_changes(before, after, rule_of("cut=.5", before.scored), again=again, terms=terms).labels
    for kinds in (MORE, LESS):
        num, made = found.change.num(*kinds), found.by_noise(*kinds)
        assert num > 3
        assert abs(num - made.num) < 3 * np.sqrt(num + made.num)  # both are counts
        assert found.change.km2(*kinds) == pytest.approx(made.km2, rel=0.5)
    assert found.untold == ["appeared", "gone"]


def test_a_true_change_is_told_from_it_and_its_area_is_right(ground, dates, tmp_path) -> None:
    before, _, again = dates
    later = ground.copy()
    later[:40, :60] = 0.97
    after = raster_of(tmp_path, with_noise(later, SPREAD, 9))
    (found,) = find_changes(before, after, rule_of("cut=.5", before.scored), again=again).labels
    cell = before.cell_km2
    truly = ((later == 0.97) & (ground < 0.25)).sum() * cell
    made = found.by_noise(*MORE).km2
    assert found.change.km2(*MORE) - made == pytest.approx(truly, rel=0.12)
    assert found.untold == ["gone"]


def test_it_is_for_as_many_cells_as_are_compared(dates, tmp_path) -> None:
    before, after, again = dates
    rule = rule_of("cut=.5", before.scored)
    half = raster_of(tmp_path, np.where(np.arange(90)[:, None] < 45, again.scores("road"), np.nan))
    (whole,), (part,) = (find_changes(before, after, rule, again=each).labels for each in (again, half))
    assert part.again.known * 2 == whole.again.known
    for kind in set(KINDS) - {SAME}:
        assert part.by_noise(kind).num == 2 * part.again.num(kind)
        assert part.as_dict()[kind]["by_noise"]["km2"] == pytest.approx(2 * part.again.km2(kind))


def test_nobody_knows_it_without_a_repetition(dates, tmp_path) -> None:
    before, after, _ = dates
    rule = rule_of("cut=.5", before.scored)
    hidden = raster_of(tmp_path, np.full((90, 110), np.nan))
    for again in (None, hidden):
        (found,) = find_changes(before, after, rule, again=again).labels
        assert np.isnan(found.by_noise(*MORE)).all()
        assert not found.untold
        assert found.as_dict()["appeared"]["by_noise"] is None
