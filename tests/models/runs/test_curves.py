"""How the networks of a workspace have learnt."""

from __future__ import annotations

import re

import numpy as np

from folds.store.score_store import ScoreStore
from models.runs.curves import LEARNT, curves_of, known_of, learnt_by_fold, lost_of, write_learnt
from models.runs.folders import HISTORY
from models.runs.training_state import Epoch, TrainingState
from tests.conftest import K


def test_every_network_has_a_curve_and_what_is_damaged_none(workspace, store):
    state = TrainingState()
    for number, metric in enumerate((0.5, 0.7, 0.6)):
        state.add(Epoch(number, 1 - metric, metric - 0.1, 0.4, metric, 0.01, 1.0, 16))
    for part in ("fold0", "fold0/seed1", "fold2", "fold1"):
        folder = workspace.runs / "model" / part
        folder.mkdir(parents=True)
        state.write(folder / HISTORY)
    (workspace.runs / "model/fold1" / HISTORY).write_text("{")
    curves = curves_of(workspace, "model")
    assert [(curve.fold, curve.seed, curve.best) for curve in curves] == [(0, 0, 1), (0, 1, 1), (2, 0, 1)]
    np.testing.assert_allclose(curves[0].heldout_metric, [0.5, 0.7, 0.6])
    np.testing.assert_allclose(curves[0].metric, [0.4, 0.6, 0.5])


def test_what_was_learnt_is_read_again_and_missing_where_it_was_not_kept(workspace, store):
    for fold in range(K - 1):
        (folder := store.folder("model", fold)).mkdir(parents=True)
        write_learnt(folder, 0.9 + fold / 100, 0.8)
    (store.folder("model", 1) / LEARNT).write_text("{}")
    assert learnt_by_fold(workspace, "model") == ((0.9, 0.8), *[None] * (K - 1))


def test_what_is_lost_of_finished_folds_is_said_with_the_command_that_makes_it_again(trained):
    store = ScoreStore.of(trained)
    assert not lost_of(trained, "tiny")
    (store.folder("tiny", 0) / LEARNT).write_bytes((store.folder("tiny", 1) / LEARNT).read_bytes())
    (store.folder("tiny", 1) / HISTORY).unlink()
    (store.folder("tiny", 2) / HISTORY).write_text("{")
    missing, damaged, others = lost_of(trained, "tiny")
    assert re.search(
        r"fold1/history\.json is missing\. To .* run \"python run\.py fold .* --fold 1 --restart\"", missing
    )
    assert "fold2/history.json is damaged" in damaged
    assert "fold0/learnt.json is damaged: it is that of model 'tiny', fold 1, seed 0." in others
    assert learnt_by_fold(trained, "tiny")[0] is None


def test_what_is_known_of_a_trained_model_is_whole(trained):
    known = known_of(trained)
    assert [row[0] for row in known["rows"]] == ["tiny"]
    assert len(known["curves"]) == len(known["learnt"]["tiny"]) == K
    assert known["recipes"]["tiny"].startswith("two_convolutions")
