"""What a rendering says of its files."""

import pytest
from pydantic import ValidationError

from competition.data.chip_cache import _reading
from competition.index.layout import description_of
from competition.spec.images import ImageSet
from competition.spec.load import load

PLAIN = {"suffix": ".png", "bands": "RGB", "train": ["train"]}


def test_letters_and_names_of_bands_are_the_same_thing() -> None:
    letters = ImageSet.model_validate(PLAIN)
    assert letters.bands == ("R", "G", "B")
    assert (letters.band_key, letters.shown_bands) == ("RGB", "'RGB'")
    named = ImageSet.model_validate({**PLAIN, "bands": ["B02", "B8A"], "file": "{id}/{id}_{band}"})
    assert (named.band_key, named.shown_bands, named.is_split) == (("B02", "B8A"), "B02,B8A", True)
    assert ImageSet.model_validate_json(named.model_dump_json()) == named


def test_suffixes_are_in_lower_case() -> None:
    assert ImageSet.model_validate({**PLAIN, "suffix": [".JPG", ".png"]}).suffix == (".jpg", ".png")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"suffix": "png"}, "expected a suffix such as '.jpg'"),
        ({"bands": "RGR"}, "bands 'RGR' name a band twice"),
        ({"bands": [f"b{number}" for number in range(201)]}, "at most 200"),
        ({"range": {"N": [0, 1]}}, "range names band 'N', but bands are 'RGB'"),
        ({"range": {"R": [5, 5]}}, "range of band 'R' must rise, received 5 to 5"),
        ({"file": "{band}"}, r"file must hold \{id\} and may hold \{band\}"),
        ({"file": "{id}_{colour}"}, r"file must hold \{id\} and may hold \{band\}"),
        ({"file": "../{id}"}, "file must not lead out of the image folder"),
        ({"further": "train"}, "further must have folders of its own, received 'train'"),
        ({"nodata": "none"}, "nodata"),
        ({"black": "maybe"}, "black"),
        ({"metres_per_pixel": 0}, "metres_per_pixel"),
        ({"metres_per_pixel": float("inf")}, "metres_per_pixel"),
    ],
)
def test_what_cannot_be_is_refused(entries: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ImageSet.model_validate({**PLAIN, **entries})


def test_the_ground_of_a_pixel_changes_no_digest_of_what_is_decoded_or_prepared() -> None:
    planet = load("planet")
    images = {name: each.model_copy(update={"metres_per_pixel": None}) for name, each in planet.images.items()}
    before = planet.model_copy(update={"images": images})
    assert description_of(before) == description_of(planet)
    assert [*map(_reading, images.values())] == [*map(_reading, planet.images.values())]
