"""How the models of a report have learnt."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from submissions.evidence.given import Given
from submissions.report.training import spread_picture, training_pictures


def test_every_member_that_was_trained_in_epochs_has_its_curves(evidence):
    found = training_pictures(evidence)
    assert [model for model, _ in found] == ["a", "b"]
    loss, metric, _rate = found[0][1]
    assert loss.rows[0][:4] == ("0", "0", "4", "6")
    assert metric.rows[0][5] == f"{evidence.given.curves[0].heldout_metric[3]:.4f}"
    assert training_pictures(dataclasses.replace(evidence, given=Given())) == []


def test_chips_set_aside_are_not_called_held_out(evidence, monkeypatch):
    for curve in evidence.given.curves:
        monkeypatch.setattr(curve, "monitor", "inner" if curve.model == "a" else "heldout")
    (_, (inner, *_)), (_, (heldout, *_)) = training_pictures(evidence)
    assert (inner.headers[-1], heldout.headers[-1]) == ("inner", "held out")
    assert "whole on the inner ones, set aside of those to learn from" in inner.description
    assert "whole on those held out" in heldout.description


def test_folds_are_spread_as_they_are(evidence):
    picture = spread_picture(evidence)
    folds = np.unique(evidence.folds)
    for number, row in enumerate(picture.rows):
        values = [evidence.at_prior_cut(evidence.source.chips.scores[number], evidence.folds == fold) for fold in folds]
        assert row[1:-1] == tuple(f"{value:.4f}" for value in values)
        assert float(row[-1]) == pytest.approx(np.std(values, ddof=1), abs=1e-4)
