"""A comparison measured with weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from competition.metrics.f_beta import f_beta_per_chip
from competition.workspace import Workspace
from run import main
from submissions.choose.candidates import make_candidates
from submissions.choose.compare import Comparison, compare
from submissions.shift.weighed import Weighed, Weighing
from tests.submissions.samples import make_workspace
from tests.submissions.shift.samples import weigh


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("weighed"))


@pytest.fixture(scope="module")
def comparison(workspace: Workspace) -> Comparison:
    return compare(make_candidates(["a", "b"], workspace), ["mean"], ["fixed"])


def test_a_row_is_the_self_normalised_mean_of_its_chips(workspace: Workspace, comparison: Comparison) -> None:
    weights = weigh(workspace, "road")
    weighed = Weighed(comparison, Weighing.of(comparison, workspace))
    of = weights.of(comparison.source.chips.names)
    truth, reference = comparison.source.chips.truth, comparison.reference
    ours = f_beta_per_chip(truth, reference.answers, 2)
    for candidate, value, paired in zip(comparison.candidates, weighed.values, weighed.differences, strict=True):
        theirs = f_beta_per_chip(truth, candidate.evaluation.answers, 2)
        assert value == pytest.approx(np.average(theirs, weights=of), abs=1e-6)
        difference = np.average(theirs - ours, weights=of)
        assert paired.value == pytest.approx(difference, abs=1e-6)
        error = np.sqrt((of**2 * (theirs - ours - difference) ** 2).sum()) / of.sum()
        assert paired.error == pytest.approx(error, rel=0.12, abs=1e-9)
    json.dumps(weighed.as_dict(), allow_nan=False)
    assert f"worth {weighed.weighing.effective:,.0f} of 300 chips" in weighed.lines[0]


def test_equal_weights_change_no_figure_and_no_order(workspace: Workspace, comparison: Comparison) -> None:
    weigh(workspace)
    weighed = Weighed(comparison, Weighing.of(comparison, workspace))
    plain = [one.evaluation.cross_fitted for one in comparison.candidates]
    np.testing.assert_allclose(weighed.values, plain, atol=1e-6)
    assert len(weighed.lines) == 1


def test_another_order_is_said(workspace: Workspace, comparison: Comparison) -> None:
    best, *others = sorted(comparison.candidates, key=lambda one: -one.evaluation.gain)
    truth = comparison.source.chips.truth
    theirs = [f_beta_per_chip(truth, one.evaluation.answers, 2) for one in (best, others[-1])]
    weights = np.where(theirs[1] > theirs[0], 20.0, 1.0)
    weighing = Weighing(truth, weights / weights.mean(), comparison.reference.metric, "m")
    lines = Weighed(comparison, weighing).lines
    assert "Weighed, the order is another: the best is " in lines[1]
    assert f"instead of {best.evaluation.name}, by 0." in lines[1]


def test_compare_shows_it_and_asks_for_weights_where_there_are_none(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, num_chips=90)
    words = ["compare", "--methods", "mean", "--rule", "fixed", "--weighted-to", "test"]
    words += ["--workspace", str(workspace.root)]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert "adversarial MODEL" in refused.output
    weigh(workspace, "road")
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    assert "to test" in shown.output
    assert "difference there" in shown.output
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert {one["name"] for one in found["weighed"]["candidates"]} == {one["name"] for one in found["candidates"]}
