"""A folder of chips that no workspace knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "new chips"
    folder.mkdir()
    for number in (10, 2, 33):
        Image.fromarray(np.random.default_rng(number).integers(1, 255, (12, 12, 3)).astype(np.uint8)).save(
            folder / f"chip_{number}.png"
        )
    return folder
