"""What cells say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from competition.spec.tables import TableForm
from competition.tables.cells import CellValues, DecisionRows, ScoreRows, score_of

FORM = TableForm(cells={"": 0, "-1": 1, "unsure": 1})


def test_0_and_1_are_known_however_pandas_writes_them() -> None:
    values = CellValues(TableForm())
    assert [values[text] for text in ("0", "0.0", "False", "false", " 0 ", "0.")] == [0] * 6
    assert [values[text] for text in ("1", "1.0", "True", "TRUE", " 1", "1.000")] == [1] * 6


@pytest.mark.parametrize("text", ["", " ", "-1", "2", "0.5", "01", "yes", "nan", "1_0"])
def test_other_texts_mean_nothing_unless_the_form_says_so(text: str) -> None:
    with pytest.raises(KeyError):
        CellValues(TableForm())[text]
    for given in ("1.0", "True", " 1", text):
        with pytest.raises(KeyError):
            CellValues(FORM, exact=True)[given]


def test_the_form_says_what_other_texts_mean_and_they_are_counted() -> None:
    rows = DecisionRows(FORM, "abcd", exact=False)
    for cells in [("", "-1", "1", "0"), ("-1.0", "Unsure", " ", "0"), ("", "-1", "1", "0")]:
        assert rows.add(cells) == []
    assert rows.tags == [("b", "c"), ("a", "b"), ("b", "c")]
    assert rows.counts() == {"": 3, "-1": 3, "unsure": 1}
    assert CellValues(FORM).counts(Counter({"0": 9})) == {}


def test_every_wrong_cell_is_named_though_its_row_was_met_before() -> None:
    rows = DecisionRows(TableForm(), "ab", exact=False)
    for _ in range(2):
        assert rows.add(("2", "")) == ["a '2'", "b ''"]
    assert rows.tags == [(), ()]


def test_scores_are_numbers_from_0_to_1() -> None:
    rows = ScoreRows("ab")
    assert rows.add(("0", "1e-3")) == rows.add(("1.0", " .5")) == []
    for cell in ("", "nan", "inf", "-0.1", "1.0000001", "0,5", "0_1", "٠", "x"):
        assert rows.add(("0.5", cell)) == [f"b {cell!r}"]
        assert score_of(cell) is None
    np.testing.assert_array_equal(rows.values()[:2], np.array([[0, 1e-3], [1, 0.5]], dtype=np.float32))
    assert np.isnan(rows.values()[2:]).all()
    assert ScoreRows("ab").values().shape == (0, 2)
