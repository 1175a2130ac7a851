"""What a competition takes: the form of a submission."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from competition.spec.base import Frozen, Text
from competition.spec.tables import ROW_ID, RowId, TableForm, Tables

Kind = Literal["tags", "columns", "scores", "rows"]


class Submission(Frozen):
    """The form of a submission. What is not given is as in the tables of labels.

    Attributes:
        kind: "tags" (decided labels as words), "columns" (0 or 1 in a column per label), "scores" (a score in a column
            per label), or "rows" (one row per chip and label, with a score, or 0 or 1 if decisions are judged).
        decimals: digits after the point of a score; None: as many as distinguish values of float32.
        id_column, tags_column, separator, none, label_column, row_id, value_column, delimiter: as `TableForm`.
    """

    kind: Kind | None = None
    decimals: int | None = Field(default=None, ge=1, le=17)
    id_column: Text | None = None
    tags_column: Text | None = None
    separator: str | None = Field(default=None, min_length=1)
    none: Text | None = None
    label_column: Text | None = None
    row_id: RowId | None = None
    value_column: Text | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)

    @model_validator(mode="after")
    def _check(self) -> Submission:
        if self.kind == "rows" and self.value_column is None:
            raise ValueError("kind 'rows' needs a value_column")
        return self

    def kind_for(self, tables: Tables, judges: str) -> Kind:
        """Return the kind, by default that of the training table, or scores where scores are judged.

        Args:
            tables: of the competition.
            judges: what its metric judges, "decisions" or "scores".
        """
        if self.kind is not None:
            return self.kind
        if self.value_column is not None:
            return "rows"
        if judges == "scores":
            return "scores"
        return "tags" if self.tags_column or tables.form == "tags" else "columns"

    def form_for(self, tables: Tables, kind: Kind) -> TableForm:
        """Return how a submission of a kind lays out its rows."""
        common = {"id_column": self.id_column, "delimiter": self.delimiter}
        asked: dict[str, str | None] = {}
        match kind:
            case "tags":
                asked = {"tags_column": self.tags_column or tables.tags_column or "tags"}
                asked |= {"separator": self.separator or tables.separator}
                asked |= {"none": tables.none if self.none is None else self.none}
            case "rows":
                asked = {"value_column": self.value_column, "label_column": self.label_column}
                asked |= {"row_id": None if self.label_column else self.row_id or ROW_ID}
        inherited = {"id_column": tables.id_column, "delimiter": tables.delimiter}
        given = {**inherited, **{name: value for name, value in common.items() if value is not None}}
        return TableForm.model_validate({**given, **asked})
