from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from competition.common.errors import UserError
from competition.init.forms import Wishes
from competition.init.toml_file import init
from tests.competition.init.folders import begun, pictures, table

TAGS = ["a c", "c", "a", "b", "b a", "d"]
NAME = st.text("abcdefghijk_ XYZé", min_size=2, max_size=8).map(str.strip).filter(lambda text: len(text) > 1)
PLACE = st.text("abcdefgh-_", min_size=2, max_size=8).filter(lambda text: text.strip("-_") == text)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(NAME, min_size=3, max_size=3, unique_by=str.lower),
    places=st.lists(PLACE, min_size=4, max_size=4, unique=True),
    mark=st.sampled_from(",;\t"),
    between=st.sampled_from([" ", "|", ";", ","]),
    suffix=st.sampled_from([".png", ".jpg", ".JPEG", ".webp"]),
    ids=st.sampled_from(["stem", "name"]),
)
def test_columns_folders_and_marks_may_be_called_anything(
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
    places: list[str],
    mark: str,
    between: str,
    suffix: str,
    ids: str,
) -> None:
    root = tmp_path_factory.mktemp("any")
    folder, end = root / "in", suffix if ids == "name" else ""
    own, tags, sampled = names
    rows = [(f"x{i}{end}", TAGS[i % 6].replace(" ", between)) for i in range(18)]
    table(folder / f"{places[0]}.csv", [own, tags], rows, mark)
    table(folder / f"{places[1]}_sample.csv", [own, sampled], [(f"t{i}{end}", "a") for i in range(4)], mark)
    pictures(folder / places[2], [f"x{i}{suffix}" for i in range(18)])
    pictures(folder / places[3], [f"t{i}{suffix}" for i in range(4)])
    got, found = begun(folder, root)
    assert got.labels == ("a", "b", "c", "d")
    assert (got.tables.id_column, got.tables.ids, got.tables.delimiter) == (own, ids, mark)
    assert (got.tables.tags_column, got.tables.separator) == (tags, between)
    assert got.submission_form.tags_column == sampled
    (images,) = got.images.values()
    assert (images.train, images.test, images.suffix) == ((places[2],), (places[3],), (suffix.lower(),))
    assert found.is_guessed


def test_columns_of_groups_and_folds_are_known(tmp_path: Path) -> None:
    rows = [(f"x{i}", TAGS[i % 6], i % 5, f"p{i // 3}", "MF"[i % 2]) for i in range(24)]
    table(tmp_path / "in" / "t.csv", ["id", "labels", "fold", "PatientID", "sex"], rows)
    pictures(tmp_path / "in" / "train", [f"x{i}.png" for i in range(24)])
    got, found = begun(tmp_path / "in", tmp_path)
    assert (got.tables.fold_column, got.tables.group_column) == ("fold", "PatientID")
    assert any("'PatientID'" in question for question in found.questions)
    got, _ = begun(tmp_path / "in", tmp_path, group="sex")
    assert got.tables.group_column == "sex"


def test_several_columns_that_could_be_groups_are_named_and_none_is_taken(tmp_path: Path) -> None:
    rows = [(f"x{i}", TAGS[i % 6], f"p{i // 3}", f"s{i // 4}") for i in range(24)]
    table(tmp_path / "in" / "t.csv", ["id", "labels", "patient", "site"], rows)
    pictures(tmp_path / "in" / "train", [f"x{i}.png" for i in range(24)])
    got, _ = begun(tmp_path / "in", tmp_path)
    assert got.tables.group_column is None
    text = (tmp_path / "found.toml").read_text(encoding="utf-8")
    assert '# group_column = "patient"' in text
    assert "--group names the column" in text


def test_a_class_that_a_few_rows_lack_is_still_one_of_all(tmp_path: Path) -> None:
    ids = [f"x{i:05d}" for i in range(6000)]
    table(
        tmp_path / "in" / "t.csv",
        ["id", "class"],
        [(own, ["a", "b", "c", ""][3 if i == 7 else i % 3]) for i, own in enumerate(ids)],
    )
    pictures(tmp_path / "in" / "train", [f"{own}.png" for own in ids[:20]])
    got, found = begun(tmp_path / "in", tmp_path, tags_column="class")
    assert (got.is_multi_class, found.rules.groups[0][1]) == (True, 1)


def test_names_come_from_the_folder_or_the_file_or_the_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Leaves & Needles 2020"
    table(folder / "t.csv", ["id", "labels"], [(f"x{i}", TAGS[i % 6]) for i in range(12)])
    pictures(folder / "train", [f"x{i}.png" for i in range(12)])
    monkeypatch.chdir(tmp_path)
    called = init(folder, None, Wishes())[0].called
    assert (called.name, called.title, called.slug) == ("leaves-needles-2020", "Leaves & Needles 2020", None)
    assert (tmp_path / "leaves-needles-2020.toml").is_file()
    called = init(folder, Path("Ranzcr.toml"), Wishes())[0].called
    assert (called.name, called.title, called.slug) == ("ranzcr", "Ranzcr", None)
    got, _ = begun(folder, tmp_path, slug="leaves-2020", title="Leaves!", name="leaves")
    assert (got.name, got.title, got.slug) == ("leaves", "Leaves!", "leaves-2020")


@pytest.mark.parametrize("held", [[], ["a.dcm"], ["x.npy", "y.npy"]])
def test_a_folder_without_pictures_says_what_it_holds(held: list[str], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in held:
        (tmp_path / "in" / name).write_bytes(b"-")
    with pytest.raises(UserError, match=rf"holds no pictures.*{held[0][1:] if held else 'no files'}"):
        begun(tmp_path / "in", tmp_path)


def test_one_label_is_refused(tmp_path: Path) -> None:
    table(tmp_path / "in" / "t.csv", ["id", "labels"], [(f"x{i}", "a") for i in range(12)])
    pictures(tmp_path / "in" / "train", [f"x{i}.png" for i in range(12)])
    with pytest.raises(UserError, match="--tags-column"):
        begun(tmp_path / "in", tmp_path, tags_column="labels")


def test_a_metric_of_decisions_leaves_out_the_decimals_of_a_sample_of_rows(tmp_path: Path) -> None:
    rows = [(f"p{i}", label, int(i % 3 != place)) for i in range(9) for place, label in enumerate("abc")]
    table(tmp_path / "data" / "train.csv", ["id", "label", "p"], rows)
    sample = [(f"q{i}", label, "0.1234") for i in range(4) for label in "abc"]
    table(tmp_path / "data" / "sample_submission.csv", ["id", "label", "p"], sample)
    pictures(tmp_path / "data" / "train", [f"p{i}.png" for i in range(9)])
    pictures(tmp_path / "data" / "test", [f"q{i}.png" for i in range(4)])
    for metric, decimals in (("roc_auc", 4), ("f1", None)):
        competition, _ = begun(tmp_path / "data", tmp_path, metric=metric)
        assert (competition.submission_kind, competition.submission.decimals) == ("rows", decimals)


def test_decimal_commas_are_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    rows = [(f"p{i}", f"{i % 2},0", f"{i % 3 % 2},0") for i in range(24)]
    table(folder / "train.csv", ["id", "Haus", "Wald"], rows, ";")
    pictures(folder / "train", [f"{name}.png" for name, *_ in rows])
    got, _ = begun(folder, tmp_path)
    assert got.labels == ("Haus", "Wald")
    assert got.tables.cells == {"1,0": 1, "0,0": 0}


def test_scores_of_one_column_are_no_multi_label_competition(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    rows = [(f"p{i}", str(i % 2)) for i in range(24)]
    table(folder / "train.csv", ["id", "cactus"], rows)
    table(folder / "sample_submission.csv", ["id", "cactus"], [(f"q{i}", "0.5") for i in range(4)])
    pictures(folder / "train", [f"{name}.png" for name, _ in rows])
    with pytest.raises(UserError, match=r"shows '0.5' in column 'cactus', which is no label"):
        begun(folder, tmp_path)


def test_words_of_a_sample_are_parted_by_what_no_label_holds(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    labels = ["Aortic enlargement", "Nodule", "Pleural effusion"]
    rows = [(f"p{i // 2}", labels[(i + i // 6) % 3]) for i in range(48)]
    table(folder / "train.csv", ["patientId", "class_name"], rows)
    table(folder / "sample_submission.csv", ["patientId", "PredictionString"], [(f"q{i}", "") for i in range(4)])
    pictures(folder / "train", [f"p{i}.png" for i in range(24)])
    got, found = begun(folder, tmp_path)
    assert (got.submission_form.tags_column, got.submission_form.separator) == ("PredictionString", "|")
    assert any("between two labels" in question for question in found.questions), found.questions
