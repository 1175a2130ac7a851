"""The report of a check, as it is shown."""

from __future__ import annotations

import json
from pathlib import Path

from tests.competition.checks.samples import check


def test_the_text_ends_with_the_verdict_and_lists_the_rarest_label_first(source: Path) -> None:
    text = check(source).text()
    lines = text.splitlines()
    assert lines[-1] == "Ready: 0 errors, 1 warning, 0 notes."
    shares = [float(line.split()[-1][:-1]) for line in lines if line.endswith("%")]
    assert len(shares) == 17
    assert shares == sorted(shares)
    assert any(line.split() == ["primary", "9", "75.00%"] for line in lines)
    (source / "train-jpg" / "train_0.jpg").unlink()
    last = check(source).text().splitlines()[-1]
    assert last == "Not ready: 1 error, 1 warning, 0 notes. Errors spoil training or a submission."


def test_the_report_goes_into_json(source: Path) -> None:
    content = json.loads(json.dumps(check(source).as_dict(), allow_nan=False))
    assert content["ok"]
    assert content["chips"][0]["kinds"] == ["16 x 16 x 3 uint8"]
    assert content["findings"][0]["severity"] == "warning"


def test_findings_come_in_the_order_of_their_weight(source: Path) -> None:
    (source / "train-jpg" / "train_0.jpg").unlink()
    (source / "sample_submission_v2.csv").unlink()
    assert [finding.severity for finding in check(source).findings] == ["error", "warning", "note"]
