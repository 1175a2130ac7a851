"""What ids and files say of chips that tells those to predict from labelled ones."""

from __future__ import annotations

import numpy as np
import pytest

from models.shift.area import area
from models.shift.both import both_splits
from models.shift.origins import attributes_of, groups, groups_in, origins
from tests.models.shift.samples import both_of

OURS, THEIRS = np.zeros((300, 1)), np.zeros((200, 1))


def test_what_is_called_otherwise_on_either_side_is_told_from_what_differs() -> None:
    both, random = both_of(OURS, THEIRS), np.random.default_rng(0)
    small = random.random(500) < np.where(both.is_test, 0.8, 0.2)
    attributes = {
        "folder": np.where(both.is_test, "test", "train"),
        "file size": np.where(small, "below 10 bytes", "from 10 bytes"),
        "mode": random.choice(["RGB", "L"], 500),
        "camera": np.array(list(map(str, range(500)))),  # a value for each chip
        "suffix": np.full(500, ".jpg"),
    }
    found = origins(both, attributes)
    assert [(one.name, one.is_apart) for one in found if one.name != "camera"] == [
        ("file size", False),
        ("folder", True),
    ]
    size = found[0]
    assert size.area.value > 0.75
    assert (size.value, size.labelled < 0.3 < 0.7 < size.to_predict) == ("below 10 bytes", True)


def test_a_group_that_differs_from_the_rest_is_named_and_one_too_small_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    both, odds = both_of(OURS, THEIRS), np.random.default_rng(0).normal(size=500)
    place = np.where(np.arange(500) % 2, "north", "south")
    odds[both.is_test & (place == "north")] += 3
    one_each = np.array(list(map(str, range(500))))
    overall = area(odds, both.is_test, both.folds)
    found = groups(both, odds, {"place": place, "again": place, "id": one_each}, overall)
    to_predict = {one.value: one for one in found if one.is_test}
    assert {one.name for one in found} == {"place"}
    assert to_predict["north"].area.value > 0.9 > overall.value > 0.6 > to_predict["south"].area.value
    monkeypatch.setattr("models.shift.origins.SURE", 1e9)
    assert groups(both, odds, {"place": place}, overall) == []


def test_ids_and_files_of_a_workspace_are_read(workspace, tiny_net, tiny_weights) -> None:
    from models.inputs.fill_banks import fill_banks
    from models.inputs.sources import Sources
    from tests.conftest import store_of
    from tests.models.samples import frozen, tiny_recipe

    recipe = tiny_recipe(**frozen(tiny_weights, augment=()), views="identity")
    fill_banks(workspace, recipe)
    sources = Sources(workspace, recipe)
    both = both_splits(sources, store_of(workspace).table, "m")
    found = attributes_of(both, workspace, sources.images)
    assert set(found["id prefix"]) == {"train_", "test_", "file_"} or set(found["id prefix"]) == {"train_", "test_"}
    assert set(found["suffix"]) == {".jpg"}
    assert set(found["picture size"]) == {"32 x 32"}
    assert all(len(values) == len(both.names) for values in found.values())
    assert groups_in(both, workspace) == {}
