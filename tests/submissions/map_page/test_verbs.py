"""`scene map` on the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import run
from tests.submissions.map.samples import damage, random_planes, raster_of


@pytest.fixture
def raster(tmp_path):
    return raster_of(tmp_path / "made", *random_planes(20, 30), cuts={"road": 0.7, "water": 0.8})


def show(raster, tmp_path, *flags: object, code: int = 0) -> str:
    where = ("--workspace", tmp_path / "workspace", "--scores", raster.path.parent)
    done = CliRunner().invoke(run.main, [str(each) for each in ("scene", "map", *where, *flags)])
    assert done.exit_code == code, done.output
    return done.stdout if "--json" in flags else done.output


def test_a_page_is_written_and_said(raster, tmp_path) -> None:
    assert f"Wrote {tmp_path / 'm.html'}" in show(raster, tmp_path, "--output", tmp_path / "m.html")
    found = json.loads(show(raster, tmp_path, "--output", tmp_path / "m.html", "--labels", "road", "--json"))
    assert (found["labels"], found["size"]) == (1, (tmp_path / "m.html").stat().st_size)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--output", "m.pdf"), "expected a page to write, .html"),
        (("--rule", "expected"), "decides by cuts"),
        (("--scene", "lost.tif"), "lost.tif"),
        (("--smallest-ha", "nan"), "not a finite number"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(raster, tmp_path, flags, said) -> None:
    shown = show(raster, tmp_path, "--output", tmp_path / "m.html", *flags, code=2)
    assert said in " ".join(shown.replace("│", " ").split())
    assert "Traceback" not in shown
    assert not (tmp_path / "m.html").exists()


def test_a_damaged_raster_leaves_what_was_there(raster, tmp_path) -> None:
    (output := tmp_path / "m.html").write_bytes(b"yesterday's")
    damage(raster)
    assert "Cannot read the scores" in show(raster, tmp_path, "--output", output, code=2)
    assert output.read_bytes() == b"yesterday's"
