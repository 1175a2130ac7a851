"""Tables of which nothing is known yet: encoding, delimiter, columns as text, and what stands between two tags."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from competition.spec.tables import TableForm, split_words
from competition.tables.cells import Sharing
from competition.tables.csv_files import DELIMITERS, HEAD, CsvFile, encoding_of

MOST_HEAD = 1 << 24  # bytes in which a second row is looked for
PROBED = 200  # rows by which the delimiter is found
RARE_IN_LABELS = ("|", ";", "\t")
CELLS_PROBED = 20000  # different cells by which a separator is found
MOST = 0.5  # different words per different cell, where a mark separates tags


class OneColumnError(csv.Error):
    """The file is a list, and no table."""


@dataclass(frozen=True)
class Grid:
    """A table with a header, all cells as text.

    Attributes:
        path: where it lies below the folder.
        header: the names of its columns.
        rows: the cells of each row, blanks around them taken away; rows with another number of cells are left out.
        delimiter: between two cells.
        encoding: of the text, as the competition's file names it.
        torn: how many rows were left out.
    """

    path: str
    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    delimiter: str = ","
    encoding: str = "utf-8"
    torn: int = 0
    _columns: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        if name not in self._columns:
            place = self.header.index(name)
            self._columns[name] = [row[place] for row in self.rows]
        return self._columns[name]

    def values(self, name: str) -> dict[str, int]:
        """Return the different cells of a column, and how often each stands there, in the order of the file."""
        counts: dict[str, int] = {}
        for cell in self.column(name):
            counts[cell] = counts.get(cell, 0) + 1
        return counts

    def others(self, *names: str) -> list[str]:
        """Return the columns but these."""
        return [name for name in self.header if name not in names]

    @cached_property
    def is_constant(self) -> bool:
        """Whether all rows are equal but for one column, as in most sample submissions."""
        varied = [name for name in self.header if len(self.values(name)) > 1]
        return len(self.rows) > 1 and len(self.header) > 1 and len(varied) <= 1


def read_grid(path: str, content: bytes) -> Grid:
    """Return a table, whatever its encoding and delimiter.

    Args:
        path: where it lies below the folder.
        content: of the file.

    Raises:
        csv.Error: if it is no table with a header and two columns or more.
    """
    encoding = encoding_of(content) or "utf-8"
    forms = [TableForm(delimiter=mark, encoding=encoding) for mark in (",", "\t", ";", "|", " ", ":")]
    assert {form.delimiter for form in forms} == DELIMITERS.keys()
    head = head_of(content)
    form = max(forms, key=lambda form: _fit(head, form))  # the first of those that are equally good
    file = CsvFile.parse(content, form)
    if len(file.header) < 2:
        raise OneColumnError("it has one column")
    whole, torn, share = list[Sequence[str]](), 0, Sharing()
    for _, cells in file.rows():
        row = tuple(map(str.strip, cells))
        if len(row) != len(file.header):
            torn += any(row)
        elif any(row):
            whole.append(share(row))
    return Grid(path, file.header, whole, form.delimiter, encoding, torn)


def head_of(content: bytes) -> bytes:
    """Return the first rows of a table, whole: about `HEAD` bytes, or more where that takes it to reach a second row.

    Where quotes are wrong, or lines end otherwise than in all the world, this is the whole content, up to `MOST_HEAD`.
    """
    size = HEAD
    while size < min(len(content), MOST_HEAD):
        lines = content[:size].splitlines(keepends=True)[:-1]
        odd = sum(line.count(b'"') for line in lines) % 2  # the last row goes on in the next line
        while odd and lines:
            odd ^= lines.pop().count(b'"') % 2
        if len(lines) > 1:
            head = b"".join(lines)
            unit = 4 if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) else 2 if b"\0" in head else 1
            return head[: len(head) // unit * unit]  # the end of a line may be half a letter
        size *= 4
    return content[:MOST_HEAD]


def _fit(head: bytes, form: TableForm) -> float:
    """Return how well a delimiter fits the first rows: the share of them with as many cells as the header."""
    try:
        file = CsvFile.parse(head, form)
        sizes = [len(row) for (_, row), _ in zip(file.rows(), range(PROBED), strict=False) if any(row)]
    except csv.Error:
        return 0.0
    columns = len(file.header)
    if columns < 2:
        return 0.0
    share = sum(size == columns for size in sizes) / len(sizes) if sizes else 0.5
    return round(share, 1) - (0.05 if form.delimiter == " " else 0)


def natural(text: str) -> list[tuple[int, int, str]]:
    """Return a key by which numbers in names are in numeric order: 2 before 10, B8A between B08 and B09."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)]


def find_separator(counts: Mapping[str, int], shown: Iterable[str]) -> tuple[str, str]:
    """Return what stands between two tags, and why; the reason ends in a question mark if that is not sure.

    Args:
        counts: the different cells, and how often each stands in the table.
        shown: cells of the sample submission.
    """
    cells = [cell for cell in list(counts)[:CELLS_PROBED] if cell]
    for mark in RARE_IN_LABELS:
        if number := sum(counts[cell] for cell in cells if mark in cell):
            return _with_blanks(mark, cells), f"in {number:,} rows"
    for mark in (",", " ", "/", "+", "&"):
        inside = [cell for cell in cells if mark in cell]
        if not inside:
            continue
        is_sure = _parts(mark, cells, inside, list(shown))
        if is_sure:
            return _with_blanks(mark, cells), f"in {sum(counts[cell] for cell in inside):,} rows"
        if is_sure is None and mark in ", ":
            words = len({word for cell in cells for word in split_words(cell, mark)})
            return _with_blanks(mark, cells), f"it would make {words:,} words of {len(cells):,} cells?"
    used = {letter for cell in cells for letter in cell}
    return next(mark for mark in (" ", "|", ";", "\t") if mark not in used), "no cell holds two tags"


def _with_blanks(mark: str, cells: list[str]) -> str:
    """Return a separator with the blanks that always stand beside it."""
    if mark in " \t":
        return mark
    text = "\n".join(cell for cell in cells if mark in cell)
    for written in (f" {mark} ", f"{mark} "):
        if text.count(written) == text.count(mark):
            return written
    return mark


def _parts(mark: str, cells: list[str], inside: list[str], shown: list[str]) -> bool | None:
    """Return whether a mark separates tags; None if that cannot be told.

    Tags come in any number and combination, and many of them alone too; the words of "Annual Crop" and "Permanent Crop"
    do not.
    """
    tags = {cell: split_words(cell, mark) for cell in cells}
    words = Counter(word for own in tags.values() for word in own)
    if all(re.fullmatch(r"\d+", word) for word in words):
        return True
    within = {word for cell in inside for word in tags[cell]}
    alone = {cell for cell in cells if mark not in cell}
    if mark == " " and any("_" in word for word in words):
        return True  # whoever writes "partly_cloudy" separates tags by blanks
    sets = Counter(frozenset(own) for own in tags.values())
    if max(sets.values()) > 1 or any(frozenset(split_words(cell, mark)) in sets and cell not in tags for cell in shown):
        return True  # one set of words in two orders
    if any(mark in cell and words.keys() >= set(split_words(cell, mark)) and cell not in tags for cell in shown):
        return True  # the sample submission combines them otherwise
    if 2 * len(within & alone) >= len(within) and len(words) <= len(cells):
        return True
    if len({len(own) for own in tags.values()}) > 1 and len(words) <= MOST * len(cells):
        return True
    if not within & alone and (mark != " " or len(words) > len(cells)):
        return False
    return None if len(words) <= len(cells) and within & alone else False
