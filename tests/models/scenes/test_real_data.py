"""The competition's own GeoTIFFs as scenes: bands, values and scores are those of the chips that they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from competition.data.chips import read_chip
from competition.scenes.score_raster import ScoreRaster
from competition.scenes.values import ChipValues
from models.export.formats import write
from models.export.manifest import TrainingChips
from models.export.whole import KerasWhole, join
from tests.competition.scenes.samples import write_scene
from tests.competition.test_real_data import SHARED
from tests.models.export.files import PLANET, manifest_of, parts_of, recipe_of
from tests.models.scenes.samples import command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SHARED.is_dir(), reason=f"no real data in {SHARED}; name their folder in PLANET_SHARED_DATA"
    ),
]
CHIPS = SHARED / "planet256" / "train-tif-v2"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An exported file of a network that was never trained, which takes R, G, B and N of the GeoTIFFs at 64 pixels."""
    recipe = recipe_of("two_convolutions", images="tif", bands="RGBN", input_size=64)
    networks, _, inputs, dtype = parts_of(recipe, 64)
    values = ChipValues.of_chips(sorted(CHIPS.iterdir()), PLANET.image_set("tif"), tuple(inputs.bands))
    chips = TrainingChips(pixels=256, quantiles=values.quantiles.tolist())
    path = tmp_path_factory.mktemp("exported") / "tiny.keras"
    write(KerasWhole(join(networks, None)), manifest_of(recipe, inputs, dtype, chips=chips), path)
    return path


def test_a_chip_as_a_scene_has_the_scores_of_the_chip(exported, tmp_path):
    command("predict", "--model", exported, "--images", CHIPS, "--output", tmp_path / "s.csv")
    table = pd.read_csv(tmp_path / "s.csv").set_index("image_name")
    place = ("--scene-bands", "B,G,R,N", "--metres-per-pixel", 3, "--bits", 16, "--hides", "none")
    for path in sorted(CHIPS.iterdir()):
        shown = command(
            "scene", "predict", "--model", exported, "--scene", path, "--output", tmp_path / path.stem, *place
        )
        assert "cannot be what the model has learnt" not in shown
        raster = ScoreRaster.read(tmp_path / path.stem)
        assert (raster.rows, raster.columns) == (2, 2)  # all of one window
        for label in raster.labels:
            np.testing.assert_allclose(raster.scores(label), table.loc[path.stem, label], atol=1e-5)
    assert table["road"].std() > 1e-3


def test_bands_in_another_order_and_other_units_do_not_pass_for_the_same(exported, tmp_path):
    values = read_chip(CHIPS / "train_1.tif", PLANET.image_set("tif")).transpose(2, 0, 1)
    command("predict", "--model", exported, "--images", CHIPS, "--output", tmp_path / "s.csv")
    expected = pd.read_csv(tmp_path / "s.csv").set_index("image_name").loc["train_1"]
    where = ("scene", "predict", "--model", exported, "--bits", 16, "--hides", "none")
    turned = write_scene(tmp_path / "turned.tif", values[::-1], names=("nir", "red", "green", "blue"))
    command(*where, "--scene", turned, "--output", tmp_path / "turned")
    again = ScoreRaster.read(tmp_path / "turned")
    for label in again.labels:
        np.testing.assert_allclose(again.scores(label), expected[label], atol=1e-5)
    small = write_scene(tmp_path / "small.tif", values / 1e4, names=tuple("BGRN"))
    assert "--scale" in command(*where, "--scene", small, "--output", tmp_path / "small", code=2)
    command(*where, "--scene", small, "--output", tmp_path / "small", "--scale", 1e4)
    raster = ScoreRaster.read(tmp_path / "small")
    for label in raster.labels:
        np.testing.assert_allclose(raster.scores(label), expected[label], atol=1e-3)
