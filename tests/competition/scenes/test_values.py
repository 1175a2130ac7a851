"""Values of scenes as those of chips."""

import numpy as np
import pytest
import rasterio
from PIL import Image

from competition.common.errors import UserError
from competition.scenes.scene import Scene
from competition.scenes.values import ChipValues, Values, probe, quantiles_of, values_of
from competition.spec.images import ImageSet
from tests.competition.scenes.samples import write_scene

WINDOW = (64, 64)


def ground(factor: float = 1, offset: float = 0, dtype: str = "uint16") -> np.ndarray:
    """Return a scene of two bands, 200 to 3,000 and 1,000 to 6,000, in other units."""
    rng = np.random.default_rng(1)
    values = np.stack([rng.normal(1200, 400, (128, 128)), rng.normal(3000, 800, (128, 128))]).clip(200, 6000)
    return (values * factor + offset).astype(dtype)


@pytest.fixture(scope="module")
def chips() -> ChipValues:
    return ChipValues("uint16", ("a", "b"), quantiles_of([np.moveaxis(ground(), 0, -1)]), sampled=True)


def opened(tmp_path, values: np.ndarray) -> Scene:
    return Scene.open(write_scene(tmp_path / "a.tif", values))


def test_values_of_the_chips_kind_stay_as_they_are(tmp_path, chips) -> None:
    scene = opened(tmp_path, ground())
    values = values_of(scene, chips, WINDOW)
    pixels = np.array([[1, 2], [3, 65535]], np.uint16)
    assert values(pixels) is pixels
    found = probe(scene, WINDOW, values, chips)
    assert found.problem == ""
    assert found.text().startswith("Values, 5th to 95th percentile: a ")
    assert found.as_dict()["problem"] == ""


@pytest.mark.parametrize(
    ("factor", "offset", "dtype", "flag"),
    [
        (1e-4, 0, "float32", "--scale 10000, or --values match"),
        (1 / 257, 0, "uint16", "--scale 257, or --values match"),
        (1, 8000, "uint16", "Give --values match"),
        (10, 0, "uint16", "--scale 0.1, or --values match"),
        (1, 1000, "uint16", "--offset -1000, or --values match"),
        (0, 5000, "uint16", "Give --values match"),
    ],
)
def test_other_units_are_told_with_the_flag_that_mends_them(tmp_path, chips, factor, offset, dtype, flag) -> None:
    scene = opened(tmp_path, ground(factor, offset, dtype))
    as_they_are = Values((1.0, 1.0), (0.0, 0.0), "float32" if dtype == "float32" else "uint16")
    problem = probe(scene, WINDOW, as_they_are, chips).problem
    assert problem.startswith("The scene's values cannot be what the model has learnt")
    assert flag in problem


@pytest.mark.parametrize("band", [slice(1, 2), slice(0, 1)])
def test_a_scene_of_one_kind_of_ground_is_no_problem(tmp_path, chips, band) -> None:
    values = ground()
    values[band] = np.quantile(values[band], 0.3) + values[band] % 50  # all forest, say
    assert probe(opened(tmp_path, values), WINDOW, Values((1.0, 1.0), (0.0, 0.0), "uint16"), chips).problem == ""


def test_match_brings_any_units_to_those_of_the_chips(tmp_path, chips) -> None:
    scene = opened(tmp_path, ground(0.01, 3, "float32"))
    values = values_of(scene, chips, WINDOW, how="match")
    assert values.scale == pytest.approx((100, 100), rel=0.05)
    assert values.offset == pytest.approx((-300, -300), abs=60)
    assert probe(scene, WINDOW, values, chips).problem == ""
    with pytest.raises(UserError, match="Leave --scale and --offset out"):
        values_of(scene, chips, WINDOW, how="match", scale=2)


def test_flags_are_applied_after_what_the_file_says(tmp_path, chips) -> None:
    path = write_scene(tmp_path / "a.tif", ground())
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.0001, 0.0001), (-0.1, -0.1)
    values = values_of(Scene.open(path), chips, WINDOW, scale=10_000, offset=7)
    assert values(np.array([[2000, 900]], np.uint16)).tolist() == [[1007, 0]]
    with rasterio.open(path, "r+") as dataset:
        dataset.offsets = (0, 0)
    unscaled = values_of(Scene.open(path), chips, WINDOW)
    assert "reflectances" in probe(Scene.open(path), WINDOW, unscaled, chips).problem


def test_values_of_another_kind_need_a_flag(tmp_path, chips) -> None:
    scene = opened(tmp_path, ground(1 / 257, 0, "uint8"))
    with pytest.raises(UserError, match=r"holds uint8 values, and the chips uint16. Give --values match"):
        values_of(scene, chips, WINDOW)
    assert values_of(scene, chips, WINDOW, scale=257)(np.array([2, 3], np.uint8)).tolist() == [514, 771]
    signed = opened(tmp_path, ground(dtype="int16"))
    assert values_of(signed, chips, WINDOW)(np.array([-5, 3], np.int16)).tolist() == [0, 3]


def test_a_scene_without_data_is_told(tmp_path, chips) -> None:
    scene = Scene.open(write_scene(tmp_path / "a.tif", ground(0), nodata=0))
    found = probe(scene, WINDOW, Values((1.0, 1.0), (0.0, 0.0), "uint16"), chips)
    assert (found.found, found.text()) == (None, found.problem)
    assert "None of 200 windows of" in found.problem
    with pytest.raises(UserError, match="No window"):
        values_of(scene, chips, WINDOW, how="match")


def test_of_an_export_the_range_is_compared(tmp_path) -> None:
    known = ChipValues.of_range("uint16", ("a", "b"), (100, 500), (4000, 7000))
    plain = Values((1.0, 1.0), (0.0, 0.0), "uint16")
    assert probe(opened(tmp_path, ground()), WINDOW, plain, known).problem == ""
    assert "--scale 0.1" in probe(opened(tmp_path, ground(10)), WINDOW, plain, known).problem


def test_chips_tell_their_values_by_band(tmp_path) -> None:
    images = ImageSet.model_validate({"suffix": ".png", "bands": "RGB", "train": ["."]})
    files = []
    for number in range(3):
        files.append(tmp_path / f"{number}.png")
        picture = np.full((40, 50, 3), (10, 20, 30), np.uint8) + np.uint8(number)
        Image.fromarray(picture).save(files[-1])
    values = ChipValues.of_chips(files, images, ("B", "R"))
    assert (values.dtype, values.bands, values.sampled) == ("uint8", ("B", "R"), True)
    assert values.quantiles[3].tolist() == [31, 11]
