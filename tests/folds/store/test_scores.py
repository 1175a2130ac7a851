"""Scores: what they refuse to be, and their ways to disk and to pandas and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.common.errors import UserError
from competition.spec.load import load
from folds.store.scores import Scores

PLANET = load("planet")


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    np.savez(path, names=np.array(["x"], dtype=object), scores=np.zeros((1, 3), dtype=np.float32))
    with pytest.raises(UserError, match=r"Cannot read the scores .*s.npz: .*allow_pickle=False"):
        Scores.read(path)


def test_files_that_hold_no_scores_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    for write in (
        lambda: np.savez(path, names=np.array(["x"])),
        lambda: np.savez(path, names=np.array(["x", "y"]), scores=np.zeros((1, 3))),
        lambda: path.write_bytes(b"PK\x03\x04"),
        lambda: path.write_bytes(b""),
        path.unlink,
    ):
        write()
        with pytest.raises(UserError, match=r"Cannot read the scores .*s.npz"):
            Scores.read(path)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.01, 1.01])
def test_numbers_that_are_no_scores_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"must be numbers in \[0, 1\]"):
        Scores(("x", "y"), np.array([[0.1, 0.2], [0.1, wrong]], dtype=np.float32))


def test_scores_that_do_not_fit_their_names_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit scores of shape"):
        Scores(("x",), np.zeros((2, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="name a chip twice"):
        Scores(("x", "x"), np.zeros((2, 3), dtype=np.float32))


def test_aligned_rows_follow_the_names_asked_for() -> None:
    scores = Scores(("x", "y"), np.array([[0.1], [0.2]], dtype=np.float32))
    np.testing.assert_array_equal(scores.aligned(("y", "z", "x")), np.array([[0.2], [np.nan], [0.1]], np.float32))


def test_of_all_chips_in_their_order_the_scores_are_not_copied() -> None:
    scores = Scores(("x", "y"), np.array([[0.1], [0.2]], dtype=np.float32))
    assert scores.aligned(["x", "y"]) is scores.values


def test_without_chips_every_label_counts_as_scored() -> None:
    assert Scores((), np.empty((0, 3), dtype=np.float32)).scored.tolist() == [True] * 3


def test_scores_survive_the_way_to_disk_and_back(tmp_path: Path) -> None:
    scores = Scores(("b", "a"), np.array([[0.1, np.nan], [0.2, np.nan]], dtype=np.float32))
    scores.write(tmp_path / "s.npz")
    read = Scores.read(tmp_path / "s.npz")
    assert read.names == scores.names
    assert read.scored.tolist() == [True, False]
    np.testing.assert_array_equal(read.values, scores.values)


def test_a_frame_holds_a_row_of_each_chip_and_gives_the_same_scores_back() -> None:
    scores = Scores(("b", "a"), np.linspace(0, 1, 2 * 17, dtype=np.float32).reshape(2, 17))
    frame = scores.frame(PLANET)
    assert list(frame.index) == ["b", "a"]
    assert tuple(frame.columns) == PLANET.labels
    back = Scores.of_frame(frame[list(reversed(PLANET.labels))], PLANET)
    assert back.names == scores.names
    np.testing.assert_array_equal(back.values, scores.values)


def test_a_frame_may_lack_labels_and_has_no_others() -> None:
    scores = Scores.of_frame(pd.DataFrame({"water": [0.5]}, index=["a"]), PLANET)
    assert scores.scored.tolist() == [label == "water" for label in PLANET.labels]
    with pytest.raises(UserError, match="Unknown label 'sea'"):
        Scores.of_frame(pd.DataFrame({"sea": [0.5]}, index=["a"]), PLANET)


def test_a_table_has_a_column_of_each_label_scored(tmp_path: Path) -> None:
    values = np.full((1, 17), np.nan, dtype=np.float32)
    values[0, PLANET.label_index["water"]] = 0.25
    Scores(("a",), values).write_table(tmp_path / "s.csv", PLANET, tags=["water"])
    assert (tmp_path / "s.csv").read_text() == "image_name,water,tags\na,0.250000,water\n"


def test_ids_are_written_as_they_are_also_where_a_spreadsheet_would_calculate(tmp_path: Path) -> None:
    names = ("=1+1", "-2", "+3", "@a")
    Scores(names, np.zeros((4, 17), dtype=np.float32)).write_table(tmp_path / "s.csv", PLANET)
    assert tuple(line.split(",")[0] for line in (tmp_path / "s.csv").read_text().splitlines()[1:]) == names
