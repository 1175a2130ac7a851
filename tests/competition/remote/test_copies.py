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


def test_what_changes_on_the_way_is_refused_and_not_left_there(place: Place, tmp_path: Path, monkeypatch) -> None:
    source = tmp_path / "scores.npz"
    source.write_text("trained")
    content, send = Content.of(source), Place.send

    def late(*arguments) -> None:
        source.write_text("renewed")
        send(*arguments)

    monkeypatch.setattr(Place, "send", late)
    with pytest.raises(UserError, match=r"scores\.npz was changed while it was sent"):
        put(place, source, "m/scores.npz", content, silent)
    assert place.names_in("m") == []


def test_what_is_there_is_not_taken_for_a_file_that_has_changed(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "scores.npz"
    source.write_text("trained")
    content = Content.of(source)
    put(place, source, "m/scores.npz", content, silent)
    source.write_text("renewed")
    with pytest.raises(UserError, match="was changed"):
        put(place, source, "m/scores.npz", content, silent)
    assert place.names_in("m") == [content.stored_as("scores.npz")]


def test_what_does_not_arrive_whole_is_said(place: Place, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "source").write_text("whole")
    (tmp_path / "half").write_text("who")
    send = Place.send
    monkeypatch.setattr(Place, "send", lambda self, _, *more: send(self, tmp_path / "half", *more))
    with pytest.raises(UserError, match="did not arrive whole: expected 5 bytes, received 3"):
        put(place, tmp_path / "source", "m/a.json", Content.of(tmp_path / "source"), silent)


def test_what_is_not_there_any_more_is_to_be_pushed_again(place: Place, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not there\. Push it again from a workspace that has it\."):
        fetch(place, "a.json", Content("a" * 64, 3), tmp_path / "a.json", silent)
    assert not list(tmp_path.iterdir())
