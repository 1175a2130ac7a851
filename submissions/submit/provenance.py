"""How a submission was made: the record beside its file, what that says for the ledger, and if it is the same now."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.common.records import read_record, write_record
from competition.common.text import now
from competition.spec.load import describe
from competition.workspace import Workspace
from submissions.members.blend_files import FORMAT, MARKER, again

MODEL = "model"  # the kind of what is no blend
CONSTANT = "constant"  # in the record of a submission: the labels of every chip


T = TypeVar("T", bound=BaseModel)
# What two records of blends of one name have in common if these decide alike, and are worth the same.
ALIKE = ("files", "members", "method", "rule", "cuts", "calibration", "alone", "figures")


class _Figures(BaseModel, allow_inf_nan=False):
    metric: str | None = None
    cross_fitted: float | None = None
    interval: tuple[float, float] | tuple[None, None] = (None, None)


class _Member(BaseModel):
    name: str


class _Known(BaseModel):
    figures: list[_Figures] = []
    members: list[_Member] = []


class _Provenance(_Known):
    sha256: str


def path_beside(path: Path) -> Path:
    """Return the path of the record of a submission file."""
    return path.with_suffix(".json")


def write_provenance(path: Path, provenance: dict[str, Any]) -> None:
    """Write how the submission at `path` was made beside it, with the digest of the file and the time."""
    content = {**provenance, "sha256": digest_file(path), "made": now()}
    write_record(path_beside(path), content, version=FORMAT)


def read_provenance(path: Path) -> dict[str, Any]:
    """Return how the submission at `path` was made; empty if nothing says so.

    Raises:
        UserError: if the record is damaged, or the submission was changed since.
    """
    beside = path_beside(path)
    if not beside.is_file():
        return {}
    provenance = _read(beside)
    if path.is_file() and digest_file(path) != provenance["sha256"]:
        raise UserError(
            f"{path} was changed after it was written.", command=how_again(path), otherwise=f"remove {beside}"
        )
    return provenance


def how_again(path: Path) -> dict[str, str]:
    """Return what writes a submission again, by what it is for.

    Args:
        path: of the submission, or of its record, which need not be there.
    """
    what = "to write the submission again"
    with suppress(UserError):
        if labels := read_record(path_beside(path), dict, version=FORMAT).get(CONSTANT):
            return {what: shlex.join(["submissions", "probe", *labels, "--name", f"{path.stem}-again"])}
    return {what: next(iter(again(path.absolute().parent.parent / "blends" / path.stem).values()))}


def known_submissions(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is known of the submissions written to a folder, as fields of entries, by the digest of the file."""
    known = {}
    for beside in folder.glob("*.json"):
        with suppress(UserError):  # a damaged one stops nobody
            provenance = _read(beside)
            known[provenance["sha256"]] = {"name": beside.stem, **what_is_known(provenance)}
    return known


def what_is_known(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return what the provenance of a submission, or of a notebook, says of it, as fields of an entry of the ledger.

    Raises:
        ValueError: if it is none.
    """
    if not provenance:
        return {}
    parsed = _checked(provenance, _Known)
    figures = parsed.figures[0] if parsed.figures else _Figures()
    low, high = figures.interval
    return {
        "digest": provenance.get("sha256"),
        "provenance": provenance,
        "metric": figures.metric,
        "cross_fitted": figures.cross_fitted,
        "low": low,
        "high": high,
        "members": tuple(member.name for member in parsed.members),
    }


def are_alike(provenance: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two records, of a blend, its submission or its notebook, are of the same answers and figures."""
    return all(provenance.get(key) == other.get(key) for key in ALIKE)


def is_remade(provenance: dict[str, Any], workspace: Workspace) -> bool:
    """Whether the blend or model that a provenance is of was made anew since, and is another one now.

    One that is gone, or that cannot be read, is no other one; nor is that of which no files are known, as of a probe.
    """
    name, files = provenance.get("name"), provenance.get("files")
    if not (isinstance(name, str) and isinstance(files, dict)):
        return False
    if provenance.get("kind") == MODEL:
        there = {workspace.runs / name / file: digest for file, digest in files.items()}
        return any(path.is_file() and digest_file(path) != digest for path, digest in there.items())
    with suppress(UserError):
        return not are_alike(provenance, read_record(workspace.blends / name / MARKER, dict, version=FORMAT))
    return False


def _read(beside: Path) -> dict[str, Any]:
    return read_record(
        beside,
        _whole,
        version=FORMAT,
        older=(1,),  # blends had another format then; what is read here was the same
        command=how_again(beside),
        otherwise=f"remove {beside.name}",
    )


def _whole(content: dict[str, Any]) -> dict[str, Any]:
    _checked(content, _Provenance)
    return content


def _checked(content: dict[str, Any], model: type[T]) -> T:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ValueError(describe(error)) from error
