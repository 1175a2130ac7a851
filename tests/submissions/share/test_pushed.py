from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.remote.copies import Content
from competition.remote.places import Place
from submissions.share.artefacts import Artefact
from submissions.share.pushed import Pushed, lacking_in, read_pushed, write_pushed
from tests.submissions.samples import one_hot, planet

FOLD = {name: Content("a" * 64, 3) for name in ("heldout.npz", "test.npz", "scores.json")}


@pytest.fixture
def place() -> Place:
    fsspec.filesystem("memory").store.clear()
    return Place.of("memory://team")


def rewrite(change) -> None:
    """Change the record of the only push, as somebody who means harm would."""
    store = fsspec.filesystem("memory")
    (path,) = store.glob("/team/pushes/*")
    record = json.loads(store.cat(path))
    del record["digest"]
    change(record)
    record["digest"] = digest_json(record)
    store.pipe(path, json.dumps(record).encode())


def test_of_two_pushes_the_later_counts(place: Place) -> None:
    assert not read_pushed(place, planet()).artefacts
    other = {name: Content("b" * 64, 4) for name in FOLD}
    write_pushed(place, planet(), {"runs/m/fold0": FOLD, "runs/m/fold1": FOLD}, "c" * 64, 1)
    write_pushed(place, planet(), {"runs/m/fold1": other}, None, 2)
    pushed = read_pushed(place, planet())
    assert pushed.artefacts == {"runs/m/fold0": FOLD, "runs/m/fold1": other}
    assert (pushed.fold_digest, pushed.number) == ("c" * 64, 2)


def test_two_who_push_at_once_lose_nothing(place: Place) -> None:
    for model in "ab":  # both had read what was there before
        write_pushed(place, planet(), {f"runs/{model}/fold0": FOLD}, None, 1)
    assert read_pushed(place, planet()).artefacts.keys() == {"runs/a/fold0", "runs/b/fold0"}


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("runs/../../home", "recipe.json"),
        ("runs/m/fold0", "../../../.bashrc"),
        ("runs/m/fold0", "/etc/passwd.json"),
        ("runs/m/fold0", ".hidden.json"),
        ("runs/m/fold0", "code.py"),
        ("runs/m/fold0", "a\\..\\b.json"),
        ("runs/m/fold0", "checkpoints/state.json"),
        ("submissions/a", "b.csv"),
        ("data", "layout.json"),
        ("runs/a\n", "recipe.json"),
        ("runs/a", "recipe.json\n"),
        ("cache/features/x", "done.py"),
        ("runs/m/fold7", "test.npz"),
    ],
)
def test_what_is_no_artefact_is_refused(place: Place, key: str, name: str) -> None:
    write_pushed(place, planet(), {"runs/m/fold0": FOLD}, None, 1)
    rewrite(lambda record: record["artefacts"].setdefault(key, {}).update({name: {"sha256": "0" * 64, "size": 3}}))
    with pytest.raises(UserError, match=r"memory://team/pushes/.* is damaged: .*(is no |is not whole).*Take it away"):
        read_pushed(place, planet())


@pytest.mark.parametrize("size", [-1, 1.5, "3", None, True])
def test_sizes_that_are_none_are_refused(place: Place, size: object) -> None:
    write_pushed(place, planet(), {"runs/m/fold0": FOLD}, None, 1)
    rewrite(lambda record: record["artefacts"]["runs/m/fold0"]["test.npz"].update(size=size))
    with pytest.raises(UserError, match="has no digest and size"):
        read_pushed(place, planet())


@pytest.mark.parametrize("content", [b"", b"[]", b"\x00" * 100, b'{"artefacts": {}}', b"[" * 10**5])
def test_a_record_that_is_none_is_named(place: Place, content: bytes) -> None:
    write_pushed(place, planet(), {"runs/m/fold0": FOLD}, None, 1)
    store = fsspec.filesystem("memory")
    store.pipe(store.glob("/team/pushes/*")[0], content)
    with pytest.raises(UserError, match=r"memory://team/pushes/.* is damaged"):
        read_pushed(place, planet())


def test_another_competition_and_several_fold_tables_are_refused(place: Place, tmp_path: Path) -> None:
    write_pushed(place, planet(), {"runs/m/fold0": FOLD}, "c" * 64, 1)
    with pytest.raises(UserError, match="is of the competition 'planet'"):
        read_pushed(place, one_hot(tmp_path))
    write_pushed(place, planet(), {"runs/n/fold0": FOLD}, "d" * 64, 1)
    with pytest.raises(UserError, match="several fold tables"):
        read_pushed(place, planet())


def test_every_artefact_knows_its_folder() -> None:
    folders = {
        "folds": "",
        "data/corrections": "data",
        "runs/m": "runs/m",
        "runs/m/fold3": "runs/m/fold3",
        "runs/m/fold3/unfinished": "runs/m/fold3",
        "runs/m/cuts": "runs/m",
        "blends/b/cuts": "blends/b",
        "submissions/s": "submissions",
        "cache/features/net-1": "cache/features/net-1",
    }
    assert {key: getattr(Artefact.of(key), "folder", None) for key in folders} == folders


def test_what_is_not_there_with_its_size_is_lacking(place: Place) -> None:
    one, other = (Artefact.of(key) for key in ("runs/m/fold0", "runs/m/fold1"))
    assert one is not None
    assert other is not None
    pushed = Pushed({artefact.key: FOLD for artefact in (one, other)})
    store = fsspec.filesystem("memory")
    for artefact in (one, other):
        for name, content in FOLD.items():
            store.pipe(place.path(content.stored_as(artefact.path(name))), b"abc")
    assert lacking_in(place, pushed, [one, other]) == set()
    store.pipe(place.path(FOLD["test.npz"].stored_as(other.path("test.npz"))), b"ab")
    assert lacking_in(place, pushed, [one, other]) == {other}
