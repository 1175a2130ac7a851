"""The demonstration of scenes: its commands, what it makes, and how well that finds what was held out."""

from __future__ import annotations

import resource
import shlex
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from competition.common.errors import spelled
from competition.gdal.vectors import read_features
from competition.scenes.score_raster import ScoreRaster
from submissions.map.demo import chain, demo_text
from tests.test_chain import run_process

# Recall and precision of what meets; measured: .86 and .88, .75 and 1, .88 and .94, .85 and 1.
FLOORS = (("water", 0.6, 0.7), ("road", 0.5, 0.6), ("agriculture", 0.6, 0.6), ("artisinal_mine", 0.5, 0.7))


def words(folder: Path) -> list[str]:
    return [shlex.join(command) for command in chain(folder)]


def test_what_is_learnt_from_is_not_what_is_judged(tmp_path):
    *drawn, held_out = (command for command in words(tmp_path) if command.startswith("scene simulate"))
    seeds = [command.split("--seed")[1].split()[0] for command in (*drawn, held_out)]
    assert len(set(seeds)) == len(seeds) == 3
    others = [command for command in words(tmp_path) if command not in (*drawn, held_out)]
    (chips,) = (command for command in others if command.startswith("scene chips"))
    assert all(f"{tmp_path}/learn-{number}.{suffix}" in chips for number in (1, 2) for suffix in ("tif", "geojson"))
    assert not any("learn-" in command for command in others if command != chips)


def test_run_again_it_makes_no_scenes_and_no_chips_again(tmp_path):
    first = words(tmp_path)
    (tmp_path / "chips").mkdir()
    for name in ("learn-1", "learn-2", "held-out"):
        (tmp_path / f"{name}.tif").touch()
    assert words(tmp_path) == first[4:]


def test_what_was_made_is_named_and_scenes_of_ones_own_come_next(tmp_path):
    text = demo_text(tmp_path)
    for name in ("map.html", "detections.gpkg", "evaluation.html"):
        assert str(tmp_path / name) in text
    assert "scene chips --scene SCENE.tif" in text.splitlines()[-2]


def shares(folder: Path, label: str) -> tuple[float, float]:
    """Return which shares of what lies there is found, and of what is found lies there: things that meet."""
    raster = ScoreRaster.read(folder / "scores")
    truth = read_features(folder / "held-out.geojson", raster.wkt)
    there = truth.geometries[np.array(truth.labels) == label]
    _, _, shapes, (labels,) = pyogrio.raw.read(folder / "detections.gpkg", columns=["label"])
    found = shapely.from_wkb(shapes[labels == label])
    of_truth, of_found = shapely.STRtree(found).query(there, predicate="intersects")
    return len(set(of_truth)) / len(there), len(set(of_found)) / max(1, len(found))


def seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.slow
def test_what_was_learnt_on_some_scenes_is_found_on_another(tmp_path):
    """All of it in a process of its own: about three minutes on two cores that nobody else needs."""
    folder = tmp_path / "demo"
    commands, before = words(folder), seconds_of_children()
    shown = run_process("scene", "demo", "--output", folder)
    assert seconds_of_children() - before < 600
    assert all(f"$ {spelled(command)}" in shown for command in commands)
    assert demo_text(folder) in shown
    assert min((folder / name).stat().st_size for name in ("map.html", "evaluation.html")) > 10_000
    for label, recall, precision in FLOORS:
        found = shares(folder, label)
        assert (found[0] > recall, found[1] > precision) == (True, True), (label, found)
    assert len(run_process("scene", "demo", "--output", folder).split("$ ")) < len(shown.split("$ "))
