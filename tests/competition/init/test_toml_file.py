"""`competition init` on small folders in many layouts: the file that it writes says what the folder shows."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from competition.checks.check import check_data
from competition.common.errors import UserError
from competition.data.chips import read_with_gaps
from competition.data.prepare import prepare
from competition.init.forms import Wishes
from competition.init.report import report
from competition.init.toml_file import init
from competition.layouts.simulate import simulate_layout
from competition.spec.competition import Competition
from competition.spec.images import ImageSet
from competition.spec.load import load
from competition.workspace import Workspace
from run import main
from tests.competition.init.folders import begun, pictures, table, tagged, tiff
from tests.competition.samples import archive_of, held, write_planet

SHARED = Path(os.environ.get("PLANET_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
METRICS = {
    "bigearthnet-s2": "macro average_precision",
    "chestx-ray14": "roc_auc",
    "human-protein-atlas-2018": "macro f1",
    "imet-2019": "f2",
    "rsna-hemorrhage-2019": "log_loss",
    "ucmerced-multilabel": "macro average_precision",
    "ranzcr-clip": "roc_auc",
}


def all_are_found(competition: Competition, folder: Path, root: Path) -> None:
    workspace = Workspace(root, competition)
    prepare(workspace, folder)
    for images in competition.images.values():
        assert workspace.layout.locate(images, "train", workspace.labelled.image_names)


@pytest.mark.parametrize(
    "name", ["bigearthnet-s2", "chestx-ray14", "eurosat", "human-protein-atlas-2018", "plant-pathology-2021",
             "ranzcr-clip", "rsna-hemorrhage-2019", "ucmerced-multilabel"]
)  # fmt: skip
def test_a_competition_that_ships_is_known_by_its_layout(name: str, tmp_path: Path) -> None:
    ships, folder = load(name), tmp_path / (load(name).slug or "somewhere")
    simulate_layout(folder, ships, num_train=120, num_test=30, size=16)
    wishes = {"metric": METRICS[name]} if name in METRICS else {}
    got, _ = begun(folder, tmp_path, **wishes)
    assert set(got.labels) == set(ships.labels)
    assert {frozenset(group) for group in got.exclusive} == {frozenset(group) for group in ships.exclusive}
    assert (got.alone, got.unlabelled, got.slug) == (ships.alone, ships.unlabelled, ships.slug)
    assert got.metric.model_copy(update={"weights": {}}) == ships.metric.model_copy(update={"weights": {}})
    assert got.submission_kind == ships.submission_kind
    assert got.submission_form == ships.submission_form
    plain = {"train": (), "sample_submission": None}
    assert got.tables.model_copy(update=plain) == ships.tables.model_copy(update=plain)
    images, theirs = got.image_set(got.default_images), ships.image_set(ships.default_images)
    assert (images.bands, images.suffix, images.file) == (theirs.bands, theirs.suffix, theirs.file)
    assert (got.tables.sample_submission is None) == (ships.tables.sample_submission is None)
    all_are_found(got, folder, tmp_path / "workspace")


def on_no_ground(ships: Competition) -> ImageSet:
    """Return what a competition's JPEGs are, but for the ground that a pixel shows, which no JPEG says."""
    return ships.images["jpg"].model_copy(update={"metres_per_pixel": None})


def test_planet_is_known_packed_or_unpacked_and_nothing_is_changed(tmp_path: Path) -> None:
    plain, packed = write_planet(tmp_path / "plain", train=200), tmp_path / "packed"
    packed.mkdir()
    for name in ("train-jpg", "test-jpg", "test-jpg-additional"):
        archive_of(plain / name, packed / f"{name}.tar.7z")
    for name in ("train_v2.csv", "sample_submission_v2.csv"):
        (packed / name).write_bytes((plain / name).read_bytes())
    before, ships = held(packed), load("planet")
    for folder in (plain, packed):
        got, _ = begun(folder, tmp_path, metric="f2", slug=str(ships.slug))
        assert got.images["jpg"] == on_no_ground(ships)
        assert (got.tables, got.metric, got.submission_kind) == (ships.tables, ships.metric, ships.submission_kind)
        assert set(got.exclusive[0]) == set(ships.exclusive[0])
    assert held(packed) == before


def test_what_is_written_says_what_was_seen_and_what_is_open(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "birds-of-prey", {f"x{i}": ["owl", "owl kite", "kite"][i % 3] for i in range(12)})
    done = CliRunner().invoke(
        main, ["competition", "init", "--from", str(folder), "--output", str(tmp_path / "b.toml")]
    )
    assert done.exit_code == 0, done.output
    assert "--metric" in done.output
    assert "data prepare --from" in done.output.splitlines()[-1]
    text = (tmp_path / "b.toml").read_text(encoding="utf-8")
    assert 'slug = "birds-of-prey"' in text
    assert "a guess" in text
    shown = CliRunner().invoke(main, ["competition", "show", "--competition", str(tmp_path / "b.toml")])
    assert "x1,kite owl" in shown.output


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "in", {f"x{i}": ["a", "a b", "b"][i % 3] for i in range(9)})
    path = tmp_path / "out.toml"
    path.write_text("mine")
    with pytest.raises(UserError, match=r"is there already. Give --force"):
        init(folder, path, Wishes())
    assert path.read_text() == "mine"
    init(folder, path, Wishes(), force=True)
    assert load(str(path)).labels == ("a", "b")


def test_nothing_is_written_where_the_result_contradicts_itself(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "in", {f"x{i}": ["a", "a b", "b"][i % 3] for i in range(9)})
    with pytest.raises(UserError, match=r"--metric roc_auc judges scores, but sample_submission.csv shows tags \(a\)"):
        init(folder, tmp_path / "out" / "out.toml", Wishes(metric="roc_auc"))
    assert not (tmp_path / "out").exists()
    table(folder / "train.csv", ["id", "tags"], [(f"x{i}", ["a\u200bc", "b\u200bc b", "b"][i % 3]) for i in range(9)])
    with pytest.raises(UserError, match=r"Nothing was written: .*printable"):
        init(folder, tmp_path / "out" / "out.toml", Wishes())
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("label", ['say "x"', "back\\slash", "größe", "a # b", "[x]", "a/b, c"])
def test_labels_of_any_letters_survive_the_file(label: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    rows = [(f"x{i}", [label, f"{label}|b", "b"][i % 3]) for i in range(9)]
    quoted = [(name, '"' + cell.replace('"', '""') + '"') for name, cell in rows]
    path = folder / "train.csv"
    pictures(folder / "train", [f"{name}.png" for name, _ in rows])
    path.write_text("id,tags\n" + "".join(f"{name},{cell}\n" for name, cell in quoted), encoding="utf-8")
    got, _ = begun(folder, tmp_path)
    assert set(got.labels) == {label, "b"}


def test_bands_of_float_have_ranges_and_nodata(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for i in range(8):
        values = np.random.default_rng(i).normal(100, 10, (8, 8, 5)).astype(np.float32)
        keys = (1, 1, 0, 2, 1024, 0, 1, 1, 3076, 0, 1, 9001)
        place = [(33550, "d", 3, (2.5, 2.5, 0.0), True), (34735, "H", len(keys), keys, True)]
        tiff(values, folder / "scenes" / f"x{i}.tif", extratags=[(42113, "s", 0, "-9999", True), *place])
    table(folder / "truth.csv", ["tile", "sand", "rock"], [(f"x{i}", i % 2, int(i > 3)) for i in range(8)])
    got, found = begun(folder, tmp_path)
    images = got.images["tif"]
    assert images.metres_per_pixel == 2.5
    assert len(images.bands) == 5
    assert images.nodata == -9999
    assert images.range["B1"] == pytest.approx((75, 125), abs=10)
    assert any("What are the 5 bands?" in question for question in found.questions)


@pytest.mark.parametrize(
    ("said", "nodata"),
    [("-3.4028234663852886e+38", -3.4028234663852886e38), ("-3.40282346638529e+38", -3.40282346638529e38),
     ("-inf", -np.inf), ("1234567", 1234567), ("1e20", 1e20), ("0.5", 0.5), ("nan", "nan"), ("-nan", "nan"),
     ("none", None)],
)  # fmt: skip
def test_pixels_without_data_are_known_by_what_is_written(said: str, nodata: object, tmp_path: Path) -> None:
    folder, gap = tmp_path / "in", np.float32("nan" if nodata in ("nan", None) else float(said))
    for i in range(6):
        values = np.random.default_rng(i).normal(100, 10, (16, 16, 2)).astype(np.float32)
        values[:4] = values[:4] if nodata is None else gap
        tiff(values, folder / "scenes" / f"x{i}.tif", extratags=[(42113, "s", 0, said, True)])
    table(folder / "truth.csv", ["tile", "sand", "rock"], [(f"x{i}", i % 2, int(i > 2)) for i in range(6)])
    got, _ = begun(folder, tmp_path)
    images = got.images["tif"]
    assert images.nodata == nodata
    assert images.range["B1"] == pytest.approx((75, 125), abs=10)
    _, missing = read_with_gaps(folder / "scenes" / "x0.tif", images)
    assert (0 if missing is None else missing.mean()) == (0 if nodata is None else 0.25)


def test_names_with_line_breaks_write_comments_and_no_entries(tmp_path: Path) -> None:
    folder = tmp_path / 'in\nname = "pwned"\n'
    rows = [(f"x{i}", ["a", "a b", "b"][i % 3]) for i in range(9)]
    table(folder / "t_2.csv", ["id", "tags"], rows)
    table(folder / 'old\nslug = "pwned"\x1b[31m\r\n#' / "t_1.csv", ["id", "tags"], rows)
    pictures(folder / "train", [f"{name}.png" for name, _ in rows])
    got, found = begun(folder, tmp_path, slug="a-b")
    assert (got.slug, got.tables.train) == ("a-b", ("t_2.csv",))
    assert any("pwned" in question for question in found.questions)
    assert "\x1b" not in report(found, tmp_path / "found.toml")


def test_a_name_that_is_no_text_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    rows = [(f"x{i}", ["a", "a b", "b"][i % 3]) for i in range(9)]
    table(folder / "t.csv", ["id", "tags"], rows)
    try:
        pictures(folder / os.fsdecode(b"tr\xffain"), [f"{name}.png" for name, _ in rows])
    except OSError:
        pytest.skip("the disk takes no such names")
    with pytest.raises(UserError, match=r"^Nothing was written: a name in .* is no text: .*udcff.*Rename it\.$"):
        begun(folder, tmp_path)
    assert not (tmp_path / "found.toml").exists()


def test_renderings_in_folders_with_points_have_ranges(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for i in range(6):
        values = np.random.default_rng(i).integers(100, 900, (8, 8, 2)).astype(np.uint16)
        for version in ("v1.0", "v2.0"):
            tiff(values, folder / version / f"x{i}.tif")
    table(folder / "truth.csv", ["tile", "sand", "rock"], [(f"x{i}", i % 2, int(i > 2)) for i in range(6)])
    got, _ = begun(folder, tmp_path)
    assert {name: list(images.range) for name, images in got.images.items()} == {
        "v1.0": ["B1", "B2"],
        "v2.0": ["B1", "B2"],
    }


@pytest.mark.parametrize("ids", ["name", "path"])
def test_ids_and_files_may_differ_in_the_case_of_the_suffix(ids: str, tmp_path: Path) -> None:
    folder, inside = tmp_path / "in", "a/" if ids == "path" else ""
    rows = [(f"{inside}x{i}.{['jpg', 'JPG'][i % 2]}", ["a", "a b", "b"][i % 3]) for i in range(12)]
    table(folder / "train.csv", ["id", "tags"], rows)
    table(folder / "sample_submission.csv", ["id", "tags"], [(f"{inside}t{i}.jpg", "a") for i in range(4)])
    pictures(folder / "train" / inside, [f"x{i}.JPG" for i in range(12)])
    pictures(folder / "test" / inside, [f"t{i}.JPG" for i in range(4)])
    got, found = begun(folder, tmp_path)
    assert (got.tables.ids, got.images["jpg"].suffix) == (ids, (".jpg",))
    assert not any("Where are" in question for question in found.questions)
    all_are_found(got, folder, tmp_path / "workspace")
    assert check_data(Workspace(tmp_path / "workspace", got)).ok


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data in {SHARED}; name their folder in PLANET_SHARED_DATA")
@pytest.mark.parametrize("source", ["planet32", "planet256"])
def test_the_real_planet_is_described_as_it_ships(source: str, tmp_path: Path) -> None:
    ships = load("planet")
    got, found = begun(SHARED / source, tmp_path, metric="f2", slug=str(ships.slug), name="planet", title=ships.title)
    plain = {"sample_submission": None}
    assert got.tables.model_copy(update=plain) == ships.tables.model_copy(update=plain)
    assert got.tables.sample_submission == (ships.tables.sample_submission if source == "planet32" else None)
    assert got.images["jpg"] == on_no_ground(ships)
    same = ("name", "title", "slug", "labels", "exclusive", "alone", "unlabelled", "metric")
    assert {name: getattr(got, name) for name in same} == {name: getattr(ships, name) for name in same}
    assert (got.submission_kind, got.submission_form) == (ships.submission_kind, ships.submission_form)
    assert [exceptions for _, exceptions in found.rules.groups] == [1 if source == "planet32" else 0]
    if source == "planet256":
        assert (got.images["tif"].bands, got.images["tif"].train) == (ships.images["tif"].bands, ("train-tif-v2",))


def test_the_file_says_how_it_was_made_and_what_its_entries_mean(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "in", {f"x{i}": ["a", "a b", "b", "none"][i % 4] for i in range(16)})
    begun(folder, tmp_path, metric="macro f1", group="")
    lines = (tmp_path / "found.toml").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# Written by `competition init --from in --group '' --metric 'macro f1'`.")
    assert 'README, section "Another competition"' in lines[1]
    assert str(tmp_path) not in "".join(lines)
    assert 'average = "macro" # the mean over labels' in lines
    assert "# weights = { a = 2 } # if labels weigh differently; others weigh 1" in lines
    assert 'kind = "tags" # labels as words' in lines
    assert any("delete the line none = ... and add 'none' to labels" in line for line in lines)
    assert any(line.startswith("# ? What is its name on Kaggle? --slug says it") for line in lines)
    begun(folder, tmp_path, metric="f1", slug="leaves-2020")
    text = (tmp_path / "found.toml").read_text(encoding="utf-8")
    assert "weights" not in text
    assert "What is its name on Kaggle" not in text


def test_long_lists_are_wrapped(tmp_path: Path) -> None:
    labels = [f"label-number-{number}" for number in range(12)]
    folder = tmp_path / "in"
    rows = [(f"x{i}", labels[i % 12]) for i in range(48)]
    table(folder / "train.csv", ["id", "tags"], rows)
    for place in range(12):
        pictures(folder / f"a_part_of_the_pictures_{place}", [f"x{i}.png" for i in range(48) if i % 12 == place])
    got, _ = begun(folder, tmp_path, sample_submission="")
    assert got.exclusive == (tuple(got.labels),)
    assert len(got.images["png"].train) == 12
    lines = (tmp_path / "found.toml").read_text(encoding="utf-8").splitlines()
    assert max(len(line) for line in lines if not line.startswith("#")) <= 100


def test_an_empty_flag_says_there_is_none(tmp_path: Path) -> None:
    rows = [(f"x{i}", ["a", "a b", "b"][i % 3], f"p{i // 3}") for i in range(24)]
    table(tmp_path / "in" / "train.csv", ["id", "tags", "patient"], rows)
    table(tmp_path / "in" / "sample_submission.csv", ["id", "tags"], [(f"t{i}", "a") for i in range(4)])
    table(tmp_path / "in" / "test.csv", ["id", "tags", "patient"], [(f"t{i}", "a", "q") for i in range(4)])
    pictures(tmp_path / "in" / "train", [f"x{i}.png" for i in range(24)])
    got, _ = begun(tmp_path / "in", tmp_path)
    assert (got.tables.group_column, got.tables.sample_submission) == ("patient", "sample_submission.csv")
    got, found = begun(tmp_path / "in", tmp_path, group="", sample_submission="")
    assert (got.tables.group_column, got.tables.sample_submission) == (None, None)
    assert not [question for question in found.questions if "--group" in question or "--sample" in question]
    assert not [question for question in found.questions if "taken for the sample" in question]


def test_weights_of_labels_are_asked_for_where_the_metric_has_them(tmp_path: Path) -> None:
    rows = [(f"x{i}", i % 2, int(i > 4), i % 3 // 2) for i in range(9)]
    table(tmp_path / "in" / "train.csv", ["id", "sand", "any", "rock"], rows)
    pictures(tmp_path / "in" / "train", [f"x{i}.png" for i in range(9)])
    got, found = begun(tmp_path / "in", tmp_path, metric="weighted log loss")
    assert (got.metric.name, got.metric.weights) == ("log_loss", {})
    assert any("weights under [metric]" in question for question in found.questions)
    assert "# weights = { any = 2 }" in (tmp_path / "found.toml").read_text(encoding="utf-8")


def test_the_folder_above_is_named_where_it_has_the_table(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "fungi", {f"x{i}": ["a", "a b", "b"][i % 3] for i in range(9)})
    with pytest.raises(UserError, match=r"train holds no table of labels. Perhaps --from .*fungi, which has train.csv"):
        begun(folder / "train", tmp_path)
