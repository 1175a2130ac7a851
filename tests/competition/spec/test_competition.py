from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from competition.common.errors import UserError
from competition.spec.load import built_in_names, load
from tests.competition.samples import OTHER, other


def edited(folder: Path, old: str, new: str) -> str:
    assert old in OTHER
    path = folder / "edited.toml"
    path.write_text(OTHER.replace(old, new), encoding="utf-8")
    return str(path)


def test_every_competition_that_ships_loads() -> None:
    assert "planet" in built_in_names()
    for name in built_in_names():
        assert load(name).name == name


def test_planet_is_the_competition_of_the_paper() -> None:
    planet = load("planet")
    assert len(planet.labels) == 17
    assert planet.metric.title == "F2"
    assert planet.metric.prior_cut == pytest.approx(0.2)
    assert [planet.labels[i] for i in planet.exclusive_columns[0]] == ["clear", "partly_cloudy", "haze", "cloudy"]
    assert planet.default_images == "jpg"
    assert planet.image_set("tif").bands == tuple("BGRN")


def test_another_competition_is_one_file(tmp_path: Path) -> None:
    seabed = other(tmp_path)
    assert seabed.metric.title == "macro F1"
    assert seabed.metric.prior_cut == 0.5
    assert seabed.tables.tags_column is None
    assert seabed.label_index == {"sand": 0, "rock": 1, "kelp": 2}


def test_labels_that_no_weight_is_given_weigh_1_in_the_order_of_the_labels() -> None:
    rsna = load("rsna-hemorrhage-2019")
    assert tuple(rsna.metric.weights.items()) == tuple((label, 1.0 + (label == "any")) for label in rsna.labels)


def test_a_competition_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        other(tmp_path).labels = ("sand",)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('"kelp"]', '"sand"]', "labels are not unique: sand"),
        ('labels = ["sand", "rock", "kelp"]', 'labels = ["sand"]', "labels: expected 2 or more"),
        ('"kelp"]', '" kelp"]', r"labels\.2: .* kelp"),
        ("[metric]", 'exclusive = [["sand", "mud"]]\n[metric]', "unknown labels: mud"),
        ("[metric]", 'exclusive = [["sand"], ["sand"]]\n[metric]', "exclusive groups share a label: sand"),
        ("[metric]", 'alone = ["mud"]\n[metric]', "unknown labels: mud"),
        ("[metric]", "colour = 1\n[metric]", "unknown entry colour"),
        ("beta = 1", "beta = 0", r"metric\.beta: .*greater than 0"),
        ('"macro"', '"weighted"', r"metric\.average: .*'weighted'"),
        ('"RGB"', '"RGR"', "name a band twice"),
        ('"RGB"', '"RGB"\nrange = {N = [0, 1]}', "range names band 'N'"),
        ('"RGB"', '"RGB"\nrange = {R = [5, 5]}', "must rise"),
        ('".png"', '"png"', r"images\.png\.suffix"),
        ('["dives"]', '["../dives"]', r"images\.png\.train\.0"),
        ('["dives"]', "[]", r"images\.png\.train"),
        ('"labels.csv"', '"/etc/passwd"', r"tables\.train"),
        ('"labels.csv"', '["labels.csv", "labels.csv"]', r"tables\.train names a table twice: labels\.csv"),
        (
            '"labels.csv"',
            '["labels.csv", "sample.csv"]',
            r"sample\.csv cannot be the table of labels and the sample_sub",
        ),
        (
            'id_column = "id"',
            'id_column = "id"\ngroup_column = "id"',
            "group_column 'id' is the column of the ids or of",
        ),
        (
            'id_column = "id"',
            'id_column = "id"\nfold_column = "rock"',
            "fold_column 'rock' is the column of the ids or of",
        ),
        (
            'id_column = "id"',
            'id_column = "id"\nfold_column = "part"\ngroup_column = "part"',
            "'part' cannot be the fold_column and the group_column too",
        ),
        ("[images.png]", "[submission]\ndecimals = 3\n[images.png]", "macro F1 judges decisions, .*take decimals out"),
        ("[metric]", "[metric", "is not valid TOML"),
    ],
)
def test_a_wrong_entry_is_named_in_one_line(tmp_path: Path, old: str, new: str, match: str) -> None:
    with pytest.raises(UserError, match=match) as caught:
        load(edited(tmp_path, old, new))
    assert "edited.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_list_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Unknown competition 'plant'. Known: .*planet"):
        load("plant")
    with pytest.raises(UserError, match=r"Cannot read the competition file .*missing.toml: No such file"):
        load(str(tmp_path / "missing.toml"))
    with pytest.raises(UserError, match=r"Unknown image set of competition 'planet' 'png'. Known: jpg, tif"):
        load("planet").image_set("png")


CLASSES = 'labels = ["sand", "rock", "kelp"]\nexclusive = [["sand", "rock", "kelp"]]\n'


def test_one_group_of_all_labels_makes_a_competition_multi_class(tmp_path: Path) -> None:
    (tmp_path / "classes.toml").write_text(
        OTHER.replace('labels = ["sand", "rock", "kelp"]\n[metric]\naverage = "macro"\nbeta = 1\n', CLASSES)
    )
    classes = load(str(tmp_path / "classes.toml"))
    assert classes.is_multi_class
    assert (classes.metric.name, classes.metric.average) == ("accuracy", "samples")
    (tmp_path / "loss.toml").write_text(
        OTHER.replace('labels = ["sand", "rock", "kelp"]\n[metric]\naverage = "macro"\nbeta = 1\n', CLASSES)
        + '[metric]\nname = "log_loss"\n'
    )
    loss = load(str(tmp_path / "loss.toml"))
    assert (loss.metric.average, loss.submission_kind) == ("samples", "scores")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (
            "[metric]",
            'unlabelled = true\nexclusive = [["sand", "rock", "kelp"]]\n[metric]',
            "unlabelled contradicts it",
        ),
        ("[metric]", 'alone = ["sand", "rock", "kelp"]\n[metric]', "alone names every label"),
        ('average = "macro"\nbeta = 1', 'name = "log_loss"\naverage = "samples"', "needs one exclusive group of all"),
    ],
)
def test_what_contradicts_itself_is_named(tmp_path: Path, old: str, new: str, match: str) -> None:
    with pytest.raises(UserError, match=match):
        load(edited(tmp_path, old, new))
