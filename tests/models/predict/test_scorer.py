"""Scores are means over networks and views, of the chips asked for, in their order."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from competition.common.errors import UserError
from competition.data.chips import BrokenChipError
from models.backend.runners import Runner
from models.inputs.batches import Chips
from models.inputs.views import apply_view
from models.predict.chip_files import ChipFiles, chip_files, predict_files
from models.predict.scorer import BATCHES_A_PART, Scorer, predict_in_parts
from models.recipes.view_sets import VIEW_SETS
from tests.models.samples import PLANET, NumberedCache, array_chips, inputs_of, tiny_recipe


def corner(factor: float = 1.0) -> Runner:
    """Return what stands in for a network: it scores a chip by its first pixel, so that views differ."""
    return lambda chips: (factor * chips[:, 0, 0, :3] / 255).astype(np.float32)


def scores_of(scorer: Scorer, source: Chips, count: int, views: tuple[str, ...], folder: Path) -> np.ndarray:
    return predict_in_parts(scorer, source, np.arange(count), views, folder, "")


@pytest.mark.parametrize("views", VIEW_SETS)
def test_scores_are_the_mean_over_networks_and_views(views):
    chips = array_chips(7).read(np.arange(7))
    networks = [corner(), corner(0.5)]
    under_views = [apply_view(chips, view) for view in VIEW_SETS[views]]
    scores = Scorer(networks)(iter(under_views))
    parts = [network(seen) for network in networks for seen in under_views]
    np.testing.assert_allclose(scores, np.mean(parts, axis=0), atol=1e-6)
    assert (scores.shape, scores.dtype) == ((7, 3), np.float32)


def test_what_networks_share_runs_once_a_view():
    runs = []

    def half(chips: np.ndarray) -> np.ndarray:
        runs.append(len(chips))
        return chips / 2

    chips = array_chips(5).read(np.arange(5))
    scores = Scorer([corner(), corner(0.5)], half)([chips, chips])
    assert runs == [5, 5]
    np.testing.assert_allclose(scores, 0.75 * corner()(chips / 2), atol=1e-6)


def test_scores_stay_within_0_and_1():
    def certain(chips: np.ndarray) -> np.ndarray:
        return np.full((len(chips), 3), np.nextafter(np.float32(1), np.float32(2)))

    assert Scorer([certain] * 3)([np.zeros((2, 4, 4, 3))] * 8).max() == 1.0


def test_scores_depend_neither_on_the_batches_nor_on_the_parts(tmp_path):
    chips = array_chips(70).read(np.arange(70))
    expected = Scorer([corner()])([chips, apply_view(chips, "turn90")])
    for size in (2, 9, 100):
        source = array_chips(70, batch_size=size)
        made = scores_of(Scorer([corner()]), source, 70, ("identity", "turn90"), tmp_path / str(size))
        np.testing.assert_array_equal(made, expected)


def test_chips_are_scored_in_the_order_asked_for_and_read_a_batch_at_a_time(tmp_path):
    cache = NumberedCache(10)
    source = Chips(cache, (0, 1, 2), batch_size=2)
    made = predict_in_parts(Scorer([corner()]), source, np.array([9, 3, 4, 0, 7]), ("identity",), tmp_path, "")
    np.testing.assert_allclose(made[:, 0] * 255, [9, 3, 4, 0, 7], rtol=1e-6)
    assert [len(asked) for asked in cache.asked] == [2, 2, 1]


def test_interrupted_it_goes_on_with_the_part_that_is_not_done(tmp_path):
    source, calls = array_chips(50, batch_size=3), []

    def failing(chips: np.ndarray) -> np.ndarray:
        calls.append(len(chips))
        if len(calls) == BATCHES_A_PART + 3:
            raise KeyboardInterrupt
        return corner()(chips)

    with pytest.raises(KeyboardInterrupt):
        scores_of(Scorer([failing]), source, 50, ("identity",), tmp_path)
    calls.clear()
    made = scores_of(Scorer([failing]), source, 50, ("identity",), tmp_path)
    assert sum(calls) == 50 - 3 * BATCHES_A_PART
    np.testing.assert_array_equal(made, corner()(source.read(np.arange(50))))


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "new chips"
    folder.mkdir()
    for number in (10, 2, 33):
        Image.fromarray(np.random.default_rng(number).integers(1, 255, (12, 12, 3)).astype(np.uint8)).save(
            folder / f"chip_{number}.png"
        )
    return folder


def scored(files: list[Path], dtype: str = "uint8", *, skip_broken: bool = False, **values):
    recipe = tiny_recipe(input_size=12, **values)
    images = PLANET.image_set(recipe.images)
    given = ChipFiles(files, images, recipe, inputs_of(recipe), np.dtype(dtype), skip_broken)
    sample = given.sample()
    assert sample.shape[1:] == (12, 12, 3)
    assert sample.dtype == (np.uint8 if dtype == "uint8" else np.float32)
    return predict_files(Scorer([corner()]), given, ("identity",))


def test_a_folders_chips_are_scored_by_their_names(folder):
    (folder / "notes.txt").write_text("no chip")
    (folder / "._chip_2.png").write_bytes(b"what macOS leaves")
    files = chip_files(folder)
    assert [path.name for path in files] == ["chip_10.png", "chip_2.png", "chip_33.png"]
    scores, broken = scored(files)
    assert (scores.names, broken) == (("chip_10", "chip_2", "chip_33"), [])
    expected = [np.asarray(Image.open(path))[0, 0] / 255 for path in files]
    np.testing.assert_allclose(scores.values, expected, atol=1e-6)


def test_a_broken_chip_stops_or_is_left_out_and_named(folder):
    (folder / "chip_2.png").write_bytes(b"half")
    with pytest.raises(BrokenChipError, match=r"chip_2\.png.*Mend it, or add --skip-broken\.$"):
        scored(chip_files(folder))
    scores, broken = scored(chip_files(folder), skip_broken=True)
    assert scores.names == ("chip_10", "chip_33")
    assert len(broken) == 1
    assert "chip_2.png" in broken[0]


def test_chips_that_are_all_broken_are_refused(folder):
    for path in folder.iterdir():
        path.write_bytes(b"half")
    with pytest.raises(UserError, match=r"All 3 chips are broken\. Broken chip .*chip_10\.png"):
        scored(chip_files(folder), skip_broken=True)


def test_chips_of_another_data_type_than_the_model_was_trained_on_are_refused(tmp_path):
    chip = np.random.default_rng(0).integers(1, 9000, (12, 12, 4)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "chip.tif", chip, photometric="rgb", extrasamples=["unassalpha"])
    scores, _ = scored(chip_files(tmp_path), "uint16", images="tif", skip_broken=True)
    assert scores.names == ("chip",)
    with pytest.raises(UserError, match=r"chip\.tif has uint16 values; the model takes uint8\. Give a folder"):
        scored(chip_files(tmp_path), "uint8", images="tif", skip_broken=True)


def test_pictures_of_other_bands_or_depth_are_refused(folder):
    grey = np.random.default_rng(0).integers(1, 255, (12, 12)).astype(np.uint8)
    Image.fromarray(grey).save(folder / "chip_2.png")
    with pytest.raises(BrokenChipError, match=r"chip_2\.png: expected 3 bands, received a grey picture\. Mend it, or"):
        scored(chip_files(folder))
    (folder / "chip_2.png").write_bytes(imagecodecs.png_encode(np.full((12, 12, 3), 9000, dtype=np.uint16)))
    with pytest.raises(UserError, match=r"chip_2\.png has uint16 values; the model takes uint8\. Give a folder"):
        scored(chip_files(folder), skip_broken=True)


def test_chips_of_another_size_are_resized_and_one_line_says_so(folder, capsys):
    scored(chip_files(folder))
    assert "resized" not in capsys.readouterr().out
    Image.new("RGB", (20, 30), "red").save(folder / "chip_4.png")
    Image.new("RGB", (6, 6), "red").save(folder / "chip_5.png")
    scored(chip_files(folder))
    line = "Chips of 20 x 30, 6 x 6 pixels are resized to 12 x 12, what the model was trained on."
    assert [shown for shown in capsys.readouterr().out.splitlines() if "resized" in shown] == [line]


def test_folders_without_chips_or_with_one_id_twice_are_refused(tmp_path, folder):
    with pytest.raises(UserError, match="No folder"):
        chip_files(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"No chips in .*empty: expected files ending in \.jpeg, \.jpg"):
        chip_files(tmp_path / "empty")
    (folder / "chip_2.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"Two files carry the id chip_2: chip_2\.(png|jpg) and chip_2\.(png|jpg)"):
        chip_files(folder)
