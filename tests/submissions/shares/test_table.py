"""Shares of labels side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.spec.metric import Metric
from run import main
from submissions.shares.constant import write_probe
from submissions.shares.table import find_shares
from tests.submissions.samples import make_workspace
from tests.submissions.shares.test_constant import submitted


def test_shares_by_scores_and_probes_stand_beside_those_of_the_labelled_chips(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, models=("a",), num_chips=600)
    write_probe(["road"], "probe-road", workspace)
    found = find_shares("a", [submitted("probe-road", workspace, 0.1)], workspace, 0.34)
    text, values = found.text(), found.as_dict()
    assert "by the scores of 'a'" in text
    assert values["probes"]["road"]["score"] == 0.1
    assert set(values["shares"]) == set(workspace.competition.labels)
    np.testing.assert_allclose(
        [of["labelled"] for of in values["shares"].values()], workspace.labelled.truth.mean(axis=0)
    )
    for label in found.moved:
        assert (
            not values["shares"][label]["low"] <= values["shares"][label]["labelled"] <= values["shares"][label]["high"]
        )
    json.dumps(values, allow_nan=False)
    other = replace(workspace, competition=workspace.competition.model_copy(update={"metric": Metric(average="macro")}))
    refused = find_shares("a", [submitted("probe-road", workspace, 0.1)], other, 0.34)
    assert not refused.probes
    assert "The probe of road is left out: " in refused.text()
    with pytest.raises(UserError, match="model or blend"):
        find_shares("b", [], workspace, 0.34)


def test_without_a_scored_probe_there_is_no_column_for_it(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    assert "by probe" not in find_shares("a", [], workspace, 0.34).text()
    done = CliRunner().invoke(main, ["submissions", "probe", "clear", "--workspace", str(workspace.root)])
    assert "rows, each of them clear.\n" in done.output
    assert not {"Warning", "0.00"} & set(done.output.replace(":", "").replace("%", "").split())
