"""The tables of a competition: which files, and how they say which chip carries which label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from competition.common.text import first
from competition.spec.base import Frozen, Place, Places, Text

PLAIN_CELLS = ("0", "1", "0.0", "1.0", "true", "false")  # which mean what they say
ROW_ID = "{id}_{label}"


def _row_id(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"row_id must be printable text, received {text!r}")
    if not (text.count("{id}") == text.count("{label}") == 1 and text.count("{") == text.count("}") == 2):
        raise ValueError(f"row_id must hold {{id}} and {{label}} once each and no other braces, received {text!r}")
    return text


RowId = Annotated[str, AfterValidator(_row_id)]


def split_words(text: str, separator: str) -> list[str]:
    """Return the words of a cell. A blank stands for any white space; blanks beside other separators are ignored."""
    parts = text.split() if separator == " " else map(str.strip, text.split(separator.strip() or separator))
    return [part for part in parts if part]


class TableForm(Frozen):
    """How a table says which chip carries which label. One of four ways:

    - `tags_column`: all tags of a chip as words in one column;
    - `label_column`: one row per chip and label, the label in that column;
    - `row_id`: one row per chip and label, both in the id column, such as "{id}_{label}";
    - none of these: one column per label.

    Attributes:
        id_column: the column of the chips' ids; "" is a column without a name.
        tags_column: the column of the tags.
        separator: between two tags; a blank stands for any white space.
        none: the word for "no label", such as "No Finding"; an empty cell says so too.
        label_column: the column of the label, one row per chip and label.
        row_id: how chip and label make the id of a row, with {id} and {label}.
        value_column: of one row per chip and label, the column that says whether the chip carries it, or how likely;
            without one, being listed says so.
        cells: what cells other than 0, 1, 0.0, 1.0, True and False mean, such as {"" = 0, "-1" = 1}; 0 or 1.
        delimiter: between two cells.
        encoding: of the text, as Python names it.
    """

    id_column: Text = "image_name"
    tags_column: Text | None = None
    separator: str = Field(default=" ", min_length=1)
    none: Text | None = None
    label_column: Text | None = None
    row_id: RowId | None = None
    value_column: Text | None = None
    cells: dict[str, Literal[0, 1]] = Field(default={})
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"

    @model_validator(mode="after")
    def _check_form(self) -> TableForm:
        given = [name for name in ("tags_column", "label_column", "row_id") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} contradict each other: a table has one form")
        if self.row_id is not None and self.value_column is None:
            raise ValueError("row_id needs a value_column: the column that says whether the chip carries the label")
        if self.value_column is not None and self.row_id is None and self.label_column is None:
            raise ValueError("value_column belongs to one row per chip and label: give row_id or label_column")
        if self.id_column in (self.tags_column, self.label_column, self.value_column):
            raise ValueError(f"{self.id_column!r} is the id_column and cannot hold labels or values too")
        if clash := [text for text in self.cells if text.strip().lower() in PLAIN_CELLS]:
            raise ValueError(f"cells says what other texts than 0 and 1 mean, and names {first(map(repr, clash))}")
        if self.delimiter == '"' or self.delimiter.isalnum() or self.delimiter in "\r\n":
            raise ValueError(f"delimiter {self.delimiter!r} cannot part cells")
        if self.none is not None and self.separator.strip() and self.separator in self.none:
            raise ValueError(f"none {self.none!r} holds the separator {self.separator!r}")
        try:
            "".encode(self.encoding)
        except LookupError as error:
            raise ValueError(f"encoding {self.encoding!r} is not known") from error
        return self

    def split(self, text: str) -> list[str]:
        """Return the tags of a cell."""
        return [word for word in self._words(text) if word != self.none]

    def contradicts_itself(self, text: str) -> bool:
        """Whether a cell holds tags and the word for none."""
        words = self._words(text)
        return self.none in words and set(words) != {self.none}

    def join(self, tags: Sequence[str]) -> str:
        """Return the cell of some tags."""
        return self.separator.join(tags) if tags else self.none or ""

    def row_id_of(self, chip: str, label: str) -> str:
        """Return the id of the row of a chip and a label, as `row_id` says."""
        parts = {"{id}": chip, "{label}": label}
        return re.sub(r"\{id\}|\{label\}", lambda mark: parts[mark[0]], self.row_id or ROW_ID)

    def _words(self, text: str) -> list[str]:
        return split_words(text, self.separator)

    @property
    def form(self) -> Literal["tags", "columns", "rows"]:
        """Tags in a column, a column per label, or one row per chip and label."""
        if self.tags_column is not None:
            return "tags"
        return "columns" if self.label_column is None and self.row_id is None else "rows"


class Tables(TableForm):
    """The tables of labels that are delivered.

    Attributes:
        train: the tables of the labelled chips, below each other, or side by side where each has some of the columns.
        sample_submission: the sample submission; None if there is none: then the chips to predict are those without
            labels.
        ids: what an id is: the name of the file without its suffix ("stem"), with it ("name"), or with the folders
            within the image folder, with or without suffix ("path", "path_stem").
        fold_column: a column of the training table with folds that were delivered.
        group_column: a column that says which chips stay together in one fold, such as the patient.
    """

    train: Places = Field(min_length=1)
    sample_submission: Place | None = None
    ids: Literal["stem", "name", "path", "path_stem"] = "stem"
    fold_column: Text | None = None
    group_column: Text | None = None
