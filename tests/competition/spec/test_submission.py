"""The form of a submission follows from the tables and the metric, where it is not given."""

import pytest

from competition.spec.submission import Submission
from competition.spec.tables import Tables

TAGS = Tables.model_validate({"train": "t.csv", "id_column": "Id", "tags_column": "Target", "separator": "|"})
COLUMNS = Tables.model_validate({"train": "t.csv", "id_column": "Id"})


@pytest.mark.parametrize(
    ("entries", "tables", "judges", "kind"),
    [
        ({}, TAGS, "decisions", "tags"),
        ({}, COLUMNS, "decisions", "columns"),
        ({"tags_column": "Predicted"}, COLUMNS, "decisions", "tags"),
        ({}, TAGS, "scores", "scores"),
        ({"value_column": "Label"}, TAGS, "scores", "rows"),
        ({"kind": "columns"}, TAGS, "decisions", "columns"),
    ],
)
def test_the_kind_follows(entries: dict[str, str], tables: Tables, judges: str, kind: str) -> None:
    assert Submission.model_validate(entries).kind_for(tables, judges) == kind


def test_columns_and_separators_are_those_of_the_training_table_unless_they_are_given() -> None:
    form = Submission(tags_column="Predicted").form_for(TAGS, "tags")
    assert (form.id_column, form.tags_column, form.separator) == ("Id", "Predicted", "|")
    form = Submission(separator=" ", id_column="name").form_for(TAGS, "tags")
    assert (form.id_column, form.tags_column, form.separator) == ("name", "Target", " ")
    assert Submission().form_for(TAGS, "scores").form == "columns"


def test_one_row_per_chip_and_label() -> None:
    form = Submission(value_column="Label").form_for(COLUMNS, "rows")
    assert (form.form, form.row_id) == ("rows", "{id}_{label}")
    form = Submission(value_column="p", label_column="disease").form_for(COLUMNS, "rows")
    assert (form.form, form.row_id, form.label_column) == ("rows", None, "disease")
    with pytest.raises(ValueError, match="kind 'rows' needs a value_column"):
        Submission(kind="rows")
    with pytest.raises(ValueError, match="once each and no other braces"):
        Submission(value_column="Label", row_id="{id}{0}_{label}")
