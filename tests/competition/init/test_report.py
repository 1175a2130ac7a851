from __future__ import annotations

from pathlib import Path

from competition.init.report import report
from tests.competition.init.folders import begun, tagged


def test_the_report_shows_every_part_and_each_question_once(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "in", {f"x{i}": ["a", "a b", "b", "none"][i % 4] for i in range(16)})
    (folder / "broken.csv").write_bytes(b'"')
    _, found = begun(folder, tmp_path)
    text = report(found, tmp_path / "found.toml")
    for part in ("train.csv", "sample_submission.csv", "stem of the files, such as x0", "train; test", "4 chips", "F1"):
        assert part in text
    assert len([line for line in text.splitlines() if line.startswith("? ")]) == len(found.questions)
    assert "Not read: broken.csv" in text
    assert text.endswith("found.toml")
