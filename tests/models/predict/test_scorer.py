"""Scores are means over networks and views, of the chips asked for, in their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.backend.runners import Runner
from models.inputs.batches import Chips
from models.inputs.views import apply_view
from models.predict import scorer as scorer_module
from models.predict.scorer import BATCHES_PER_PART, Scorer, predict_in_parts
from models.recipes.view_sets import VIEW_SETS
from tests.models.samples import NumberedCache, array_chips


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


@pytest.mark.parametrize(("most", "expected"), [(10**9, [15]), (2 * 5 * 16 * 16 * 3, [10, 5]), (1, [5, 5, 5])])
def test_what_networks_share_runs_once_a_view_with_as_many_views_at_once_as_fit(monkeypatch, most, expected):
    runs = []

    def half(chips: np.ndarray) -> np.ndarray:
        runs.append(len(chips))
        return chips / 2

    monkeypatch.setattr(scorer_module, "BYTES_AT_ONCE", most)
    chips = array_chips(5).read(np.arange(5))
    views = [apply_view(chips, view) for view in ("identity", "mirror", "turn90")]
    scores = Scorer([corner(), corner(0.5)], half)(iter(views))
    assert runs == expected
    np.testing.assert_array_equal(scores, Scorer([corner(), corner(0.5)])([view / 2 for view in views]))
    np.testing.assert_allclose(scores, 0.75 * np.mean([corner()(view / 2) for view in views], axis=0), atol=1e-6)


def test_scores_stay_within_0_and_1():
    def certain(chips: np.ndarray) -> np.ndarray:
        return np.full((len(chips), 3), np.nextafter(np.float32(1), np.float32(2)))

    assert Scorer([certain] * 3)([np.zeros((2, 4, 4, 3))] * 8).max() == 1.0


def test_scores_depend_neither_on_the_batches_nor_on_the_parts(tmp_path):
    chips = array_chips(70).read(np.arange(70))
    expected = Scorer([corner()])([chips, apply_view(chips, "turn90")])
    for size in (2, 9, 100):
        source = array_chips(70, batch_size=size)
        scores = scores_of(Scorer([corner()]), source, 70, ("identity", "turn90"), tmp_path / str(size))
        np.testing.assert_array_equal(scores, expected)


def test_chips_are_scored_in_the_order_asked_for_and_read_a_batch_at_a_time(tmp_path):
    cache = NumberedCache(10)
    source = Chips(cache, (0, 1, 2), batch_size=2)
    scores = predict_in_parts(Scorer([corner()]), source, np.array([9, 3, 4, 0, 7]), ("identity",), tmp_path, "")
    np.testing.assert_allclose(scores[:, 0] * 255, [9, 3, 4, 0, 7], rtol=1e-6)
    assert [len(asked) for asked in cache.asked] == [2, 2, 1]


def test_interrupted_it_goes_on_with_the_part_that_is_not_done(tmp_path):
    source, calls = array_chips(50, batch_size=3), []

    def failing(chips: np.ndarray) -> np.ndarray:
        calls.append(len(chips))
        if len(calls) == BATCHES_PER_PART + 3:
            raise KeyboardInterrupt
        return corner()(chips)

    with pytest.raises(KeyboardInterrupt):
        scores_of(Scorer([failing]), source, 50, ("identity",), tmp_path)
    calls.clear()
    scores = scores_of(Scorer([failing]), source, 50, ("identity",), tmp_path)
    assert sum(calls) == 50 - 3 * BATCHES_PER_PART
    np.testing.assert_array_equal(scores, corner()(source.read(np.arange(50))))


DAMAGES = {
    "gone": None,
    "emptied": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "zeroed": lambda content: bytes(len(content)),
    "no array": lambda content: b"no array",
    "one bit flipped": lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_scored_again_and_a_line_says_so(tmp_path, lines, damage):
    source, calls = array_chips(50, batch_size=3), []

    def counting(chips: np.ndarray) -> np.ndarray:
        calls.append(len(chips))
        return corner()(chips)

    whole = scores_of(Scorer([counting]), source, 50, ("identity",), tmp_path)
    path, change = tmp_path / "24.npz", DAMAGES[damage]
    content = path.read_bytes()
    path.unlink()
    if change:
        path.write_bytes(change(content))
    calls.clear()
    np.testing.assert_array_equal(scores_of(Scorer([counting]), source, 50, ("identity",), tmp_path), whole)
    assert sum(calls) == 24
    assert lines == ([f"{path} is damaged: its 24 chips are scored again."] if change else [])
