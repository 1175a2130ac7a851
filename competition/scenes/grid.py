"""The grid of a scene: the windows that are scored, the cells that their scores are shown on, and how these overlap.

Everything is in pixels of the scene. Windows overlap and lie within the scene; cells are as large as the step from one
window to the next, which is as fine as a classifier of chips can be honest about. Rows and columns are independent, so
that nothing here is as large as windows times cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Axis = Literal["x", "y"]


class Window(NamedTuple):
    """A rectangle of a scene's pixels, whose upper left one is (x, y)."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Grid:
    """The windows and cells of a scene.

    Windows start at 0, s, 2 s, ... as long as they end within the scene; where these do not reach its end, one more is
    pulled inside. Cell (row, column) covers the pixels from (column sx, row sy) to ((column + 1) sx, (row + 1) sy), cut
    to the scene.

    Attributes:
        width: of the scene.
        height: of the scene.
        window: width and height of a window.
        stride: steps (sx, sy) from a window to the next, which are width and height of a cell.
    """

    width: int
    height: int
    window: tuple[int, int]
    stride: tuple[int, int]

    def __post_init__(self) -> None:
        sides = zip((self.width, self.height), self.window, self.stride, strict=True)
        if not all(0 < step <= window <= side for side, window, step in sides):
            raise ValueError(f"Windows {self.window} by steps {self.stride} do not fit {self.width} x {self.height}.")

    @classmethod
    def over(cls, size: tuple[int, int], metres: tuple[float, float], chip_metres: float, *, steps: int = 2) -> Grid:
        """Return the grid of windows of a chip's ground size.

        Args:
            size: width and height of the scene in pixels.
            metres: a pixel's width and height on the ground.
            chip_metres: a chip's side on the ground.
            steps: into which a window's side is divided: 1 is no overlap, 2 half of a window.

        Raises:
            UserError: as `window_of`, or if there are more steps than pixels in a window.
        """
        window = window_of(size, metres, chip_metres)
        if not 0 < steps <= min(window):
            raise UserError(f"A window of {window[0]} x {window[1]} pixels cannot be divided into {steps:,} steps.")
        return cls(*size, window, (-(-window[0] // steps), -(-window[1] // steps)))

    @property
    def columns(self) -> int:
        """Number of cells in a row."""
        return -(-self.width // self.stride[0])

    @property
    def rows(self) -> int:
        """Number of rows of cells."""
        return -(-self.height // self.stride[1])

    def starts(self, axis: Axis) -> NDArray[np.int64]:
        """Return where windows start along an axis: int64 array (num_windows,), rising."""
        side, window, step = self._along(axis)
        starts = np.arange(0, side - window + 1, step, dtype=np.int64)
        return starts if starts[-1] + window == side else np.append(starts, side - window)

    @cached_property
    def window_columns(self) -> int:
        """Number of windows in a row of them."""
        return len(self.starts("x"))

    @cached_property
    def window_rows(self) -> int:
        """Number of rows of windows."""
        return len(self.starts("y"))

    def row_of_windows(self, row: int, columns: range | None = None) -> list[Window]:
        """Return the windows of a row, from left to right; or of these those with some numbers."""
        y, starts = int(self.starts("y")[row]), self.starts("x")
        return [Window(int(x), y, *self.window) for x in (starts if columns is None else starts[list(columns)])]

    def weights(self, axis: Axis) -> csr_array:
        """Return by how many pixels windows and cells overlap along an axis: float64 (num_windows, num_cells), sparse.

        A window and a cell share the product of both axes' overlaps.
        """
        from scipy.sparse import csr_array

        side, window, step = self._along(axis)
        starts = self.starts(axis)[:, None]
        cells = starts // step + np.arange(window // step + 2)  # each window's first cell and those that it may reach
        ends = np.minimum(np.minimum((cells + 1) * step, starts + window), side)
        overlap = ends - np.maximum(cells * step, starts)
        windows, reached = np.nonzero(overlap > 0)
        place = windows, cells[windows, reached]
        count = self.columns if axis == "x" else self.rows
        return csr_array((overlap[windows, reached].astype(np.float64), place), shape=(len(starts), count))

    def as_dict(self) -> dict[str, Any]:
        """Return the values by name, as records have them."""
        return {**asdict(self), "window": list(self.window), "stride": list(self.stride)}

    def _along(self, axis: Axis) -> tuple[int, int, int]:
        place = 0 if axis == "x" else 1
        return (self.width, self.height)[place], self.window[place], self.stride[place]


def window_of(size: tuple[int, int], metres: tuple[float, float], chip_metres: float) -> tuple[int, int]:
    """Return the width and height of a chip in a scene's pixels, to the nearest pixel.

    Args:
        size: width and height of the scene in pixels.
        metres: a pixel's width and height on the ground.
        chip_metres: a chip's side on the ground.

    Raises:
        UserError: if the scene is smaller than a chip, or a chip smaller than a pixel.
    """
    width, height = (round(chip_metres / each) for each in metres)
    if min(width, height) < 1:
        raise UserError(f"A chip of {chip_metres:,g} m is less than a pixel of this scene. Give larger --chip-metres.")
    if size[0] < width or size[1] < height:
        ground = " x ".join(f"{side * each:,.0f}" for side, each in zip(size, metres, strict=True))
        raise UserError(
            f"The scene is smaller than a chip: it is {ground} m, and a chip's side is {chip_metres:,.0f} m. "
            "Give a larger scene, or smaller --chip-metres."
        )
    return width, height


def mean_over_cells(grid: Grid, rows: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Yield the score of every cell, row by row: the mean of the windows over it, weighted by the area they share.

    No more rows are held than windows overlap.

    Args:
        grid: of the scene.
        rows: of each row of windows in turn, float array (num_windows, num_labels); NaN where it was not scored.

    Yields:
        Float32 array (columns, num_labels) of each row of cells; NaN where no window over the cell was scored.
    """
    across, down = grid.weights("x").T.tocsr(), grid.weights("y")
    last = np.zeros(grid.rows, dtype=np.int64)  # row of windows after which a row of cells is final
    windows, cells = down.nonzero()
    np.maximum.at(last, cells, windows)
    sums: dict[int, NDArray[np.float64]] = {}
    done = 0
    for row, scores in enumerate(rows):
        known = ~np.isnan(scores)
        shared = np.stack([across @ np.where(known, scores, 0).astype(np.float64), across @ known.astype(np.float64)])
        span = slice(down.indptr[row], down.indptr[row + 1])
        for cell, overlap in zip(down.indices[span].tolist(), down.data[span].tolist(), strict=True):
            sums[cell] = sums.get(cell, 0) + overlap * shared
        while done < grid.rows and last[done] == row:
            total, area = sums.pop(done)
            yield np.divide(total, area, out=np.full_like(total, np.nan), where=area > 0).astype(np.float32)
            done += 1
