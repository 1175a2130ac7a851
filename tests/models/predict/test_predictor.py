"""What scores chips, of a workspace or a file, wherever the chips lie: one line says what is wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from competition.common.errors import UserError
from competition.data.chips import BrokenChipError
from competition.remote import places
from competition.spec.competition import Competition
from competition.spec.load import load
from competition.task import Task
from models.predict import chip_files
from models.predict.predictor import LearntFrom, Predictor, predict_chips
from models.predict.scorer import Scorer
from tests.models.samples import PLANET, inputs_of, tiny_recipe


def first_pixel(chips: np.ndarray) -> np.ndarray:
    """Stand in for a network."""
    return np.repeat(chips[:, 0, 0, :1] / 255, len(PLANET.labels), axis=1).astype(np.float32)


def predictor_for(competition: Competition = PLANET, *labels: str) -> Predictor:
    recipe = tiny_recipe(input_size=12)
    inputs = inputs_of(recipe)
    return Predictor(
        model="stand-in",
        said="a stand-in",
        key={"model": "stand-in"},
        task=Task(competition, labels or competition.labels),
        images=PLANET.image_set("jpg"),
        ids="stem",
        recipe=recipe,
        inputs=inputs,
        dtype="uint8",
        views=("identity", "mirror"),
        scorer=lambda sample: Scorer([first_pixel]),
        learnt_from=lambda: LearntFrom.known_by(inputs, "uint8"),
    )


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """The chips of `folder` in a store that is in memory."""
    store = fsspec.filesystem("memory")
    store.put(str(folder), "/chips", recursive=True)
    yield "memory://chips"
    store.rm("/chips", recursive=True)


def test_chips_elsewhere_have_the_scores_that_they_have_here(folder: Path, url: str) -> None:
    here, there = predict_chips(predictor_for(), folder), predict_chips(predictor_for(), url)
    assert here.scores.names == there.scores.names == ("chip_10", "chip_2", "chip_33")
    np.testing.assert_array_equal(here.scores.values, there.scores.values)


def test_a_chip_that_is_broken_or_gone_is_named_by_its_url(folder: Path, url: str, monkeypatch) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/chips/chip_2.png", b"half")
    with pytest.raises(BrokenChipError, match=r"^Broken chip memory:.*/chips/chip_2\.png: .* add --skip-broken\.$"):
        predict_chips(predictor_for(), url)
    listing = places.Place.walk
    monkeypatch.setattr(places.Place, "walk", lambda place: [*listing(place), "chip_4.png"])
    found = predict_chips(predictor_for(), url, skip_broken=True)
    assert found.scores.names == ("chip_10", "chip_33")
    assert [line.partition("/chips/")[2] for line in found.left_out] == [
        "chip_2.png: it is no image of a known format.",
        "chip_4.png: it is not there.",
    ]


def test_a_file_of_any_size_is_not_brought_whole(folder: Path, url: str, monkeypatch) -> None:
    monkeypatch.setattr(chip_files, "LARGEST_FILE", 2000)
    fsspec.filesystem("memory").pipe("/chips/chip_2.png", bytes(2001))
    with pytest.raises(BrokenChipError, match=r"chip_2\.png: it holds more than 2 kB\. Mend it, or add --skip-broken"):
        predict_chips(predictor_for(), url)


def test_a_store_that_refuses_stops_the_work_even_where_broken_chips_are_left_out(url: str, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "_open", refuse)
    with pytest.raises(UserError, match=r"^memory:.*/chips/chip_10\.png cannot be used: Access Denied\.$") as raised:
        predict_chips(predictor_for(), url, skip_broken=True)
    assert not isinstance(raised.value, BrokenChipError)


def test_an_empty_place_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UserError, match=r"No chips in memory:.*nothing: expected files ending in"):
        predict_chips(predictor_for(), "memory://nothing")
    shutil.rmtree(folder)
    with pytest.raises(UserError, match=f"^No folder {folder}"):
        predict_chips(predictor_for(), folder)


def decided_by(competition: Competition, cuts: list[float]) -> str:
    labels = [label for label, cut in zip(competition.labels, cuts, strict=True) if not np.isnan(cut)]
    return predictor_for(competition, *labels).decided_by(np.array(cuts))


def test_one_line_says_how_tags_are_decided():
    cuts = [0.2] * 17
    whole = "Tags: every label from a score of 0.2, one of every exclusive group."
    assert decided_by(PLANET, cuts) == whole
    of_their_own = "Tags: every label from a score of its own, 0.125 to 0.2, one of every exclusive group."
    assert decided_by(PLANET, [0.125, *cuts[1:]]) == of_their_own
    few = [0.3, *[np.nan] * 16]
    assert decided_by(PLANET, few) == "Tags: every label from a score of 0.3."
    assert decided_by(load("eurosat"), [0.5] * 10) == "Tags: the one label of the highest score."
    of_scores = "ROC AUC judges scores, for which no cut is right: this one is a mere half."
    line = f"Tags: every label from a score of 0.5. {of_scores}"
    assert decided_by(load("ranzcr-clip"), [0.5] * 11) == line
