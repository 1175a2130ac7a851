"""The data that the checks are run on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.competition.samples import write_planet


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_planet(tmp_path / "source", train=12)
