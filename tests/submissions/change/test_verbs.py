"""`scene change` on the command line."""

import json

import pyogrio
import pytest
from click.testing import CliRunner

import run
from tests.submissions.map.samples import damage, random_planes, raster_of


@pytest.fixture(scope="module")
def dates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dates")
    planes = random_planes(20, 30, 6)
    return [
        raster_of(folder / name, *planes[2 * place :][:2], cuts={"road": 0.7, "water": 0.8})
        for place, name in enumerate(("before", "after", "again"))
    ]


def change(dates, tmp_path, *flags: object, code: int = 0) -> str:
    """Return what the verb shows: with --json its result alone, and of what it refuses the line."""
    before, after, _ = (each.path.parent for each in dates)
    where = ("--workspace", tmp_path / "workspace", "--before", before, "--after", after)
    done = CliRunner().invoke(run.main, [str(each) for each in ("scene", "change", *where, *flags)])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.stdout if "--json" in flags else done.output


def test_a_file_of_changes_is_written_and_said(dates, tmp_path) -> None:
    shown = change(dates, tmp_path, "--output", output := tmp_path / "c.gpkg", "--again", dates[2].path)
    assert shown.startswith("Decided by the cuts kept with the scores.\n")
    assert f"Wrote {output}." in shown
    assert "by noise" in shown
    assert len(pyogrio.raw.read(output)[2])


def test_json_is_the_result_alone_and_flags_count(dates, tmp_path) -> None:
    flags = ("--output", tmp_path / "c.fgb", "--labels", "road", "--json")
    found = json.loads(change(dates, tmp_path, *flags))
    (road,) = found["labels"]
    assert found["regions"] == sum(road[kind]["regions"] for kind in ("appeared", "grown", "gone", "shrunk"))
    for more in (("--margin", 3), ("--smallest-ha", 0.01), ("--rule", "cut=.9"), ("--neighbours", 4)):
        assert json.loads(change(dates, tmp_path, *flags, *more))["regions"] != found["regions"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--output", "c.shp"), "expected a file to write with .gpkg, .geojson, .fgb"),
        (("--rule", "best"), "Unknown rule 'best'"),
        (("--rule", "expected"), "Change needs cuts"),
        (("--labels", "rivers"), "Unknown label 'rivers'"),
        (("--margin", "nan"), "not a finite number"),
        (("--margin", -1), "not in the range"),
        (("--again", "missing"), "does not exist"),
    ],
)
def test_what_cannot_be_is_refused(dates, tmp_path, flags, said) -> None:
    shown = change(dates, tmp_path, "--output", tmp_path / "c.gpkg", *flags, code=2)
    assert said in " ".join(shown.replace("│", " ").split())
    assert not (tmp_path / "c.gpkg").exists()


def test_an_input_is_never_written_over(dates, tmp_path) -> None:
    (named := tmp_path / "again.gpkg").write_bytes(content := dates[2].path.read_bytes())
    assert "Cannot write" in change(dates, tmp_path, "--again", named, "--output", named, code=2)
    assert named.read_bytes() == content


def test_a_damaged_raster_leaves_what_was_there(dates, tmp_path) -> None:
    damage(damaged := raster_of(tmp_path / "made", *random_planes(60, 80), cuts={"road": 0.7, "water": 0.8}))
    (output := tmp_path / "c.gpkg").write_bytes(b"yesterday's")
    assert "Cannot read the scores" in change(dates, tmp_path, "--after", damaged.path, "--output", output, code=2)
    assert output.read_bytes() == b"yesterday's"
