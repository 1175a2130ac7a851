from __future__ import annotations

from pathlib import Path

import pytest

from competition.init.report import report
from tests.competition.init.folders import begun, tagged


def test_the_report_shows_every_part_and_each_question_once(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "in", {f"x{i}": ["a", "a b", "b", "none"][i % 4] for i in range(16)})
    (folder / "broken.csv").write_bytes(b'"')
    _, found = begun(folder, tmp_path)
    text = report(found, tmp_path / "found.toml")
    for part in ("train.csv", "sample_submission.csv", "files, without suffix", "to predict: test", "4 chips", "F1"):
        assert part in text
    assert len([line for line in text.splitlines() if line.startswith("? ")]) == len(found.questions)
    assert "Not read: broken.csv" in text
    assert text.endswith("found.toml")


def test_the_table_is_no_wider_than_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = [f"a-label-with-a-long-name-{number}" for number in range(9)]
    folder = tagged(tmp_path / "in", {f"x{i}": long[i % 9] for i in range(27)})
    _, found = begun(folder, tmp_path)
    lines = report(found, tmp_path / "found.toml").splitlines()
    shown = [line for line in lines if not line.startswith(("?", "Wrote"))]
    assert max(map(len, shown)) <= 80
    assert "exactly one of" in "".join(shown)
