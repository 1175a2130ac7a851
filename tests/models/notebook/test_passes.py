"""Scoring pass by pass, and what is told in between."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from competition.spec.load import load
from competition.task import Task
from models.notebook import passes
from models.notebook.packed import Packed
from models.notebook.passes import Chips, Scored, score_all
from tests.models.samples import inputs_of, tiny_recipe

PLANET = load("planet")
VIEWS = ("identity", "mirror", "turn180")


def packed(name: str, scores: Any, folds: int = 2) -> Packed:
    """Return a model whose folds give what `scores` returns of the chips, and say so."""
    recipe = tiny_recipe()
    made = Packed(
        None, name, recipe, inputs_of(recipe), "uint8", Task(PLANET, PLANET.labels), VIEWS, False, False, [],
        {fold: [] for fold in range(folds)},
    )  # fmt: skip

    def scorer() -> Any:
        return lambda chips: {fold: [scores(chips)] for fold in range(folds)}

    object.__setattr__(made, "scorer", scorer)
    return made


def brightness(chips: np.ndarray) -> np.ndarray:
    """Return scores that tell one chip, and one view, from another: the first pixel."""
    return np.repeat(chips[:, 0, 0, :1].astype(np.float32) / 255, len(PLANET.labels), axis=1)


@pytest.fixture
def chips(tmp_path, monkeypatch) -> Chips:
    """Ten chips, three at once; one is broken, and one is not there."""
    monkeypatch.setattr(passes, "AT_ONCE", 3)
    random = np.random.default_rng(0)
    names = tuple(f"chip_{number}" for number in range(10))
    files = {name: tmp_path / f"{name}.png" for name in names}
    for path in files.values():
        Image.fromarray(random.integers(1, 255, (16, 16, 3), dtype=np.uint8)).save(path)
    files["chip_4"].write_bytes(b"no picture")
    del files["chip_7"]
    return Chips(names, lambda rendering: files)


def never() -> float:
    return time.monotonic() + 1000


def test_scores_are_the_mean_of_all_views_of_what_can_be_read(chips: Chips) -> None:
    last: dict[str, Scored] = {}
    score_all([packed("a", brightness)], chips, last.update, never())
    scores = last["a"].by_fold()
    assert last["a"].broken == {"chip_4", "chip_7"}
    lacking = [name in last["a"].broken for name in chips.names]
    files = chips.files("jpg")
    for name, row in zip(chips.names, scores[1], strict=True):
        if name not in last["a"].broken:
            pixels = np.asarray(Image.open(files[name]))
            corners = [pixels[0, 0, 0], pixels[0, -1, 0], pixels[-1, -1, 0]]  # seen first under the three views
            np.testing.assert_allclose(row, np.mean(corners) / 255, rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(scores[0]).all(axis=1), lacking)


def test_every_model_sees_the_first_view_before_any_sees_another(chips: Chips) -> None:
    told: list[dict[str, int]] = []

    def note(said: Mapping[str, Scored]) -> None:
        told.append({name: int(each.counts.max()) for name, each in said.items()})

    score_all([packed("a", brightness), packed("b", brightness)], chips, note, never())
    assert told == [{"a": 1, "b": 0}, {"a": 1, "b": 1}, {"a": 3, "b": 1}, {"a": 3, "b": 3}]


def test_when_the_time_is_up_what_is_known_is_told_and_nothing_more_is_begun(chips: Chips, capsys) -> None:
    told: list[int] = []

    def slow(batch: np.ndarray) -> np.ndarray:
        time.sleep(0.03)
        return brightness(batch)

    def note(said: Mapping[str, Scored]) -> None:
        told.append(int((said["a"].counts > 0).sum()))

    score_all([packed("a", slow), packed("b", slow)], chips, note, time.monotonic() + 0.05)
    assert len(told) == 1
    assert 0 < told[0] < 8
    assert "The time is up" in capsys.readouterr().out


def test_a_model_that_fails_leaves_the_others_at_work(chips: Chips, capsys) -> None:
    def broken(batch: np.ndarray) -> np.ndarray:
        raise RuntimeError("no such runtime")

    last: dict[str, Scored] = {}
    score_all([packed("a", broken), packed("b", brightness)], chips, last.update, never())
    assert last["b"].counts.max() == 3
    assert not last["a"].counts.any()
    assert "a does not run under 1 view: RuntimeError('no such runtime')" in capsys.readouterr().out


def test_telling_takes_no_more_than_its_share_of_the_time(monkeypatch) -> None:
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(passes.time, "monotonic", lambda: now.seconds)
    told: list[float] = []

    def note(said: Mapping[str, Scored]) -> None:
        told.append(now.seconds)
        now.seconds += 10

    clock = passes._Clock(100_000.0)
    for _ in range(2000):
        now.seconds += 1
        clock.tell(note, {})
    assert 2000 / (30 + 10) > len(told) >= 2000 / (passes.SHARE * 10 + 11) - 1


def test_a_model_without_one_of_its_chips_leaves_the_others_as_they_are(chips: Chips, capsys) -> None:
    lost = packed("b", brightness)
    object.__setattr__(lost, "recipe", dataclasses.replace(lost.recipe, images="tif"))
    last: dict[str, Scored] = {}
    some = Chips(chips.names, lambda rendering: {} if rendering == "tif" else chips.files(rendering))
    score_all([packed("a", brightness), lost], some, last.update, never())
    assert last["b"].broken == set()
    assert not last["b"].counts.any()
    assert last["a"].counts.any()
    assert "No file of the tif chips to predict was found" in capsys.readouterr().out


def test_what_cannot_be_told_ends_nothing(chips: Chips, capsys) -> None:
    def told(scored: Mapping[str, Scored]) -> None:
        raise OSError("no space left")

    score_all([packed("a", brightness), packed("b", brightness)], chips, told, never())
    shown = capsys.readouterr().out
    assert "could not be written: OSError('no space left')" in shown
    assert "b, 2 views" in shown
