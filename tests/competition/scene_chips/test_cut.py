"""Labelled chips cut from a scene: `scene chips`, up to folds that hold blocks of ground together."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner, Result

import run
from competition.data.chips import read_chip
from competition.data.prepare import prepare
from competition.spec.load import load
from competition.workspace import Workspace
from folds.assign import assign_folds
from tests.competition.scenes.samples import NORTH_UP, noise, write_points, write_scene

SIZE = 32


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(run.main, ["scene", "chips", *map(str, arguments)])


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cut")
    values = noise(4, 400, 500)
    values[:, :, 450:] = 0
    write_scene(folder / "scene.tif", values, names="BGRN", nodata=0, tiled=True, blockxsize=128, blockysize=128)
    rng = np.random.default_rng(0)
    points = [(x, y, "road" if x < 250 else "conventional_mine") for x, y in rng.uniform(20, (430, 380), (30, 2))]
    write_points(folder / "points.geojson", [*points, (490, 200, "road")])
    return folder


@pytest.fixture
def flags(source, tmp_path) -> list[object]:
    scene, points = source / "scene.tif", source / "points.geojson"
    return ["--scene", scene, "--points", points, "--size", SIZE, "--block-metres", 300, "--output", tmp_path / "out"]


def test_chips_are_what_the_scene_shows_and_train_as_a_competition(source, tmp_path, flags) -> None:
    result = invoke(*flags, "--negatives", 20, "--competition", "planet", "--with", "clear,primary")
    assert result.exit_code == 0, result.output
    assert re.search(r"Left out \d+ places? with too few data", result.output)
    out = tmp_path / "out"
    assert sorted(os.listdir(out)) == ["chips", "competition.toml", "labels.csv"]
    rows = pd.read_csv(out / "labels.csv", index_col="image_name")
    assert sorted(path.stem for path in (out / "chips").iterdir()) == rows.index.tolist()
    competition = load(str(out / "competition.toml"))
    images = competition.image_set("tif")
    with rasterio.open(source / "scene.tif") as scene:
        values = scene.read()
        for name in rows.index[::5]:
            x, y = map(int, name.split("_")[1:])
            path = out / "chips" / f"{name}.tif"
            chip = read_chip(path, images)
            np.testing.assert_array_equal(chip, np.moveaxis(values[:, y : y + SIZE, x : x + SIZE], 0, -1))
            with rasterio.open(path) as cut:
                assert cut.transform @ (0, 0) == scene.transform @ (x, y)
                assert cut.crs == scene.crs
    workspace = Workspace(tmp_path / "workspace", competition)
    prepare(workspace, out)
    assigned = assign_folds(workspace, k=3)
    folds = pd.read_csv(assigned.path, index_col=0).iloc[:, -1]
    assert folds.groupby(rows["group"].reindex(folds.index)).nunique().max() == 1
    assert rows["group"].nunique() > 5


def test_without_a_competition_labels_are_those_of_the_file(tmp_path, flags) -> None:
    result = invoke(*flags, "--negatives", 6, "--bands", "N,red", "-q")
    assert result.exit_code == 0, result.output
    competition = load(str(tmp_path / "out" / "competition.toml"))
    assert (competition.labels, competition.unlabelled) == (("conventional_mine", "road"), True)
    images = competition.image_set("tif")
    assert images.bands == ("N", "red")
    assert images.metres_per_pixel == pytest.approx(3, rel=1e-3)
    low, high = images.range["N"]
    assert 1 <= low < 200 < 4800 < high <= 5000
    tags = pd.read_csv(tmp_path / "out" / "labels.csv", keep_default_na=False)["tags"]
    assert set(tags) >= {"", "road", "conventional_mine"}


def test_the_same_seed_gives_the_same_bytes(tmp_path, flags) -> None:
    made = []
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        assert invoke(*flags[:-1], tmp_path / name, "--negatives", 4, "--seed", seed).exit_code == 0
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.suffix in (".tif", ".csv"))
        made.append([(path.name, path.read_bytes()) for path in files])
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--polygons", "x.geojson"], "Give --points FILE, or --polygons FILE"),
        (["--label", "kind"], "it has no column 'kind'; it has label. Name it by --label"),
        (["--competition", "planet", "--negatives", 3], "Negatives carry no label.*--with clear,primary"),
        (["--competition", "planet"], r"\d+ chips would carry none of .*clear.* such as by --with "),
        (["--competition", "planet", "--with", "clear,haze"], "'planet' carries all of them. Leave out haze"),
        (["--competition", "eurosat"], "Unknown label of competition 'eurosat'"),
        (["--chip-metres", 5000], "The scene is smaller than a chip"),
        (["--chip-metres", 1e300], "The scene is smaller than a chip"),
        (["--chip-metres", "nan"], "'--chip-metres': 'nan' is not a finite number"),
        (["--chip-metres", "inf"], "'--chip-metres': 'inf' is not a finite number"),
        (["--block-metres", "nan"], "'--block-metres': 'nan' is not a finite number"),
        (["--bands", "RX"], "has no band 'X'; its bands are B, G, R, N"),
        (["--block-metres", 50], "smaller than a chip"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(tmp_path, flags, more, said) -> None:
    result = invoke(*flags, *more)
    assert result.exit_code == 2, result.output
    assert re.search(said, result.output)
    assert not (tmp_path / "out").exists()


def test_a_place_that_no_folder_can_have_is_refused_before_the_scene_is_read(tmp_path) -> None:
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "x"
    result = invoke("--scene", tmp_path / "none.tif", "--points", tmp_path / "none.geojson", "--output", output)
    assert result.exit_code == 2
    assert f"Cannot write {output}: Not a directory. Give a path in a folder of yours." in result.output


def test_what_lies_there_is_kept(tmp_path, flags) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    result = invoke(*flags)
    assert (result.exit_code, os.listdir(tmp_path / "out")) == (2, ["mine.txt"])
    assert "it is not empty" in result.output


def test_features_elsewhere_and_places_without_data_are_told(source, tmp_path, flags) -> None:
    elsewhere = write_points(tmp_path / "far.geojson", [(9000, 9000, "road")])
    assert "None of the features lies on" in invoke(*flags[:2], "--points", elsewhere, *flags[4:]).output
    empty = write_points(tmp_path / "empty.geojson", [(490, 200, "road"), (495, 200, "mine")])
    result = invoke(*flags[:2], "--points", empty, *flags[4:])
    assert "holds enough data" in result.output
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def dates(tmp_path_factory) -> Path:
    """Return a folder of one place on two days, by scenes of one name, the later of which begins farther east."""
    folder = tmp_path_factory.mktemp("dates")
    for number, (year, east) in enumerate(((2024, 0), (2025, 90))):
        (folder / str(year)).mkdir()
        values, moved = noise(4, 400, 500), NORTH_UP @ rasterio.Affine.translation(east, 0)
        tags = {"TIFFTAG_DATETIME": f"{year}:06:0{number + 1} 10:00:00"}
        write_scene(folder / str(year) / "scene.tif", values, names="BGRN", transform=moved, tags=tags)
    places = np.random.default_rng(0).uniform((100, 20), (480, 380), (20, 2))
    write_points(folder / "points.geojson", [(x, y, "road" if x < 300 else "water") for x, y in places])
    return folder


def test_scenes_of_one_place_make_one_data_set_that_does_not_leak(dates, tmp_path) -> None:
    scenes = [word for year in ("2024", "2025") for word in ("--scene", dates / year / "scene.tif")]
    flags = ["--points", dates / "points.geojson", "--size", SIZE, "--block-metres", 300, "--negatives", 30]
    result = invoke(*scenes, *flags, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    rows = pd.read_csv(tmp_path / "out" / "labels.csv", index_col="image_name")
    assert sorted(path.stem for path in (tmp_path / "out" / "chips").iterdir()) == rows.index.tolist()
    days = {"2024-scene": "2024-06-01", "2025-scene": "2025-06-02"}
    assert rows["scene"].map(days).tolist() == rows["date"].tolist()
    assert set(rows["scene"]) == set(days)
    assert re.search(r"2024-scene +\d+\n2025-scene +\d+\n", result.output)
    x, y = np.array([[*map(int, name.split("_")[1:])] for name in rows.index]).T
    x = x + 90 * (rows["scene"] == "2025-scene").to_numpy()
    near = (np.abs(np.subtract.outer(x, x)) < SIZE - 2) & (np.abs(np.subtract.outer(y, y)) < SIZE - 2)
    one, other = np.nonzero(near)
    group, scene = rows["group"].to_numpy(), rows["scene"].to_numpy()
    assert (scene[one] != scene[other]).sum() > 20
    assert (group[one] == group[other]).all()
    assert len(set(group)) > 5
    workspace = Workspace(tmp_path / "workspace", load(str(tmp_path / "out" / "competition.toml")))
    prepare(workspace, tmp_path / "out")
    folds = pd.read_csv(assign_folds(workspace, k=3).path, index_col=0).iloc[:, -1]
    assert folds.groupby(rows["group"].reindex(folds.index)).nunique().max() == 1


def test_each_scene_may_have_features_of_its_own(dates, tmp_path) -> None:
    """The first scene alone has a mine; a folder of scenes gives the same chips as naming each."""
    mine = write_points(tmp_path / "mine.geojson", [(300, 200, "mine")])
    for year in ("2024", "2025"):
        os.link(dates / year / "scene.tif", tmp_path / f"{year}.tif")
    points = ["--points", mine, "--points", dates / "points.geojson", "--size", SIZE]
    named = ["--scene", tmp_path / "2024.tif", "--scene", tmp_path / "2025.tif"]
    for name, scenes in (("one", named), ("two", ["--scenes", tmp_path])):
        result = invoke(*scenes, *points, "--output", tmp_path / name)
        assert result.exit_code == 0, result.output
    rows = pd.read_csv(tmp_path / "one" / "labels.csv")
    assert rows.groupby("scene")["tags"].unique().map(set).to_dict() == {2024: {"mine"}, 2025: {"road", "water"}}
    assert (tmp_path / "one" / "labels.csv").read_bytes() == (tmp_path / "two" / "labels.csv").read_bytes()
    result = invoke(*named[:2], *points, "--output", tmp_path / "three")
    assert "for each of 1 scene, or one for all, received 2" in " ".join(result.output.split())
