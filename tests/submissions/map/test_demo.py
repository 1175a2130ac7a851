"""The demonstration of scenes: its commands, what it makes, and how well that finds what was held out."""

from __future__ import annotations

import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from competition.scenes.score_raster import ScoreRaster
from submissions.map.demo import chain, demo_text
from tests.test_chain import ROOT


def words(folder: Path) -> list[str]:
    return [shlex.join(command) for command in chain(folder)]


def test_what_is_learnt_from_is_not_what_is_judged(tmp_path):
    learn, held_out, *others = words(tmp_path)
    assert learn.split("--seed")[1].split()[0] != held_out.split("--seed")[1].split()[0]
    (chips,) = (command for command in others if command.startswith("scene chips"))
    assert f"{tmp_path}/learn.tif" in chips
    assert not any("learn." in command for command in others if command != chips)


def test_run_again_it_makes_no_scenes_and_no_chips_again(tmp_path):
    first = words(tmp_path)
    (tmp_path / "chips").mkdir()
    for name in ("learn", "held-out"):
        (tmp_path / f"{name}.tif").touch()
    assert words(tmp_path) == first[3:]


def test_what_was_made_is_named_and_scenes_of_ones_own_come_next(tmp_path):
    text = demo_text(tmp_path)
    assert str(tmp_path / "detections.gpkg") in text
    assert "scene chips --scene SCENE.tif" in text.splitlines()[-2]
