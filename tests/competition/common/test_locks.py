"""Locks: one at a time, the others wait and say for whom, or are refused."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from competition.common import locks
from competition.common.locks import BusyError, locked

WHEN = r"[-\d]{10} [:\d]{5} UTC"
HOLD = """
import sys, time
from pathlib import Path
from competition.common.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_whoever_waits_for_another_is_told_for_whom(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.01)
    order = []

    def work() -> None:
        with locked(tmp_path / "new" / ".lock"):
            order.append("second")

    with locked(tmp_path / "new" / ".lock"):
        second = threading.Thread(target=work)
        second.start()
        second.join(0.2)
        order.append("first")
    second.join()
    assert order == ["first", "second"]
    told = capsys.readouterr().err
    assert re.fullmatch(
        rf"Waiting for another process, process {os.getpid()}, since {WHEN}, at work in {tmp_path / 'new'}\.\n",
        told,
    )


def holder_of(path: Path, code: str = HOLD) -> subprocess.Popen[str]:
    """Return a process that has a lock, and keeps it."""
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_what_is_not_waited_for_is_refused_and_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    holder = holder_of(path)
    who = rf"^Another process is at 'm' fold 1: process {holder.pid}, since {WHEN}\. Wait for it to end\.$"
    with pytest.raises(BusyError, match=who), locked(path, busy="'m' fold 1"):
        pass
    holder.kill()
    holder.communicate()
    with locked(path, busy="'m' fold 1"):
        pass


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"process": "x; rm", "host": "h", "verb": "", "since": ""}'])
def test_a_lock_of_an_unknown_holder_is_a_lock(content: str, tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with locked(path):
        path.write_text(content)
        with pytest.raises(BusyError, match=r"^Another process is at 'm'\. Wait for it to end\.$"), locked(path, "'m'"):
            pass


def test_a_file_system_without_locks_has_them_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", no_locks)
    path, held = tmp_path / ".lock", tmp_path / ".lock.held"
    without = f"import fcntl; from tests.competition.common.test_locks import no_locks; fcntl.flock = no_locks\n{HOLD}"
    holder = holder_of(path, without)
    who = rf": process {holder.pid}, since {WHEN}\. Wait for it to end\. If it was killed, remove {held}\.$"
    with pytest.raises(BusyError, match=who), locked(path, busy="'m' fold 1"):
        pass
    holder.kill()
    holder.communicate()
    assert held.exists()
    with locked(path, busy="'m' fold 1"):  # that of a killed process of this machine is free
        assert held.exists()
    assert not held.exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="it has no folder that takes no file whoever asks")
@pytest.mark.parametrize("busy", ["", "'m' fold 1"])
def test_nobody_waits_for_a_lock_that_cannot_be_made(busy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.01)
    with pytest.raises(FileNotFoundError, match=r"/proc/\.x\.lock"), locked(Path("/proc/.x.lock"), busy=busy):
        pass


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")
