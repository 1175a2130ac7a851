"""Reaching a Ray cluster: one that runs, or one of this machine's cores that ends with the work."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from competition.common.errors import UserError
from competition.common.progress import reporter

AUTO = "auto"  # the address of the cluster that this machine is part of
PATIENCE = 10.0  # seconds for an answer from a cluster's address; Ray itself would try for many minutes
# Ray would count who uses it, and hide GPUs from tasks that ask for none with a line of warning for each.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}


def import_ray() -> Any:
    """Return the package ray, which then counts nobody's use of it.

    Raises:
        UserError: if it is not installed.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("ray")
    except ImportError as error:
        raise UserError(
            f"Ray does not load: {error}. Many machines need it: install it by 'pip install -e \".[cluster]\"'."
        ) from error


@contextmanager
def connected(address: str | None = None) -> Iterator[Any]:
    """Reach a Ray cluster for the block; what was started for it ends with it.

    Args:
        address: "auto" for the cluster that this machine is part of, "host:port" for another one; None: this machine's
            cores, as a cluster of their own.

    Yields:
        The package ray. Where it is connected already, that connection is used, and left as it is.

    Raises:
        UserError: if Ray is not installed, or there is no such cluster.
    """
    ray = import_ray()
    if ray.is_initialized():
        with unheard():
            yield ray
        return
    if address is not None and address != AUTO:
        _check_answers(address)
    logging.getLogger("ray").setLevel(logging.ERROR)
    # "local": without it Ray would join a cluster of somebody else's that happens to run on this machine.
    here = {"address": "local", "include_dashboard": False, "num_cpus": cores()}
    options = here if address is None else {"address": address}
    try:
        with reporter.busy("starting Ray" if address is None else "reaching the cluster"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:  # Ray raises ConnectionError, RuntimeError, ValueError or one of its own
        with suppress(Exception):
            ray.shutdown()
        raise _unreachable(address, error) from error
    try:
        with unheard():
            yield ray
    finally:
        ray.shutdown()


@contextmanager
def unheard() -> Iterator[None]:
    """Keep what the machines of a cluster say of each other, such as that one is lost, off standard output.

    Ray prints it whatever it was told of logs, and has no public way to stop that.
    """
    module: Any = None
    with suppress(ImportError):  # Ray may move it
        module = importlib.import_module("ray._private.worker")
    before = getattr(module, "print_to_stdstream", None)
    if before is not None:
        module.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        if before is not None:
            module.print_to_stdstream = before


def cores() -> int:
    """Return how many cores this process may use, within its container."""
    from joblib import cpu_count

    return int(cpu_count())


def _check_answers(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "//" in address:
        raise UserError(f"--address: expected 'auto', or HOST:PORT of the machine that leads; received {address!r}.")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str | None, error: Exception) -> UserError:
    why = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if address is None:
        return UserError(f"Ray does not start on this machine: {why}.")
    return UserError(
        f"No Ray cluster was reached at {address!r}: {why}. Start one by 'ray start --head' on one machine, and 'ray "
        "start --address HOST:6379' on each of the others; leave --address out to use this machine alone."
    )
