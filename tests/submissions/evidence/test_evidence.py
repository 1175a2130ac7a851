"""What a report is about."""

from __future__ import annotations

import numpy as np
import pytest

from competition.common.errors import UserError
from folds.score_store import ScoreStore
from submissions.evidence.evidence import gather
from submissions.evidence.given import Given
from tests.submissions.samples import add_model


def test_the_chosen_one_is_looked_at_unless_another_is_named(evidence, reported):
    assert evidence.subject is evidence.comparison.chosen
    named = gather("a", reported, Given())
    assert [member.name for member in named.subject.members] == ["a"]
    np.testing.assert_array_equal(named.scores, named.of_member("a"))


def test_cuts_are_cross_fitted_on_what_is_looked_at(evidence):
    half, uniform, by_label = evidence.by_cuts.values()
    assert (half.fitted.cuts == 0.5).all()
    assert len(set(uniform.fitted.cuts)) == 1 < len(set(by_label.fitted.cuts))
    assert by_label.in_sample >= uniform.in_sample >= half.in_sample


def test_a_specialist_is_no_subject(workspace):
    for model, scored in (("whole", None), ("few", ["water"])):
        add_model(ScoreStore.of(workspace), model, workspace.labelled.truth, scored=scored)
    assert np.isnan(gather(None, workspace, Given()).by_member("few")).sum() == len(workspace.competition.labels) - 1
    with pytest.raises(UserError, match="'few' does not score every label"):
        gather("few", workspace, Given())
