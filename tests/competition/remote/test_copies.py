from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from competition.common.errors import UserError
from competition.remote.copies import Content, fetch, put
from competition.remote.places import Place


def silent(number: int) -> None:
    pass


@pytest.fixture
def place() -> Place:
    fsspec.filesystem("memory").store.clear()
    return Place.of("memory://team")


def test_contents_of_one_name_lie_side_by_side(place: Place, tmp_path: Path) -> None:
    for number, text in enumerate(("ours", "theirs")):
        (tmp_path / "test.weights.h5").write_text(text)
        content = Content.of(tmp_path / "test.weights.h5")
        assert put(place, tmp_path / "test.weights.h5", "m/test.weights.h5", content, silent)
        assert not put(place, tmp_path / "test.weights.h5", "m/test.weights.h5", content, silent)
        assert len(place.names_in("m")) == number + 1
        fetch(place, "m/test.weights.h5", content, tmp_path / "back", silent)
        assert (tmp_path / "back").read_text() == text
        assert content.is_in(tmp_path / "back")
    assert all(name.startswith("test.") and name.endswith(".weights.h5") for name in place.names_in("m"))


def test_what_is_not_what_it_should_be_leaves_nothing(place: Place, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("whole")
    content = Content.of(tmp_path / "source")
    store = fsspec.filesystem("memory")
    for stored in (b"whol", b"whole and more", b"Whole"):
        store.pipe(f"/team/{content.stored_as('a.json')}", stored)
        with pytest.raises(UserError, match="is damaged"):
            fetch(place, "a.json", content, tmp_path / "new" / "a.json", silent)
        assert not list((tmp_path / "new").iterdir())
