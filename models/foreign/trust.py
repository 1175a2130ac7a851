"""Files that may run code when they are opened, as those of torch: opened where the user says that they are trusted.

What is trusted is what the file holds, not its name: one that has changed is asked about again. That is noted in the
workspace's cache, so that the other processes and machines that make the same network need not be told.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import rich_click as click

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.common.records import DamagedError, read_record, write_record
from competition.common.text import short

FORMAT = 1
RUNS_CODE = (".pt", ".pt2")  # suffixes of what is opened by torch


def trust_flag(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb on a workspace `--trust-weights`, which is about the files of its `--weights` alone.

    A recipe, which may come from strangers, cannot say it.
    """

    @click.option(
        "--trust-weights",
        is_flag=True,
        panel="The network",
        help="open what may run code: .pt and .pt2 files in --weights, of people whom you trust",
    )
    @functools.wraps(verb)
    def wrapped(*arguments: Any, overrides: Mapping[str, Any], trust_weights: bool = False, **options: Any) -> None:
        if trust_weights:
            (workspace,) = arguments
            trust(workspace.cache, str(overrides.get("weights", "")))
        verb(*arguments, overrides=overrides, **options)

    return wrapped


def trust(cache: Path, weights: str) -> None:
    """Note that files are trusted, as they are now.

    Args:
        cache: the workspace's folder of what can be made again.
        weights: the value of `--weights`, one path or several joined by commas.

    Raises:
        UserError: if none of them is of a kind that must be.
    """
    paths = [Path(name).expanduser() for name in weights.split(",") if Path(name).suffix in RUNS_CODE]
    if not paths:
        raise UserError(
            f"--trust-weights is about a {' or '.join(RUNS_CODE)} file in --weights of the same command: received "
            f"{f'--weights {weights}' if weights else 'none'}. Leave it out, or give --weights with one."
        )
    for path in (path for path in paths if path.is_file()):  # of one that is missing others say so
        digest = digest_file(path)
        write_record(_note(cache, digest), {"sha256": digest, "name": path.name}, version=FORMAT)


def check_trusted(cache: Path, name: str, content: bytes, what: str) -> None:
    """Refuse what a file holds unless it is trusted.

    Args:
        cache: the workspace's folder of what can be made again.
        name: of the file.
        content: what it holds.
        what: kind of file it is.

    Raises:
        UserError: if it is not.
    """
    digest = hashlib.sha256(content).hexdigest()
    with suppress(DamagedError):
        if read_record(_note(cache, digest), lambda note: note["sha256"] == digest, version=FORMAT):
            return
    raise UserError(
        f"{name} is {what}, and may run code where it is opened. If you trust whoever made it, give --trust-weights "
        "beside --weights; else take the network as .onnx, which runs none."
    )


def _note(cache: Path, digest: str) -> Path:
    return cache / "trusted" / f"{short(digest)}.json"
