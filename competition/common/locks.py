"""Locks: one process at a time, and those that wait say for whom. Marks of processes, which names of files carry."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from competition.common.errors import UserError, verb_at_work
from competition.common.progress import reporter
from competition.common.text import day, now, printable, short

if TYPE_CHECKING:
    from filelock import BaseFileLock

PATIENCE = 0.5  # seconds that are waited for without a word
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # what file systems without locks answer
HELD = ".held"  # ends the name of the file that is there instead, for as long as somebody has the lock


class BusyError(UserError):
    """Another process is at it: the same command may do later."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h, by which mail systems, systemd and schedulers know what to try again


def lock_of(folder: Path) -> Path:
    """Return the file of the lock of a folder: beside it, so that it stays where the folder is replaced."""
    return folder.with_name(f".{folder.name}.lock")


@contextmanager
def locked(path: Path, busy: str = "", otherwise: str = "") -> Iterator[None]:
    """Let one process at a time run the block; others wait, saying for whom. The lock of a killed process is free.

    On a file system without locks, as of some networks, that is known of processes of the same machine only: others are
    told which file to remove.

    Args:
        path: file of the lock, which says who has it; its folder is created.
        busy: what the other process is at, such as "'resnet50' fold 3", to refuse instead of waiting.
        otherwise: what else one may do then.

    Raises:
        BusyError: if another process has it, and `busy` is given.
        OSError: if its folder, or its file, cannot be made.
    """
    from filelock import SoftFileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock, is_ours = _acquired(path, 0 if busy else PATIENCE)
    if not is_ours:
        if not path.exists():  # where none can be made, as in /proc, it would be waited for until the end of time
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
        stale = f" If it was killed, remove {lock.lock_file}." if isinstance(lock, SoftFileLock) else ""
        if busy:
            way_out = f"Wait for it to end{f', or {otherwise}' if otherwise else ''}.{stale}"
            raise BusyError(f"Another process is at {busy}{_holder(path, ': ')}. {way_out}")
        reporter.note(f"Waiting for another process{_holder(path, ', ')}, at work in {path.parent}.{stale}")
        lock.acquire()
    with suppress(OSError):  # a file system that lets nobody write to what is locked
        path.write_text(
            json.dumps({"process": os.getpid(), "host": socket.gethostname(), "verb": _verb(), "since": now()})
        )
    try:
        yield
    finally:
        with suppress(OSError):
            os.truncate(path, 0)
        lock.release()


def _acquired(path: Path, seconds: float) -> tuple[BaseFileLock, bool]:
    """Return a lock, and whether it could be had within some seconds."""
    from filelock import FileLock, SoftFileLock, Timeout

    lock: BaseFileLock = FileLock(path, fallback_to_soft=False)
    try:
        try:
            lock.acquire(timeout=seconds)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            lock = SoftFileLock(path.with_name(path.name + HELD))
            lock.acquire(timeout=seconds)
    except Timeout:
        return lock, False
    return lock, True


def _verb() -> str:
    context = verb_at_work()
    return " ".join(context.command_path.split()[1:]) if context else ""


def _holder(path: Path, before: str) -> str:
    """Return who has a lock, after `before`; "" if that is not known."""
    try:
        holder = json.loads(path.read_text())
        verb = f"`{holder['verb']}`, " if holder["verb"] else ""
        host = "" if holder["host"] == socket.gethostname() else f" on {holder['host']}"
        return printable(f"{before}{verb}process {int(holder['process'])}{host}, since {day(holder['since'])} UTC")
    except (OSError, ValueError, KeyError, TypeError, OverflowError):  # not written yet, or by another version
        return ""


def own_mark() -> str:
    """Return the mark of this process: its machine and its number, as "3f2a91bc-4711"."""
    return f"{_machine()}-{os.getpid()}"


def is_dead(machine: str, process: int) -> bool | None:
    """Whether a process is no more, by the two parts of its mark; None where that cannot be known from here."""
    if machine != _machine() or os.name == "nt":  # where Windows is asked like this, it ends the process
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it is another user's, or a number that no process has
        return False
    return False


@functools.cache
def _machine() -> str:
    """Return eight hex digits for all processes that know each other by number: of one start of a machine or container.

    A host's name is not enough: containers may share it, and each count from 1.
    """
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(os.readlink("/proc/self/ns/pid"))
    if len(parts) == 1:  # not on Linux
        parts.append(str(uuid.getnode()))
    return short(hashlib.sha256("\n".join(parts).encode()).hexdigest())
