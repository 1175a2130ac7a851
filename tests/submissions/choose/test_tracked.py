"""A comparison in MLflow: one run, with a row for each candidate."""

from __future__ import annotations

import csv

import pytest
from click.testing import CliRunner

import run
from competition.tracking.mlflow_store import MlflowStore
from tests.submissions.samples import make_workspace

pytest.importorskip("mlflow", reason='MLflow is not installed: pip install -e ".[mlflow]"')


def test_a_comparison_is_one_run_however_often_it_is_made(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    workspace = make_workspace(tmp_path)
    flags = ["--methods", "mean", "--rule", "fixed,uniform", "--track", "mlflow", "--workspace", str(workspace.root)]
    for _ in range(2):
        shown = CliRunner().invoke(run.main, ["compare", *flags])
        assert shown.exit_code == 0, shown.output
    store = MlflowStore(workspace.tracked, workspace.competition.name, "")
    (found,) = store._client.search_runs([store._experiment])
    table = (workspace.tracked / store._experiment / found.info.run_id / "artifacts/candidates.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    assert found.info.run_name == f"compare {len(rows)} candidates"
    assert {row["name"] for row in rows} == {
        f"{member}, {rule}" for member in ("a alone", "b alone", "mean") for rule in ("fixed 0.2", "uniform")
    }
    for row in rows:
        value = found.data.metrics[f"cross-fitted/{row['name'].replace(', ', ' - ')}"]
        assert value == pytest.approx(float(row["cross_fitted"]))
    assert found.data.tags["chosen"] in {row["name"] for row in rows}
    assert found.data.metrics["best F2"] == max(float(row["cross_fitted"]) for row in rows)
    assert (found.data.params["members"], found.data.params["rules"]) == ("a,b", "fixed,uniform")
