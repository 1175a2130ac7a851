"""The one reader of tables of labels, for training, for the check of the data and for submissions: it knows the lines.

Not pandas: whoever has to mend a table of 40,000 rows wants the line of every fault, and all faults at once. It takes
about as long.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.text import first
from competition.spec.competition import Competition

SHOWN = 3  # examples of a problem
WIDTH = 60  # characters of a row, or of a tag, in a message
BOM = b"\xef\xbb\xbf"
Row = tuple[int, list[str]]  # the line on which it ends, from 1, and its cells


@dataclass(frozen=True)
class Problem:
    """One kind of fault.

    Attributes:
        what: the fault, such as "missing ids".
        count: how often it occurs.
        examples: the first of them.
        expected: what would have been right, and what stands there instead; "" where the fault says it.
    """

    what: str
    count: int
    examples: tuple[str, ...]
    expected: str = ""

    def text(self) -> str:
        """Return the problem as one line."""
        more = f" and {self.count - len(self.examples)} more" if self.count > len(self.examples) else ""
        expected = f", {self.expected}" if self.expected else ""
        return f"{self.what}: {self.count} ({'; '.join(self.examples)}{more}){expected}"


def problems_of(what: str, cases: Iterable[object], expected: str = "") -> list[Problem]:
    """Return the problem in a list, or an empty list if there are no cases of it."""
    cases = list(cases)
    return [Problem(what, len(cases), tuple(map(str, cases[:SHOWN])), expected)] if cases else []


@dataclass(frozen=True)
class LabelRows:
    """A table of labels as it stands in the file, and what is wrong with it. Rows are meant by their position in it.

    Attributes:
        names: id of each row that can be read.
        tags: its tags, in the order of the file, repeated ones too; of 0/1 columns, the labels with a 1.
        lines: its line in the file, from 1.
        text: the whole file.
        problems: what must be mended whatever the table is for.
        oddities: what only Kaggle minds: a byte order mark, blank lines, further columns.
        is_table: whether there is a header with the columns needed; without, there are no rows.
    """

    names: tuple[str, ...] = ()
    tags: tuple[tuple[str, ...], ...] = ()
    lines: tuple[int, ...] = ()
    text: str = ""
    problems: tuple[Problem, ...] = ()
    oddities: tuple[Problem, ...] = ()
    is_table: bool = True

    def problems_of(self, what: str, rows: Iterable[int], expected: str = "") -> list[Problem]:
        """Return the problem of some rows in a list, or an empty list if there are none."""
        rows = list(rows)
        lines = (self.lines[row] for row in rows[:SHOWN])
        examples = (f"line {line}: {_cut(self._text_by_line[line - 1])!r}" for line in lines)
        return [Problem(what, len(rows), tuple(examples), expected)] if rows else []

    def repeated_ids(self) -> list[Problem]:
        """Return the problem of ids that occur again; each further row counts."""
        row_of: dict[str, int] = {}
        again = [row for row, name in enumerate(self.names) if row_of.setdefault(name, row) != row]
        return self.problems_of("repeated ids", again)

    def unknown_tags(self, competition: Competition) -> list[Problem]:
        """Return the problem of tags that are no label of the competition."""
        labels = frozenset(competition.labels)
        rows = [row for row, tags in enumerate(self.tags) if not labels.issuperset(tags)]
        unknown = Counter(tag for row in rows for tag in {*self.tags[row]} - labels)
        received = first(
            f"{_cut(tag)} ({count:,}x)" for tag, count in sorted(unknown.items(), key=lambda pair: -pair[1])
        )
        expected = f"received {received}, expected {' '.join(competition.labels)}"
        return self.problems_of("rows with unknown tags", rows, expected)

    @cached_property
    def _text_by_line(self) -> list[str]:
        return [line.rstrip("\r\n") for line in io.StringIO(self.text, newline="")]


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[:WIDTH] + "..."


def content_of(path: Path) -> bytes:
    """Return the content of a table, plain or the one file in a `.zip`.

    Raises:
        UserError: if there is no such file, or it cannot be read.
    """
    try:
        if path.suffix.lower() != ".zip":
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            (name,) = archive.namelist()
            return archive.read(name)
    except FileNotFoundError as error:
        raise UserError(f"No file {path}.") from error
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error


def parse_rows(content: bytes, competition: Competition) -> LabelRows:
    """Return the rows of a table with tags in words, or with one 0/1 column per label, as the competition has it.

    Args:
        content: of the CSV file.
        competition: names the columns and the labels.
    """
    oddities = problems_of(
        "a byte order mark before the first column's name", ["line 1"] if content.startswith(BOM) else []
    )
    problems: list[Problem] = []
    try:
        text = content.removeprefix(BOM).decode("utf-8")
        if "\0" in text:
            raise csv.Error("it holds a zero byte")
        rows = _rows(text)
        _, header = next(rows, (0, None))
        if header is None:
            raise csv.Error("it is empty")
        needed = _columns(competition)
        oddities += problems_of("extra columns", [repr(name) for name in header if name not in needed])
        if not (problems := _check_header(header, needed)):
            return _parse_body(rows, header, competition, text, oddities)
    except (UnicodeDecodeError, csv.Error) as error:
        problems = problems_of("not a CSV file", [str(error)])
    return LabelRows(problems=tuple(problems), oddities=tuple(oddities), is_table=False)


def _columns(competition: Competition) -> list[str]:
    tables = competition.tables
    return [tables.id_column, *([tables.tags_column] if tables.tags_column else competition.labels)]


def _check_header(header: list[str], needed: list[str]) -> list[Problem]:
    missing = [repr(name) for name in needed if name not in header]
    repeated = [repr(name) for name in needed if header.count(name) > 1]
    received = f"received the columns {first(map(repr, header))}"
    return [*problems_of("missing columns", missing, received), *problems_of("repeated columns", repeated)]


def _rows(text: str) -> Iterator[Row]:
    """Yield the rows of a CSV file, each with the line on which it ends; an error names the one on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        began = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise csv.Error(f"line {began}: {error}") from error
        yield reader.line_num, row


def _parse_body(
    rows: Iterator[Row], header: list[str], competition: Competition, text: str, oddities: list[Problem]
) -> LabelRows:
    """Read the rows below the header; only what is needed of them is kept, for speed."""
    names, tags, lines = list[str](), list[tuple[str, ...]](), list[int]()
    blank, torn, wrong = list[str](), list[str](), list[str]()
    id_column, *columns = map(header.index, _columns(competition))
    cells_of: Callable[[list[str]], Any] = itemgetter(*columns)  # the text of the tags, or a cell for each label
    tags_of: dict[Any, tuple[str, ...]] = {}  # of tens of thousands of rows, a few hundred are different
    for line, row in rows:
        if len(row) != len(header):
            if any(map(str.strip, row)):
                torn.append(f"line {line}: {len(row)} cells")
            else:
                blank.append(f"line {line}")
            continue
        cells = cells_of(row)
        if (tags_of_row := tags_of.get(cells)) is None:
            tags_of_row, faults = _tags_of(cells, competition)
            wrong += [f"line {line}: {fault}" for fault in faults]
            if not faults:
                tags_of[cells] = tags_of_row
        names.append(row[id_column])
        tags.append(tags_of_row)
        lines.append(line)
    problems = problems_of(f"rows without {len(header)} cells", torn)
    problems += problems_of("cells that are not 0 or 1", wrong)
    oddities += problems_of("blank lines", blank)
    return LabelRows(tuple(names), tuple(tags), tuple(lines), text, tuple(problems), tuple(oddities))


def _tags_of(cells: Any, competition: Competition) -> tuple[tuple[str, ...], list[str]]:
    """Return the tags of a row, and its faults: of the text of its tags, or of a cell for each label."""
    if competition.tables.tags_column:
        return tuple(cells.split()), []
    pairs = list(zip(competition.labels, cells, strict=True))
    return tuple(label for label, cell in pairs if cell == "1"), [
        f"{label} {cell!r}" for label, cell in pairs if cell not in ("0", "1")
    ]
