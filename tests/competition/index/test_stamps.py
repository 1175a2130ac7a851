"""What a table held is told from whatever becomes of it, and looked at once a process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.index import stamps
from competition.index.stamps import Stamp


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "a table.csv"
    path.write_bytes(b"id,tags\na,x\nb,y\n")
    return path


@pytest.mark.parametrize(("content", "lines"), [(b"", 0), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"a\n\n", 2)])
def test_lines_are_counted_with_or_without_an_end(table: Path, content: bytes, lines: int) -> None:
    table.write_bytes(content)
    assert Stamp.of(table).lines == lines


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it had 3 lines and has 0 now"),
        (b"id,tags\na,x\n", "it had 3 lines and has 2 now"),
        (bytes(16), "it had 3 lines and has 1 now"),
        (b"id,tags\na,x\nb,z\n", "it has 3 lines as before, but they say something else"),
    ],
)
def test_any_change_is_one_line_with_the_ways_on(table: Path, content: bytes, said: str) -> None:
    stamp = Stamp.of(table)
    stamp.check(table)
    table.write_bytes(content)
    with pytest.raises(UserError) as caught:
        stamp.check(table)
    assert str(caught.value) == (
        f"{table} has changed since `data prepare`: {said}. To bring it back from Kaggle's files, run "
        f'"python run.py data prepare --from DIR"; to use it as it is, run "python run.py data prepare --from '
        f'{table.parent}".'
    )


def test_a_file_is_read_once_a_process_and_again_when_it_was_written(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp, read = Stamp.of(table), list[Path]()
    monkeypatch.setattr(stamps, "digest_file", lambda path: read.append(path) or stamp.digest)
    for _ in range(3):
        stamp.check(table)
    os.utime(table, (5, 5))
    stamp.check(table)
    assert read == [table, table]
