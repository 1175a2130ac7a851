"""How a submission was made: the record beside its file, and what that says for the ledger."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.common.records import read_record, write_record
from competition.common.text import now
from competition.spec.load import describe
from submissions.members.blend_files import again

CONSTANT = "constant"  # in the record of a submission: the labels of every chip
FORMAT = 2  # that of a blend's record, with which it begins


class _Figures(BaseModel, allow_inf_nan=False):
    metric: str | None = None
    cross_fitted: float | None = None
    interval: tuple[float, float] | tuple[None, None] = (None, None)


class _Member(BaseModel):
    name: str


class _Provenance(BaseModel):
    sha256: str
    figures: list[_Figures] = []
    members: list[_Member] = []


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
    return {what: next(iter(again(path.parent.parent / "blends" / path.stem).values()))}


def known_submissions(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is known of the submissions written to a folder, as fields of entries, by the digest of the file."""
    known = {}
    for beside in folder.glob("*.json"):
        with suppress(UserError):  # a damaged one stops nobody
            provenance = _read(beside)
            known[provenance["sha256"]] = {"name": beside.stem, **what_is_known(provenance)}
    return known


def what_is_known(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return what the provenance of a submission says of it, as fields of an entry of the ledger."""
    if not provenance:
        return {}
    parsed = _Provenance.model_validate(provenance)
    figures = parsed.figures[0] if parsed.figures else _Figures()
    low, high = figures.interval
    return {
        "digest": parsed.sha256,
        "provenance": provenance,
        "metric": figures.metric,
        "cross_fitted": figures.cross_fitted,
        "low": low,
        "high": high,
        "members": tuple(member.name for member in parsed.members),
    }


def _read(beside: Path) -> dict[str, Any]:
    return read_record(
        beside,
        _checked,
        version=FORMAT,
        older=(1,),  # blends had another format then; what is read here was the same
        command=how_again(beside),
        otherwise=f"remove {beside.name}",
    )


def _checked(content: dict[str, Any]) -> dict[str, Any]:
    try:
        _Provenance.model_validate(content)
    except ValidationError as error:
        raise ValueError(describe(error)) from error
    return content
