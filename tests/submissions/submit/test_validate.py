"""The checks of a submission file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.tables.sample import SampleSubmission
from submissions.submit.validate import SubmissionReport, validate_submission
from tests.submissions.samples import one_hot, planet
from tests.submissions.submit.samples import scored

SAMPLE = ["test_2", "test_0", "test_1", "file_0", "file_1"]
GOOD = """image_name,tags
test_2,clear primary
test_0,haze primary water
test_1,cloudy
file_0,partly_cloudy primary
file_1,clear agriculture road
"""
ONE_HOT_SAMPLE = ["b", "a"]
ONE_HOT_GOOD = "id,sand,rock,kelp\nb,1,0,0\na,0,1,1\n"


def check(folder: Path, content: str | bytes, **how: bool) -> SubmissionReport:
    path = folder / "s.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return validate_submission(path, planet(), SampleSubmission.of(SAMPLE, planet()), **how)


def check_one_hot(folder: Path, content: str) -> SubmissionReport:
    path = folder / "s.csv"
    path.write_text(content)
    return validate_submission(path, one_hot(folder), SampleSubmission.of(ONE_HOT_SAMPLE, one_hot(folder)))


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_good_file_has_no_problems_and_a_summary(tmp_path: Path) -> None:
    report = check(tmp_path, GOOD)
    assert report.is_valid
    assert report.num_rows == 5
    assert report.mean_tags == pytest.approx(11 / 5)
    assert report.shares[planet().label_index["primary"]] == 3 / 5
    assert "is valid: 5 rows, 2.20 labels per row" in report.text()
    assert "primary 60.00%, clear 40.00%" in report.text()


BAD = {
    "missing": (changed("test_0,haze primary water\n", ""), r"missing ids: 1 \(test_0\)"),
    "all missing": ("image_name,tags\n", r"missing ids: 5 \(test_2; test_0; test_1 and 2 more\)"),
    "extra": (GOOD + "test_9,clear\n", r"not in the sample submission: 1 \(line 7: 'test_9,clear'\)"),
    "repeated": (GOOD + "test_1,clear\n", r"repeated ids: 1 \(line 7: 'test_1,clear'\)"),
    "order": (
        changed(
            "test_2,clear primary\ntest_0,haze primary water\n", "test_0,haze primary water\ntest_2,clear primary\n"
        ),
        r"ids out of the sample submission's order: 1 \(line 3: 'test_2,clear primary'\)",
    ),
    "unknown tag": (changed("haze primary", "haze forest"), r"unknown tags: 1 \(line 3: 'test_0,haze forest water'\)"),
    "repeated tag": (changed("clear primary", "clear clear"), r"repeat a tag: 1 \(line 2: 'test_2,clear clear'\)"),
    "no weather": (
        changed("clear agriculture road", "road"),
        r"none of clear, cloudy, haze, partly_cloudy: 1 \(line 6: 'file_1,road'\)",
    ),
    "two weathers": (
        changed("clear agriculture road", "clear haze"),
        r"more than one of clear, cloudy, haze, partly_cloudy: 1 \(line 6: 'file_1,clear haze'\)",
    ),
    "empty": (changed("test_1,cloudy", "test_1,"), r"rows without a label: 1 \(line 4: 'test_1,'\)"),
    "blank": (changed("test_1,cloudy", "test_1,  "), r"rows without a label: 1 \(line 4"),
    "no tags column": (changed("image_name,tags", "image_name,labels"), r"missing columns: 1 \('tags'\)"),
    "extra column": (
        "\n".join(f"{line},x" for line in GOOD.splitlines()),
        r"extra columns: 1 \('x'\)",
    ),
    "repeated column": ("image_name,tags,tags\n", r"repeated columns: 1 \('tags'\)"),
    "torn": (changed("test_1,cloudy", "test_1"), r"rows without 2 cells: 1 \(line 4: 1 cells\)"),
    "comma in tags": (changed("clear primary", "clear,primary"), r"rows without 2 cells: 1 \(line 2: 3 cells\)"),
    "blank line": (changed("test_1,cloudy\n", "test_1,cloudy\n\n"), r"blank lines: 1 \(line 5\)"),
    "BOM": ("\ufeff" + GOOD, "a byte order mark before the first column's name: 1"),
    "archive": (b"PK\x03\x04\x00\x00\xff\xfe", r"not a CSV file: 1 \(it is no text\)"),
    "UTF-16": (GOOD.encode("utf-16"), r"text in utf-16-le: 1"),
    "Latin-1": (
        GOOD.replace("clear", "cl\xe9ar").encode("latin-1"),
        r"line 2 is not UTF-8; it looks like latin-1: save",
    ),
    "semicolons": (GOOD.replace(",", ";"), r"\A[^:]*submission. wrong delimiter: 1 .*received \";\": write it so\.\Z"),
    "other separator": (GOOD.replace(" ", "|"), r"unknown tags: 4 .*expected ' ' between tags, received '\|'"),
    "zero bytes": (b"image_name,tags\n\0\0\n", r"not a CSV file: 1 \(it holds a zero byte\)"),
    "open quote": (changed("haze primary", '"haze primary'), "not a CSV file: 1"),
    "nothing": ("", r"not a CSV file: 1 \(it is empty\)"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_with_its_first_rows(tmp_path: Path, kind: str) -> None:
    content, text = BAD[kind]
    report = check(tmp_path, content)
    assert not report.is_valid
    with pytest.raises(UserError, match=text):
        raise report.error()
    assert "is not valid" in report.text()


def test_several_weather_labels_pass_where_they_are_asked_for(tmp_path: Path) -> None:
    content = changed("clear agriculture road", "clear haze").replace("test_1,cloudy", "test_1,road")
    assert len(check(tmp_path, content).problems) == 2
    assert check(tmp_path, content, exclusive=False).is_valid


def test_only_the_first_rows_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    report = check(tmp_path, GOOD.replace(" primary", " forest"))
    (problem,) = report.problems
    assert problem.count == 3
    report = check(tmp_path, "image_name,tags\n" + "".join(f"{name},x\n" for name in SAMPLE))
    assert [problem.count for problem in report.problems] == [5]  # that they carry no weather follows
    assert "and 2 more" in report.text()


def test_all_problems_are_found_at_once(tmp_path: Path) -> None:
    content = changed("test_2,clear primary", "test_7,forest").replace("test_1,cloudy", "test_1,")
    found = {problem.what for problem in check(tmp_path, content).problems}
    assert found == {
        "missing ids",
        "ids that are not in the sample submission",
        "rows without a label",
        "rows with unknown tags",
    }


def test_windows_line_ends_and_quotes_are_fine(tmp_path: Path) -> None:
    assert check(tmp_path, GOOD.replace("\n", "\r\n")).is_valid
    assert check(tmp_path, changed("clear primary", '"clear primary"')).is_valid


def test_a_long_row_is_cut_short(tmp_path: Path) -> None:
    report = check(tmp_path, changed("haze primary water", "haze " + "x" * 500))
    assert len(report.text()) < 500


def test_one_column_a_label_may_stand_in_any_order(tmp_path: Path) -> None:
    assert check_one_hot(tmp_path, ONE_HOT_GOOD).is_valid
    report = check_one_hot(tmp_path, "kelp,rock,id,sand\n0,0,b,1\n1,1,a,0\n")
    assert report.is_valid
    assert report.shares.tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda text: text.replace("b,1,0,0", "b,1,0,2"), r"not 0 or 1: 1 \(line 2: kelp '2'\)"),
        (lambda text: text.replace("b,1,0,0", "b,1,,01"), r"not 0 or 1: 2 \(line 2: rock ''; line 2: kelp '01'\)"),
        (lambda text: text.replace("b,1,0,0", "b,1,0,1.0"), r"not 0 or 1: 1 \(line 2: kelp '1.0'\)"),
        (lambda text: text.replace("b,1,0,0", "b,0,0,0"), r"rows without a label: 1 \(line 2: 'b,0,0,0'\)"),
        (
            lambda text: text.replace("rock", "stone"),
            r"missing columns: 1 \('rock'\), received .*\. extra columns: 1 \('stone'\)",
        ),
    ],
)
def test_a_bad_one_hot_file_is_refused(tmp_path: Path, change: Callable[[str], str], text: str) -> None:
    with pytest.raises(UserError, match=text):
        raise check_one_hot(tmp_path, change(ONE_HOT_GOOD)).error()


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot read the submission .*none.csv: No such file"):
        validate_submission(tmp_path / "none.csv", planet(), SampleSubmission.of(SAMPLE, planet()))


KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "scores": ({}, "id,wet sand,rock\nb,0.5,0\na,1,0.25\n"),
    "rows": (
        {"kind": "rows", "row_id": "ID_{id}_{label}", "value_column": "p"},
        "id,p\nID_b_rock,0\nID_b_wet sand,0.5\nID_a_wet sand,1\nID_a_rock,0.25\n",
    ),
}


def check_scores(folder: Path, kind: str, content: str) -> SubmissionReport:
    """Check a submission of scores whose sample is the good one."""
    submission, good = KINDS[kind]
    competition = scored(submission)
    (folder / "sample.csv").write_text(good)
    (folder / "s.csv").write_text(content)
    sample = SampleSubmission.read(folder / "sample.csv", competition)
    return validate_submission(folder / "s.csv", competition, sample)


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_file_of_scores_has_no_problems_and_a_summary(tmp_path: Path, kind: str) -> None:
    report = check_scores(tmp_path, kind, KINDS[kind][1])
    assert report.problems == ()
    assert report.scores == pytest.approx((0.4375, 0, 1))
    assert report.shares.tolist() == [0.75, 0.125]
    assert "rows, scores from 0 to 1, 0.4375 in the mean.\n  wet sand 0.7500, rock 0.1250" in report.text()


@pytest.mark.parametrize(
    ("kind", "old", "new", "text"),
    [
        ("scores", "0.25", "", r"no score from 0 to 1: 1 \(line 3: rock ''\)"),
        ("scores", "0.25", "nan", r"no score from 0 to 1: 1 \(line 3: rock 'nan'\)"),
        ("scores", "0.25", "1.01", r"no score from 0 to 1: 1 \(line 3: rock '1.01'\)"),
        ("scores", "wet sand", "sand", r"missing columns: 1 \('wet sand'\)"),
        ("scores", "\na,", "\nc,", r"missing ids: 1 \(a\)\. ids that are not in the sample submission: 1 \(line 3"),
        ("rows", "0.25", "inf", r"no score from 0 to 1: 1 \(line 5: 'inf'\)"),
        ("rows", "ID_a_rock", "ID_a_mud", r"missing rows: 1 \(ID_a_rock\)\. rows that are not in .*'ID_a_mud,0.25'"),
        ("rows", "ID_a_rock", "ID_c_rock", r"missing rows: 1 \(ID_a_rock\)\. rows that are not in .*'ID_b_rock'"),
        ("rows", "ID_a_rock", "ID_b_rock", r"repeated rows: 1 \(line 5: 'ID_b_rock,0.25'\)\. missing rows: 1"),
        ("rows", "id,p", "id,q", r"missing columns: 1 \('p'\)"),
    ],
)
def test_a_bad_file_of_scores_is_refused(tmp_path: Path, kind: str, old: str, new: str, text: str) -> None:
    good = KINDS[kind][1]
    assert good.count(old) == 1
    report = check_scores(tmp_path, kind, good.replace(old, new))
    with pytest.raises(UserError, match=text):
        raise report.error()
    assert len(report.problems) <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_order_alone_is_known(tmp_path: Path, kind: str) -> None:
    header, *rows = KINDS[kind][1].splitlines(keepends=True)
    report = check_scores(tmp_path, kind, "".join([header, *reversed(rows)]))
    assert report.is_disordered
    assert not check_scores(tmp_path, kind, "".join([header, *reversed(rows)]).replace("0.25", "2")).is_disordered
    assert not check_scores(tmp_path, kind, KINDS[kind][1]).is_disordered


def test_of_many_labels_the_first_are_shown(tmp_path: Path) -> None:
    labels = tuple(f"label {i}" for i in range(30))
    report = SubmissionReport(tmp_path / "s.csv", (), 2, labels, np.linspace(1, 0, 30), 15.0)
    assert "label 19" in report.text()
    assert report.text().endswith(" and 10 more labels")
    assert "label 20" not in report.text()


def test_what_follows_from_a_wrong_cell_is_no_problem_of_its_own(tmp_path: Path) -> None:
    report = check_one_hot(tmp_path, ONE_HOT_GOOD.replace("b,1,0,0", "b,2,0,0"))
    assert [problem.what for problem in report.problems] == ["cells that are not 0 or 1"]


def test_one_answer_for_every_chip_is_valid_and_said(tmp_path: Path) -> None:
    same = "image_name,tags\n" + "".join(f"{name},clear road\n" for name in SAMPLE)
    report = check(tmp_path, same)
    assert report.is_valid
    assert report.text().endswith("\nWarning: every chip gets the same answer.")
    assert "Warning" not in check(tmp_path, GOOD).text()


@pytest.mark.parametrize(("apart", "is_uniform"), [(0.0, True), (5e-5, True), (3e-4, False)])
def test_scores_that_are_as_good_as_equal_are_said(apart: float, is_uniform: bool, tmp_path: Path) -> None:
    competition, path = scored({}), tmp_path / "s.csv"
    names, labels = ["b", "a", "c"], competition.labels
    rows = [",".join([name, *(f"{0.5 + apart * (name == 'a'):.6f}" for _ in labels)]) for name in names]
    path.write_text("\n".join([",".join([competition.submission_form.id_column, *labels]), *rows]) + "\n")
    report = validate_submission(path, competition, SampleSubmission.of(names, competition))
    assert report.is_valid, report.text()
    assert report.is_uniform == is_uniform
    assert ("every chip gets the same answer" in report.text()) == is_uniform
