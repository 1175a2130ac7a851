"""Tables that are none, or that would fill memory, time or a terminal."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.faults.corpus import Case

HEADER = b"image_name,tags\n"
ROWS = [b"train_%d,clear primary\n" % number for number in range(20)]
SCREEN = b"\x1b]0;owned\x07\x1b[31m"  # sets a terminal's title, and its colour
MANY = 10**6


def _file(parts: Callable[[], Iterable[bytes]], name: str = "table.csv") -> Case:
    def write(folder: Path) -> Path:
        path = folder / name
        with path.open("wb") as file:
            file.writelines(parts())
        return path

    return write


def _zipped(folder: Path) -> Path:
    """Write an archive of a table that unpacks to a thousand times its size."""
    path = folder / "table.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("table.csv", "w") as member:
        member.write(HEADER)
        for _ in range(900):
            member.write(b"a" * 10**6)
    return path


def _of_cells(*rows: bytes) -> Case:
    return _file(lambda: [HEADER, *ROWS, *rows])


# Of each, whoever needs a table of labels of Planet must refuse it.
REFUSED: dict[str, Case] = {
    "empty": _file(lambda: []),
    "line breaks alone": _file(lambda: [b"\n" * 1000]),
    "a header alone, of others": _file(lambda: [b"a,b\n"]),
    "1,000,000 columns": _file(lambda: [b",".join(b"c%d" % number for number in range(MANY)), b"\n", b"1," * MANY]),
    "1,000,000 empty columns": _file(lambda: [HEADER.strip(), b"," * MANY, b"\n"]),
    "1,000,000 cells in a row": _file(lambda: [HEADER, b"x," * MANY, b"\n"]),
    "NUL bytes": _of_cells(b"train_\0,clear\0\n"),
    "NUL bytes alone": _file(lambda: [bytes(10**6)]),
    "a cell of 100 MB": _file(lambda: [HEADER, b"train_0,", b"x" * 10**8, b"\n"]),
    "a header of 100 MB": _file(lambda: [b"image_name", b"x" * 10**8, b"\n"]),
    "a quoted cell of 100 MB": _file(lambda: [HEADER, b'train_0,"', b"x\n" * (5 * 10**7), b'"\n']),
    "an open quote": _of_cells(b'train_20,"clear primary\n', *ROWS),
    "quotes in quotes": _of_cells(b'train_20,"clear"primary"\n'),
    "UTF-16 without a mark": _file(lambda: ["image_name,tags\ntrain_0,clear\n".encode("utf-16-le")]),
    "a mark of UTF-16 and no more": _file(lambda: [b"\xff\xfe"]),
    "half a letter": _file(lambda: [b"\xff\xfe", "image_name,tags".encode("utf-16-le")[:-1]]),
    "marks of UTF-8": _file(lambda: [b"\xef\xbb\xbf" * 1000]),
    "columns twice": _file(lambda: [b"image_name,tags,image_name,tags\n", b"a,clear,b,clear\n"]),
    "lone surrogates": _of_cells(b"train_\xed\xa0\x80,clear primary\n"),
    "unknown tags": _of_cells(*(b"x%d,tag_%d\n" % (number, number) for number in range(1000))),
    "escapes in a tag": _of_cells(b"train_20," + SCREEN + b"\n"),
    "escapes in a header": _file(lambda: [b"image_name,tags" + SCREEN + b"\n"]),
    "a tag of 100,000 letters": _of_cells(b"train_20," + b"x" * 100_000 + b"\n"),
    "a table of 900 MB in an archive": _zipped,
    "a picture": _file(lambda: [b"\x89PNG\r\n\x1a\n", bytes(range(256)) * 100]),
    "10,000,000 rows of one id": _file(lambda: [HEADER, *[b"train_0,clear primary\n" * 10**5] * 100]),
    "escapes in an id": _of_cells(b"train_" + SCREEN + b",clear primary\n"),
    "bidirectional marks": _of_cells("train_\u202egpj.exe,clear primary\n".encode()),
    "an id of 100,000 letters, twice": _of_cells(*[b"x" * 100_000 + b",clear primary\n"] * 2),
}
# Strange, but tables: they are read, or refused where an id cannot be.
EITHER: dict[str, Case] = {
    "a header alone": _file(lambda: [HEADER]),
    "formulas": _of_cells(b"\"=cmd|'/c calc'!A1\",clear primary\n", b"@SUM(1),clear primary\n"),
    "ids that lead out": _of_cells(b"../../etc/passwd,clear primary\n", b"/etc/passwd,clear primary\n"),
    "carriage returns": _file(lambda: [HEADER, b"\r" * MANY]),
    "HTML": _of_cells(b'"<img src=x onerror=alert(1)>",clear primary\n'),
}
CASES = {**EITHER, **REFUSED}

# Tables of scores: what stands in the cell of the first label.
CELLS = {
    "1e400": b"1e400",
    "nan": b"nan",
    "inf": b"-inf",
    "0x1p-3": b"0x1p-3",
    "long": b"0." + b"1" * 100_000,
    "_": b"1_0",
}
