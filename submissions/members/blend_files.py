"""Blends on disk, in a form that lets a blend be the member of another one.

Layout of a blend's folder:

    oof.npz      names (num_chips,), scores float32 (num_chips, num_labels), cross-fitted
    test.npz     names (num_test,), scores float32 (num_test, num_labels)
    blend.json   members, method, cuts, figures and the digest of both files; written last
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from competition.common.errors import UserError
from competition.common.files import digest_file, replace_folder, versions_of
from competition.common.locks import lock_of, locked
from competition.common.records import DamagedError, read_record, write_record
from competition.common.text import now, short
from competition.spec.load import describe
from competition.terminal.command_line import as_flags
from folds.store.scores import Scores

MARKER = "blend.json"
FORMAT = 2
IMPORTED = "imported"  # the method of scores that came from files
FILES = ("oof.npz", "test.npz")


class _Made(BaseModel):
    name: str
    kind: Literal["model", "blend"]
    members: list[_Made] = []


class _Blend(BaseModel):
    method: str
    union: list[str]
    members: list[_Made]
    labels: list[str]
    fold_digest: str | None
    label_digest: str | None = None  # older ones have none, nor have scores that came from files
    left_out: list[str]
    test_left_out: list[str] = []  # older ones have all in `left_out`
    files: dict[str, str]


class _Asked(BaseModel):
    method: str
    rule: str
    members: list[_Made]
    union: list[str] = []
    extras: list[str] = []
    exclusive: bool
    alone: bool
    calibration: str
    trials: int | None = None  # older ones have none

    def command(self, name: str) -> str:
        """Return the command that makes the same blend."""
        flags = {
            "members": [member.name for member in self.members],
            "name": name,
            "method": self.method,
            "rule": self.rule,
            "union": self.union or None,
            "extras": self.extras or None,
            "exclusive" if self.exclusive else "any_of_group": True,
            "alone": self.alone,
            "calibration": self.calibration,
            "trials": self.trials,
        }
        return f"blend{as_flags(flags)}"


def blend_names(root: Path) -> list[str]:
    """Return the names of the blends under `root`, also of those that have lost a file, sorted."""
    return sorted({path.parent.name for name in (MARKER, *FILES) for path in root.glob(f"[!.]*/{name}")})


def method_of(folder: Path) -> str | None:
    """Return how the members of a blend are combined; None where there is no blend, or none that can be read."""
    try:
        return read_record(folder / MARKER, lambda content: str(content["method"]), version=FORMAT)
    except DamagedError:
        return None


def weights_of(folder: Path) -> dict[str, float]:
    """Return by name what the members of a blend weigh; nothing where none are kept, as of a plain mean.

    Args:
        folder: of the blend.
    """
    try:
        return read_record(folder / MARKER, lambda content: dict(content.get("weights", {})), version=FORMAT)
    except DamagedError:
        return {}


class Written(BaseModel):
    """How a blend was decided when it was written.

    Attributes:
        method: how its members are combined.
        rule: that decides.
        exclusive: whether a chip has exactly one label of each exclusive group.
        alone: whether a label that stands alone has no company.
        calibration: of the scores that a decoder takes.
        figures: of the blend by this rule and of what it was compared with.
    """

    method: str
    rule: str
    exclusive: bool
    alone: bool
    calibration: str
    figures: list[dict[str, Any]] = Field(min_length=1)


def written_as(folder: Path) -> Written | None:
    """Return how a blend was decided; None where there is no blend, or one of scores that came from files."""
    try:
        return read_record(folder / MARKER, Written.model_validate, version=FORMAT)
    except DamagedError:
        return None


def write_blend(folder: Path, oof: Scores, test: Scores, provenance: dict[str, Any]) -> dict[str, Any]:
    """Write a blend; a blend that is there stays until the new one is complete.

    Args:
        folder: of the blend.
        oof: scores of the labelled chips.
        test: scores of the chips to predict.
        provenance: how it was made: what `blend.json` says beside the versions, date and digests of the files.

    Returns:
        All that `blend.json` says, without what makes it a record.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(lock_of(folder)), replace_folder(folder) as temporary:
        oof.write(temporary / "oof.npz")
        test.write(temporary / "test.npz")
        content = {
            **provenance,
            "versions": versions_of("planet-toolkit", "numpy", "optuna"),
            "made": now(),
            "files": {name: digest_file(temporary / name) for name in FILES},
        }
        write_record(temporary / MARKER, content, version=FORMAT)
    return content


def read_blend(
    folder: Path, labels: tuple[str, ...], fold_digest: str, label_digest: str | None = None
) -> tuple[Scores, Scores, dict[str, Any]]:
    """Read a blend's out-of-fold scores, test scores and `blend.json`.

    Args:
        folder: of the blend.
        labels: of the competition.
        fold_digest: of the fold table.
        label_digest: of the labelled chips; None: any will do.

    Raises:
        UserError: if it is damaged, or was made with other labels or another fold table.
    """
    content, mended = check_files(folder), again(folder)
    if tuple(content["labels"]) != labels:
        text = f"The blend '{folder.name}' has other labels or another order than the competition."
        raise UserError(text, command=mended)
    received = content["fold_digest"]
    if received not in (None, fold_digest):  # imported scores are of no fold table of ours
        raise UserError(
            f"The blend '{folder.name}' was made with another fold table (expected {short(fold_digest)}, "
            f"received {short(received)}).",
            command=mended,
            otherwise="restore folds.csv",
        )
    learnt = content.get("label_digest")
    if label_digest is not None and learnt not in (None, label_digest):
        raise UserError(
            f"The blend '{folder.name}' was made with other labels of the chips (expected {short(label_digest)}, "
            f"received {short(learnt)}).",
            command=mended,
        )
    return Scores.read(folder / "oof.npz"), Scores.read(folder / "test.npz"), content


def check_files(folder: Path) -> dict[str, Any]:
    """Return what `blend.json` says, if it and the files beside it are as they were written.

    Raises:
        UserError: if they are not.
    """
    mended = again(folder)
    content = read_record(folder / MARKER, _whole, version=FORMAT, command=mended)
    if (name := content.get("name", folder.name)) != folder.name:  # older ones do not say it
        place = folder.with_name(name)
        back = f"It is a copy of {place}" if place.exists() else f"Rename it back to {place}"
        raise UserError(f"{folder} holds the blend '{name}'. {back}.", command=mended)
    for name in FILES:
        if not (folder / name).is_file() or digest_file(folder / name) != content["files"][name]:
            raise UserError(f"{folder / name} is missing or was changed after it was written.", command=mended)
    return content


def again(folder: Path) -> dict[str, str]:
    """Return what makes a blend again: as its record says, or else that of its submission, or with gaps to fill.

    Args:
        folder: of the blend.
    """
    name = folder.name
    for record in (folder / MARKER, folder.parent.parent / "submissions" / f"{name}.json"):
        with suppress(UserError):
            content = read_record(record, dict, version=FORMAT)
            if content.get("name", name) != name:  # another blend's
                continue
            if content.get("method") == IMPORTED:
                return {"to import it again": f"scores import FILES --name {name}"}
            return {"to make it again": read_record(record, _Asked.model_validate, version=FORMAT).command(name)}
    return {
        "to make it again": f"blend --members MEMBERS --name {name}",
        "if it was imported": f"scores import FILES --name {name}",
    }


def _whole(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `blend.json` if it says what a member of another blend must say."""
    try:
        _Blend.model_validate(content)
    except ValidationError as error:
        raise ValueError(describe(error)) from error
    broken = content.get("test_left_out", content["left_out"])
    return {**content, "test_left_out": broken, "files": {name: content["files"][name] for name in FILES}}
