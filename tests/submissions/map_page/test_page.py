"""A page is whole, the same each time, asks for nothing, and escapes what files say."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.scenes.scene import Scene
from submissions.map.rules import MapRule
from submissions.map_page.page import write_map
from tests.competition.scenes.samples import write_scene
from tests.submissions.map.samples import random_planes, raster_of

RULE = MapRule("the cut 0.5", {"road": 0.5, "water": 0.5})
HOSTILE = "</script><img src=x onerror=alert(1)>"


def content_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_same_map_is_the_same_page(tmp_path):
    raster = raster_of(tmp_path, *random_planes(6, 8), date="2026-11-28", scene="somewhere")
    scene = Scene.open(tmp_path / "scene.tif")
    pages = [write_map(raster, RULE, tmp_path / f"{name}.html", scene=scene) for name in "ab"]
    one, other = (page.path.read_bytes() for page in pages)
    assert one == other
    assert pages[0].size == len(one)
    text = one.decode()
    assert "somewhere" in text
    assert "2026-11-28" in text
    assert [label["name"] for label in content_of(text)["labels"]] == ["road", "water"]
    outside = re.sub(r"(?s)<(script|style).*?</\1>", "", text)
    assert "http" not in outside.replace("http-equiv", "")
    assert not re.search(r"url\((?!#)|sourceMappingURL|@import", text)


def test_what_files_say_is_text(tmp_path):
    raster = raster_of(tmp_path, np.eye(4), labels=(HOSTILE,), scene=HOSTILE)
    write_map(raster, MapRule(HOSTILE, {HOSTILE: 0.5}), page := tmp_path / "m.html")
    text = page.read_text()
    assert "<img" not in text
    assert content_of(text)["labels"][0]["name"] == HOSTILE


def test_what_does_not_fit_is_refused(tmp_path):
    raster = raster_of(tmp_path, *random_planes(6, 8))
    with pytest.raises(UserError, match="decides by cuts"):
        write_map(raster, MapRule("the highest expected F2"), tmp_path / "m.html")
    other = Scene.open(write_scene(tmp_path / "other.tif", np.ones((1, 5, 30), np.uint8)))
    with pytest.raises(UserError, match="is not the scene of these scores"):
        write_map(raster, RULE, tmp_path / "m.html", scene=other)
    with pytest.raises(UserError, match="Unknown label 'rivers'"):
        write_map(raster, RULE, tmp_path / "m.html", labels=["rivers"])
    assert not (tmp_path / "m.html").exists()


def test_lines_to_read_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr("submissions.map_page.planes.MOST_CELLS", 20)
    raster = raster_of(tmp_path, *random_planes(6, 8), bits=16)
    text = write_map(raster, RULE, tmp_path / "m.html").text()
    assert "give the scene by --scene" in text
    assert "3 x 3 cells are shown as one" in text
    assert "steps of 1/254" in text
