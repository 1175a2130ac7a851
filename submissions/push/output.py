"""What a notebook has left on Kaggle: its submission and its log, fetched, checked, and held against the local one."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from competition.common.errors import UserError
from competition.common.files import digest_file, replace_atomically, scratch_folder, write_text
from competition.common.text import first
from competition.kaggle.answers import RemoteOutput
from competition.kaggle.client import NOTEBOOKS_OUTPUT
from competition.kaggle.errors import clean
from competition.kaggle.notebooks import Notebooks
from competition.spec.competition import Competition
from competition.workspace import Workspace
from submissions.push.log import Push
from submissions.push.packed import folder_of
from submissions.push.runs import pushed_of, run_of
from submissions.submit.provenance import are_alike, read_provenance
from submissions.submit.validate import SubmissionReport, read_submission, validate_submission

LOG = "log.txt"


@dataclass(frozen=True)
class Difference:
    """What tells the notebook's submission from the local one.

    Attributes:
        path: of the local one.
        is_of_another: whether that is of another blend than the notebook's: of what was made since under its name.
        same_bytes: whether the two are the same file.
        ids: of how many ids the answers differ; those that only one has are among them.
        labels: how many answers differ, of one label of one id each.
        by: the largest difference of two scores; None of decisions.
    """

    path: Path
    is_of_another: bool
    same_bytes: bool
    ids: int
    labels: int
    by: float | None

    def text(self) -> str:
        """Return it as a line."""
        another = f" {self.path.name} is of another blend of that name than the notebook." if self.is_of_another else ""
        if self.same_bytes:
            return f"It has the bytes of {self.path}.{another}"
        if not self.labels:
            return f"It answers as {self.path} does, in other bytes.{another}"
        by = "" if self.by is None else f", by {self.by:.2g} at most"
        return f"It differs from {self.path} in {self.labels:,} labels of {self.ids:,} ids{by}.{another}"


@dataclass(frozen=True)
class Output:
    """What a notebook has left.

    Attributes:
        report: on its submission.
        log: the file with what it printed; None if it printed nothing.
        difference: from the local submission; None if there is none, or none can be told.
        others: names of further files, which were not fetched.
    """

    report: SubmissionReport
    log: Path | None
    difference: Difference | None
    others: tuple[str, ...]

    def text(self) -> str:
        """Return it for a terminal."""
        lines = [self.report.text()]
        lines += [self.difference.text()] if self.difference else []
        lines += [f"What it printed is in {self.log}."] if self.log else []
        lines += [f"It has also left {first(self.others)}; not fetched."] if self.others else []
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return it, for JSON."""
        difference = asdict(self.difference) | {"path": str(self.difference.path)} if self.difference else None
        log = str(self.log) if self.log else None
        return {**self.report.as_dict(), "log": log, "difference": difference, "others": list(self.others)}


def fetch_output(name: str, workspace: Workspace, folder: Path | None = None) -> Output:
    """Fetch what the last pushed version of a notebook has left, and check its submission.

    Both files have names of ours, so that nothing that Kaggle names leads out of the folder.

    Args:
        name: under which it was packed, or the path of its folder.
        workspace: of the competition.
        folder: receives the files; default: beside the notebook.

    Raises:
        UserError: if it has left no submission, such as one that still runs; or Kaggle cannot be asked.
    """
    push, kaggle = pushed_of(name, workspace), Notebooks()
    packed = folder_of(name, workspace)
    folder = folder or packed.with_name(f"{packed.name}.output")
    left = kaggle.output(push.kernel, push.version or 0)
    log = _write_log(left, folder / LOG)
    if NOTEBOOKS_OUTPUT not in left.addresses:
        raise _nothing_left(name, push, kaggle, log)
    path = folder / NOTEBOOKS_OUTPUT
    with scratch_folder() as scratch, replace_atomically(path) as temporary:
        came = kaggle.fetch(NOTEBOOKS_OUTPUT, left.addresses[NOTEBOOKS_OUTPUT], scratch)
        temporary.write_bytes(came.read_bytes())
    made = push.provenance or {}
    local = workspace.submissions / f"{made.get('name', packed.name)}.csv"
    written = read_provenance(local)
    exclusive = (made or written).get("exclusive", True)
    report = validate_submission(path, workspace.competition, workspace.sample, exclusive=exclusive)
    difference = None
    if local.is_file():
        is_of_another = bool(made and written) and not are_alike(made, written)
        difference = difference_of(path, local, workspace.competition, is_of_another=is_of_another)
    others = tuple(sorted(clean(other) for other in left.addresses if other != NOTEBOOKS_OUTPUT))
    return Output(report, log, difference, others)


def difference_of(
    path: Path, local: Path, competition: Competition, *, is_of_another: bool = False
) -> Difference | None:
    """Return what tells a submission from a local one; None if one of them cannot be read as a table.

    Args:
        path: of the submission.
        local: that of the local one.
        competition: gives the form of both.
        is_of_another: as of `Difference`.
    """
    if digest_file(path) == digest_file(local):
        return Difference(local, is_of_another, True, 0, 0, None)
    ours, theirs = read_submission(local, competition), read_submission(path, competition)
    if not (ours.is_table and theirs.is_table):
        return None
    num_labels = len(competition.labels)
    alone = len({*ours.names} ^ {*theirs.names})
    if ours.scores is None or theirs.scores is None:
        of_ours, of_theirs = (dict(zip(each.names, map(set, each.tags), strict=True)) for each in (ours, theirs))
        changed = [len(of_ours[key] ^ of_theirs[key]) for key in of_ours if key in of_theirs]
        ids, labels = sum(number > 0 for number in changed), sum(changed)
        return Difference(local, is_of_another, False, ids + alone, labels + alone * num_labels, None)
    row = {name: at for at, name in enumerate(theirs.names)}
    common = [(at, row[name]) for at, name in enumerate(ours.names) if name in row]
    pairs = np.array(common, dtype=np.int64).reshape(-1, 2)
    apart = np.abs(ours.scores[pairs[:, 0]].astype(np.float64) - theirs.scores[pairs[:, 1]])
    differs = np.nan_to_num(apart, nan=0.0) > 0
    by = float(np.nanmax(apart, initial=0.0))
    ids, labels = int(differs.any(1).sum()) + alone, int(differs.sum()) + alone * num_labels
    return Difference(local, is_of_another, False, ids, labels, by)


def _write_log(left: RemoteOutput, path: Path) -> Path | None:
    """Write what a notebook printed; Kaggle keeps it as JSON, one entry for each piece."""
    if not left.log:
        return None
    try:
        text = "".join(str(piece["data"]) for piece in json.loads(left.log))
    except (ValueError, TypeError, LookupError):
        text = left.log
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def _nothing_left(name: str, push: Push, kaggle: Notebooks, log: Path | None) -> UserError:
    run = run_of(name, push, kaggle)
    printed = f" What it printed is in {log}." if log else ""
    again = (
        {"to wait for its end": f"notebook status {shlex.quote(name)} --wait"}
        if run.status in ("queued", "running")
        else ""
    )
    return UserError(f"There is no {NOTEBOOKS_OUTPUT} of {run.text().rstrip('.')}.{printed}", command=again)
