"""`scene decide` on the command line."""

import json

import numpy as np
import pyogrio
import pytest
from click.testing import CliRunner

import run
from tests.submissions.map.samples import damage, random_planes, raster_of


@pytest.fixture
def raster(tmp_path):
    return raster_of(tmp_path / "made", *random_planes(20, 30), cuts={"road": 0.7, "water": 0.8})


def decide(raster, tmp_path, *flags: object, code: int = 0) -> str:
    """Return what the verb shows: with --json its result alone, and of what it refuses the line."""
    where = ("--workspace", tmp_path / "workspace", "--scores", raster.path.parent)
    done = CliRunner().invoke(run.main, [str(each) for each in ("scene", "decide", *where, *flags)])
    assert done.exit_code == code, done.output
    return done.stdout if "--json" in flags else done.output


def test_a_file_of_regions_is_written_and_said(raster, tmp_path) -> None:
    shown = decide(raster, tmp_path, "--output", output := tmp_path / "d.gpkg")
    assert shown.startswith("Decided by the cuts kept with the scores.\n")
    assert f"Wrote {output}." in shown
    num = len(pyogrio.raw.read(output)[2])
    assert f"{num} regions of 2 labels." in shown


def test_json_is_the_result_alone(raster, tmp_path) -> None:
    flags = ("--output", output := tmp_path / "d.fgb", "--labels", "road", "--neighbours", 4, "--json")
    found = json.loads(decide(raster, tmp_path, *flags))
    (road,) = found["labels"]
    assert (road["label"], road["cut"], found["regions"]) == ("road", 0.7, road["regions"])
    cells = np.nan_to_num(raster.scores("road")) >= np.float32(0.7)
    assert road["cells"] == cells.sum()
    assert len(pyogrio.raw.read(output)[2]) == road["regions"]
    wide = json.loads(decide(raster, tmp_path, *flags[:4], "--smallest-ha", 0.01, "--json"))
    assert wide["regions"] < road["regions"]
    assert wide["left_out"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--output", "d.shp"), "expected a file to write with .gpkg, .geojson, .fgb"),
        (("--rule", "best"), "Unknown rule 'best'"),
        (("--labels", "rivers"), "Unknown label 'rivers'"),
        (("--isolated-cut", 0.5), "--isolated-cut needs --isolated-km"),
        (("--isolated-km", "nan"), "not a finite number"),
        (("--smallest-ha", "nan"), "not a finite number"),
        (("--rule", "precision=.9"), "has no data. Give the --workspace that 'm' was trained in"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(raster, tmp_path, flags, said) -> None:
    shown = decide(raster, tmp_path, "--output", tmp_path / "d.gpkg", *flags, code=2)
    assert said in " ".join(shown.replace("│", " ").split())
    assert "Traceback" not in shown
    assert not (tmp_path / "d.gpkg").exists()


def test_a_damaged_raster_leaves_what_was_there(raster, tmp_path) -> None:
    (output := tmp_path / "d.gpkg").write_bytes(b"yesterday's")
    damage(raster)
    shown = decide(raster, tmp_path, "--output", output, code=2)
    assert "Cannot read the scores" in shown
    assert output.read_bytes() == b"yesterday's"
