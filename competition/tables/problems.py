"""What is wrong with a table, and the rows that show it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from competition.common.text import cut

SHOWN = 3  # examples of a problem
WIDTH = 60  # characters of a row, or of a tag, in a message
LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")

# What follows from a fault, for whoever decides by it: cells that say nothing, tags that are no label, rows that are
# lost with their chip, rows in another order; "" of all others.
Kind = Literal["", "cells", "tags", "lost", "order"]


@dataclass(frozen=True)
class Problem:
    """One kind of fault.

    Attributes:
        what: the fault, such as "missing ids".
        count: how often it occurs.
        examples: the first of them.
        expected: what was expected, and what was received; "" where the fault says it.
        kind: what decides on what follows; `what` is for people.
    """

    what: str
    count: int
    examples: tuple[str, ...]
    expected: str = ""
    kind: Kind = ""

    def text(self) -> str:
        """Return the problem as one line."""
        more = f" and {self.count - len(self.examples)} more" if self.count > len(self.examples) else ""
        expected = f", {self.expected}" if self.expected else ""
        return f"{self.what}: {self.count} ({'; '.join(self.examples)}{more}){expected}"


def problems_of(what: str, cases: Iterable[object], expected: str = "", *, kind: Kind = "") -> list[Problem]:
    """Return the problem in a list, or an empty list if there are no cases of it."""
    cases = list(cases)
    return [Problem(what, len(cases), tuple(map(str, cases[:SHOWN])), expected, kind)] if cases else []


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a text with their ends. Not by `io.StringIO`, which keeps four bytes of every letter."""
    return (found[0] for found in LINE.finditer(text))


@dataclass(frozen=True)
class Lines:
    """What stands on which line of a file. Its methods refer to an entry by its place, from 0.

    Attributes:
        keys: the entries: ids, or pairs of an id and a label.
        lines: the line of each, from 1.
        text: the whole file.
    """

    keys: tuple[Any, ...] = ()
    lines: Sequence[int] = ()
    text: str = ""

    def problems_of(self, what: str, places: Iterable[int], expected: str = "", *, kind: Kind = "") -> list[Problem]:
        """Return the problem of the entries at some places in a list, or an empty list if there are none."""
        left = iter(places)
        shown = [self.lines[place] for place in islice(left, SHOWN)]
        count = len(shown) + sum(1 for _ in left)  # there may be millions
        text_of = self._texts_of({*shown}) if shown else {}
        examples = tuple(f"line {line}: {cut(text_of.get(line, ''), WIDTH)!r}" for line in shown)
        return [Problem(what, count, examples, expected, kind)] if shown else []

    def repeated(self) -> Iterator[int]:
        """Yield the places of the entries that repeat an earlier one."""
        place_of: dict[Any, int] = {}
        return (place for place, key in enumerate(self.keys) if place_of.setdefault(key, place) != place)

    def _texts_of(self, lines: Collection[int]) -> dict[int, str]:
        """Return the text of some lines, by their number."""
        numbered = zip(range(1, max(lines) + 1), lines_of(self.text), strict=False)
        return {number: line.rstrip("\r\n") for number, line in numbered if number in lines}
