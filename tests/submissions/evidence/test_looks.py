"""Where the network looked, at the chips that are shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from submissions.evidence import looks
from submissions.evidence.chips import IMPOSSIBLE, MISS, Shown, worst_chips
from submissions.evidence.evidence import Evidence, gather
from submissions.evidence.labels import labels_of
from submissions.evidence.looks import look, look_for, looks_at, map_of, models_behind
from tests.submissions.conftest import LooksAtCorner, SaidOfCorner, known
from tests.submissions.samples import blend_of, make_workspace


@pytest.fixture
def watched(evidence) -> Evidence:
    """Evidence of networks that look at the top left quarter."""
    return replace(evidence, given=replace(evidence.given, hide=LooksAtCorner(len(evidence.labels))))


def test_what_is_looked_at_is_found():
    found = look_for("road", 0, SaidOfCorner("a", 2))
    assert found.place == (0, 0, 0.5, 0.5)
    assert found.matters
    assert found.text() == "0.800, with the square hidden 0.200 (odds ÷ 16.0)"
    half = looks.MAP_CELLS // 2
    np.testing.assert_allclose(found.falls[:half, :half], np.log(16), rtol=1e-5)
    assert not found.falls[half:].any()
    assert not found.falls[:, half:].any()


def test_a_place_does_not_matter_that_changes_less_than_turning_the_chip():
    said = SaidOfCorner("a", 1)
    said.turned = np.array([[0.8], [0.2], [0.9], [0.5]], dtype=np.float32)
    found = look_for("road", 0, said)
    assert not found.matters
    assert found.text() == "no single place matters"
    said.turned, said.hidden = said.turned[:1], np.full((4, 1), 0.79, dtype=np.float32)
    assert not look_for("road", 0, said).matters, "a hundredth"
    said.hidden[2] = 0.95
    assert look_for("road", 0, said).place == (0.5, 0, 1, 0.5), "what speaks against a label matters too"


def test_a_map_is_the_mean_of_the_places_over_a_cell():
    places = np.array([(0, 0, 1, 0.5), (0, 0.25, 1, 1)])
    found = map_of(places, np.array([1.0, 3.0]))
    quarter = looks.MAP_CELLS // 4
    assert (found[:, :quarter] == 1).all()
    assert (found[:, quarter : 2 * quarter] == 2).all()
    assert (found[:, 2 * quarter :] == 3).all()


def test_looks_are_for_what_a_chip_is_shown_for_or_for_what_is_most_wrong(watched):
    said, labels = SaidOfCorner(watched.names[0], len(watched.labels)), watched.labels
    why = [(MISS, labels[2]), ("uncertain", labels[2]), (MISS, labels[5]), (MISS, labels[1])]
    found = looks_at(said, watched, Shown(watched.names[0], 0, why))
    assert [look.label for look in found] == [labels[2], labels[5]]
    (found,) = looks_at(said, watched, Shown(watched.names[0], 0, [(IMPOSSIBLE, "")]))
    wrong = np.abs(watched.scores[0] - watched.truth[0])
    assert wrong[labels.index(found.label)] == wrong.max()


def test_without_being_asked_nobody_looks(evidence):
    chips = worst_chips(evidence, labels_of(evidence))
    assert look(evidence, chips) is None
    assert not any(chip.looks for chip in chips)


def test_there_is_an_end_to_looking_and_it_is_said(watched, monkeypatch):
    monkeypatch.setattr(looks, "MOST_SECONDS", -1.0)
    chips = worst_chips(watched, labels_of(watched))
    found = look(watched, chips)
    assert f"on 1 of {len(chips)} chips, the most telling" in found.line(chips)
    assert ": on 1 chip." in found.line(chips[:1])
    assert [bool(chip.looks) for chip in chips] == [True, *(False for _ in chips[1:])]


@pytest.mark.usefixtures("little_compared")
def test_the_network_is_that_with_the_largest_part(tmp_path, monkeypatch):
    workspace = make_workspace(tmp_path, "abc")
    blend_of("inner", ["b", "c"], workspace, method="log-loss")
    blend_of("outer", ["a", "inner"], workspace)
    weights = {"inner": {"b": 0.1, "c": 0.9}, "outer": {"a": 0.3, "inner": 0.7}}
    monkeypatch.setattr(looks, "weights_of", lambda folder: weights[folder.name])
    evidence = gather("outer", workspace, known(workspace))
    assert models_behind(evidence) == ["c", "a", "b"]
    weights["outer"] = {"a": 0.9, "inner": 0.1}
    assert models_behind(evidence) == ["a", "c", "b"]


def test_of_equal_parts_the_best_comes_first(evidence):
    pair = next(found for found in evidence.comparison.candidates if len(found.members) == 2 and found.method == "mean")
    found = models_behind(replace(evidence, subject=pair))
    worth = {name: evidence.at_prior_cut(evidence.of_member(name)) for name in "ab"}
    assert found == sorted(worth, key=lambda name: -worth[name])
