"""How many threads a process computes with, set before any library that computes is loaded.

Threads change results: TensorFlow adds up the gradients of a convolution, and OpenBLAS a matrix product, in an order
that depends on their number (the weights differ after two epochs, 1 against 2 against 4 threads). So work that goes
elsewhere computes with as many as it would have computed with here, and not with as many as there are cores.
"""

from __future__ import annotations

import os
from contextlib import suppress

TENSORFLOW = "TF_NUM_INTRAOP_THREADS"
LIMITS = (
    TENSORFLOW,
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # JAX's
    "OMP_NUM_THREADS",  # torch's; Ray sets this one alone
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",  # joblib's count of cores, by which the toolkit's own threads go
    "PLANET_THREADS",  # which OpenVINO is told, that reads nothing from the environment
)


def threads_here() -> int:
    """Return how many threads this process computes with."""
    for name in ("PLANET_THREADS", TENSORFLOW):
        with suppress(KeyError, ValueError):
            return max(1, int(os.environ[name]))
    return cores_seen()


def cores_seen() -> int:
    """Return for how many cores libraries make threads: a container's share of the machine they do not see."""
    with suppress(AttributeError):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_threads(count: int) -> None:
    """Let this process compute with so many threads; it loads TensorFlow, JAX, torch or OpenVINO afterwards."""
    from threadpoolctl import threadpool_limits

    for name in LIMITS:
        os.environ[name] = str(max(1, count))
    threadpool_limits(max(1, count))  # of NumPy, which Ray has loaded; for good, as nothing takes it back


def limit() -> int | None:
    """Return the number that `limit_threads` has set in this process or one that began it; None if it has not."""
    with suppress(KeyError, ValueError):
        return int(os.environ["PLANET_THREADS"])
    return None
