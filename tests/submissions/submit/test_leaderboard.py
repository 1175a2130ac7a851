"""How far cross-fitted scores foretell the leaderboard."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from submissions.submit.entry import Entry
from submissions.submit.leaderboard import Standings, correlate


def entries_of(ours: list[float], theirs: list[float]) -> list[Entry]:
    return [
        Entry("planet", f"s{i}", 1, "m", "confirmed", i, f"{i:016x}", cross_fitted=a, metric="F2", public=b)
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True))
    ]


def test_the_correlation_is_that_of_numpy_with_fishers_interval() -> None:
    ours, theirs = [0.90, 0.91, 0.93, 0.92, 0.905], [0.898, 0.91, 0.925, 0.922, 0.901]
    found = correlate(entries_of(ours, theirs), "public")
    assert found.pearson == pytest.approx(np.corrcoef(ours, theirs)[0, 1])
    z, half = math.atanh(found.pearson or 0), 1.959964 / math.sqrt(5 - 3)
    assert (found.low, found.high) == pytest.approx((math.tanh(z - half), math.tanh(z + half)), abs=1e-6)
    assert found.spearman == pytest.approx(1.0)
    assert found.gap == pytest.approx(np.mean(np.subtract(theirs, ours)))
    assert (
        "Cross-fitted against public score, 5 different files with both: Pearson 0.97 (95 %, were they"
        in found.text("public")
    )
    assert "public is 0.0018 lower on average (standard deviation 0.0029)." in found.text("public")


@pytest.mark.parametrize(
    ("ours", "theirs", "text"),
    [
        ([0.9, 0.8], [0.9, 0.8], "2 different files with both: 3 are needed"),
        ([0.9, 0.9, 0.9], [0.9, 0.8, 0.7], "all alike in one of them, so no correlation"),
        ([0.9, 0.91, 0.92], [0.9, 0.91, 0.92], "Pearson 1.00 (too few for an interval), Spearman 1.00"),
        ([0.9, 0.91, 0.92, 0.93], [0.9, 0.91, 0.92, 0.93], "Pearson 1.00 (too few for an interval), Spearman 1.00"),
    ],
)
def test_what_cannot_be_told_is_not_told(ours: list[float], theirs: list[float], text: str) -> None:
    entries = entries_of(ours, theirs)
    assert text in correlate(entries, "public").text("public")
    json.dumps(Standings(entries).as_dict(), allow_nan=False)


def test_a_file_submitted_again_counts_once() -> None:
    entries = entries_of([0.9, 0.91, 0.93], [0.9, 0.92, 0.93])
    again = [replace(entry, ref=(entry.ref or 0) + 100) for entry in entries]
    assert correlate([*entries, *again], "public") == correlate(entries, "public")


def test_scores_of_another_metric_are_left_out() -> None:
    entries = entries_of([0.9, 0.91, 0.93], [0.9, 0.92, 0.93])
    assert correlate([replace(entries[0], metric="mAP", marker="x"), *entries], "public") == correlate(
        entries, "public"
    )


def test_words_from_elsewhere_cannot_reach_the_terminal() -> None:
    entry = Entry("planet", "a\x1b[2Jb", 1, "red\x1b[31m\r\n" + "x" * 100, "confirmed", 1, status="complete")
    text = Standings([entry]).text()
    assert "\x1b" not in text
    assert "x" * 25 not in text
