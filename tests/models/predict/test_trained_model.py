"""What a trained model says of a folder is what its networks were found to say of its chips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from competition.common.errors import UserError
from folds.score_store import ScoreStore
from models.predict.trained_model import Trained, predict_folder
from models.runs.folders import remove
from tests.conftest import K, store_of


def test_a_folder_is_scored_as_its_chips_were_held_out(trained):
    store = store_of(trained)
    for fold in (1, 2):
        remove(trained, "tiny", fold)
    predictions = predict_folder(trained, store, "tiny", trained.layout.folders["train-jpg"][0])
    heldout = store.read("tiny", 0).heldout
    assert predictions.left_out == ()
    assert sorted(predictions.scores.names) == sorted(trained.labelled.image_names)
    np.testing.assert_allclose(predictions.scores.aligned(heldout.names), heldout.values, atol=1e-5)


def test_a_folder_is_scored_by_the_mean_over_the_folds(trained):
    store = store_of(trained)
    scores = predict_folder(trained, store, "tiny", trained.layout.folders["test-jpg"][0]).scores
    test = store.join("tiny").test
    assert set(scores.names) == {name for name in test.names if name.startswith("test_")}
    np.testing.assert_allclose(scores.values, test.aligned(scores.names), atol=1e-5)


def test_a_model_without_a_finished_fold_or_with_other_labels_does_not_predict(trained):
    store, folder = store_of(trained), trained.layout.folders["test-jpg"][0]
    with pytest.raises(UserError, match="Unknown model 'none'"):
        predict_folder(trained, store, "none", folder)
    turned = ScoreStore(store.root, store.labels[::-1], store.table)
    with pytest.raises(UserError, match="have other labels or another order"):
        predict_folder(trained, turned, "tiny", folder)
    for marker in trained.runs.rglob("scores.json"):
        marker.unlink()
    with pytest.raises(UserError, match=r"No fold of 'tiny' is trained\. Run \"python run.py train --models tiny\""):
        predict_folder(trained, store, "tiny", folder)


def test_folds_of_different_recipes_are_not_averaged(trained, monkeypatch):
    store, whole = store_of(trained), Trained.of(trained, store_of(trained), "tiny")
    assert sorted(whole.folders) == list(range(K))
    provenance = ScoreStore.provenance

    def of_another_recipe(self, model, fold):
        found = provenance(self, model, fold)
        return replace(found, recipe_digest="0" * 64) if fold == 2 else found

    monkeypatch.setattr(ScoreStore, "provenance", of_another_recipe)
    line = r"Folds 0 and 2 of 'tiny' .* different recipes\. Run \"python run.py fold --model tiny --fold 2 --restart\""
    with pytest.raises(UserError, match=line):
        Trained.of(trained, store, "tiny")
