"""Scoring pass by pass, and what is told in between."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from competition.common.files import digest_file
from competition.common.records import write_record
from competition.kernels.folder import FORMAT
from competition.spec.images import ImageSet
from competition.spec.load import load
from competition.task import Task
from models.inputs.views import apply_view
from models.notebook import passes
from models.notebook.packed import Packed, read_models
from models.notebook.passes import Chips, Scored, score_all
from models.predict import chip_files
from tests.models.samples import inputs_of, tiny_recipe

PLANET = load("planet")
VIEWS = ("identity", "mirror", "turn180")


def packed(name: str, scores: Any, folds: int = 2) -> Packed:
    """Return a model whose folds give what `scores` returns of the chips, and say so."""
    recipe = tiny_recipe()
    made = Packed(
        None, name, recipe, inputs_of(recipe), "uint8", Task(PLANET, PLANET.labels), VIEWS, False, False, [],
        {fold: [] for fold in range(folds)}, {},
    )  # fmt: skip

    def scorer() -> Any:
        def score(chips: np.ndarray, views: Sequence[str]) -> dict[int, list[np.ndarray]]:
            by_view = [scores(apply_view(chips, view)) for view in views]
            return dict.fromkeys(range(folds), by_view)

        return score

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


@pytest.fixture
def scarce(monkeypatch) -> None:
    """No time is surely enough."""
    monkeypatch.setattr(passes, "SURELY", 1e9)


@pytest.fixture
def decoded(monkeypatch) -> Counter[str]:
    """How often each file is decoded."""
    counts, read = Counter[str](), chip_files.read_chip

    def counted(file: Path, images: ImageSet) -> np.ndarray:
        counts[file.stem] += 1
        return read(file, images)

    monkeypatch.setattr(chip_files, "read_chip", counted)
    return counts


@pytest.mark.parametrize("time_left", ["plenty", "scarce"])
def test_scores_are_the_mean_of_all_views_of_what_can_be_read(chips: Chips, time_left: str, request) -> None:
    if time_left == "scarce":
        request.getfixturevalue("scarce")
    last: dict[str, Scored] = {}
    score_all([packed("a", brightness)], chips, last.update, never())
    scores, broken = last["a"].by_fold(), last["a"].broken
    np.testing.assert_array_equal(np.flatnonzero(broken), [4, 7])
    np.testing.assert_array_equal(last["a"].counts, np.where(broken, 0, 3))
    files = chips.files("jpg")
    for name, row, lacks in zip(chips.names, scores[1], broken, strict=True):
        if not lacks:
            pixels = np.asarray(Image.open(files[name]))
            corners = [pixels[0, 0, 0], pixels[0, -1, 0], pixels[-1, -1, 0]]  # seen first under the three views
            np.testing.assert_allclose(row, np.mean(corners) / 255, rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(scores[0]).all(axis=1), broken)


def seen_when_told(chips: Chips) -> list[tuple[tuple[int, int], ...]]:
    """Return how many chips each of two models has seen, and under all views, each time that it is told."""
    told: list[tuple[tuple[int, int], ...]] = []

    def note(said: Mapping[str, Scored]) -> None:
        told.append(tuple((int((each.seen > 0).sum()), int((each.seen == 3).sum())) for each in said.values()))

    score_all([packed("a", brightness), packed("b", brightness)], chips, note, never())
    return told


def test_where_time_is_scarce_every_model_sees_the_first_view_before_any_sees_another(
    chips: Chips, decoded: Counter[str], scarce: None
) -> None:
    first = [((3, 0), (0, 0)), ((3, 0), (3, 0)), ((8, 0), (3, 0)), ((8, 0), (8, 0))]
    assert seen_when_told(chips) == [*first, ((8, 8), (8, 0)), ((8, 8), (8, 8))]
    assert decoded["chip_9"] == 4


def test_where_there_surely_is_time_chips_are_decoded_once_by_a_model(chips: Chips, decoded: Counter[str]) -> None:
    first = [((3, 0), (0, 0)), ((3, 0), (3, 0))]  # the chips that tell how fast a model is
    assert seen_when_told(chips) == [*first, ((8, 8), (3, 0)), ((8, 8), (8, 8))]
    assert decoded["chip_9"] == 2


def test_slow_first_chips_decide_nothing_for_good(chips: Chips, monkeypatch) -> None:
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(passes, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    told: list[list[int]] = []

    def warming(batch: np.ndarray) -> np.ndarray:
        now.seconds = 10.0
        return brightness(batch)

    def note(said: Mapping[str, Scored]) -> None:
        told.append(said["a"].seen.tolist())

    score_all([packed("a", warming)], chips, note, 100.0)  # at the pace of its first chips it takes 80
    assert told == [
        [1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 1, 0, 0, 0, 0],
        [3, 3, 3, 3, 0, 3, 3, 0, 3, 3],
    ]


def test_whether_there_is_time_goes_by_how_fast_the_models_are() -> None:
    left = []
    for name, seconds in (("a", 1.0), ("b", 3.0)):
        scored = Scored.of(packed(name, brightness), 100)
        scored.seen[:10], scored.seconds = 1, seconds
        left.append(scored)
    every = (1.0 + 3.0) / 10 * 290
    assert [each.seconds_left for each in left] == pytest.approx([29, 87])
    assert passes._next(left, passes.SURELY * every + 1) == (left[0], 3)
    assert passes._next(left, passes.SURELY * every - 1) == (left[0], 1)
    left[0].seen[:] = 1
    assert passes._next(left, 1.0) == (left[1], 1)
    left[1].broken[10:] = True  # and is not waited for
    assert passes._next(left, 1.0) == (left[0], 3)


def test_when_the_time_is_up_what_is_known_is_told_and_nothing_more_is_begun(chips: Chips, monkeypatch, capsys) -> None:
    told: list[int] = []
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(passes, "time", SimpleNamespace(monotonic=lambda: now.seconds))

    def slow(batch: np.ndarray) -> np.ndarray:
        now.seconds += 1
        return brightness(batch)

    def note(said: Mapping[str, Scored]) -> None:
        told.append(int((said["a"].counts > 0).sum()))

    score_all([packed("a", slow), packed("b", slow)], chips, note, 2.5)
    assert told == [3, 3, 4]  # what is left of the time is enough for one more
    assert "The time is up" in capsys.readouterr().out


def test_no_batch_is_begun_that_would_end_after_the_time(chips: Chips, monkeypatch) -> None:
    now, last = SimpleNamespace(seconds=0.0), dict[str, Scored]()
    monkeypatch.setattr(passes, "time", SimpleNamespace(monotonic=lambda: now.seconds))

    def slow(batch: np.ndarray) -> np.ndarray:
        now.seconds += len(batch)
        return brightness(batch)

    until = 10.5  # eight chips are seen under one view, and then three at once would take six seconds
    score_all([packed("a", slow)], chips, last.update, until)
    assert now.seconds == last["a"].seen.sum() == 12  # two more views of one chip, and of the one begun in time


def test_a_model_that_fails_leaves_the_others_at_work(chips: Chips, capsys) -> None:
    def broken(batch: np.ndarray) -> np.ndarray:
        raise RuntimeError("no such runtime")

    last: dict[str, Scored] = {}
    score_all([packed("a", broken), packed("b", brightness)], chips, last.update, never())
    assert last["b"].counts.max() == 3
    assert not last["a"].counts.any()
    assert "a does not run: RuntimeError('no such runtime')" in capsys.readouterr().out


def test_a_model_whose_files_are_not_those_packed_is_left_out(chips: Chips, tmp_path: Path, capsys) -> None:
    folder, recipe, said = tmp_path / "networks/a", tiny_recipe(), dict[str, Scored]()
    folder.mkdir(parents=True)
    (folder / "heads0.npz").write_bytes(b"heads of fold 0")
    record = {
        "model": "a", "recipe": recipe.without_paths().to_dict(), "inputs": inputs_of(recipe).as_dict(),
        "dtype": "uint8", "labels": list(PLANET.labels), "views": VIEWS, "in_16_bits": False, "mixed": False,
        "extractors": [], "folds": {"0": [{"file": "heads0.npz", "seeds": 1}]},
        "digests": {"heads0.npz": digest_file(folder / "heads0.npz")},
    }  # fmt: skip
    write_record(folder / "model.json", record, version=FORMAT)
    (folder / "heads0.npz").write_bytes(b"heads of fold 1")
    models = read_models(folder.parent, ["a", "gone"], PLANET)
    assert [model.model for model in models] == ["a"]
    score_all([*models, packed("b", brightness)], chips, said.update, never())
    assert said["b"].counts.any()
    shown = capsys.readouterr().out
    assert "gone is left out: " in shown
    assert "a does not run: DamagedError" in shown
    assert "heads0.npz is missing or was changed after it was written" in shown


@pytest.mark.parametrize("until", ["plenty", "over"])
def test_chips_that_cannot_be_read_are_named_once(chips: Chips, until: str, monkeypatch, capsys) -> None:
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(passes, "time", SimpleNamespace(monotonic=lambda: now.seconds))

    def slow(batch: np.ndarray) -> np.ndarray:
        now.seconds += 1
        return brightness(batch)

    score_all([packed("a", slow)], chips, lambda said: None, 1000.0 if until == "plenty" else 0.5)
    named = "2 chips, answered as if nothing were known of them: chip_4, chip_7." if until == "plenty" else "1 chip, "
    shown = capsys.readouterr().out
    assert shown.count("could not read") == 1
    assert f"a could not read {named}" in shown


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
    assert not last["b"].broken.any()
    assert not last["b"].counts.any()
    assert last["a"].counts.any()
    assert "No file of the tif chips to predict was found" in capsys.readouterr().out


def test_what_cannot_be_told_ends_nothing(chips: Chips, capsys) -> None:
    def told(scored: Mapping[str, Scored]) -> None:
        raise OSError("no space left")

    score_all([packed("a", brightness), packed("b", brightness)], chips, told, never())
    shown = capsys.readouterr().out
    assert "could not be written: OSError('no space left')" in shown
    assert "b: 24 of 24 chips and views scored" in shown
