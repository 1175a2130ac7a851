"""Changes as tables, and as files that others read."""

import json

import numpy as np
import pyogrio
import pytest
import shapely
from rasterio import Affine

from competition.common.errors import UserError
from submissions.change.changes import LAYER, Changes, find_changes
from submissions.change.compare import KINDS
from submissions.map.detections import DRIVERS
from submissions.map.rules import MapRule, rule_of
from tests.competition.scenes.samples import NORTH_UP
from tests.submissions.map.samples import random_planes, raster_of

COLUMNS = ["id", "label", "change", "area_km2", "cells", "mean", "highest", "date_before", "date_after", "scene"]


@pytest.fixture(scope="module")
def dates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dates")
    planes = random_planes(30, 40, 6)
    values = [{"date": "2026-01-01"}, {"date": "2026-11-28", "scene": "île 4"}, {"date": "2026-01-04"}]
    return [
        raster_of(folder / str(place), *planes[2 * place :][:2], **each) for place, each in enumerate(values)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def found(dates) -> Changes:
    before, after, again = dates
    return find_changes(before, after, rule_of("cut=.7", before.scored), again=again)


def read(path):
    meta, _, geometries, columns = pyogrio.raw.read(path)
    columns = dict(zip(meta["fields"], columns, strict=True))
    order = np.argsort(columns["id"])
    return shapely.from_wkb(geometries)[order], {name: each[order] for name, each in columns.items()}


@pytest.mark.parametrize("suffix", DRIVERS)
def test_files_hold_every_region_with_what_became_of_it(found, dates, tmp_path, suffix) -> None:
    found.write(path := tmp_path / f"c{suffix}")
    shapes, columns = read(path)
    assert list(columns) == COLUMNS
    assert shapely.is_valid(shapes).all()
    assert pyogrio.list_layers(path)[:, 0].tolist() == [LAYER]
    changes = [each.change for each in found.labels]
    expected = [(each.label, kind) for each in changes for kind in KINDS for _ in range(each.num(kind))]
    assert list(zip(columns["label"], columns["change"], strict=True)) == expected
    assert {*columns["date_before"].astype(str), *columns["date_after"].astype(str)} == {"2026-01-01", "2026-11-28"}
    assert set(columns["scene"]) == {"île 4"}
    for each in changes:
        for kind in KINDS:
            of_it = (columns["label"] == each.label) & (columns["change"] == kind)
            assert columns["area_km2"][of_it].sum() == pytest.approx(each.km2(kind), rel=1e-2)
    find_changes(*dates[:2], found.rule).write(other := tmp_path / "other" / f"c{suffix}")
    assert path.read_bytes() == other.read_bytes()


def test_nothing_found_is_a_file_with_the_columns(dates, tmp_path) -> None:
    none = find_changes(*dates[:2], MapRule("never", dict.fromkeys(dates[0].labels, np.inf)))
    none.write(path := tmp_path / "c.gpkg")
    assert read(path)[1].keys() == dict.fromkeys(COLUMNS).keys()
    assert "0 regions of changed cells." in none.text()
    assert json.dumps(none.as_dict())


def test_the_text_and_the_figures_agree(found, dates, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    figures, shown = found.as_dict(), found.text()
    assert shown.startswith("Decided by the cut 0.7.\n\nFrom s (2026-01-01) to île 4 (2026-11-28): ")
    changed = sum(row[kind]["regions"] for row in figures["labels"] for kind in KINDS[:-1])
    assert f": {changed} regions of changed cells.\n" in shown
    lines = [line.split() for line in shown.splitlines()]
    for row in figures["labels"]:
        areas, regions = (line for line in lines if line[:1] == [row["label"]])
        expected = [row["before_km2"], row["after_km2"]]
        for kinds in (("appeared", "grown"), ("gone", "shrunk")):
            expected += [sum(row[kind]["km2"] for kind in kinds)]
            expected += [sum(row[kind]["by_noise"]["km2"] for kind in kinds)]
        net = expected[2] - expected[4]
        assert areas[1:] == [*(f"{value:.3f}" for value in (*expected, row["doubtful_km2"])), f"{net:+.3f}"]
        counts = [(str(row[kind]["regions"]), f"{row[kind]['by_noise']['regions']:.1f}") for kind in KINDS[:-1]]
        assert regions[1:] == ["0.700", *sum(counts, ()), str(row["same"]["regions"])]
    alone = find_changes(*dates[:2], found.rule).text()
    assert "by noise" not in alone.partition("How much")[0]


def test_labels_are_those_that_are_wanted_and_both_have(dates, tmp_path) -> None:
    before, after, _ = dates
    rule = rule_of("cut=.7", before.scored)
    assert [each.change.label for each in find_changes(before, after, rule, labels=["water"]).labels] == ["water"]
    with pytest.raises(UserError, match="Unknown label 'rivers'"):
        find_changes(before, after, rule, labels=["rivers"])
    roads = raster_of(tmp_path / "roads", *random_planes(30, 40, 1))
    assert [each.change.label for each in find_changes(before, roads, rule).labels] == ["road"]
    other = raster_of(tmp_path / "other", *random_planes(30, 40, 1), labels=("mine",))
    with pytest.raises(UserError, match="have no label in common"):
        find_changes(before, other, rule)


def test_what_cannot_be_compared_is_refused(dates, tmp_path) -> None:
    before, after, _ = dates
    with pytest.raises(
        UserError, match=r"Change needs cuts, and the highest expected F2 has none. Give another --rule"
    ):
        find_changes(before, after, rule_of("expected", before.scored))
    away = raster_of(tmp_path, *random_planes(30, 40), transform=Affine.translation(9e4, 0) @ NORTH_UP)
    with pytest.raises(UserError, match=r"^No cell's score is known both in .* they are of different places"):
        find_changes(before, away, rule_of("cut=.7", before.scored))
