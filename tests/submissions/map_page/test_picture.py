"""The scene as a picture: small enough, in its own colours, and clear where it has no data."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from competition.scenes.scene import Scene
from submissions.map_page import picture
from submissions.map_page.picture import picture_of
from tests.competition.scenes.samples import write_scene


def shown(address: str) -> np.ndarray:
    kind, content = address.split(",")
    assert kind == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_what_is_bright_is_bright_and_gaps_are_clear(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(picture, "LONGEST", 40)
    pixels = np.full((3, 60, 80), 20, dtype)
    pixels[0, :, 40:] = 220  # red to the right
    pixels[:, :20] = 0
    scene = Scene.open(write_scene(tmp_path / "s.tif", pixels, nodata=0))
    found = shown(picture_of(scene)).astype(int)
    assert found.shape == (30, 40, 4)
    assert (found[:9, :, 3] < 30).all()
    assert (found[12:, :, 3] > 220).all()
    assert found[15:, 25:, 0].mean() > 200 > 60 > found[15:, :15, 0].mean()


def test_it_is_no_larger_than_a_page_can_hold(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(1, 255, (3, 300, 300), dtype=np.uint8)
    scene = Scene.open(write_scene(tmp_path / "s.tif", noise))
    large = len(picture_of(scene))
    monkeypatch.setattr(picture, "MOST_BYTES", large // 2)
    assert len(picture_of(scene)) < 0.8 * large
