"""The fold table, its file, its audit, and groups read from a file."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.common.errors import UserError
from folds.dealing.stratify import stratified_folds
from folds.dealing.table import FoldTable, make_table, read_groups

QUICK = settings(max_examples=40, deadline=None)
NAMES = [f"train_{row}" for row in range(60)]
TRUTH = np.random.default_rng(0).random((60, 3)) < [0.8, 0.4, 0.1]
LABELS = ["primary", "water", "road"]

# What pandas would like to make numbers or gaps of, and what a CSV must quote.
awkward = st.sampled_from(["001", "1", "1.0", "1e5", "NA", "nan", "None", "true", "a,b", 'a"b', "#", "-", "é"])
plain = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
names = st.one_of(awkward, plain).filter(lambda name: name == name.strip() != "")


@st.composite
def tables(draw: st.DrawFn) -> FoldTable:
    k = draw(st.integers(2, 5))
    image_names = draw(st.lists(names, min_size=k, max_size=20, unique=True))
    repeats = draw(st.integers(1, 3))
    spread = np.arange(len(image_names)) % k
    rows = [repeat * k + np.array(draw(st.permutations(spread.tolist()))) for repeat in range(repeats)]
    return FoldTable(tuple(image_names), np.stack(rows), k)


def small(folds=(0, 1, 2, 0, 1), k=3, image_names="abcde") -> FoldTable:
    return FoldTable(tuple(image_names), np.atleast_2d(np.array(folds)), k)


def saved(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "folds.csv"
    path.write_text(text, encoding="utf-8")
    return path


# The table itself


@QUICK
@given(tables())
def test_every_chip_is_held_out_once_by_each_repeat(table):
    heldout = np.array([table.heldout(fold) for fold in range(table.num_folds)])
    assert heldout.any(axis=1).all()
    by_repeat = heldout.reshape(table.num_repeats, table.k, -1).sum(axis=1)
    assert (by_repeat == 1).all()
    assert [table.repeat_of(fold) for fold in range(table.num_folds)] == [
        repeat for repeat in range(table.num_repeats) for _ in range(table.k)
    ]


@pytest.mark.parametrize("fold", [-1, 3])
def test_an_unknown_fold_is_refused_naming_those_there_are(fold):
    with pytest.raises(UserError, match=rf"No fold {fold}\. The fold table has folds 0 to 2\."):
        small().heldout(fold)
    with pytest.raises(UserError, match=rf"No fold {fold}\."):
        small().repeat_of(fold)


def test_folds_cannot_be_changed_behind_the_digest():
    numbers = np.array([[0, 1, 2, 0, 1]])
    table = FoldTable(tuple("abcde"), numbers, 3)
    numbers[0, 0] = 1
    assert table.folds[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        table.folds[0, 0] = 1


@QUICK
@given(tables(), st.randoms())
def test_the_digest_does_not_depend_on_the_order_of_rows(table, random):
    shuffled = random.sample(table.image_names, len(table.image_names))
    assert table.ordered_as(shuffled).image_names == tuple(shuffled)
    assert table.ordered_as(shuffled).digest == table.digest


def test_the_digest_changes_with_names_folds_and_repeats():
    variants = [
        small(),
        small((0, 1, 2, 1, 0)),
        small(image_names="abcdf"),
        small([[0, 1, 2, 0, 1], [3, 4, 5, 3, 4]]),
        small([[0, 1, 2, 0, 1], [3, 4, 5, 4, 3]]),
        small((0, 1, 2, 3, 1), k=4),
    ]
    assert len({table.digest for table in variants}) == len(variants)
    assert small().digest == small().digest
    assert len(small().digest) == 64


def test_the_digest_stays_what_it_was_in_earlier_versions():
    # Scores on disk carry it: a change here makes every user train again.
    assert small().digest == "f7bfd5ade41b6cac7d1830372347bdb488fe4806ceba99e64450fcaab8441b89"


def test_ordered_as_keeps_each_chip_with_its_fold():
    table = small([[0, 1, 2, 0, 1], [3, 4, 5, 4, 3]]).ordered_as("ecabd")
    assert table.folds.tolist() == [[1, 2, 0, 1, 0], [3, 5, 3, 4, 4]]


def test_ordered_as_refuses_other_chips():
    with pytest.raises(UserError, match=r"The fold table lacks 2 of 6 chips: x, y\."):
        small().ordered_as("abcdxy")
    with pytest.raises(UserError, match=r"The fold table has 2 chips without labels: d, e\."):
        small().ordered_as("abc")


@pytest.mark.parametrize(
    ("folds", "k", "image_names", "message"),
    [
        ((0, 1, 2, 0, 1), 3, "abcda", r"image names must be unique; repeated: a\."),
        ((0, 1, 2, 0, 1), 3, ["a", "b", "c", "d", ""], r"image names must not be empty, .* received ''\."),
        ((0, 1, 2, 0, 1), 3, ["a", "b", "c", "d", " e"], r"nor start or end with a space, .* received ' e'\."),
        ((0, 1, 2, 0, 1), 3, ["a", "b", "c", "d", "e\rf"], r"nor hold a line break; received 'e\\rf'\."),
        ((0, 0, 0, 0, 0), 1, "abcde", r"A fold table needs at least 2 folds; received 1\."),
        ((0, 1, 3, 0, 1), 4, "abcde", r"column 'fold' has a gap: fold 2 of 0 to 3 holds no chip\."),
        ((0, 1, 2, 0, 3), 3, "abcde", r"column 'fold' must hold 0 to 2; it holds 3\."),
        ((0, 1, 2, 0, -1), 3, "abcde", r"column 'fold' must hold 0 to 2; it holds -1\."),
        ([[0, 1, 2, 0, 1]] * 2, 3, "abcde", r"column 'fold_repeat1' must hold 3 to 5; it holds 0, 1, 2\."),
        (np.zeros((0, 5), dtype=int), 3, "abcde", r"A fold table needs at least 1 repeat; received 0\."),
    ],
)
def test_a_table_that_is_not_one_is_refused(folds, k, image_names, message):
    with pytest.raises(UserError, match=message):
        small(folds, k, image_names)


@pytest.mark.parametrize("folds", [[0, 1, 2, 0, 1], [[0, 1, 2, 0]], [[0.0, 1.0, 2.0, 0.0, 1.0]]])
def test_an_array_of_another_shape_or_kind_is_refused(folds):
    with pytest.raises(ValueError, match=r"folds must be integers of shape \(num_repeats, 5\); received"):
        FoldTable(tuple("abcde"), np.array(folds), 3)


# The file


@QUICK
@given(tables())
def test_a_written_table_is_read_as_it_was(table):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new" / "folds.csv"
        table.write(path)
        again = FoldTable.read(path)
        assert [left.name for left in path.parent.iterdir()] == ["folds.csv"]
    assert again.image_names == table.image_names
    np.testing.assert_array_equal(again.folds, table.folds)
    assert again.k == table.k
    assert again.digest == table.digest


def test_the_file_is_plain(tmp_path):
    small([[0, 1, 2, 0, 1], [3, 4, 5, 4, 3]]).write(tmp_path / "folds.csv")
    lines = ["image_name,fold,fold_repeat1", "a,0,3", "b,1,4", "c,2,5", "d,0,4", "e,1,3", ""]
    assert (tmp_path / "folds.csv").read_bytes() == "\n".join(lines).encode()


def test_a_table_written_by_hand_is_read(tmp_path):
    by_hand = saved(tmp_path, "\ufefffold,who,image_name\r\n 1 ,Ann,b\r\n0,,a \r\n\r\n1,Bob,001\r\n0,Bob,NA\r\n")
    table = FoldTable.read(by_hand)
    assert table.image_names == ("b", "a", "001", "NA")
    assert table.folds.tolist() == [[1, 0, 1, 0]]
    assert table.k == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"Cannot read .*folds\.csv as CSV"),
        ("image_name,fold\n", r"folds\.csv: no chips, only a header\."),
        ("id,fold\na,0\n", r"folds\.csv lacks columns \['image_name'\]; it has \['id', 'fold'\]\."),
        ("image_name;fold\na;0\n", r"folds\.csv lacks columns \['image_name', 'fold'\]"),
        (
            "image_name,fold\na,0\nb,1.0\n",
            r"folds\.csv: column 'fold' must hold whole numbers from 0; it holds '1\.0'\.",
        ),
        ("image_name,fold\na,0\nb,-1\n", r"must hold whole numbers from 0; it holds '-1'\."),
        ("image_name,fold\na,0\nb,\n", r"must hold whole numbers from 0; it holds ''\."),
        ("image_name,fold\na,0\nb\n", r"folds\.csv is not a table: 1 rows without 2 cells, .*: line 3\."),
        ("image_name,fold\na,0\nb,²\n", r"must hold whole numbers from 0; it holds '²'\."),
        ("image_name,fold\na,0\nb,99999999999999999999\n", r"must hold whole numbers from 0; it holds '9+'\."),
        ("image_name,fold\na,0\nb,999999999\n", r"has a gap: fold 1 of 0 to 999999999 holds no chip\."),
        ("image_name,fold\na,0\nb,1\na,1\n", r"folds\.csv: image names must be unique; repeated: a\."),
        ("image_name,fold\na,0\nb,2\n", r"folds\.csv: column 'fold' has a gap: fold 1 of 0 to 2 holds no chip\."),
        ("image_name,fold\na,1\nb,2\n", r"has a gap: fold 0 of 0 to 2 holds no chip\."),
        ("image_name,fold\na,0\nb,0\n", r"A fold table needs at least 2 folds; received 1\."),
        ("image_name,fold,fold_repeat1\na,0,0\nb,1,1\n", r"column 'fold_repeat1' must hold 2 to 3; it holds 0, 1\."),
        ("image_name,fold,fold_repeat1\na,0,2\nb,1,\n", r"column 'fold_repeat1' must hold whole numbers from 0"),
        (
            "image_name,fold,fold_repeat2\na,0,2\nb,1,3\n",
            r"column 'fold_repeat2' where \['fold_repeat1'\] were expected\.",
        ),
    ],
)
def test_a_file_that_is_not_a_table_is_refused_in_one_line(tmp_path, text, message):
    path = saved(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        FoldTable.read(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_the_command_that_makes_it(tmp_path):
    path = tmp_path / "folds.csv"
    with pytest.raises(UserError) as caught:
        FoldTable.read(path)
    assert str(caught.value) == f'No fold table at {path}. Run "python run.py folds --k 5 --seed 0".'


# Making one


def test_the_first_repeat_uses_the_seed_as_it_is():
    table = make_table(NAMES, TRUTH, k=4, seed=3, repeats=2)
    np.testing.assert_array_equal(table.folds[0], stratified_folds(TRUTH, 4, 3))
    assert table.image_names == tuple(NAMES)


def test_more_repeats_leave_the_earlier_ones_as_they_are():
    three, two = (make_table(NAMES, TRUTH, k=4, seed=3, repeats=repeats) for repeats in (3, 2))
    np.testing.assert_array_equal(three.folds[:2], two.folds)


def test_repeats_and_seeds_differ_from_each_other():
    drawn = [make_table(NAMES, TRUTH, k=4, seed=seed, repeats=3).folds % 4 for seed in (0, 1)]
    assert len({tuple(row) for table in drawn for row in table.tolist()}) == 6


def test_groups_stay_together_in_every_repeat():
    groups = np.arange(60) // 4
    table = make_table(NAMES, TRUTH, k=3, seed=0, repeats=2, groups=groups.tolist())
    for group in range(15):
        assert [len(set(row)) for row in table.folds[:, groups == group]] == [1, 1]


def test_make_table_refuses_what_does_not_fit():
    with pytest.raises(UserError, match=r"repeats must be 1 or more; received 0\."):
        make_table(NAMES, TRUTH, k=3, seed=0, repeats=0)
    with pytest.raises(UserError, match=r"image names must be unique; repeated: a\."):
        make_table(["a"] * 60, TRUTH, k=3, seed=0)
    with pytest.raises(UserError, match=r"The seed must be 0 to"):
        make_table(NAMES, TRUTH, k=3, seed=-1, repeats=2)
    with pytest.raises(ValueError, match=r"truth has 60 rows for 59 image names\."):
        make_table(NAMES[1:], TRUTH, k=3, seed=0)


# Groups


def test_groups_are_read_in_the_order_of_the_chips(tmp_path):
    path = saved(tmp_path, "scene,image_name\n007,b\nNA,a\n 7 ,c\n8,not asked for\n")
    assert read_groups(path, ["a", "b", "c"]) == ["NA", "007", "7"]


def test_the_column_of_groups_can_be_named(tmp_path):
    path = saved(tmp_path, "image_name,scene,day\na,s1,d1\nb,s2,d1\n")
    assert read_groups(path, ["a", "b"], "day") == ["d1", "d1"]
    assert Counter(read_groups(path, ["a", "b"], column="scene")) == {"s1": 1, "s2": 1}


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("id,scene\na,1\n", None, r"lacks columns \['image_name'\]"),
        ("image_name\na\n", None, r"must have one column beside image_name, .*; it has \[\]\."),
        ("image_name,x,y\na,1,2\n", None, r"or be told which holds groups; it has \['x', 'y'\]\."),
        ("image_name,x\na,1\n", "scene", r"has no column of groups 'scene'; it has \['x'\]\."),
        ("image_name,x\na,1\n", "image_name", r"has no column of groups 'image_name'; it has \['x'\]\."),
        ("image_name,x\na,1\na,2\n", None, r"repeats ids: a\."),
        ("image_name,x\na,1\n", None, r"has no group for 2 of 3 chips: b, c\."),
        ("image_name,x\na,1\nb,\nc, \n", None, r"has no group for 2 of 3 chips: b, c\."),
    ],
)
def test_groups_that_are_not_clear_are_refused(tmp_path, text, column, message):
    with pytest.raises(UserError, match=message):
        read_groups(saved(tmp_path, text), ["a", "b", "c"], column)


def test_a_missing_file_of_groups_is_named(tmp_path):
    with pytest.raises(UserError, match=r"No file .*groups\.csv\."):
        read_groups(tmp_path / "groups.csv", ["a"])
