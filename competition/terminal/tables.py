"""Tables for the terminal: one look, as wide as it is, and no figure cut short."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Sequence

from competition.common.progress import is_terminal
from competition.common.text import spelled_out

WIDTH = 80  # columns, where there is no terminal
HEIGHT = 25  # lines, which say nothing about a table
PAGE = 110  # columns of text, at most
LEAST = 16  # columns to which words are folded before anything else gives way
GAP = 2  # between columns


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    align: str = "lr",
    *,
    spare: Sequence[str] = (),
    marked: Collection[int] = (),
) -> str:
    """Return a table, at most as wide as the terminal; 80 columns where there is none.

    Words are folded where it is too narrow; then columns that can be spared are left out; and those that do not fit
    even so follow below, with the first one before them.

    Args:
        headers: of the columns.
        rows: of cells.
        align: a letter for each column, the last one also for those that follow: "l" is words, to the left; "r" is
            figures, to the right, which are never folded.
        spare: headers of columns that can be spared, the first one first.
        marked: numbers of the rows that stand out on a terminal.
    """
    columns, room = _columns(headers, rows, align), width()
    for header in spare:
        if sum(column.least + GAP for column in columns) - GAP > room:
            columns = [column for column in columns if column.header != header]
    return "\n\n".join(_drawn(part, room, marked) for part in _parts(columns, room))


def fits(headers: Sequence[str], rows: Iterable[Sequence[object]], align: str = "lr") -> bool:
    """Return whether a table has room in one part."""
    return len(_parts(_columns(headers, rows, align), width())) == 1


def folded(text: str) -> str:
    """Return text whose lines a terminal need not break; as it is where there is none, or a line is no wider."""
    if not is_terminal(sys.stdout):
        return text
    return "\n".join(_folded(line) if len(line) > width() else line for line in text.splitlines())


def _folded(line: str) -> str:
    return textwrap.fill(line, page(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def page() -> int:
    """Return how wide lines of text may be: as the terminal, but not so wide that eyes lose the line."""
    return min(width(), PAGE)


def width() -> int:
    """Return how many columns the terminal has, or COLUMNS says."""
    return shutil.get_terminal_size((WIDTH, HEIGHT)).columns


class _Column:
    def __init__(self, header: str, letter: str, cells: list[str]) -> None:
        from rich.cells import cell_len

        self.header, self.cells, self.is_words = header, cells, letter == "l"
        widest = max(cell_len(line) for text in (header, *cells) for line in text.splitlines() or [""])
        self.least = min(widest, LEAST) if self.is_words else widest


def _columns(headers: Sequence[str], rows: Iterable[Sequence[object]], align: str) -> list[_Column]:
    letters = (align + align[-1] * len(headers))[: len(headers)]
    return [
        _Column(header, letter, [spelled_out(str(cell)) for cell in cells])
        for header, letter, *cells in zip(headers, letters, *rows, strict=True)
    ]


def _parts(columns: list[_Column], room: int) -> list[list[_Column]]:
    """Return the columns of each part that fits; the first column is in all of them."""
    first, *others = columns
    parts = [[first]]
    for column in others:
        if sum(one.least + GAP for one in parts[-1]) + column.least > room and len(parts[-1]) > 1:
            parts.append([first])
        parts[-1].append(column)
    return parts


def _drawn(columns: list[_Column], room: int, marked: Collection[int]) -> str:
    room = max(room, sum(column.least + GAP for column in columns) - GAP)  # rather too wide than a figure cut
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold", border_style="dim"
    )
    for column in columns:
        drawn.add_column(
            Text(column.header),
            justify="left" if column.is_words else "right",
            no_wrap=not column.is_words,
            overflow="fold",
        )
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        drawn.add_row(*map(Text, row), style="bold" if number in marked else None)  # as Text, so that [x] is no markup
    # With its height too, as Rich else takes 80 columns of a terminal that calls itself dumb, whatever it is told.
    console = Console(width=room, height=HEIGHT, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(drawn)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
