"""The record of pushes."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.records import DamagedError
from submissions.push.log import Push, PushLog


def test_what_was_noted_is_read_again(tmp_path: Path) -> None:
    log = PushLog(tmp_path / "first.pushed.json")
    assert (log.last, log.made) == (None, None)
    log.begin(Push("a/b", "a/c", "1" * 64, "2" * 64, begun="2026-11-28T10:00:00+00:00"))
    log.note(stage="data there", data_version=3)
    assert log.made is None
    log.note(stage="pushed", version=2)
    log.begin(Push("a/b", "a/c", "3" * 64, "4" * 64, begun="2026-11-28T11:00:00+00:00"))
    again = PushLog(log.path)
    assert again.pushes == log.pushes
    assert again.last
    assert again.last.stage == "begun"
    assert again.made
    assert (again.made.version, again.made.data_version) == (2, 3)
    assert again.made.pushed
    assert again.made.address == "https://www.kaggle.com/code/a/b"


@pytest.mark.parametrize("spoilt", [b"", b"{}", b'{"format": 1, "pushes": [{"stage": "on its way"}]}'])
def test_a_damaged_record_is_named(spoilt: bytes, tmp_path: Path) -> None:
    path = tmp_path / "first.pushed.json"
    path.write_bytes(spoilt)
    with pytest.raises(DamagedError, match=r"first\.pushed\.json is damaged: .*[Mm]ove it away: what is on Kaggle"):
        PushLog(path)
