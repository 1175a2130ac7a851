"""CSV files as text: how they are encoded, what parts their cells, and on which line each row stands.

Not pandas where labels are read: whoever has to mend a table of 40,000 rows wants the line of every fault, and all
faults at once. It takes about as long.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from competition.common.errors import UserError
from competition.common.text import first
from competition.spec.tables import TableForm
from competition.tables.problems import Problem, problems_of

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
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f]")  # what no text in one byte a letter holds
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
            csv.Error: if it is no text in that encoding, or has no header.
        """
        text, mark = decoded(content, form.encoding, "" if exact else REMEDY)
        _, header = next(_rows(text, form.delimiter, exact=exact), (0, None))
        if header is None:
            raise csv.Error("it is empty")
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
        """Return what parts the header into more of the columns needed than its delimiter does; "" if nothing does."""
        line = next(iter(io.StringIO(self.text, newline="")))
        others = [mark for mark in DELIMITERS if mark != self.delimiter]
        found = {mark: len(set(needed).intersection(_split(line, mark))) for mark in others}
        best = max(found, key=lambda mark: found[mark])
        return best if found[best] > len(set(needed).intersection(self.header)) else ""


class CsvBody:
    """The rows below a header that have as many cells; what other rows there are is noted as they are met."""

    def __init__(self, file: CsvFile) -> None:
        self.file, self._blank, self._torn = file, list[str](), list[str]()

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
        """Return the problem of rows that have another number of cells, once all were met."""
        return problems_of(f"rows without {len(self.file.header)} cells", self._torn)

    def oddities(self) -> list[Problem]:
        """Return the problem of blank lines, once all were met."""
        return problems_of("blank lines", self._blank)


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _rows(text: str, delimiter: str, *, exact: bool) -> Iterator[Row]:
    blanks = not exact and delimiter != " "  # after a delimiter, before quotes too
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=blanks, strict=True)
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
    name = wide or _one_byte_encoding(content)
    looks = f"; it looks like {name}" if name else ""
    raise csv.Error(f"{wrong}{looks}: {remedy.format(name or '...')}save it as UTF-8") from error


def _one_byte_encoding(content: bytes) -> str:
    """Return which of the encodings of Western text, with one byte a letter, content looks to be in; "" if none."""
    if not NOT_LATIN.search(content):
        return "latin-1"
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        return ""
    return "cp1252"


def _two_byte_encoding(content: bytes) -> str:
    """Return which UTF-16, without a mark, content looks to be in: of Western text every other byte is 0."""
    if CONTROL.search(content.replace(b"\0", b"")):
        return ""
    halves = {"utf-16-le": content[1::2], "utf-16-be": content[::2]}
    return next((name for name, half in halves.items() if half.count(0) > len(half) / 2), "")


def content_of(path: Path) -> bytes:
    """Return the content of a table, plain or the one file in a `.zip`.

    Raises:
        UserError: if there is no such file, or it cannot be read.
    """
    try:
        if path.suffix.lower() != ".zip":
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            # macOS adds a folder of its own.
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
            if len(names) != 1:
                raise ValueError(f"expected one file in it, it holds {first(names, shown=3) or 'none'}")
            return archive.read(names[0])
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

    try:
        file = CsvFile.parse(content_of(path), form)
        rows = [(line, row) for line, row in file.rows() if any(map(str.strip, row))]
    except csv.Error as error:
        raise UserError(f"Cannot read {path} as CSV: {error}.") from error
    if torn := [line for line, row in rows if len(row) != len(file.header)]:
        raise UserError(
            f"{path} is not a table: {len(torn)} rows without {len(file.header)} cells, as the header has them: "
            f"line {first(torn, shown=3)}."
        )
    if missing := [column for column in required if column not in file.header]:
        raise UserError(f"{path} lacks columns {missing}; it has {list(file.header)}.")
    if twice := [column for column in required if file.header.count(column) > 1]:
        raise UserError(f"{path} has several columns {first(map(repr, twice))}.")
    return pd.DataFrame([row for _, row in rows], columns=list(file.header), dtype=str)
