"""How many threads a process computes with, set before any library that computes is loaded."""

from __future__ import annotations

import os


def limit_threads(count: int) -> None:
    """Let this process compute with so many threads. It has no effect on libraries that are loaded already.

    Ray sets those of OpenMP alone: TensorFlow, JAX and OpenVINO would take every core of the machine in every task.
    """
    number = str(max(1, count))
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NPROC",  # JAX's
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "LOKY_MAX_CPU_COUNT",  # joblib's count of cores, which the toolkit's own threads go by
    ):
        os.environ[name] = number
