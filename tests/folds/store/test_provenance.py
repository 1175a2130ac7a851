"""What scores were made with, and the file that says it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.common.records import write_record
from folds.store.provenance import FORMAT, Provenance, read_marker
from folds.store.scores import Scores

PROVENANCE = Provenance(
    model="m",
    fold=1,
    labels=("sand", "rock", "kelp"),
    scored=("sand", "kelp"),
    fold_digest="folds",
    label_digest="labels",
    recipe_digest="recipe",
    views=("identity",),
    left_out=("x",),
    versions={"numpy": "2"},
)
FILES = {"heldout.npz": "0", "test.npz": "1"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "scores.json"
    write_record(path, {**asdict(PROVENANCE), "files": FILES}, version=FORMAT)
    return path


def test_what_is_written_is_read(path: Path) -> None:
    marker = read_marker(path, "")
    assert (marker.provenance, marker.files) == (PROVENANCE, FILES)


def test_a_marker_of_before_records_had_digests_is_read(path: Path) -> None:
    content = json.loads(path.read_text())
    del content["digest"]
    path.write_text(json.dumps(content))
    assert read_marker(path, "").provenance == PROVENANCE


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2, "files": {}}'])
def test_a_damaged_marker_names_the_command_that_makes_it_again(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(UserError, match=r'scores.json is damaged: .*\. Run "python run.py fold --restart"\.$'):
        read_marker(path, "fold --restart")


def test_a_marker_that_was_changed_is_noticed(path: Path) -> None:
    path.write_text(path.read_text().replace('"identity"', '"flipped"'))
    with pytest.raises(UserError, match=r"scores.json is damaged: its digest is that of another content"):
        read_marker(path, "")


def test_a_marker_of_another_version_is_called_that(path: Path) -> None:
    path.write_text('{"format": 99}')
    with pytest.raises(UserError, match="another version of the toolkit: expected format 2, received 99"):
        read_marker(path, "")


def test_digests_are_texts(path: Path) -> None:
    write_record(path, {**asdict(PROVENANCE), "recipe_digest": None, "files": FILES}, version=FORMAT)
    with pytest.raises(UserError, match=r"scores\.json is damaged: provenance\.recipe_digest: expected"):
        read_marker(path, "")


def test_scores_fit_if_they_are_those_of_the_labels_scored() -> None:
    for values, fits in (([0.5, np.nan, 0.5], True), ([0.5, 0.5, 0.5], False), ([np.nan, np.nan, 0.5], False)):
        assert PROVENANCE.fits(Scores(("a",), np.array([values], dtype=np.float32))) == fits


def test_older_records_do_not_tell_the_broken_chips_of_the_splits_apart(path: Path) -> None:
    content = {key: value for key, value in asdict(PROVENANCE).items() if key != "test_left_out"}
    write_record(path, {**content, "files": FILES}, version=FORMAT)
    assert read_marker(path, "").provenance.broken_test == ("x",)
    write_record(path, {**content, "test_left_out": [], "files": FILES}, version=FORMAT)
    assert read_marker(path, "").provenance.broken_test == ()
