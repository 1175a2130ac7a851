"""`scene evaluate` on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from click.testing import CliRunner

import run
from tests.submissions.map.samples import raster_of
from tests.submissions.truth.samples import squares, write_truth

ROAD = np.linspace(0, 1, 80).reshape(8, 10)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Return a raster and the file of its truth, of a label that is called badly."""
    folder, hostile = tmp_path_factory.mktemp("known"), "<script>alert(1)</script>"
    raster = raster_of(folder, ROAD, labels=(hostile,), scene=hostile, cuts={hostile: 0.5})
    return raster, write_truth(folder / "truth.gpkg", raster, squares(hostile, ROAD > 0.4))


def evaluate(known, tmp_path, *flags: object, code: int = 0) -> str:
    raster, truth = known
    where = ("--workspace", tmp_path / "w", "--scores", raster.path.parent, "--truth", truth)
    done = CliRunner().invoke(run.main, [str(each) for each in ("scene", "evaluate", *where, *flags)])
    assert done.exit_code == code, done.output
    return done.stdout if "--json" in flags else done.output


def test_a_page_escapes_what_files_say_and_asks_for_nothing(known, tmp_path) -> None:
    page = tmp_path / "page.html"
    assert f"Wrote {page}." in evaluate(known, tmp_path, "--output", page)
    text = page.read_text()
    assert "&lt;script&gt;alert(1)" in text
    assert known[0].labels[0] not in text
    assert "http" not in text.replace("http://www.w3.org", "").replace("http-equiv", "")


def test_json_is_the_result_alone(known, tmp_path) -> None:
    area = write_truth(tmp_path / "area.gpkg", known[0], [("anything", shapely.box(0, 0, 10, 4))], column="said")
    found = json.loads(evaluate(known, tmp_path, "--area", area, "--rule", "cut=.25", "--json"))
    (label,) = found["labels"]
    assert label["cells"] == (ROAD[:4] > 0.4).sum()
    assert label["sensitivity"] == {"value": 1.0, "interval": [None, None]}
    assert label["specificity"]["value"] == pytest.approx((ROAD[:4] < 0.25).sum() / (ROAD[:4] <= 0.4).sum())


def test_regions_are_in_the_page_and_the_figures(known, tmp_path) -> None:
    halves = [("<b>upper", shapely.box(0, 0, 10, 4)), ("lower", shapely.box(0, 4, 10, 8))]
    regions = write_truth(tmp_path / "regions.gpkg", known[0], halves, column="said")
    flags = ("--regions", regions, "--region-name", "said", "--buffer", 2)
    assert "<b>upper" in evaluate(known, tmp_path, *flags, "--output", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Cells by label and region" in page
    assert "&lt;b&gt;upper" in page
    found = json.loads(evaluate(known, tmp_path, *flags, "--json"))
    upper = found["regions"][0]["labels"][0]
    assert upper["cells"] == (ROAD[:4] > 0.4).sum()


def test_flags_of_deciding_change_what_is_counted(known, tmp_path) -> None:
    for hectares, sensitivity, left_out in ((0, 8 / 48, 0), (1, 0, 1)):
        found = json.loads(evaluate(known, tmp_path, "--rule", "cut=.9", "--smallest-ha", hectares, "--json"))
        assert found["labels"][0]["sensitivity"]["value"] == pytest.approx(sensitivity)
        assert len(found["scenes"][0]["left_out"]) == left_out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--output", "page.pdf"), "expected a page to write, .html"),
        (("--rule", "best"), "Unknown rule 'best'"),
        (("--label", "kind"), "it has no column 'kind'; it has label"),
        (("--isolated-cut", 0.5), "--isolated-cut needs --isolated-km"),
        (("--labels", "rivers"), "Unknown label 'rivers'"),
        (("--cover", "nan"), "not a finite number"),
        (("--block-km", 0), "0.0 is not in the range"),
        (("--area", "lost.gpkg"), "Cannot read lost.gpkg"),
        (("--regions", "lost.gpkg"), "Cannot read lost.gpkg"),
        (("--buffer", -1), "-1.0 is not in the range"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(known, tmp_path, flags, said) -> None:
    shown = evaluate(known, tmp_path, *flags, code=2)
    assert said in " ".join(shown.replace("│", " ").split())
    assert "Traceback" not in shown
