"""Made-up scenes on disk: the same bytes for the same seed, whole, and readable by others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.landscape import simulate
from competition.landscape.plane import TILE
from competition.landscape.simulate import DATES, Landscape, simulate_scene
from competition.simulator.render import LABELS
from competition.simulator.simulate import raw_values
from competition.spec.load import load
from competition.tables.labels import read_label_table
from run import main

rasterio = pytest.importorskip("rasterio")
pyogrio = pytest.importorskip("pyogrio")
shapely = pytest.importorskip("shapely")
SIZE, METRES = 530, 6.0  # four tiles, of three of which little is in the scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("landscape") / "scene.tif"
    flags = ["--output", str(path), "--size", str(SIZE), "--metres-per-pixel", str(METRES), "--seed", "3"]
    ran = CliRunner().invoke(main, ["scene", "simulate", *flags])
    assert f"scene chips --scene {path} --polygons {path.with_suffix('.geojson')} --competition planet" in ran.output
    assert {file.name for file in path.parent.iterdir()} == {"scene.tif", "scene.geojson"}
    return path


def pixels_of(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read().transpose(1, 2, 0)


def test_the_file_says_what_planets_say(scene):
    with rasterio.open(scene) as file:
        assert (file.width, file.height, file.count, file.dtypes[0]) == (SIZE, SIZE, 4, "uint16")
        assert file.descriptions == ("blue", "green", "red", "nir")
        assert file.crs.to_epsg() == 32721
        assert (file.nodata, file.res) == (0, (METRES, METRES))
        assert file.block_shapes[0] == (TILE, TILE)
        assert file.tags()["TIFFTAG_DATETIME"].startswith(DATES[0].replace("-", ":"))


def test_values_are_those_of_planets_files(scene):
    low, high = np.array([load("planet").image_set("tif").range[band] for band in "BGRN"]).T
    pixels = pixels_of(scene)
    assert (pixels >= low).all()
    assert (pixels <= high).all()
    assert (pixels.std(axis=(0, 1)) > 0.03 * (high - low)).all()


def test_what_is_drawn_does_not_depend_on_the_window(scene):
    landscape = Landscape(3, METRES)
    np.testing.assert_array_equal(raw_values(landscape.draw(490, 100, 40, 30)), pixels_of(scene)[100:130, 490:530])
    assert landscape.draw(-20, -30, 10, 20).shape == (20, 10, 4)


def test_the_same_seed_gives_the_same_bytes_and_a_smaller_scene_is_its_corner(scene, tmp_path):
    again, small = tmp_path / "again.tif", tmp_path / "small.tif"
    for path in (again, small):
        simulate_scene(path, size=256, seed=3, metres_per_pixel=METRES)
    assert again.read_bytes() == small.read_bytes()
    assert again.with_suffix(".geojson").read_bytes() == small.with_suffix(".geojson").read_bytes()
    np.testing.assert_array_equal(pixels_of(small), pixels_of(scene)[:256, :256])


def test_the_truth_is_geojson_that_others_read(scene):
    truth = scene.with_suffix(".geojson")
    info = pyogrio.read_info(truth)
    assert info["crs"] == "EPSG:4326"
    _, _, shapes, columns = pyogrio.raw.read(truth)
    assert len(shapes) == info["features"] > 10
    labels = columns[list(info["fields"]).index("label")]
    assert set(labels) <= set(LABELS)
    features = json.loads(truth.read_text())["features"]
    for feature in features:
        outer = np.array(feature["geometry"]["coordinates"][0])
        assert ((outer > (-58, -6.1)) & (outer < (-57, -5))).all()
        x, y = (outer - outer[0]).T
        assert np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) > 0, "outer rings are anticlockwise"


def test_rounded_polygons_do_not_cross_themselves(tmp_path):
    """A notch that reaches the other side but for a hair crosses it, or not, as its tip is rounded."""
    path, landscape = tmp_path / "truth.geojson", Landscape(3, METRES)
    with path.open("w") as file:
        collection = simulate.Collection(file, landscape)
        for tip in np.linspace(0.1, 0.9, 60):
            notch = [(tip - 0.01, 1), (tip, 0.333 * tip + 1e-7), (tip + 0.01, 1)]
            collection.add("water", shapely.Polygon([(0, 0), (1, 0.333), (1, 1), *notch[::-1], (0, 1)]))
        collection.close()
    shapes = [shapely.from_geojson(json.dumps(each["geometry"])) for each in json.loads(path.read_text())["features"]]
    assert shapely.is_valid(shapes).all()
    assert len(shapes) >= 60


def test_its_chips_are_such_as_the_competition_allows(scene, tmp_path):
    files = ["--scene", str(scene), "--polygons", str(scene.with_suffix(".geojson")), "--output", str(tmp_path / "out")]
    ran = CliRunner().invoke(main, ["scene", "chips", *files, "--size", "16", "--competition", "planet"])
    assert ran.exit_code == 0, ran.output
    competition = load(str(tmp_path / "out" / "competition.toml"))
    assert (competition.exclusive, competition.alone) == (load("planet").exclusive, load("planet").alone)
    assert competition.image_set("tif").bands == tuple("BGRN")  # as the competition calls blue, green, red and nir
    table = read_label_table([tmp_path / "out" / "labels.csv"], competition)
    assert (table.truth[:, competition.exclusive_columns[0]].sum(axis=1) == 1).all()
    assert {"clear", "primary", "water", "road"} <= set(np.array(competition.labels)[table.truth.any(axis=0)])


def test_the_later_date_says_so(tmp_path, monkeypatch):
    later = tmp_path / "later.tif"
    empty = np.zeros((TILE, TILE), np.float32)
    monkeypatch.setattr(Landscape, "tile", lambda *_: (np.dstack([empty] * 4), empty, empty, empty))
    monkeypatch.setattr(simulate, "features", lambda *_: ())
    simulate_scene(later, size=256, later=True)
    with rasterio.open(later) as file:
        assert file.tags()["TIFFTAG_DATETIME"].startswith(DATES[1].replace("-", ":"))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("size", 255, "from 256 to 200,000"), ("size", 200_001, "from 256"), ("seed", -1, "at least 0"),
        ("metres_per_pixel", 0.4, "from 0.5 to 30"), ("metres_per_pixel", float("nan"), "from 0.5 to 30"),
    ],
)  # fmt: skip
def test_arguments_out_of_range_are_named(tmp_path, name, value, expected):
    with pytest.raises(UserError, match=rf"--{name.replace('_', '-')} {value}: it must be {expected}"):
        simulate_scene(tmp_path / "scene.tif", **{name: value})
    assert not list(tmp_path.iterdir())


def test_a_scene_has_a_name_that_says_what_it_is(tmp_path):
    with pytest.raises(UserError, match=r"ends in \.tif"):
        simulate_scene(tmp_path / "scene.geojson")


def test_nothing_is_half_written(scene, monkeypatch, tmp_path):
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    path = tmp_path / "scene.tif"
    path.write_bytes(b"kept")
    monkeypatch.setattr(Landscape, "tile", fail)
    with pytest.raises(OSError, match="full"):
        simulate_scene(path, size=256)
    assert path.read_bytes() == b"kept"
    assert list(tmp_path.iterdir()) == [path]


PEAK = """
import sys, resource
from pathlib import Path
from competition.landscape.simulate import simulate_scene
simulate_scene(Path(sys.argv[1]), size=int(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""  # kilobytes, on Linux


@pytest.mark.slow
def test_memory_does_not_grow_with_the_scene(tmp_path):
    def peak(size: int) -> int:
        command = [sys.executable, "-c", PEAK, str(tmp_path / "scene.tif"), str(size)]
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
        return int(ran.stdout.split()[-1])  # after lines of progress, where it takes long

    assert peak(12_288) < 1.25 * peak(4096)
