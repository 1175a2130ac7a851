"""The sample submission: which columns and rows a submission has, and in which order."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from competition.common.errors import UserError
from competition.spec.competition import Competition
from competition.tables.csv_files import CsvBody, CsvFile, content_of
from competition.tables.label_table import check_header, columns_of
from competition.tables.pairs import Pair, pair_reader
from competition.tables.problems import Lines


@dataclass(frozen=True)
class SampleSubmission:
    """What a submission must look like.

    Attributes:
        names: ids of the chips to predict, in the order in which they first stand.
        columns: names of the columns, in their order.
        pairs: of a submission with one row per chip and label, chip and label of each row; otherwise None.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    pairs: tuple[Pair, ...] | None = None

    @property
    def keys(self) -> tuple[str, ...] | tuple[Pair, ...]:
        """What each row is about."""
        return self.names if self.pairs is None else self.pairs

    @classmethod
    def of(cls, names: Sequence[str], competition: Competition) -> SampleSubmission:
        """Return what a submission for some chips looks like where there is no sample: chips and labels in order."""
        form, labels = competition.submission_form, competition.labels
        pairs = tuple((name, label) for name in names for label in labels) if form.form == "rows" else None
        return cls(tuple(names), tuple(columns_of(form, labels)), pairs)

    @classmethod
    def read(cls, path: Path, competition: Competition) -> SampleSubmission:
        """Read a sample submission. Its answers are ignored.

        Raises:
            UserError: if it cannot be read, lacks a column, repeats a row, or has rows of other labels.
        """
        form, labels, content = competition.submission_form, competition.labels, content_of(path)
        try:
            file = _parsed(content, competition)
            problems = check_header(file, columns_of(form, labels))
            if not problems:
                return cls._of_body(CsvBody(file), competition, path)
        except csv.Error as error:
            raise UserError(f"Cannot read {path} as CSV: {error}.") from error
        what = "; ".join(problem.text() for problem in problems)
        raise UserError(f"{path} is no sample of a submission of kind '{competition.submission_kind}': {what}.")

    @classmethod
    def _of_body(cls, body: CsvBody, competition: Competition, path: Path) -> SampleSubmission:
        form, labels = competition.submission_form, competition.labels
        columns = tuple(name for name in body.file.header if name in {*columns_of(form, labels)})
        keys, lines = list[Pair](), array("q")
        place = body.place(form.id_column)
        pair_of = pair_reader(body, form, labels) if form.form == "rows" else lambda row: (row[place].strip(), "")
        for line, row in body:
            keys.append(body.share(pair_of(row)))
            lines.append(line)
        rows, known = Lines(tuple(keys), lines, body.file.text), frozenset(labels)
        if form.form != "rows":
            known |= {""}
        nameless = [place for place, (name, _) in enumerate(keys) if not name]
        if problems := [
            *body.problems(),
            *rows.problems_of("repeated rows" if form.form == "rows" else "repeated ids", rows.repeated()),
            *rows.problems_of("rows without an id", nameless),
            *rows.problems_of("rows of no label", [row for row, (_, label) in enumerate(keys) if label not in known]),
        ]:
            raise UserError(f"{path} cannot be used: {'; '.join(problem.text() for problem in problems)}.")
        names = tuple(dict.fromkeys(name for name, _ in keys))
        return cls(names, columns, tuple(keys) if form.form == "rows" else None)


def _parsed(content: bytes, competition: Competition) -> CsvFile:
    """Return a sample submission: in UTF-8, as a submission is, or encoded as the training tables are."""
    form = competition.submission_form
    try:
        return CsvFile.parse(content, form)
    except csv.Error:
        if competition.tables.encoding == form.encoding:
            raise
        return CsvFile.parse(content, form.model_copy(update={"encoding": competition.tables.encoding}))
