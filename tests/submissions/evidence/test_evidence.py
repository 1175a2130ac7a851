"""What a report is about."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.evidence.evidence import gather
from submissions.evidence.given import Given
from submissions.members.exchange import keep_scores
from submissions.report.overview import best_single, compared_line, data_rows, rival_of
from tests.submissions.samples import add_model, blend_of, planet


@pytest.mark.usefixtures("little_compared")
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


@pytest.mark.usefixtures("little_compared")
def test_a_specialist_is_no_subject(workspace):
    for model, scored in (("whole", None), ("few", ["water"])):
        add_model(ScoreStore.of(workspace), model, workspace.labelled.truth, scored=scored)
    assert np.isnan(gather(None, workspace, Given()).by_member("few")).sum() == len(workspace.competition.labels) - 1
    with pytest.raises(UserError, match="'few' does not score every label"):
        gather("few", workspace, Given())


@pytest.mark.usefixtures("little_compared")
@pytest.mark.parametrize(
    ("method", "rule"), [("mean", "per-label"), ("log-loss", "expected"), ("vote", "uniform"), ("mean", "fixed")]
)
def test_a_named_blend_is_decided_by_the_rule_that_it_was_written_with(written, tmp_path, method, rule):
    shutil.copytree(written, tmp_path / "workspace")
    workspace = Workspace(tmp_path / "workspace", planet())
    blend = blend_of("second", ["a", "b"], workspace, method=method, rule=rule)
    shown = gather("second", workspace, Given())
    assert shown.subject.rule == rule
    np.testing.assert_array_equal(shown.scores, blend.oof.values)
    if "cuts" in blend.provenance and method != "vote":
        np.testing.assert_allclose(shown.cuts, [blend.provenance["cuts"][label] for label in shown.labels], atol=1e-4)
    rows = dict(data_rows(shown))
    assert rows["when it was written"] == f"{blend.evaluation.name}: F2 {blend.evaluation.cross_fitted:.4f}"
    assert shown.subject.evaluation.cross_fitted == pytest.approx(blend.evaluation.cross_fitted, abs=0.01)


@pytest.mark.usefixtures("little_compared")
def test_imported_scores_have_no_rule_of_their_own(written, tmp_path):
    shutil.copytree(written, tmp_path / "workspace")
    workspace = Workspace(tmp_path / "workspace", planet())
    keep_scores("mate", ScoreStore.of(workspace).join("a").oof, workspace)
    shown = gather("mate", workspace, Given())
    assert "when it was written" not in dict(data_rows(shown))
    np.testing.assert_array_equal(shown.scores, ScoreStore.of(workspace).join("a").oof.aligned(shown.names))


@pytest.mark.usefixtures("little_compared")
def test_of_a_great_many_scores_only_what_is_cheap_is_compared(reported):
    shown = gather(None, reported, Given())
    compared = {(len(one.members), one.method, one.rule) for one in shown.comparison.candidates}
    assert compared >= {(1, "mean", "uniform"), (2, "mean", "uniform"), (2, "mean", "structured")}
    assert {method for _, method, _ in compared} == {"mean"}
    assert (1, "mean", "structured") not in compared
    assert "would take minutes" in compared_line(shown)
    single = best_single(shown)
    assert rival_of(shown, single).rule == single.rule == "uniform"
