"""The audit of a fold table, and how both lie on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from competition.common.records import read_record
from folds.dealing.audit import FORMAT, MAX_LABELS_SHOWN, Audit, audit, write_table
from folds.dealing.table import FoldTable, make_table

TRUTH = np.random.default_rng(0).random((60, 3)) < [0.8, 0.4, 0.1]
NAMES = [f"train_{row}" for row in range(60)]
LABELS = ["primary", "water", "road"]


def table_of(folds, k, image_names) -> FoldTable:
    return FoldTable(tuple(image_names), np.atleast_2d(np.array(folds)), k)


def hand_audit() -> Audit:
    """Ten chips in folds of 4, 3 and 3; `b` is skewed, `c` too rare, `d` absent."""
    table = table_of((0, 0, 0, 0, 1, 1, 1, 2, 2, 2), 3, "abcdefghij")
    truth = np.zeros((10, 4), dtype=bool)
    truth[:, 0] = True
    truth[[0, 4, 5, 6, 7], 1] = True
    truth[[0, 9], 2] = True
    return audit(table, truth, ["a", "b", "c", "d"])


def test_the_audit_counts_by_hand():
    result = hand_audit()
    assert result.fold_sizes.tolist() == [4, 3, 3]
    assert result.support.tolist() == [10, 5, 2, 0]
    assert result.positives.tolist() == [[4, 1, 1, 0], [3, 3, 0, 0], [3, 1, 1, 0]]
    expected = [[1, 0.5, 1.25, np.nan], [1, 2, 0, np.nan], [1, 2 / 3, 5 / 3, np.nan]]
    np.testing.assert_allclose(result.relative_share, expected)
    assert result.worst == ("b", 1, 1.0)
    assert result.too_rare == ("c",)
    assert result.absent == ("d",)


def test_the_audit_goes_into_json():
    result = hand_audit().as_dict()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["fold_sizes"] == [4, 3, 3]
    assert result["labels"]["b"] == {"support": 5, "positives": [1, 3, 1], "relative_share": [0.5, 2.0, 0.666667]}
    assert result["labels"]["d"] == {"support": 0, "positives": [0, 0, 0], "relative_share": None}
    assert result["worst"] == {"label": "b", "fold": 1, "deviation": 1.0}
    assert result["too_rare"] == ["c"]
    assert result["absent"] == ["d"]


def test_the_text_says_it_all_rarest_first():
    text = hand_audit().text()
    lines = text.splitlines()
    assert lines[0].split() == ["label", "chips", "f0", "f1", "f2", "worst"]
    assert [line.split() for line in lines[2:6]] == [
        ["d", "0", "0", "0", "0", "-"],
        ["c", "2", "1", "0", "1", "-100.0%"],
        ["b", "5", "1", "3", "1", "+100.0%"],
        ["a", "10", "4", "3", "3", "+0.0%"],
    ]
    assert "Fold sizes: 4, 3, 3 chips." in lines
    assert "Worst deviation from a label's share among labels that every fold can hold: +100.0% (b, fold 1)." in lines
    assert "Too rare for 3 folds, so that some hold out no chip with them: c." in lines
    assert "On no chip at all, so that nothing can be learned of them: d." in lines


def test_of_many_labels_the_text_shows_those_farthest_off_and_names_three():
    truth = np.zeros((60, 200), dtype=bool)
    truth[:2, :50] = truth[::10, 50:] = True  # 50 too rare, 150 with one chip of ten
    truth[:, -1] = False
    folds = np.arange(60) // 20
    folds[[0, 1]] = [1, 0]
    labels = [f"label{column}" for column in range(200)]
    truth[:18, 77] = True
    lines = audit(table_of(folds, 3, map(str, range(60))), truth, labels).text().splitlines()
    assert sum(line.startswith("label") for line in lines[1:]) == MAX_LABELS_SHOWN
    assert any(line.split()[0] == "label77" for line in lines if line)
    assert "Shown are the 40 of 200 labels that are farthest off." in lines
    assert any(line.endswith("label0, label1, label2 and 47 more.") for line in lines)
    assert "On no chip at all, so that nothing can be learned of them: label199." in lines


def test_shares_are_of_one_repeat_not_of_all():
    table = table_of([[0, 0, 1, 1], [2, 3, 2, 3]], 2, "abcd")
    result = audit(table, np.array([[1], [1], [0], [0]]), ["a"])
    np.testing.assert_allclose(result.relative_share[:, 0], [2, 0, 1, 1])


def test_a_label_on_as_many_chips_as_folds_is_judged():
    result = audit(
        table_of((0, 1, 2, 0, 1, 2), 3, "abcdef"), np.array([[1, 0]] * 2 + [[0, 1]] * 3 + [[0, 0]]), ["x", "y"]
    )
    assert result.too_rare == ("x",)
    assert result.worst == ("y", 0, 0.0)


def test_labels_that_no_other_folds_could_help_are_not_the_worst():
    table = table_of((0, 1, 2), 3, "abc")
    result = audit(table, np.array([[1], [1], [0]]), ["rare"])
    assert result.worst is None
    assert result.as_dict()["worst"] is None
    assert "Worst deviation" not in result.text()


def test_of_many_folds_the_text_shows_the_extremes():
    result = audit(make_table(NAMES, TRUTH, k=4, seed=0, repeats=3), TRUTH, LABELS)
    lines = result.text().splitlines()
    assert lines[0].split() == ["label", "chips", "min", "max", "worst"]
    positives = result.positives[:, 2]
    assert lines[2].split()[:4] == ["road", *map(str, [result.support[2], positives.min(), positives.max()])]
    assert f"Fold sizes: {result.fold_sizes.min()} to {result.fold_sizes.max()} chips." in lines


@settings(max_examples=40, deadline=None)
@example(k=10, most=10_000_000, width=20, rare=False)
@example(k=2, most=1, width=200, rare=False)
@example(k=3, most=1, width=200, rare=True)
@given(st.integers(2, 12), st.integers(1, 10_000_000), st.integers(1, 200), st.booleans())
def test_the_text_fits_a_terminal(k, most, width, rare):
    positives = np.full((k, 40), 0 if rare else most)
    positives[0] = 1
    result = Audit(
        labels=tuple(f"label{column}".ljust(width, "x") for column in range(40)),
        k=k,
        fold_sizes=np.full(k, most),
        positives=positives,
        support=positives.sum(axis=0),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        assert max(map(len, result.text().splitlines())) <= 80


def test_folds_are_shown_one_by_one_where_the_terminal_has_room(monkeypatch):
    result = audit(make_table(NAMES, TRUTH, k=10, seed=0), TRUTH, ["x" * 90, "water", "road"])
    folds = [f"f{fold}" for fold in range(10)]
    assert result.text().splitlines()[0].split()[2:-1] == folds
    monkeypatch.setenv("COLUMNS", "80")
    assert result.text().splitlines()[0].split()[2:-1] == folds
    monkeypatch.setenv("COLUMNS", "60")
    assert result.text().splitlines()[0].split()[2:-1] == ["min", "max"]


def test_truth_that_does_not_fit_the_table_is_refused():
    table = make_table(NAMES, TRUTH, k=3, seed=0)
    with pytest.raises(ValueError, match=r"truth must have shape \(60, 3\); received \(59, 3\)\."):
        audit(table, TRUTH[1:], LABELS)
    with pytest.raises(ValueError, match=r"truth must have shape \(60, 2\); received \(60, 3\)\."):
        audit(table, TRUTH, LABELS[1:])


def test_the_json_says_how_the_table_was_made(tmp_path):
    table = make_table(NAMES, TRUTH, k=3, seed=5, repeats=2)
    result = audit(table, TRUTH, LABELS)
    write_table(table, result, tmp_path / "folds.csv", settings={"seed": 5, "groups": None})
    content = read_record(tmp_path / "folds.json", dict, version=FORMAT)
    assert content == {
        "fold_digest": FoldTable.read(tmp_path / "folds.csv").digest,
        "k": 3,
        "repeats": 2,
        "settings": {"seed": 5, "groups": None},
        "audit": result.as_dict(),
    }


def test_killed_in_between_the_old_table_stays(tmp_path, monkeypatch):
    path = tmp_path / "folds.csv"
    old, new = (make_table(NAMES, TRUTH, k=3, seed=seed) for seed in (0, 1))
    write_table(old, audit(old, TRUTH, LABELS), path, settings={})

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(FoldTable, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        write_table(new, audit(new, TRUTH, LABELS), path, settings={})
    assert FoldTable.read(path).digest == old.digest
    assert read_record(tmp_path / "folds.json", dict, version=FORMAT)["fold_digest"] == new.digest


def test_a_label_of_many_letters_is_cut_in_lines(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    labels = ["a" * 300, "b" * 300, "c" * 300, "d" * 300]
    result = hand_audit()
    text = Audit(tuple(labels), result.k, result.fold_sizes, result.positives, result.support).text()
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "(" + "b" * 39 + "…, fold 1)." in text
    for letter in "cd":
        assert f": {letter * 39}…." in " ".join(map(str.strip, lines))
