"""Chips are listed in the order of their ids, however many there are."""

from __future__ import annotations

import random

import pytest

from competition.common.errors import UserError
from competition.index import listing
from competition.index.chip_index import Naming
from competition.index.listing import listed
from competition.spec.images import ImageSet

ONE = Naming(ImageSet(suffix=".png", bands="RGB", train=("train",)))
SPLIT = Naming(ImageSet(suffix=".tif", bands=("B2", "B8A"), file="{id}_{band}", train=("train",)))
# Ids whose order is not that of their text as JSON, nor of their files' names.
NAMES = ["a", "a b", "a!", "a-b", "a.b", 'a"b', "b\\c", "é", "日本", "\udc80", "Z", "10", "2"]


@pytest.mark.parametrize("at_once", [1, 3, 13, 14, 100])
def test_ids_come_sorted_whatever_is_sorted_at_once(monkeypatch, at_once: int) -> None:
    monkeypatch.setattr(listing, "AT_ONCE", at_once)
    paths = [f"within/{name}.png" for name in NAMES]
    random.Random(0).shuffle(paths)
    found = list(listed([*paths, "notes.txt"], ONE, "there"))
    assert found == [(name, (f"within/{name}.png",)) for name in sorted(NAMES)]


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_bands_come_in_their_order_and_one_that_lacks_as_none(monkeypatch, at_once: int) -> None:
    monkeypatch.setattr(listing, "AT_ONCE", at_once)
    found = listed(["b_B8A.tif", "b_B2.tif", "a_B8A.tif"], SPLIT, "there")
    assert list(found) == [("a", (None, "a_B8A.tif")), ("b", ("b_B2.tif", "b_B8A.tif"))]


@pytest.mark.parametrize("at_once", [1, 100])
def test_two_files_of_one_chip_are_refused(monkeypatch, at_once: int) -> None:
    monkeypatch.setattr(listing, "AT_ONCE", at_once)
    with pytest.raises(UserError, match=r"^Two files carry the id a: there/a\.png and there/x/a\.png\. Remove one\.$"):
        list(listed(["x/a.png", "b.png", "a.png"], ONE, "there"))
    with pytest.raises(UserError, match=r"^Two files carry the id a and band B8A: "):
        list(listed(["x/a_B8A.tif", "a_B8A.tif"], SPLIT, "there"))
