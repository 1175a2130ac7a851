"""CSV files as text: their encoding, their delimiter, and the line of each row.

Labels are not read with pandas: whoever has to mend a table of 40,000 rows wants the line of every fault, and all
faults at once. This takes about as long.
"""

from __future__ import annotations

import codecs
import csv
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from competition.common.errors import UserError
from competition.common.files import open_ordinary
from competition.common.folders import is_junk
from competition.common.text import cut, first, readable
from competition.spec.tables import TableForm
from competition.tables.cells import Sharing
from competition.tables.problems import Problem, lines_of, problems_of

if TYPE_CHECKING:
    import pandas as pd

Row = tuple[int, list[str]]  # the line on which it ends, from 1, and its cells
PLAIN = TableForm()
DELIMITERS = {";": '";"', "\t": r'"\t"', "|": '"|"', ",": '","', " ": '" "', ":": '":"'}  # as a TOML file has them
# UTF-32's first, as it begins with UTF-16's.
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f]")  # what no text with one byte per letter contains
HEAD = 1 << 16  # bytes by which UTF-16 and the delimiter are known
LARGEST = 1 << 28  # bytes of a table; what unpacks from a small archive may be of any size
MOST_COLUMNS = 10_000
MOST_LINES = 5_000_000  # of the competitions that ship, the longest table has 4.5 million
REMEDY = 'say encoding = "{}" under [tables], or '
NOT_LATIN = re.compile(rb"[\x80-\x9f]")  # control characters in Latin-1, letters and quotes in Windows' code page


@dataclass(frozen=True)
class CsvFile:
    """A CSV file with a header.

    Attributes:
        text: the whole file.
        header: the names of its columns.
        mark: the encoding that its byte order mark says; "" without one.
        delimiter: between two cells.
        exact: whether blanks around cells are part of them.
    """

    text: str
    header: tuple[str, ...]
    mark: str
    delimiter: str
    exact: bool

    @classmethod
    def parse(cls, content: bytes, form: TableForm, *, exact: bool = False) -> CsvFile:
        """Return the file of some content.

        Args:
            content: of the file.
            form: says delimiter and encoding; a byte order mark says the encoding by itself.
            exact: leave blanks around cells as they are.

        Raises:
            csv.Error: if it is no text in that encoding, has no header, or more lines or columns than are read.
        """
        text, mark = decoded(content, form.encoding, "" if exact else REMEDY)
        if (lines := max(map(text.count, "\r\n"))) > MOST_LINES:
            raise csv.Error(f"it has {lines:,} lines, and {MOST_LINES:,} are the most that are read")
        _, header = next(_rows(text, form.delimiter, exact=exact), (0, None))
        if header is None:
            raise csv.Error("it is empty")
        if len(header) > MOST_COLUMNS:
            raise csv.Error(f"it has {len(header):,} columns, and {MOST_COLUMNS:,} are the most that are read")
        return cls(text, tuple(header if exact else map(str.strip, header)), mark, form.delimiter, exact)

    def rows(self) -> Iterator[Row]:
        """Yield the rows below the header.

        Raises:
            csv.Error: where quotes are wrong; it names the line on which that row begins.
        """
        rows = _rows(self.text, self.delimiter, exact=self.exact)
        next(rows)
        return rows

    def other_delimiter(self, needed: Sequence[str]) -> str:
        """Return the delimiter that finds more of the needed columns than the file's own does; "" if none does."""
        line = next(lines_of(self.text))
        others = [mark for mark in DELIMITERS if mark != self.delimiter]
        found = {mark: len(set(needed).intersection(_split(line, mark))) for mark in others}
        best = max(found, key=lambda mark: found[mark])
        return best if found[best] > len(set(needed).intersection(self.header)) else ""


class CsvBody:
    """The rows with as many cells as the header; others are noted as they come."""

    def __init__(self, file: CsvFile) -> None:
        self.file, self._blank, self._torn = file, list[str](), list[str]()
        self.share = Sharing()

    def __iter__(self) -> Iterator[Row]:
        width = len(self.file.header)
        for line, row in self.file.rows():
            if len(row) == width:
                yield line, row
            elif any(map(str.strip, row)):
                self._torn.append(f"line {line}: {len(row)} cells")
            else:
                self._blank.append(f"line {line}")

    def place(self, column: str) -> int:
        """Return the place of a column in each row."""
        return self.file.header.index(column)

    def cleaned(self, cells: Iterable[str]) -> tuple[str, ...]:
        """Return cells without the blanks around them, unless these are part of them."""
        return tuple(cells if self.file.exact else map(str.strip, cells))

    def problems(self) -> list[Problem]:
        """Return the problem of rows with another number of cells, once all rows have been read."""
        return problems_of(f"rows without {len(self.file.header)} cells", self._torn, kind="lost")

    def oddities(self) -> list[Problem]:
        """Return the problem of blank lines, once all rows have been read."""
        return problems_of("blank lines", self._blank)


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _rows(text: str, delimiter: str, *, exact: bool) -> Iterator[Row]:
    blanks = not exact and delimiter != " "  # after a delimiter, before quotes too
    reader = csv.reader(lines_of(text), delimiter=delimiter, skipinitialspace=blanks, strict=True)
    while True:
        began = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise csv.Error(f"line {began}: {error}") from error
        yield reader.line_num, row


def decoded(content: bytes, encoding: str, remedy: str = "") -> tuple[str, str]:
    """Return content as text, and the encoding that its byte order mark says, "" without one.

    Args:
        content: of the file.
        encoding: of a file without a byte order mark.
        remedy: what else mends a file in another encoding, with {} for that.

    Raises:
        csv.Error: if it is no text in that encoding; the line says what it looks like, and what mends it.
    """
    mark, said = next(((mark, name) for mark, name in BOMS if content.startswith(mark)), (b"", ""))
    try:
        text = content[len(mark) :].decode(said or encoding)
        if "\0" not in text:
            return text, said
        error, wrong = None, "it holds a zero byte"
    except UnicodeError as caught:
        line = content.count(b"\n", 0, getattr(caught, "start", 0)) + 1
        error, wrong = caught, f"line {line} is not {encoding.upper()}"
    wide = "" if said else _two_byte_encoding(content)
    if not wide and (error is None or said or CONTROL.search(content)):
        raise csv.Error(wrong if error is None else "it is no text") from error
    name = encoding_of(content)
    looks = f"; it looks like {name}" if name else ""
    raise csv.Error(f"{wrong}{looks}: {remedy.format(name or '...')}save it as UTF-8") from error


def encoding_of(content: bytes) -> str:
    """Return the encoding that content looks to be in, as the competition's file names it; "" if it is not known.

    A byte order mark speaks for itself: the file need say no more than "utf-8".
    """
    if any(content.startswith(mark) for mark, _ in BOMS):
        return "utf-8"
    guesses = ("utf-8", "cp1252" if NOT_LATIN.search(content) else "latin-1")
    return _two_byte_encoding(content) or next((name for name in guesses if _is_in(content, name)), "")


def _is_in(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _two_byte_encoding(content: bytes) -> str:
    """Return which UTF-16, without a mark, content looks to be in: of Western text every other byte is 0."""
    head = content[:HEAD]
    if CONTROL.search(head.replace(b"\0", b"")):
        return ""
    halves = {"utf-16-le": head[1::2], "utf-16-be": head[::2]}
    return next((name for name, half in halves.items() if half.count(0) > len(half) / 2), "")


def content_of(path: Path) -> bytes:
    """Return the content of a table, plain or the one file in a `.zip`.

    Raises:
        UserError: if there is no such file, it cannot be read, or it is too large for a table.
    """
    try:
        if path.suffix.lower() != ".zip":
            with open_ordinary(path, LARGEST) as file:
                return file.read()
        with open_ordinary(path, LARGEST) as file, zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir() and not is_junk(member.filename)]
            if len(members) != 1:
                names = first((member.filename for member in members), shown=3)
                raise ValueError(f"expected one file in it, it holds {names or 'none'}")
            if members[0].file_size > LARGEST:  # no more than it says is unpacked
                held, most = readable(members[0].file_size), readable(LARGEST)
                raise ValueError(f"it holds {held}, and {most} is the most that is read of a table")
            return archive.read(members[0])
    except FileNotFoundError as error:
        raise UserError(f"No file {path}.") from error
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error


def header_of(path: Path, form: TableForm = PLAIN) -> tuple[str, ...]:
    """Return the names of the columns of a CSV file.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        return CsvFile.parse(content_of(path), form).header
    except csv.Error as error:
        raise UserError(f"Cannot read {path} as CSV: {error}.") from error


def read_table(path: Path, required: Sequence[str], form: TableForm = PLAIN) -> pd.DataFrame:
    """Read a CSV file as text, so that an id such as "007" stays what it is.

    Args:
        path: the file, plain or zipped.
        required: columns that must be there.
        form: says delimiter and encoding.

    Raises:
        UserError: if the file is missing, not a CSV, or lacks a column.
    """
    import pandas as pd

    torn, share = list[int](), Sharing()
    try:
        file = CsvFile.parse(content_of(path), form)
        _check_columns(path, file, required, form)
        columns = [list[str]() for _ in file.header]  # pandas takes columns with less room than rows
        for line, cells in file.rows():
            if len(cells) != len(file.header):
                torn += [line] if any(map(str.strip, cells)) else []
            elif any(map(str.strip, cells)):
                for column, cell in zip(columns, cells, strict=True):
                    column.append(share(cell))
    except csv.Error as error:
        raise UserError(f"Cannot read {path} as CSV: {error}.") from error
    if torn:
        raise UserError(
            f"{path} is not a table: {len(torn)} rows without {len(file.header)} cells, as the header has them: "
            f"line {first(torn, shown=3)}."
        )
    frame = pd.DataFrame(dict(enumerate(columns)), dtype=str)
    frame.columns = pd.Index(file.header)  # of which some may be equal
    return frame


def _check_columns(path: Path, file: CsvFile, required: Sequence[str], form: TableForm) -> None:
    if missing := [column for column in required if column not in file.header]:
        mark = file.other_delimiter(required)
        parted = f" Its cells are parted by {mark!r}, expected {form.delimiter!r}." if mark else ""
        raise UserError(f"{path} lacks columns {missing}; it has [{first(map(repr, map(cut, file.header)))}].{parted}")
    if twice := [column for column in required if file.header.count(column) > 1]:
        raise UserError(f"{path} has several columns {first(map(repr, twice))}.")
