"""The reporter: where its lines go."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
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
        assert not reporter.bar(3).is_drawn
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


def test_details_are_shown_where_they_are_wanted_and_always_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = Reporter()
    with reporter.log_to(tmp_path / "log.txt"):
        reporter.detail("one")
        with reporter.detailed():
            reporter.detail("two")
    out, shown = capsys.readouterr()
    assert (out, shown.splitlines()[0]) == ("", "two")
    assert shown.splitlines()[1].startswith("It took 0.0 seconds")
    assert (tmp_path / "log.txt").read_text().splitlines()[:2] == ["one", "two"]


def test_no_bar_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter().bar(2, "decoding") as bar:
        bar.update(2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("total", "unit", "line"),
    [
        (100, "chip", "decoding: 30 of 100 chips, 0.3 chips a second; about 4 minutes to go."),
        (None, "chip", "decoding: 30 chips, 0.3 chips a second."),
        (100_000_000, "B", "decoding: 30 bytes of 100.0 MB, 0 bytes a second; about 83333:18 hours to go."),
    ],
)
def test_a_long_work_without_a_terminal_says_once_a_minute_how_far_it_is(
    total: int | None, unit: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds)
    with Reporter().bar(total, "decoding", unit) as bar:
        for _ in range(10):
            seconds += 30
            bar.update(10)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == line
    assert len(said) == 3


def test_of_what_takes_long_it_is_said_how_long_each_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds)
    with Reporter().bar(3, "training", "fold") as bar:
        seconds = 240
        bar.update()
    assert capsys.readouterr().out == "training: 1 of 3 folds, 4 minutes a fold; about 8 minutes to go.\n"


def on_a_terminal(code: str) -> str:
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 80))
    before = "from competition.common import progress; from competition.common.progress import reporter; import time\n"
    before += "progress.SECONDS_TO_BAR = 0.1\n"
    subprocess.run([sys.executable, "-c", before + code], stdout=follower, stderr=follower, check=True)
    os.close(follower)
    try:
        shown = os.read(leader, 10_000).decode()
    except OSError:  # as nothing was written
        shown = ""
    os.close(leader)
    return shown


def test_on_a_terminal_a_bar_shows_how_fast_it_goes_and_what_is_left() -> None:
    shown = on_a_terminal(
        "with reporter.bar(100, 'decoding') as bar:\n"
        "    for _ in range(6): time.sleep(0.1); bar.update(2)\n"
        "    reporter.say('a line')\n"
    )
    assert re.search(r"decoding: +\d+%.*<00:0\d, .* chips/s", shown)
    assert "a line" in shown


def test_on_a_terminal_it_is_shown_that_work_goes_on_and_nothing_of_that_is_left() -> None:
    shown = on_a_terminal(
        "with reporter.busy('thinking'):\n"
        "    time.sleep(0.5)\n"
        "    with reporter.bar(9, 'steps') as bar: time.sleep(0.2); bar.update()\n"
        "    reporter.say('a line')\n"
    )
    assert "thinking 00:00" in shown
    assert "a line" in shown
    assert shown.rsplit("\r", 2)[-2].strip() == shown.rsplit("\r", 2)[-1].strip() == ""


def test_a_bar_that_was_shown_early_is_taken_away() -> None:
    shown = on_a_terminal("bar = reporter.bar(9, 'steps'); reporter.say('a line'); bar.update(); bar.close()\n")
    assert shown.rsplit("\r", 2)[-2].strip() == shown.rsplit("\r", 2)[-1].strip() == ""


def test_closed_streams_end_nothing() -> None:
    code = "from competition.common.progress import reporter\nreporter.say('x')\nreporter.note('y')\n"
    code += "with reporter.busy('z'), reporter.bar(3) as bar: bar.update()"
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        subprocess.run(["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code], check=True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_log_that_the_disk_does_not_take_is_named() -> None:
    reporter = Reporter()
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"), reporter.log_to(Path("/dev/full")):
        reporter.say("one")
