"""Equal and nearly equal pictures: they are found, and chips that only look alike are not."""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition.checks.check import check_data
from competition.copies.pairs import alike, confirmed, equal_pairs
from competition.copies.prints import PRINT, fingerprint, shrink, to_grey
from tests.competition.checks.samples import check, texts
from tests.competition.samples import write_chip


def printed(chips: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the prints and levels of chips."""
    prints, levels = np.zeros(len(chips), PRINT), np.zeros((len(chips), chips[0].shape[2]), np.float32)
    for number, chip in enumerate(chips):
        grey, levels[number] = to_grey(chip)
        prints[number] = fingerprint(chip, grey)
    return prints, levels


def nearly_equal(chips: list[np.ndarray], full: float = 255) -> set[tuple[int, int]]:
    prints, levels = printed(chips)
    return {(a, b) for a, b in confirmed(alike(prints, levels, full), chips.__getitem__).tolist()}


def scene(seed: int, size: int = 96) -> np.ndarray:
    """A picture with some detail at every scale, like land seen from above."""
    rng = np.random.default_rng(seed)
    layers = [Image.fromarray(rng.uniform(0, 255, (side, side, 3)).astype(np.uint8)) for side in (4, 9, 20)]
    return np.mean([np.asarray(layer.resize((size, size), Image.Resampling.BICUBIC)) for layer in layers], 0).astype(
        np.uint8
    )


def saved_anew(chip: np.ndarray, quality: int = 80) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(chip).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resized(chip: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(chip).resize((size, size), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(
    "change",
    [
        saved_anew,
        lambda chip: resized(chip, 50),
        lambda chip: resized(chip, 200),
        lambda chip: (chip * 0.9 + 6).astype(np.uint8),
        lambda chip: chip.astype(np.uint16) * 256 + 255,
    ],
)
def test_a_changed_copy_is_found_and_other_scenes_are_not(change) -> None:
    chips = [scene(seed) for seed in range(60)]
    assert nearly_equal([*chips, change(chips[7])]) == {(7, 60)}


def test_smooth_and_hazy_chips_are_no_copies_of_each_other() -> None:
    rng, ramp = np.random.default_rng(0), np.linspace(0, 1, 64)
    slopes = [90 + 60 * (a * ramp[:, None] + (1 - a) * ramp) for a in rng.uniform(0.45, 0.55, 80)]
    hazy = [200 + rng.normal(0, 1, (64, 64)) for _ in range(80)]
    chips = [
        np.repeat((grey + rng.normal(0, 1, (64, 64)))[:, :, None], 3, 2).astype(np.uint8) for grey in slopes + hazy
    ]
    prints, levels = printed(chips)
    assert len(alike(prints, levels, 255))  # by their hashes they are
    assert nearly_equal(chips) == set()


def test_one_drawing_in_two_colours_is_two_pictures() -> None:
    red = scene(1)
    red[:, :, 1:] //= 8
    assert nearly_equal([red, red[:, :, ::-1]]) == set()


def test_equal_pixels_are_paired_with_the_first_of_them() -> None:
    digests = np.array([b"a", b"b", b"a", b"c", b"b", b"a"], "S16")
    assert equal_pairs(digests).tolist() == [[0, 2], [1, 4], [0, 5]]
    assert equal_pairs(digests[:0]).tolist() == []


def test_shrinking_keeps_the_mean() -> None:
    grey = np.random.default_rng(0).uniform(0, 255, (37, 61)).astype(np.float32)
    assert shrink(grey, 9).mean() == pytest.approx(grey.mean(), rel=1e-4)
    assert shrink(grey[:5, :3], 9).shape == (9, 9)


def test_the_work_does_not_grow_with_the_square_even_if_many_are_alike() -> None:
    rng, count = np.random.default_rng(0), 30_000
    prints = np.zeros(count, PRINT)
    prints["bits"] = rng.integers(0, 256, (count, 16))
    prints["bits"][: count // 2] = prints["bits"][0]  # so alike that buckets would hold half of them
    prints["digest"], prints["contrast"] = np.arange(count).astype("S16"), 9
    began = time.process_time()
    pairs = alike(prints, np.ones((count, 3), np.float32), 255)
    assert time.process_time() - began < 10
    assert count // 2 - 1 <= len(pairs) <= 50 * count


def test_equal_pictures_with_different_labels_and_in_train_and_test_are_named(source: Path) -> None:
    train, test = source / "train-jpg", source / "test-jpg"
    shutil.copy(train / "train_0.jpg", train / "train_1.jpg")  # clear primary, cloudy
    shutil.copy(train / "train_2.jpg", train / "train_6.jpg")  # haze primary water, both
    shutil.copy(train / "train_3.jpg", test / "test_2.jpg")
    report = check(source)
    found = [text for severity in ("warning", "note") for text in texts(report, severity) if "pairs" in text]
    assert found == [
        "jpg train: pairs of equal pictures with different labels (1): train_0 (clear, primary) and train_1 (cloudy).",
        "jpg: pairs of equal pictures in train and test (1): train_3 and test_2.",
        "jpg train: pairs of equal pictures, which folds may separate (1): train_2 and train_6.",
    ]
    assert report.ok


def test_a_picture_that_was_saved_anew_is_named(source: Path) -> None:
    write_chip(source / "train-jpg" / "train_0.jpg", scene(0))
    for name, number in (("train-jpg/train_1", 80), ("test-jpg/test_0", 70)):
        Image.fromarray(scene(0)).save(source / f"{name}.jpg", quality=number)
    warnings = texts(check(source), "warning")
    assert any(
        text.startswith("jpg train: pairs of nearly equal pictures with different labels (1)") for text in warnings
    )
    assert any(text.startswith("jpg: pairs of nearly equal pictures in train and test (") for text in warnings)


def test_many_pairs_are_three_examples_and_a_count(source: Path) -> None:
    for number in range(1, 12):
        shutil.copy(source / "train-jpg" / "train_0.jpg", source / "train-jpg" / f"train_{number}.jpg")
    (torn,) = [text for text in texts(check(source), "warning") if "different labels" in text]
    assert "(9): " in torn
    assert torn.endswith(" and 6 more.")
    assert len(torn) < 250


def test_chips_of_one_colour_are_not_called_equal_too(source: Path) -> None:
    for number in range(4):
        write_chip(source / "train-jpg" / f"train_{number}.jpg", np.full((16, 16, 3), 99, np.uint8))
    report = check(source)
    assert not any("pairs" in finding.text for finding in report.findings)
    assert any("one colour all over (4)" in text for text in texts(report, "warning"))


def test_simulated_chips_are_no_copies(workspace) -> None:
    report = check_data(workspace)
    assert not any("pairs" in finding.text for finding in report.findings), report.text()
