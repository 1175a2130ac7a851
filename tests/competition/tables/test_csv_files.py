"""CSV files as text: encodings, delimiters, lines."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.spec.tables import TableForm
from competition.tables import csv_files as module
from competition.tables.csv_files import (
    CsvBody,
    CsvFile,
    content_of,
    decoded,
    encoding_of,
    header_of,
    read_table,
)

FORM = TableForm(id_column="id")
TEXT = "id,größe\nä,1\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding_whatever_the_form_says(encoding: str) -> None:
    for said in ("utf-8", "latin-1") if encoding != "utf-8" else ("utf-8",):
        file = CsvFile.parse(TEXT.encode(encoding), FORM.model_copy(update={"encoding": said}))
        assert file.header == ("id", "größe")
        assert list(file.rows()) == [(2, ["ä", "1"])]


def test_an_encoding_without_a_mark_is_that_of_the_form() -> None:
    for name in ("latin-1", "cp1252", "utf-16-le", "shift_jis"):
        text = TEXT if name != "shift_jis" else "id,大\n日,1\n"
        file = CsvFile.parse(text.encode(name), FORM.model_copy(update={"encoding": name}))
        assert file.text == text


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            TEXT.encode("latin-1"),
            r'line 1 is not UTF-8; it looks like latin-1: say encoding = "latin-1" under \[tables\], or save it as',
        ),
        ("id,a\nb,\nc,“é”\n".encode("cp1252"), r'line 3 is not UTF-8; it looks like cp1252: say encoding = "cp1252"'),
        ("id,、\n日,1\n".encode("shift_jis"), r'line 1 is not UTF-8: say encoding = "\.\.\." under'),
        (TEXT.encode("utf-16-le"), "line 1 is not UTF-8; it looks like utf-16-le"),
        (b"i\0d\0\n\0x\0", r'it looks like utf-16-le: say encoding = "utf-16-le" under \[tables\]'),
        (b"\0i\0d\0\n\0x", r'it looks like utf-16-be: say encoding = "utf-16-be" under \[tables\]'),
        (b"PK\x03\x04\xff\xfe", "it is no text"),
        (b"\xff\xfe\x00", "it is no text"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\xff", "it is no text"),
        (b"id\n\0", "it holds a zero byte"),
        (b"", "it is empty"),
    ],
)
def test_what_is_no_text_is_named_with_what_mends_it(content: bytes, line: str) -> None:
    with pytest.raises(csv.Error, match=line):
        CsvFile.parse(content, FORM)


def test_an_encoding_that_fails_by_itself_is_no_traceback() -> None:
    with pytest.raises(csv.Error, match="is not IDNA"):
        decoded(b"\xe4..", "idna")


def test_blanks_around_cells_are_no_part_of_them_unless_asked_for() -> None:
    content = b'id , a\nx, "1, 2" \n'
    with pytest.raises(csv.Error, match="line 2: "):  # a blank after the quotes
        list(CsvFile.parse(content, FORM).rows())
    content = b'id , a\nx, "1, 2"\n'
    loose, exact = (CsvFile.parse(content, FORM, exact=exact) for exact in (False, True))
    assert (loose.header, [*loose.rows()]) == (("id", "a"), [(2, ["x", "1, 2"])])
    assert exact.header == ("id ", " a")


@pytest.mark.parametrize(("mark", "shown"), [(";", ";"), ("\t", "\t"), ("|", "|")])
def test_the_delimiter_that_parts_the_header_better_is_known(mark: str, shown: str) -> None:
    file = CsvFile.parse(f"id{mark}a{mark}b\n".encode(), FORM)
    assert file.other_delimiter(["id", "a", "b"]) == shown
    assert file.other_delimiter(["x"]) == ""


def test_rows_of_another_width_are_noted() -> None:
    body = CsvBody(CsvFile.parse(b"id,a\nx,1\ny\n\n,\nz,1,2\n", FORM))
    assert [line for line, _ in body] == [2, 5]
    assert [problem.text() for problem in (*body.problems(), *body.oddities())] == [
        "rows without 2 cells: 2 (line 3: 1 cells; line 6: 3 cells)",
        "blank lines: 1 (line 4)",
    ]


def test_the_content_is_that_of_the_file_or_of_the_one_in_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id\n")
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("a.csv", b"id\n")
        archive.writestr("__MACOSX/._a.csv", b"junk")
    assert content_of(tmp_path / "a.csv") == content_of(tmp_path / "a.csv.zip") == b"id\n"
    assert header_of(tmp_path / "a.csv.zip") == ("id",)


@pytest.mark.parametrize("name", ["gone.csv", "gone.csv.zip"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"No file .*{name}"):
        content_of(tmp_path / name)
    with pytest.raises(UserError, match=f"No file .*{name}"):
        read_table(tmp_path / name, [])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no archive")
    for path in (tmp_path / "a.zip", tmp_path):
        with pytest.raises(UserError, match=f"Cannot read {path}: "):
            content_of(path)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", b"")
        archive.writestr("b.csv", b"")
    with pytest.raises(UserError, match=r"two.zip: expected one file in it, it holds a.csv, b.csv\."):
        content_of(tmp_path / "two.zip")


def test_a_table_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("\ufeff,id,a\n0,007, NA\n\n1,1.0,\n".encode())
    table = read_table(path, ["id", ""])
    assert table.to_dict("list") == {"": ["0", "1"], "id": ["007", "1.0"], "a": ["NA", ""]}
    with pytest.raises(UserError, match=r"t.csv lacks columns \['b'\]; it has \['', 'id', 'a'\]"):
        read_table(path, ["b"])
    path.write_bytes(b"id,id\n1,2\n")
    with pytest.raises(UserError, match=r"several columns 'id'"):
        read_table(path, ["id"])
    path.write_bytes(b"id,a\n1,2\n1,2,3\n")
    with pytest.raises(UserError, match=r"t.csv is not a table: 1 rows without 2 cells, as .*: line 3\."):
        read_table(path, ["id"])


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("id,größe\n1,2\n".encode("latin-1"), "latin-1"),
        ("id,“x”\n1,2\n".encode("cp1252"), "cp1252"),
        ("id,größe\n1,2\n".encode("utf-16-le"), "utf-16-le"),
        ("id,größe\n1,2\n".encode("utf-16-be"), "utf-16-be"),
        ("id,größe\n1,2\n".encode(), "utf-8"),
        ("id,größe\n1,2\n".encode("utf-16"), "utf-8"),  # its mark says it
        ("id,、\n日,1\n".encode("shift_jis"), ""),
    ],
)
def test_the_encoding_is_known_by_the_bytes(content: bytes, encoding: str) -> None:
    assert encoding_of(content) == encoding


def test_a_table_that_is_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)
    (tmp_path / "a.csv").write_bytes(bytes(5000))
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(5000))
        archive.writestr(".DS_Store", b"junk")
    for name in ("a.csv", "a.csv.zip"):
        with pytest.raises(UserError, match=f"Cannot read .*{name}: it holds 5 kB, and 1 kB is the most that is read"):
            content_of(tmp_path / name)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_table_of_too_many_lines_is_refused_before_its_rows_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 3)
    (tmp_path / "a.csv").write_text(end.join(["id", "x", "x", ""]), encoding="utf-8", newline="")
    assert read_table(tmp_path / "a.csv", ["id"])["id"].tolist() == ["x", "x"]
    (tmp_path / "a.csv").write_text(end.join(["id", "x", "x", "x", ""]), encoding="utf-8", newline="")
    with pytest.raises(UserError, match=r"a\.csv as CSV: it has 4 lines, and 3 are the most that are read\.$"):
        read_table(tmp_path / "a.csv", ["id"])


def test_a_table_with_other_delimiters_than_expected_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;a;b\nx;0;1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"lacks columns \['id'\]; .*\. Its cells are parted by ';', expected ','\.$"):
        read_table(tmp_path / "a.csv", ["id"])
    with pytest.raises(UserError, match=r"lacks columns \['q'\]; it has \['id;a;b'\]\.$"):
        read_table(tmp_path / "a.csv", ["q"])
