"""Scores are means over networks and views, of the chips asked for, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from competition.chips import BrokenChipError
from competition.errors import UserError
from competition.spec import load
from models.batches import ChipReader
from models.predict import batch_size_for, cached_batches, chip_files, predict, predict_files, progress_bar
from models.views import VIEW_SETS, apply_view
from tests.models.samples import NumberedCache

JPG, TIF = load("planet").image_set("jpg"), load("planet").image_set("tif")


class Corner:
    """Stands in for a network: scores a chip by its first pixel, so that views differ."""

    output_shape = (None, 3)

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def predict_on_batch(self, chips: np.ndarray) -> np.ndarray:
        return (self.factor * chips[:, 0, 0, :3] / 255).astype(np.float32)


def chips(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3)).astype(np.uint8)


def batches(of: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(of), size):
        yield of[start : start + size]


@pytest.mark.parametrize("views", VIEW_SETS)
def test_scores_are_the_mean_over_networks_and_views(views):
    seen = chips(7)
    networks = [Corner(), Corner(0.5)]
    scores = predict(networks, batches(seen, 3), VIEW_SETS[views], progress_bar(7, ""))
    parts = [network.predict_on_batch(apply_view(seen, view)) for network in networks for view in VIEW_SETS[views]]
    np.testing.assert_allclose(scores, np.mean(parts, axis=0), atol=1e-6)
    assert (scores.shape, scores.dtype) == ((7, 3), np.float32)


def test_scores_do_not_depend_on_the_batches():
    seen = chips(9)
    many, one = (
        predict([Corner()], batches(seen, size), ("identity", "turn90"), progress_bar(9, "")) for size in (2, 9)
    )
    np.testing.assert_array_equal(many, one)


def test_no_chips_give_no_scores():
    assert predict([Corner()], [], ("identity",), progress_bar(0, "")).shape == (0, 3)


def test_scores_stay_within_0_and_1():
    class Certain(Corner):
        def predict_on_batch(self, chips):
            return np.full((len(chips), 3), np.nextafter(np.float32(1), np.float32(2)))

    assert predict([Certain()] * 3, batches(chips(2), 2), VIEW_SETS["d4"], progress_bar(2, "")).max() == 1.0


def test_cached_chips_come_in_the_order_asked_for_and_a_batch_at_a_time():
    cache = NumberedCache(10)
    found = list(cached_batches(ChipReader(cache, (0, 1, 2)), np.array([9, 3, 4, 0, 7]), 2))
    assert [chip[0, 0, 0] for batch in found for chip in batch] == [9, 3, 4, 0, 7]
    assert [len(asked) for asked in cache.asked] == [2, 2, 1]


def test_batches_hold_about_as_many_pixels_whatever_the_size():
    assert [batch_size_for(size) for size in (16, 64, 224, 299, 2000)] == [1024, 512, 41, 23, 8]


# Folders


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "new chips"
    folder.mkdir()
    for number in (10, 2, 33):
        Image.fromarray(np.random.default_rng(number).integers(1, 255, (12, 12, 3)).astype(np.uint8)).save(
            folder / f"chip_{number}.png"
        )
    return folder


def scored(files: list[Path], images=JPG, columns=(0, 1, 2), dtype=np.uint8, **options):
    return predict_files([Corner()], files, images, columns, np.dtype(dtype), 12, ("identity",), **options)


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
    scores, _ = scored(chip_files(tmp_path), TIF, (2, 1, 0), np.uint16, skip_broken=True)
    assert scores.names == ("chip",)
    with pytest.raises(UserError, match=r"chip\.tif has uint16 values; the model takes uint8\. Give a folder"):
        scored(chip_files(tmp_path), TIF, (2, 1, 0), np.uint8, skip_broken=True)


def test_folders_without_chips_or_with_one_id_twice_are_refused(tmp_path, folder):
    with pytest.raises(UserError, match="No folder"):
        chip_files(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"No chips in .*empty: expected files ending in \.jpeg, \.jpg"):
        chip_files(tmp_path / "empty")
    (folder / "chip_2.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"Two files carry the id chip_2: chip_2\.(png|jpg) and chip_2\.(png|jpg)"):
        chip_files(folder)
