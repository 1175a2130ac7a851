"""The shim: a small C library before the system's own, which refuses what some file systems do not know."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


@cache
def built() -> Path | None:
    """Return the shim, built for this machine; None where there is no C compiler, or it is not Linux."""
    compiler = shutil.which("cc")
    if compiler is None or not Path("/proc/self/fd").is_dir():
        return None
    shim = Path(tempfile.mkdtemp(prefix="shim-")) / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", shim, SOURCE, "-ldl"], check=True)
    return shim


@contextmanager
def preloaded() -> Iterator[None]:
    """Let processes that begin in the block have the shim, where there is one; it does nothing until it is asked to."""
    before, shim = os.environ.get("LD_PRELOAD"), built()
    if shim:
        os.environ["LD_PRELOAD"] = str(shim)
    try:
        yield
    finally:
        os.environ.pop("LD_PRELOAD", None)
        if before is not None:
            os.environ["LD_PRELOAD"] = before


def refusing(root: Path, *calls: str, room: int | None = None, back: int | None = None) -> dict[str, str]:
    """Return the variables by which the shim refuses calls on files of a folder.

    Args:
        root: the folder.
        calls: of chmod, fallocate, link, mmap, flock, write.
        room: bytes that can be written before the disk is full; None: any number.
        back: seconds after which the clock jumps back by a day; None: never.
    """
    asked = {"SHIM_ROOT": str(root), "SHIM_REFUSES": ",".join(calls)}
    if room is not None:
        asked["SHIM_ROOM"] = str(room)
    if back is not None:
        asked["SHIM_BACK"] = str(back)
    return asked
