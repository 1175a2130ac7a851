"""Maps of several scenes are one evaluation, with the lines that must be read with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely

from competition.common.errors import UserError
from competition.terminal.output import as_text
from submissions.map.decide import decide
from submissions.map.rules import MapRule, rule_of
from submissions.truth.counts import Terms
from submissions.truth.evaluate import evaluate_maps
from tests.submissions.map.samples import raster_of
from tests.submissions.truth.samples import by, squares, write_truth

FIND, TERMS = by(MapRule("a cut", {"road": 0.5, "water": 0.5})), Terms(0.02, 0.012)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Return two rasters and the files of their truth; the second has no water, and mines, which nobody scored."""
    random, folder = np.random.default_rng(0), tmp_path_factory.mktemp("scenes")
    rasters, files = [], []
    for number in range(2):
        road, water = (random.random((12, 12)) < share for share in (0.4, 0.3))
        noise = random.normal(0, 0.3, (2, 12, 12))
        rasters.append(
            raster_of(folder / str(number), *(np.stack([road, water]) + noise).clip(0, 1), date="2026-01-01")
        )
        named = [*squares("road", road), *(squares("mine", water) if number else squares("water", water))]
        files.append(write_truth(folder / f"{number}.gpkg", rasters[-1], named))
    return rasters, files


def test_figures_are_those_of_all_scenes(scenes):
    rasters, files = scenes
    both = evaluate_maps(rasters, FIND, files, TERMS)
    apart = [evaluate_maps([raster], FIND, [file], TERMS) for raster, file in zip(rasters, files, strict=True)]
    assert [label.label for label in both.labels] == ["road", "water"]
    road, water = both.labels
    np.testing.assert_array_equal(road.cells.sum(axis=0), sum(one.labels[0].cells.sum(axis=0) for one in apart))
    np.testing.assert_array_equal(water.cells, apart[0].labels[1].cells)  # only the first says where it is
    low, high = road.intervals["sensitivity"]
    assert low < road.figures["sensitivity"] < high
    assert 0.7 < road.average_precision < 1
    content = json.loads(as_text(both.as_dict()))
    assert [scene["labels"][0]["cells"] for scene in content["scenes"]] == [one.labels[0].num_true for one in apart]
    assert content["labels"][0]["sensitivity"]["value"] == pytest.approx(road.figures["sensitivity"])
    assert "The scores have nothing of: mine." in both.text()
    assert str(rasters[0].path) in both.text()  # as both are of scenes of one name


def test_few_blocks_are_said(scenes):
    rasters, files = scenes
    found = evaluate_maps(rasters[:1], FIND, files[:1], Terms(0.02, 99))
    assert "too few for an interval: road, water." in found.text()
    assert np.isnan(found.labels[0].intervals["sensitivity"]).all()


def test_files_are_as_many_as_scenes(scenes):
    rasters, files = scenes
    with pytest.raises(UserError, match="truth for each of 2 scenes, or one for all, received 3"):
        evaluate_maps(rasters, FIND, [*files, files[0]], TERMS)
    with pytest.raises(UserError, match="given twice"):
        evaluate_maps([rasters[0], rasters[0]], FIND, files, TERMS)


def kept(raster):
    return decide(raster, rule_of("cuts", raster.scored))


@pytest.fixture
def sloped(tmp_path):
    """Return a function that writes a raster, whose scores rise, and its truth: where they are above .5."""
    scores = np.linspace(0, 1, 80).reshape(8, 10)

    def write(name, cuts):
        raster = raster_of(tmp_path / name, *[scores] * len(cuts), cuts=cuts, scene=name)
        named = [each for label in cuts for each in squares(label, scores > 0.5)]
        return raster, write_truth(tmp_path / f"{name}.gpkg", raster, named)

    return write


def test_each_scene_is_decided_by_its_own_cuts(sloped):
    pairs = [sloped("a", {"road": 0.5}), sloped("b", {"road": 0.9, "water": 0.75})]
    both = evaluate_maps([raster for raster, _ in pairs], kept, [file for _, file in pairs], TERMS)
    for place, (raster, file) in zip(both.places, pairs, strict=True):
        (alone,) = evaluate_maps([raster], kept, [file], TERMS).places
        for one, other in zip(place.counted, alone.counted, strict=True):
            np.testing.assert_array_equal(one.cells, other.cells)
    assert both.places[1].counted[0].cells[:, 3].sum() == 8
    assert "0.500–0.900" in both.text()
    assert "Each scene has its own cuts, which differ: road." in both.text()
    assert [scene["cuts"]["road"] for scene in both.as_dict()["scenes"]] == [0.5, 0.9]


def test_a_scene_without_a_feature_counts_where_that_is_known(sloped, tmp_path):
    raster, file = sloped("a", {"road": 0.5})
    bare, _ = sloped("b", {"road": 0.9})
    far = write_truth(tmp_path / "far.gpkg", raster, [("road", shapely.box(50, 50, 51, 51))])
    none = write_truth(tmp_path / "none.gpkg", raster, [])
    area = write_truth(tmp_path / "area.gpkg", raster, [("known", shapely.box(0, 0, 10, 8))])
    for truth in (far, none):
        (road,) = evaluate_maps([raster, bare], kept, [file, truth], TERMS).labels
        assert road.cells.sum(axis=0).tolist() == [40 + 72, 8, 0, 40]
    (road,) = evaluate_maps([bare], kept, [far], TERMS, area=area).labels
    assert np.isnan(road.figures["sensitivity"])
    assert road.figures["specificity"] == 0.9
    with pytest.raises(UserError, match="No feature of the truth lies in b"):
        evaluate_maps([bare], kept, [far], TERMS)
    with pytest.raises(UserError, match="No cell of a is left to count"):
        evaluate_maps([raster], kept, [file], TERMS, area=far)


def test_scores_of_different_bits_are_refused_in_a_line(scenes, tmp_path):
    rasters, files = scenes
    fine = raster_of(tmp_path, rasters[0].scores("road"), bits=16)
    with pytest.raises(UserError, match=r"8 bits in one scene and 16 in another.*same --bits"):
        evaluate_maps([rasters[0], fine], FIND, files[:1], TERMS)


def test_figures_are_those_of_each_region_and_of_all(scenes, tmp_path):
    rasters, files = scenes
    boxes = {"north": shapely.box(0, 0, 12, 6), "south": shapely.box(0, 6, 9, 12), "far": shapely.box(50, 50, 51, 51)}
    regions = write_truth(tmp_path / "regions.gpkg", rasters[0], boxes.items(), column="name")
    found = evaluate_maps(rasters, FIND, files, TERMS, regions=regions)
    assert found.regions == ("north", "south", "far")
    for region, shape in boxes.items():
        if region != "far":
            area = write_truth(tmp_path / f"{region}.gpkg", rasters[0], [("", shape)])
            alone = evaluate_maps(rasters, FIND, files, TERMS, area=area)
            for one, other in zip(found.of_region(region), alone.labels, strict=True):
                np.testing.assert_array_equal(one.cells, other.cells)
    parts = [label.cells.sum(axis=0) for region in found.regions for label in found.of_region(region)[:1]]
    np.testing.assert_array_equal(found.labels[0].cells.sum(axis=0), sum(parts))
    shown = found.text()
    assert "No cell with a known score lies in: far." in shown
    assert [row[:2] for row in found.by_region()[1]][:3] == [("road", "north"), ("road", "south"), ("road", "far")]
    content = json.loads(as_text(found.as_dict()))
    assert [each["region"] for each in content["regions"]] == ["north", "south", "far"]
    assert content["regions"][2]["labels"][0]["sensitivity"]["value"] is None
    assert sum(each["labels"][0]["cells"] for each in content["regions"]) == content["labels"][0]["cells"]
    with pytest.raises(UserError, match=r"it has no column 'kind'; it has name.*--region-name"):
        evaluate_maps(rasters, FIND, files, TERMS, regions=regions, region_column="kind")
