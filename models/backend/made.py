"""By what a job's networks and scores were made: the command, versions, device and times, of each run that was at it.

    fold<k>/made.json   one entry for each run: that of a run which was killed has no end

It stands beside the scores and is part of no digest, as it differs where they are equal.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from competition.common.errors import given_command
from competition.common.files import versions_of
from competition.common.records import DamagedError, read_record, write_record
from competition.common.text import now
from models.backend.devices import backend_name, num_gpus
from models.backend.load import versions

MADE = "made.json"
FORMAT = 1
ALSO = (
    "scipy",
    "openvino",
    "onnxruntime",
    "h5py",
)  # packages whose numbers may be in the scores, besides those of `versions`
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "XLA_FLAGS")
FINISHED, STOPPED = "finished", "stopped"


@dataclass(frozen=True)
class Stretch:
    """What one run was that was at a job.

    Attributes:
        command: as it was given; "" from Python.
        began: when, in UTC.
        host: the machine's name.
        device: processor and GPUs.
        threads: cores that it might use, and variables that say how many threads.
        precision: of the recipe.
        seeds: of the networks.
        versions: by package; of a checkout the commit too.
        ended: "finished", "stopped" (by an error or Ctrl-C), or "" of a run that was killed or is at work.
        seconds: that it took; None where it has no end.
    """

    command: str
    began: str
    host: str
    device: str
    threads: dict[str, str]
    precision: str
    seeds: list[int]
    versions: dict[str, str]
    ended: str = ""
    seconds: float | None = None

    @property
    def how(self) -> dict[str, Any]:
        """What runs may have in common."""
        return {name: value for name, value in asdict(self).items() if name not in ("began", "ended", "seconds")}


@contextmanager
def noted(folder: Path, precision: str, seeds: list[int]) -> Iterator[None]:
    """Note what the run is that works in a job's folder within the block, as it begins and as it ends."""
    begun, before = time.monotonic(), read_made(folder) or []
    stretch = Stretch(
        command=given_command(),
        began=now(),
        host=socket.gethostname(),
        device=_device(),
        threads={"cores": str(_cores())} | {name: os.environ[name] for name in THREADS if name in os.environ},
        precision=precision,
        seeds=seeds,
        versions=_versions(),
    )
    ended = STOPPED
    _write(folder, [*before, stretch])
    try:
        yield
        ended = FINISHED
    finally:
        if folder.is_dir():
            seconds = round(time.monotonic() - begun, 1)
            _write(folder, [*before, Stretch(**{**asdict(stretch), "ended": ended, "seconds": seconds})])


def read_made(folder: Path) -> list[Stretch] | None:
    """Return what the runs were that were at a job; None where that was not recorded, or the record is damaged."""

    def parse(content: Mapping[str, Any]) -> list[Stretch]:
        return [Stretch(**stretch) for stretch in content["runs"]]

    with suppress(DamagedError):
        return read_record(folder / MADE, parse, version=FORMAT)
    return None


def _write(folder: Path, stretches: list[Stretch]) -> None:
    write_record(folder / MADE, {"runs": [asdict(stretch) for stretch in stretches]}, version=FORMAT)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), **versions(), **versions_of(*ALSO)}
    return {**found, **({"commit": commit} if (commit := _commit()) else {})}


@functools.cache
def _commit() -> str:
    """Return the commit of the toolkit's checkout, "+" behind it where files were changed; "" if it is none."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        asked = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    return ""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _device() -> str:
    """Return the names of the processor and of the GPUs that the backend uses."""
    processor = platform.processor() or platform.machine()
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        processor = found[1] if found else processor
    return ", ".join([processor.strip(), *_gpus()])


def _gpus() -> list[str]:
    if not num_gpus():
        return []
    backend = sys.modules[backend_name()]
    if backend_name() == "tensorflow":
        details = backend.config.experimental.get_device_details
        return [details(gpu).get("device_name", gpu.name) for gpu in backend.config.list_physical_devices("GPU")]
    if backend_name() == "jax":
        return [device.device_kind for device in backend.devices()]
    return [backend.cuda.get_device_name(number) for number in range(num_gpus())]
