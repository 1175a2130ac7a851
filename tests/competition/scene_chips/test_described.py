"""The file of a competition whose chips were cut from a scene."""

import pytest

from competition.common.errors import UserError
from competition.scene_chips.described import described, labels_of, read_described
from competition.scenes.scene import Scene
from competition.spec.load import load
from tests.competition.scenes.samples import noise, write_scene

PLANET = load("planet")


@pytest.fixture
def scene(tmp_path) -> Scene:
    return Scene.open(write_scene(tmp_path / "a b.tif", noise(2), names=["B02", "near infrared"]), ["b02"])


def test_rules_and_metric_are_those_of_another_competition(scene) -> None:
    made = read_described(described("mine", PLANET.labels, PLANET, [scene], {"b02": (1, 9.5)}, 3.0))
    assert (made.labels, made.exclusive, made.alone) == (PLANET.labels, PLANET.exclusive, PLANET.alone)
    assert (made.metric, made.unlabelled, made.name) == (PLANET.metric, PLANET.unlabelled, "mine")
    images = made.image_set("tif")
    assert (images.bands, images.range, images.metres_per_pixel) == (("b02",), {"b02": (1, 9.5)}, 3)
    assert made.tables.group_column == "group"


@pytest.mark.parametrize("name", ["bigearthnet-s2", "rsna-hemorrhage-2019", "eurosat", "chestx-ray14"])
def test_any_competition_that_ships_can_be_followed(scene, name) -> None:
    like = load(name)
    made = read_described(described("mine", like.labels, like, [scene], {}, 10.0))
    assert (made.labels, made.metric.name) == (like.labels, like.metric.name)


def test_labels_of_any_text_have_a_separator_that_none_holds(scene) -> None:
    made = read_described(described("mine", ("mine, open", "road"), None, [scene], {}, 3.0))
    assert (made.tables.separator, made.unlabelled) == ("|", True)
    assert made.tables.split(made.tables.join(["mine, open", "road"])) == ["mine, open", "road"]


def test_labels_are_sorted_or_those_of_the_competition() -> None:
    assert labels_of(["road", "mine", "road"], None) == ("mine", "road")
    assert labels_of(["road"], PLANET) == PLANET.labels
    with pytest.raises(UserError, match=r"Unknown label of competition 'planet' 'mine'. Known: agriculture"):
        labels_of(["mine"], PLANET)
    with pytest.raises(UserError, match=r"All features are labelled 'mine'.* such as by --with ground"):
        labels_of(["mine", "mine"], None)
