"""The chips whose labels look wrong."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from submissions.evidence.suspects import HEADER, MOST_OF, Suspects, suspects_of, suspects_of_label, write_suspects
from tests.submissions.evidence.test_noise import drawn


def test_the_likeliest_come_first_and_no_more_than_asked_for():
    scores, truth, flipped = drawn(0.02)
    found = suspects_of_label("water", 3, scores, truth, most=50)
    assert len(found.rows) == 50
    assert (np.diff(found.wrong) <= 0).all()
    assert flipped[found.rows].mean() >= 0.8
    assert found.false_share == pytest.approx(1 - flipped[found.rows].mean(), abs=0.05)


def test_of_a_label_that_few_chips_carry_nothing_is_said():
    scores, truth = np.linspace(0, 1, 100), np.arange(100) > 95
    found = suspects_of_label("blow_down", 0, scores, truth)
    assert len(found.rows) == 0
    assert np.isnan(found.false_share)


def test_where_scores_hardly_tell_a_label_nothing_is_said_of_it():
    random = np.random.default_rng(0)
    truth = np.arange(200) < 15
    scores = np.where(random.random(200) < 0.9, 0.05, 0.2) * random.random(200)
    noise_alone = suspects_of_label("mine", 0, scores, truth)
    assert len(noise_alone.rows) <= MOST_OF * truth.sum()
    told = np.where(truth, 0.9, 0.02) + 0.05 * random.random(200)
    told[[0, 100]] = 0.02, 0.93
    assert set(suspects_of_label("mine", 0, told, truth).rows) <= {0, 100}


def test_they_are_written_with_what_the_table_says_and_the_score(evidence, tmp_path):
    assert [one.label for one in suspects_of(evidence)] == list(evidence.labels)
    column = evidence.labels.index("water")
    found = Suspects("water", column, np.array([4, 2]), np.array([0.9, 0.6]))
    assert write_suspects(tmp_path / "suspects.csv", [found], evidence) == 2
    with (tmp_path / "suspects.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == HEADER
    for row, place, wrong in zip(rows, (4, 2), ("0.900", "0.600"), strict=True):
        says, score = evidence.truth[place, column], evidence.scores[place, column]
        assert row == [evidence.names[place], "water", str(int(says)), f"{score:.4f}", wrong]


def test_of_exclusive_labels_both_halves_are_written(evidence, tmp_path):
    clear, haze = evidence.labels.index("clear"), evidence.labels.index("haze")
    row = int(np.flatnonzero(evidence.truth[:, clear])[0])
    for column, other in ((clear, None), (haze, "clear")):
        label = evidence.labels[column]
        write_suspects(tmp_path / "a.csv", [Suspects(label, column, np.array([row]), np.array([0.8]))], evidence)
        with (tmp_path / "a.csv").open(newline="") as file:
            _, *rows = csv.reader(file)
        assert len(rows) == 2
        turned = evidence.truth[row].copy()
        for _, name, says, *_ in rows:
            turned[evidence.labels.index(name)] = says == "0"
        assert turned[list(evidence.workspace.competition.exclusive_columns[0])].sum() == 1
        assert other is None or rows[1][1] == other
