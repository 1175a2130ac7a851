"""The forms of a table of labels."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from competition.spec.tables import TableForm, Tables, split_words


@pytest.mark.parametrize(
    ("entries", "form"),
    [
        ({}, "columns"),
        ({"tags_column": "tags"}, "tags"),
        ({"label_column": "label"}, "rows"),
        ({"label_column": "label", "value_column": "is"}, "rows"),
        ({"row_id": "ID_{id}_{label}", "value_column": "Label"}, "rows"),
    ],
)
def test_what_is_given_says_the_form(entries: dict[str, str], form: str) -> None:
    assert TableForm.model_validate(entries).form == form


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"tags_column": "tags", "label_column": "label"}, "tags_column and label_column contradict each other"),
        ({"row_id": "{id}", "value_column": "Label"}, "row_id must hold {id} and {label} once each"),
        ({"row_id": "{id}_{x}_{label}", "value_column": "Label"}, "once each and no other braces"),
        ({"row_id": "{lab{id}el}", "value_column": "Label"}, "once each and no other braces"),
        ({"row_id": "{id}_{label}"}, "row_id needs a value_column"),
        ({"value_column": "Label"}, "value_column belongs to one row per chip and label"),
        ({"encoding": "klingon"}, "encoding 'klingon' is not known"),
        ({"delimiter": ";;"}, "delimiter"),
        ({"cells": {"-1": 2}}, "cells"),
    ],
)
def test_what_contradicts_itself_is_refused(entries: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TableForm.model_validate(entries)


TAGS = st.lists(st.text("abcä/-2", min_size=1, max_size=5), unique=True, max_size=4)


@given(TAGS, st.sampled_from([" ", "|", ",", ";", ", ", "\t"]), st.sampled_from([None, "No Finding", "none"]))
def test_tags_that_were_joined_are_split_again(tags: list[str], separator: str, none: str | None) -> None:
    form = TableForm(tags_column="tags", separator=separator, none=none if separator != " " else none and "none")
    assert form.split(form.join(tags)) == tags


@pytest.mark.parametrize(("separator", "text"), [(" ", " a  b "), (", ", "a,b ,"), (",", "a, b"), (" | ", "a|b")])
def test_blanks_beside_a_separator_are_no_part_of_words(separator: str, text: str) -> None:
    assert split_words(text, separator) == ["a", "b"]


def test_tags_beside_the_word_for_none_contradict_themselves() -> None:
    form = TableForm(tags_column="tags", separator="|", none="No Finding")
    assert [form.contradicts_itself(text) for text in ("No Finding|Mass", "No Finding", "Mass|Hernia", "")] == [
        True,
        False,
        False,
        False,
    ]


def test_one_training_table_or_several() -> None:
    assert Tables.model_validate({"train": "a.csv"}).train == ("a.csv",)
    assert Tables.model_validate({"train": ["a.csv", "part/b.csv"]}).train == ("a.csv", "part/b.csv")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"cells": {"1": 0}}, "cells says what other texts than 0 and 1 mean, and names '1'"),
        ({"cells": {" True": 0}}, "cells says what other texts"),
        ({"tags_column": "image_name"}, "'image_name' is the id_column"),
        ({"delimiter": '"'}, "cannot part cells"),
        ({"delimiter": "x"}, "cannot part cells"),
        ({"tags_column": "tags", "separator": "|", "none": "no|ne"}, "none 'no|ne' holds the separator"),
    ],
)
def test_entries_that_would_turn_a_table_into_another_are_refused(entries: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        TableForm.model_validate(entries)
