"""A packed notebook, and a Kaggle that is impatient about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.files import digest_file
from competition.common.records import read_record, write_record
from competition.kernels.folder import DATASET, PROVENANCE, Kernel, write_notebook
from competition.kernels.folder import FORMAT as IN_DATASET
from competition.workspace import Workspace
from submissions.members.blend_files import FORMAT, MARKER
from submissions.push import push, runs
from tests.kaggle_server import SLUG, USER


def pack(folder: Path, *, owner: str = USER, network: bytes = b"weights", of: Workspace | None = None) -> Kernel:
    """Write a notebook to a folder, with networks that are none; how its blend was made, if one of a workspace."""
    kernel = Kernel(folder.name, owner, SLUG)
    dataset = folder / DATASET
    for path in (dataset / "networks/a/network0-0.bin", dataset / "sources/competition/__init__.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(network)
    digests = {"network0-0.bin": digest_file(dataset / "networks/a/network0-0.bin")}
    write_record(dataset / "networks/a/model.json", {"digests": digests}, version=IN_DATASET)
    write_record(dataset / "notebook.json", {"values": {"models": ["a"]}, "files": {}}, version=IN_DATASET)
    write_notebook(folder, kernel, [("markdown", "# first"), ("code", "print(1)")])
    if of:
        write_record(
            folder / PROVENANCE, read_record(of.blends / folder.name / MARKER, dict, version=FORMAT), version=FORMAT
        )
    return kernel


@pytest.fixture
def packed(submittable: Workspace) -> Workspace:
    """A workspace with the notebook `first`, and the submission of that name, to write to."""
    pack(submittable.notebooks / "first", of=submittable)
    return submittable


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, seconds in [
        (push, "SETTLED", 1.5),  # longer than an answer may take, as in earnest
        (push, "FIRST_LOOK", 0.01),
        (push, "LAST_LOOK", 0.05),
        (push, "PATIENCE", 4.0),
        (runs, "FIRST_LOOK", 0.01),
        (runs, "LAST_LOOK", 0.05),
        (runs, "SETTLED", 0.3),
    ]:
        monkeypatch.setattr(module, name, seconds)
