"""`competition init` on small folders in many layouts: the file that it writes says what the folder shows."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.data.prepare import prepare
from competition.init.forms import Wishes
from competition.init.toml_file import init
from competition.layouts.simulate import simulate_layout
from competition.spec.competition import Competition
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
        assert got.images["jpg"] == ships.images["jpg"]
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
    with pytest.raises(UserError, match=r"Nothing was written: .*ROC AUC judges scores"):
        init(folder, tmp_path / "out" / "out.toml", Wishes(metric="roc_auc"))
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
        tiff(values, folder / "scenes" / f"x{i}.tif", extratags=[(42113, "s", 0, "-9999", True)])
    table(folder / "truth.csv", ["tile", "sand", "rock"], [(f"x{i}", i % 2, int(i > 3)) for i in range(8)])
    got, found = begun(folder, tmp_path)
    images = got.images["tif"]
    assert len(images.bands) == 5
    assert images.nodata == -9999
    assert images.range["B1"] == pytest.approx((75, 125), abs=10)
    assert any("What are the 5 bands?" in question for question in found.questions)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data in {SHARED}; name their folder in PLANET_SHARED_DATA")
@pytest.mark.parametrize("source", ["planet32", "planet256"])
def test_the_real_planet_is_described_as_it_ships(source: str, tmp_path: Path) -> None:
    ships = load("planet")
    got, found = begun(SHARED / source, tmp_path, metric="f2", slug=str(ships.slug), name="planet", title=ships.title)
    plain = {"sample_submission": None}
    assert got.tables.model_copy(update=plain) == ships.tables.model_copy(update=plain)
    assert got.tables.sample_submission == (ships.tables.sample_submission if source == "planet32" else None)
    assert got.images["jpg"] == ships.images["jpg"]
    same = ("name", "title", "slug", "labels", "exclusive", "alone", "unlabelled", "metric")
    assert {name: getattr(got, name) for name in same} == {name: getattr(ships, name) for name in same}
    assert (got.submission_kind, got.submission_form) == (ships.submission_kind, ships.submission_form)
    assert [exceptions for _, exceptions in found.groups] == [1 if source == "planet32" else 0]
    if source == "planet256":
        assert (got.images["tif"].bands, got.images["tif"].train) == (ships.images["tif"].bands, ("train-tif-v2",))
