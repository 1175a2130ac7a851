"""The page shows what was counted, the same each time."""

from __future__ import annotations

import re

import numpy as np

from submissions.map.rules import MapRule
from submissions.truth.counts import Terms
from submissions.truth.evaluate import evaluate_maps
from submissions.truth.page import precision_recall, reliability, whiskers, write_page
from tests.submissions.map.samples import raster_of
from tests.submissions.truth.samples import by, squares, write_truth

TERMS = Terms(0.02, 0.02)


def evaluation(tmp_path):
    random = np.random.default_rng(0)
    score = random.random((40, 40)).astype(np.float32)
    raster = raster_of(tmp_path, score)
    truth = random.random(score.shape) < score  # so that scores mean what they say
    file = write_truth(tmp_path / "truth.gpkg", raster, squares("road", truth))
    return evaluate_maps([raster], by(MapRule("a cut", {"road": 0.5})), [file], TERMS)


def test_pictures_hold_the_figures(tmp_path):
    (label,) = evaluation(tmp_path).labels
    (row,) = whiskers((label,)).rows
    assert row[:2] == ("road", f"{label.figures['sensitivity']:.3f}")
    curve = np.array(precision_recall(label).rows, dtype=float)
    assert (np.diff(curve[:, 0]) >= 0).all()
    assert curve[-1].tolist() == [1.0, round(label.num_true / label.cells.sum(), 3)]
    said, true = np.array([row[:2] for row in reliability(label).rows], dtype=float).T
    assert np.abs(said - true).max() < 0.12


def test_a_page_is_made_the_same_again(tmp_path):
    found = evaluation(tmp_path)
    for name in "ab":
        write_page(found, tmp_path / f"{name}.html")
    one, other = (_without_ids((tmp_path / f"{name}.html").read_text()) for name in "ab")
    assert one == other
    assert "Whiskers: 95 % intervals" in one


def _without_ids(text: str) -> str:
    """Return a page without the numbers of its pictures, which count on within a process."""
    return re.sub(r"\bp\d+-", "p-", text)
