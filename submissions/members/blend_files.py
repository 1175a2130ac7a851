"""Blends on disk, in a form that lets a blend be the member of another one.

Layout of a blend's folder:

    oof.npz      names (num_chips,), scores float32 (num_chips, num_labels), cross-fitted
    test.npz     names (num_test,), scores float32 (num_test, num_labels)
    blend.json   members, method, cuts, figures and the digest of both files; written last
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from competition.common.errors import UserError
from competition.common.files import digest_file, replace_folder_atomically, versions_of, write_json
from competition.common.text import now, short
from folds.scores import Scores

MARKER = "blend.json"
FORMAT = 2
IMPORTED = "imported"  # the method of scores that came from files
FILES = ("oof.npz", "test.npz")


def blend_names(root: Path) -> list[str]:
    """Return the names of the complete blends under `root`, sorted."""
    return sorted(path.parent.name for path in root.glob("*/" + MARKER) if not path.parent.name.startswith("."))


def write_blend(folder: Path, oof: Scores, test: Scores, about: dict[str, Any]) -> dict[str, Any]:
    """Write a blend; a blend that is there stays until the new one is complete.

    Args:
        folder: of the blend.
        oof: scores of the labelled chips.
        test: scores of the chips to predict.
        about: what `blend.json` says beside the format, versions, date and digests of the files.

    Returns:
        The content of `blend.json`.
    """
    with _replaced(folder) as temporary:
        oof.write(temporary / "oof.npz")
        test.write(temporary / "test.npz")
        content = {
            "format": FORMAT,
            **about,
            "versions": versions_of("planet-toolkit", "numpy", "optuna"),
            "made": now(),
            "files": {name: digest_file(temporary / name) for name in FILES},
        }
        write_json(temporary / MARKER, content)
    return content


def read_blend(folder: Path, labels: tuple[str, ...], fold_digest: str) -> tuple[Scores, Scores, dict[str, Any]]:
    """Read a blend's out-of-fold scores, test scores and `blend.json`.

    Raises:
        UserError: if it is damaged, or was made with other labels or another fold table.
    """
    again = f'Run "python run.py blend" (or "scores import") for \'{folder.name}\' again'
    try:
        content: dict[str, Any] = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise KeyError("format")
        damaged = [name for name in FILES if digest_file(folder / name) != content["files"][name]]
        made_with, received = tuple(content["labels"]), content["fold_digest"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"The blend {folder} is damaged ({error}). {again}.") from error
    if damaged:
        raise UserError(f"{folder / damaged[0]} was changed after it was written. {again}.")
    if made_with != labels:
        raise UserError(f"The blend '{folder.name}' has other labels or another order than the competition. {again}.")
    if received not in (None, fold_digest):  # imported scores are of no fold table of ours
        raise UserError(
            f"The blend '{folder.name}' was made with another fold table (expected {short(fold_digest)}, "
            f"received {short(received)}). {again}, or restore folds.csv."
        )
    return Scores.read(folder / "oof.npz"), Scores.read(folder / "test.npz"), content


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of `folder`, which may exist, if the block succeeds."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        old, new = (folder.parent / f".{folder.name}.{which}" for which in ("old", "new"))
        if old.exists() and not folder.exists():  # killed between the two renames below
            old.rename(folder)
        for leftover in (old, new):
            shutil.rmtree(leftover, ignore_errors=True)
        with replace_folder_atomically(new) as temporary:
            yield temporary
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
