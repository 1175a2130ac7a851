"""How far the chips of each label differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from folds.store.score_store import ScoreStore
from models.shift.both import Both
from models.shift.by_label import by_label
from tests.models.shift.samples import both_of
from tests.submissions.samples import NUM_TEST, add_model, make_workspace


def sides(root: Path) -> tuple[ScoreStore, Both]:
    """Return a store with a model's scores, and its chips."""
    workspace = make_workspace(root, models=("a",), num_chips=600)
    store = ScoreStore.of(workspace)
    names = (*store.table.image_names, *workspace.test_names)
    both = both_of(np.zeros((600, 2)), np.zeros((NUM_TEST, 2)), names=names)
    both.folds[:600] = store.table.folds[0]
    return store, both


def test_a_label_whose_chips_differ_comes_first(tmp_path: Path) -> None:
    store, both = sides(tmp_path)
    label = store.labels.index("road")
    odds = np.random.default_rng(0).normal(size=len(both.names))
    for fold in range(store.table.k):
        made = store.read("a", fold)
        for side in (made.heldout, made.test):
            rows = [row for row, name in enumerate(both.names) if name in side.names and both.folds[row] == fold]
            has_it = side.aligned([both.names[row] for row in rows])[:, label] > 0.3
            odds[rows] += 9 * has_it * both.is_test[rows]
    found = by_label(both, odds, store, "a")
    assert found[0].label == "road"
    assert found[0].features.value > 0.75
    assert len(found) == len(store.labels)
    assert all(0 <= one.labelled <= 1 and 0 <= one.to_predict <= 1 for one in found)


def test_labels_that_a_model_does_not_score_are_left_out(tmp_path: Path) -> None:
    store, both = sides(tmp_path)
    truth = np.random.default_rng(0).random((600, len(store.labels))) < 0.3
    add_model(store, "few", truth, scored=store.labels[:3])
    assert len(by_label(both, np.zeros(len(both.names)), store, "few")) == 3
