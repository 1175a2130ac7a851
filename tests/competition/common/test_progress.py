"""The reporter: where its lines go."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.common import progress
from competition.common.progress import Reporter


def test_lines_go_to_the_terminal_and_to_the_log_that_is_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter, log = Reporter(), tmp_path / "log.txt"
    log.write_text("before\n")
    reporter.say("one")
    with reporter.log_to(log):
        reporter.say("two")
        assert log.read_text() == "before\ntwo\n"  # at once, as a process may be killed
        reporter.note("aside")
    reporter.say("three")
    assert capsys.readouterr() == ("one\ntwo\nthree\n", "aside\n")
    assert log.read_text() == "before\ntwo\n"


def test_in_silence_nothing_is_shown_and_the_log_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter()
    with reporter.silent(), reporter.log_to(tmp_path / "log.txt"):
        with reporter.silent():
            reporter.say("one")
        reporter.note("aside")
        assert reporter.bar(3).disable
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "log.txt").read_text() == "one\n"
    reporter.say("two")
    assert capsys.readouterr().out == "two\n"


def test_silence_and_logs_end_with_an_exception(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter()

    def stopped() -> None:
        with reporter.silent(), reporter.log_to(tmp_path / "log.txt"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    reporter.say("one")
    assert capsys.readouterr().out == "one\n"
    assert (tmp_path / "log.txt").read_text() == ""


def test_no_bar_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter().bar(2, "decoding") as bar:
        bar.update(2)
    assert capsys.readouterr() == ("", "")


def test_a_long_work_without_a_terminal_says_once_a_minute_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds)
    pace = Reporter().pace(100, "chip")
    for _ in range(10):
        seconds += 30
        pace.update(10)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "30 of 100 chips; about 4 minutes to go."
    assert len(said) == 3
