"""Pictures for a page: matplotlib's SVG in the page's colours, with a title, a description and its data as a table."""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from competition.common.text import cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# matplotlib knows no colours that follow a page's theme: each of these stands for a variable of its style sheet.
INK, MUTED, GRID, GOOD, BAD = "#0a0001", "#0a0002", "#0a0003", "#0a0004", "#0a0005"
SERIES = tuple(f"#0a01{number:02x}" for number in range(8))
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", GOOD: "good", BAD: "bad"} | {
    colour: f"s{number}" for number, colour in enumerate(SERIES)
}
DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1)), (0, (1, 3)), (0, (8, 3)), (0, (3, 1, 1, 1, 1, 1)))
LONGEST = 34  # characters of a name beside a picture
MOST_POINTS = 120  # of a curve: more cannot be told apart at the size of a page

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it is found, read aloud, and small
    "svg.hashsalt": "report",  # the same figures give the same bytes
    "text.parse_math": False,  # a label may hold a dollar sign
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
_numbers = itertools.count()


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Attributes:
        title: what it shows.
        description: how it is read.
        svg: the picture.
        headers: of its data.
        rows: of its data, as text.
    """

    title: str
    description: str
    svg: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Canvas:
    """A figure that is being drawn.

    Attributes:
        figure: matplotlib's.
        axes: its axes.
    """

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height), layout="constrained")
        self.figure.patch.set_visible(False)
        self.axes: Axes = self.figure.add_subplot()
        self.axes.patch.set_visible(False)

    def picture(
        self, title: str, description: str, headers: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> Picture:
        """Return what was drawn.

        Args:
            title: what it shows.
            description: how it is read.
            headers: of its data.
            rows: of its data.
        """
        cells = tuple(tuple(str(cell) for cell in row) for row in rows)
        return Picture(title, description, _svg(self.figure, title, description), tuple(headers), cells)


@contextmanager
def canvas(width: float = 4.4, height: float = 3.0) -> Iterator[Canvas]:
    """Return a figure to draw on, in the page's style.

    Args:
        width: inches, of 72 of the page's pixels.
        height: likewise.
    """
    with rc_context(_STYLE):
        yield Canvas(width, height)


def shortened(name: str) -> str:
    """Return a name as it fits beside a picture."""
    return cut(name, LONGEST)


def more(drawn: int, total: int, what: str) -> str:
    """Return a sentence that says how many of a picture's data are in its table alone; "" where all are drawn."""
    return f" Drawn are {drawn} of {total:,} {what}; the others are in the table." if drawn < total else ""


def thinned(*arrays: NDArray[Any], most: int = MOST_POINTS) -> tuple[NDArray[Any], ...]:
    """Return arrays of equal length at as many evenly spaced places, the first and the last among them."""
    places = np.unique(np.linspace(0, len(arrays[0]) - 1, min(most, len(arrays[0]))).round().astype(int))
    return tuple(array[places] for array in arrays)


def _svg(figure: Figure, title: str, description: str) -> str:
    """Return a figure as a part of a page: with names for screen readers, ids of its own, and the page's colours."""
    kept = io.StringIO()
    with warnings.catch_warnings():  # the browser's fonts draw the text, and have more glyphs than matplotlib's
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(kept, format="svg", metadata={"Date": None, "Creator": None})
    text = kept.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    own = f"p{next(_numbers)}-"
    text = re.sub(r'\bid="', f'id="{own}', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{own}", text)
    text = re.sub(r'(?<=: )#0a0[0-9a-f]{3}(?=[;"])', lambda found: f"var(--{_VARIABLES[found[0]]})", text)
    text = re.sub(r'"[^"]*"', lambda value: re.sub(r"(\d\.\d\d)\d+", r"\1", value[0]), text)  # of a pixel: enough
    text = re.sub(r"\n\s*", "\n", text)
    box = re.search(r'viewBox="[^"]*"', text)
    names = f"<title id='{own}t'>{escape(title)}</title><desc id='{own}d'>{escape(description)}</desc>"
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' {box[0] if box else ''} "
        f"role='img' aria-labelledby='{own}t {own}d' style='max-width:{figure.get_figwidth() * 96:.0f}px'>"
    )
    return f"{head}{names}{text[text.index('>') + 1 :]}"
