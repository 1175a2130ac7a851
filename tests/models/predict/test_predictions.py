"""Predictions: every chip of a folder that can be read is scored, the others are named."""

from __future__ import annotations

import threading
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from competition.common.errors import UserError
from competition.data.chips import BrokenChipError
from competition.task import Task
from folds.store.scores import Scores
from models.predict.chip_files import ChipFiles, chips_in
from models.predict.predictions import Predictions, predict_files
from models.predict.scorer import Scorer
from tests.models.samples import PLANET, inputs_of, tiny_recipe

FEW = Task(PLANET, PLANET.labels[:3])


def first_pixel(chips: np.ndarray) -> np.ndarray:
    """Stand in for a network."""
    return (chips[:, 0, 0, :3] / 255).astype(np.float32)


def scored(folder: Path, dtype: str = "uint8", *, skip_broken: bool = False, **values) -> Predictions:
    recipe = tiny_recipe(input_size=12, **values)
    images = PLANET.image_set(recipe.images)
    found = dict(chips_in(folder, images))
    given = ChipFiles(folder, found, images, recipe, inputs_of(recipe), np.dtype(dtype), skip_broken)
    sample = given.sample()
    assert sample.shape[1:] == (12, 12, 3)
    assert sample.dtype == (np.uint8 if dtype == "uint8" else np.float32)
    return predict_files(Scorer([first_pixel]), given, ("identity",), FEW)


def test_a_folders_chips_are_scored_by_their_names(folder):
    (folder / "notes.txt").write_text("no chip")
    (folder / "._chip_2.png").write_bytes(b"what macOS leaves")
    predictions = scored(folder)
    assert (predictions.scores.names, predictions.left_out) == (("chip_10", "chip_2", "chip_33"), ())
    expected = [np.asarray(Image.open(folder / f"chip_{number}.png"))[0, 0] / 255 for number in (10, 2, 33)]
    np.testing.assert_allclose(predictions.scores.values[:, :3], expected, atol=1e-6)
    assert np.isnan(predictions.scores.values[:, 3:]).all()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_scores_and_those_left_out_are_the_same_whatever_is_read_at_once(folder, monkeypatch, size):
    (folder / "chip_2.png").write_bytes(b"half")
    expected = scored(folder, skip_broken=True)
    monkeypatch.setattr("models.predict.predictions.batch_size_for", lambda pixels: size)
    found = scored(folder, skip_broken=True)
    assert (found.scores.names, found.left_out) == (expected.scores.names, expected.left_out)
    np.testing.assert_array_equal(found.scores.values, expected.scores.values)


def test_an_interrupt_ends_it_at_once_and_its_readers_too(folder, monkeypatch):
    def pressed(chips: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr("models.predict.predictions.batch_size_for", lambda pixels: 1)
    before, recipe = threading.active_count(), tiny_recipe(input_size=12)
    images = PLANET.image_set("jpg")
    found = dict(chips_in(folder, images))
    files = ChipFiles(folder, found, images, recipe, inputs_of(recipe), np.dtype("uint8"))
    with pytest.raises(KeyboardInterrupt):
        predict_files(Scorer([pressed]), files, ("identity",), FEW)
    assert threading.active_count() == before


def test_the_text_names_what_was_left_out_and_the_table_has_the_labels_scored(tmp_path):
    values = FEW.spread(np.float32([[0.5, 0.25, 1.0]]))
    predictions = Predictions(Scores(("a",), values), PLANET, ("b.png: half",))
    predictions.write(tmp_path / "scores.csv", ["haze"])
    assert predictions.text(Path("scores.csv")) == "Left out: b.png: half\nWrote scores.csv: 1 chip."
    assert predictions.as_dict() == {"chips": 1, "labels": list(FEW.labels), "left_out": ["b.png: half"]}
    table = pd.read_csv(tmp_path / "scores.csv")
    assert table.columns.tolist() == ["image_name", *FEW.labels, "tags"]
    assert table.iloc[0].tolist() == ["a", 0.5, 0.25, 1.0, "haze"]


def test_a_broken_chip_stops_or_is_left_out_and_named(folder):
    (folder / "chip_2.png").write_bytes(b"half")
    with pytest.raises(BrokenChipError, match=r"chip_2\.png.*Mend it, or add --skip-broken\.$"):
        scored(folder)
    predictions = scored(folder, skip_broken=True)
    assert predictions.scores.names == ("chip_10", "chip_33")
    assert len(predictions.left_out) == 1
    assert "chip_2.png" in predictions.left_out[0]


def test_chips_of_another_data_type_than_the_model_was_trained_on_are_refused(tmp_path):
    chip = np.random.default_rng(0).integers(1, 9000, (12, 12, 4)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "chip.tif", chip, photometric="rgb", extrasamples=["unassalpha"])
    predictions = scored(tmp_path, "uint16", images="tif", skip_broken=True)
    assert predictions.scores.names == ("chip",)
    with pytest.raises(UserError, match=r"chip\.tif has uint16 values; the model takes uint8\. Give a folder"):
        scored(tmp_path, "uint8", images="tif", skip_broken=True)


def test_grey_pictures_are_scored_and_one_line_says_so(folder, lines):
    for path in folder.iterdir():
        Image.open(path).convert("L").save(path)
    assert len(scored(folder).scores.names) == 3
    assert lines == ["Grey pictures, which are read as colours, as in training: 3 of 3 chips."]


def test_pictures_of_another_depth_are_refused(folder):
    (folder / "chip_2.png").write_bytes(imagecodecs.png_encode(np.full((12, 12, 3), 9000, dtype=np.uint16)))
    with pytest.raises(UserError, match=r"chip_2\.png has uint16 values; the model takes uint8\. Give a folder"):
        scored(folder, skip_broken=True)


def test_chips_of_another_size_are_resized_and_one_line_says_so(folder, lines):
    scored(folder)
    assert lines == []
    Image.new("RGB", (20, 30), "red").save(folder / "chip_4.png")
    Image.new("RGB", (6, 6), "red").save(folder / "chip_5.png")
    scored(folder)
    assert lines == ["Chips of 20 x 30, 6 x 6 pixels are resized to 12 x 12, what the model was trained on."]
