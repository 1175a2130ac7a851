"""Where chips are cut, and which labels they carry."""

import numpy as np
import pytest
import shapely

from competition.gdal.vectors import Features
from competition.scene_chips.blocks import RIM, Blocks
from competition.scene_chips.groups import keep_together
from competition.scene_chips.places import NEAR, Ground, sample_places
from competition.scene_chips.rules import Rules
from competition.scenes.grid import Window
from competition.scenes.scene import Scene
from tests.competition.scenes.samples import LEFT, METRES, TOP, noise, write_scene

SIDE = 20
NONE = Rules()


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return Scene.open(write_scene(tmp_path_factory.mktemp("places") / "a.tif", noise(1, 600, 800)))


def ground_of(scene: Scene, *shapes: tuple[shapely.Geometry, str], rules: Rules = NONE) -> Ground:
    """Return the ground of shapes in the scene's pixels."""
    placed = [shapely.transform(shape, lambda xy: xy * (METRES, -METRES) + (LEFT, TOP)) for shape, _ in shapes]
    features = Features(np.array(placed, dtype=object), tuple(label for _, label in shapes))
    return Ground(features, Blocks.of(scene, (SIDE, SIDE), 160 * METRES, scene.wkt), rules)


def box_of(window) -> shapely.Geometry:
    return shapely.box(window.x, window.y, window.x + window.width, window.y + window.height)


def many(seed: int = 0) -> list[tuple[shapely.Geometry, str]]:
    rng = np.random.default_rng(seed)
    points = [(shapely.Point(x, y), "mine") for x, y in rng.uniform((0, 0), (800, 600), (150, 2))]
    return [*points, (shapely.box(300, 200, 500, 210), "road"), (shapely.box(0, 0, 100, 600), "water")]


def test_every_point_lies_in_a_chip_that_carries_its_label(scene) -> None:
    points = [shapely.Point(x, 100) for x in range(30, 800, 60)]
    places = list(ground_of(scene, *((point, "mine") for point in points)).positives(np.random.default_rng(0)))
    assert len(places) == len(points)
    for point, place in zip(points, places, strict=True):
        assert shapely.intersects(box_of(place.window), point)
        assert place.labels == ("mine",)
    off = [place.window.x + SIDE / 2 - point.x for point, place in zip(points, places, strict=True)]
    assert np.std(off) > 1  # not always in the middle


def test_chips_of_two_groups_share_no_ground_and_none_shares_half(scene) -> None:
    blocks = Blocks.of(scene, (SIDE, SIDE), 160 * METRES, scene.wkt)
    places = keep_together(sample_places([ground_of(scene, *many())], 60, seed=3), [blocks])
    assert len({place.group for place in places}) > 5
    boxes = [box_of(place.window) for place in places]
    for one, other in zip(*np.triu_indices(len(places), 1), strict=True):
        shared = boxes[one].intersection(boxes[other])
        assert shared.area <= 0.5 * SIDE**2
        left, top, right, bottom = shared.bounds if shared.area else (0, 0, 0, 0)
        assert min(right - left, bottom - top) <= 2 * RIM or places[one].group == places[other].group


def test_labels_are_those_that_show(scene) -> None:
    field, pond, sliver = shapely.box(0, 0, 400, 400), shapely.box(103, 103, 104, 104), shapely.box(0, 0, 100.05, 600)
    ground = ground_of(scene, (field, "field"), (pond, "pond"), (sliver, "river"))
    of = {place.window: place.labels for place in ground.positives(np.random.default_rng(1))}
    assert {labels for window, labels in of.items() if window.x < 70 and window.y < 370} == {("field", "river")}
    assert all("pond" in labels for window, labels in of.items() if shapely.contains(box_of(window), pond))
    assert not any("river" in labels for window, labels in of.items() if window.x == 100)
    assert any("pond" in labels for labels in of.values())


def test_what_stands_alone_hides_what_lies_below(scene) -> None:
    """A road and a mine below a cloud that leaves a strip of the chip at the left, and its river, to be seen."""
    rules = Rules(exclusive=(("clear", "cloudy", "haze"),), alone=("cloudy",), always=("clear",))
    cloud, river = shapely.box(106, 80, 400, 240), shapely.box(100, 80, 105, 240)
    road, mine, haze = shapely.box(106, 110, 400, 113), shapely.Point(112, 105), shapely.box(0, 200, 800, 600)
    shapes = [(cloud, "cloudy"), (river, "river"), (road, "road"), (mine, "mine"), (haze, "haze")]
    ground = ground_of(scene, *shapes, rules=rules)
    assert ground.labels_in(Window(100, 100, SIDE, SIDE)) == ("clear", "river")
    assert ground.labels_in(Window(104, 100, SIDE, SIDE)) == ("cloudy",)
    assert ground.labels_in(Window(95, 195, SIDE, SIDE)) == ("haze", "river")
    assert ground_of(scene, *shapes).labels_in(Window(100, 100, SIDE, SIDE)) == ("cloudy", "mine", "river", "road")


def test_negatives_touch_no_feature_and_lie_near_and_far(scene) -> None:
    shapes = many()[140:150] + many()[151:]
    ground = ground_of(scene, *shapes)
    list(ground.positives(np.random.default_rng(0)))
    places = list(ground.negatives(40, np.random.default_rng(0)))
    assert [place.labels for place in places] == [()] * 40
    distances = [min(shapely.distance(box_of(place.window), shape) for shape, _ in shapes) for place in places]
    assert min(distances) > 0
    assert max(distances[:20]) <= NEAR * SIDE < min(distances[20:])


def test_a_seed_gives_the_same_places_and_another_gives_others(scene) -> None:
    made = [sample_places([ground_of(scene, *many())], 20, seed) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    with_any = sample_places([ground_of(scene, *many())], 20, 1, 30)
    assert with_any[: len(made[0])] == made[0]  # those anywhere come after
    assert len(with_any) == len(made[0]) + 30
    assert with_any == sample_places([ground_of(scene, *many())], 20, 1, 30)


def test_chips_anywhere_carry_what_they_show_as_often_as_the_ground_does(scene) -> None:
    half = shapely.box(0, 0, 400, 600), "forest"
    ground = ground_of(scene, half, (shapely.Point(700, 300), "mine"))
    places = list(ground.anywhere(60, np.random.default_rng(0)))
    assert len(places) == 60
    forest = [place for place in places if "forest" in place.labels]
    assert 0.3 < len(forest) / len(places) < 0.75
    for place in places:
        assert ("forest" in place.labels) == (box_of(place.window).intersection(half[0]).area > 0.005 * SIDE**2)
        assert place.negative == (place.labels == ())
    assert 0 < len(list(ground.anywhere(10**6, np.random.default_rng(1)))) < 10**6


def test_where_there_is_no_room_there_are_fewer_negatives_and_it_is_said(scene, lines) -> None:
    places = sample_places([ground_of(scene, (shapely.box(0, 0, 800, 560), "forest"))], 500, 0)
    found = sum(place.negative for place in places)
    assert 5 < found < 500
    assert lines == [f"There is room for {found} of 500 negatives."]
    everywhere = shapely.box(0, 0, 800, 600), "forest"
    assert not list(ground_of(scene, everywhere).negatives(3, np.random.default_rng(0)))


def test_features_outside_of_the_scene_are_left_out(scene) -> None:
    ground = ground_of(scene, (shapely.Point(-50, 10), "mine"), (shapely.Point(50, 10), "mine"))
    assert (len(ground.shapes), ground.num_outside) == (1, 1)
