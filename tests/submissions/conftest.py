"""A workspace with a submission, ready to be uploaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from competition.workspace import Workspace
from submissions.submit.write import write_decided
from tests.submissions.samples import blend_of, make_workspace, planet


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Path:
    """A workspace with a blend and its submission, `first`. Not to be changed."""
    workspace = make_workspace(tmp_path_factory.mktemp("written"))
    blend = blend_of("first", ["a", "b"], workspace)
    write_decided(blend.test, blend.evaluation.fitted, workspace, blend.provenance)
    return workspace.root


@pytest.fixture
def submittable(written, tmp_path) -> Workspace:
    """A workspace with the submission `first`, to write to."""
    shutil.copytree(written, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace", planet())
