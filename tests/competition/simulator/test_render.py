"""What a simulated chip shows: each label, and the same scene whatever the labels."""

from __future__ import annotations

import numpy as np
import pytest

from competition.simulator.render import LABELS, render_chip

GROUND = [label for label in LABELS if label not in ("clear", "cloudy", "haze", "partly_cloudy")]
WEATHER = ("clear", "partly_cloudy", "haze", "cloudy")


def draw(*labels: str, size: int = 48, seed: int = 0) -> np.ndarray:
    return render_chip([label in labels for label in LABELS], size, np.random.default_rng(seed))


def changed_share(one: np.ndarray, other: np.ndarray) -> float:
    """Share of pixels that differ by more than an eye can miss."""
    return float((np.abs(one - other).max(axis=-1) > 0.06).mean())


def vegetation_index(chip: np.ndarray) -> float:
    return float(np.mean((chip[..., 3] - chip[..., 2]) / (chip[..., 3] + chip[..., 2])))


@pytest.mark.parametrize("size", [16, 32, 33, 64, 256])
def test_chips_are_four_bands_of_reflectance_at_any_size(size):
    chip = draw("clear", "primary", "agriculture", "road", "habitation", "water", size=size)
    assert (chip.shape, chip.dtype) == ((size, size, 4), np.float32)
    assert np.isfinite(chip).all()
    assert chip.min() >= 0
    assert chip.max() <= 1


def test_every_label_at_once_can_be_drawn():
    for seed in range(10):
        assert np.isfinite(render_chip([True] * len(LABELS), 32, np.random.default_rng(seed))).all()
        assert np.isfinite(render_chip([False] * len(LABELS), 32, np.random.default_rng(seed))).all()


@pytest.mark.parametrize("size", [32, 128])
def test_the_same_stream_gives_the_same_chip(size):
    labels = ("partly_cloudy", "primary", "cultivation", "slash_burn", "blooming")
    np.testing.assert_array_equal(draw(*labels, size=size), draw(*labels, size=size))


def test_a_fixed_number_of_draws_is_taken():
    after = []
    for labels in ((), ("cloudy",), LABELS):
        rng = np.random.default_rng(0)
        render_chip([label in labels for label in LABELS], 16, rng)
        after.append(rng.random())
    assert len(set(after)) == 1


@pytest.mark.parametrize("label", GROUND)
def test_every_ground_label_shows(label):
    others = {"clear", "primary"} - {label}
    shares = [changed_share(draw(*others, seed=seed), draw(*others, label, seed=seed)) for seed in range(12)]
    assert min(shares) > 0.003
    assert np.median(shares) > 0.015


@pytest.mark.parametrize("label", ["road", "blooming", "habitation", "selective_logging"])
def test_a_ground_label_leaves_the_rest_of_the_scene(label):
    shares = [
        changed_share(draw("clear", "primary", seed=seed), draw("clear", "primary", label, seed=seed))
        for seed in range(3)
    ]
    assert max(shares) < 0.5


@pytest.mark.parametrize("weather", WEATHER[1:])
def test_every_weather_shows(weather):
    scene = ("primary", "agriculture") if weather != "cloudy" else ()
    shares = [changed_share(draw("clear", *scene, seed=s), draw(weather, *scene, seed=s)) for s in range(12)]
    assert min(shares) > 0.05


def test_haze_takes_contrast_away():
    scene = ("primary", "agriculture", "road")
    for seed in range(6):
        assert draw("haze", *scene, seed=seed)[..., :3].std() < 0.7 * draw("clear", *scene, seed=seed)[..., :3].std()


def test_forest_is_bright_and_water_dark_in_near_infrared():
    for seed in range(12):
        assert vegetation_index(draw("clear", "primary", seed=seed)) > 0.25
    rivers = [draw("clear", "primary", "water", seed=seed) - draw("clear", "primary", seed=seed) for seed in range(12)]
    assert all(river[..., 3].min() < -0.2 for river in rivers)
    lakes = [vegetation_index(chip) for chip in (draw("clear", "water", seed=seed) for seed in range(12))]
    assert np.median(lakes) < 0


def test_without_primary_there_is_no_forest():
    for seed in range(12):
        forest, grass = draw("clear", "primary", seed=seed), draw("clear", seed=seed)
        assert grass[..., 1].mean() > forest[..., 1].mean() + 0.05


def test_cloud_hides_the_ground():
    for seed in range(12):
        assert draw("cloudy", seed=seed)[..., :3].min() > 0.25
