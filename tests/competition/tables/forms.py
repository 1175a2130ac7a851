"""Tables of labels of any form, drawn by hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from competition.spec.tables import TableForm

# What pandas would like to make numbers or gaps of, what a CSV must quote, and what begins or ends like another.
AWKWARD = [
    "0",
    "1",
    "007",
    "1.0",
    "NA",
    "nan",
    "True",
    "a,b",
    'a"b',
    "é ü",
    "日本",
    "a",
    "a_b",
    "b",
    "b_a",
    "a/b",
    "No Finding",
]
WORD = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=5)
LABEL = st.one_of(st.sampled_from(AWKWARD), WORD)
NAME = st.one_of(st.sampled_from([*AWKWARD, "x_a", "dir/x.jpg", "1.2.3"]), WORD)
ROW_IDS = ["{id}_{label}", "ID_{id}_{label}", "{label}:{id}", "{id}{label}", "<{label}|{id}>"]
DELIMITERS = [",", ";", "\t", "|"]


@dataclass(frozen=True)
class Table:
    """A table of labels as it should be read."""

    form: TableForm
    labels: tuple[str, ...]
    names: tuple[str, ...]
    truth: NDArray[np.bool_]


SEPARATORS = ["|", ",", ";", " & ", " <and> "]


def form_of(draw: st.DrawFn, labels: list[str]) -> TableForm:
    """Draw a form in which these labels can be told apart."""
    common: dict[str, Any] = {"delimiter": draw(st.sampled_from(DELIMITERS))}
    common["id_column"] = draw(st.sampled_from(["", "the id", "Image Index", 'a "b", c']))
    none = draw(st.sampled_from([None, "nothing"]))
    match draw(st.sampled_from(["tags", "columns", "listed", "valued", "row_id"])):
        case "tags":
            parting = [mark for mark in SEPARATORS if not any(mark.strip() in label for label in labels)]
            blank = [" "] if all(len(label.split()) == 1 for label in labels) else []
            separator = draw(st.sampled_from([*parting, *blank]))
            return TableForm(**common, tags_column="the tags", separator=separator, none=none)
        case "columns":
            return TableForm(**common)
        case "listed":
            return TableForm(**common, label_column="the label", none=none)
        case "valued":
            return TableForm(**common, label_column="the label", value_column="the value")
        case _:
            return TableForm(**common, row_id=draw(st.sampled_from(ROW_IDS)), value_column="the value")


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Draw a table."""
    labels = draw(st.lists(LABEL, min_size=2, max_size=5, unique=True))
    form = form_of(draw, labels)
    names = draw(st.lists(NAME, min_size=1, max_size=5, unique=True))
    if form.row_id is not None:
        # The longest label that fits is taken: ids that end or begin as labels do could not be told.
        names = [f"~{number}_x~" for number in range(len(names))]
        labels = [label.replace("~", "-") for label in labels]
        assume(len({*labels}) == len(labels))
    cells = draw(st.lists(st.booleans(), min_size=len(names) * len(labels), max_size=len(names) * len(labels)))
    return Table(form, tuple(labels), tuple(names), np.array(cells).reshape(len(names), len(labels)))
