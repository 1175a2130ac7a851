"""The scores of a scene's windows, kept row by row while they are made; and the score raster that becomes of them.

Layout of the folder that `scene predict` fills:

    rows/rows.bin     scores of windows: a record of one size for each row, which ends in its checksum
    rows/rows.json    what they are of: who goes on must make the same
    scores.tif        the score raster
    scene.json        what it is of; written last, and `rows/` is removed then

A row that a killed process has not finished, or that the disk has damaged, has the wrong checksum and is made again.
All others are as they were, so that a raster that was interrupted has the same bytes as one that was not. A raster that
is damaged is begun again.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError, naming
from competition.common.files import replace_atomically
from competition.common.folders import check_room
from competition.common.interrupts import check
from competition.common.locks import lock_of, locked
from competition.common.progress import reporter
from competition.common.records import read_record, write_record
from competition.common.text import first
from competition.gdal.imports import gdal, import_map
from competition.scenes.grid import mean_over_cells
from competition.scenes.scene import Scene
from competition.scenes.score_raster import BLOCK, FILE, FORMAT, RECORD, ROWS, TAG, Scored, ScoreRaster

VALUES, ROWS_RECORD = "rows.bin", "rows.json"
SUM = 4  # bytes of a checksum
OTHERWISE = "give another --output, or remove that folder"
TILE = 256  # cells along each side of a block of the GeoTIFF


class ScoreRows:
    """The rows of windows of a scene, of which those that are `left` are to be scored.

    Made by `score_rows`, in a block. Rows may be put in any order, and by several threads.

    Attributes:
        scored: what the scores are of.
        left: numbers of the rows that are not there yet.
    """

    def __init__(self, folder: Path, scored: Scored) -> None:
        self.folder, self.scored = folder, scored
        self._path = folder / ROWS / VALUES
        self._shape = scored.grid.window_columns, len(scored.labels)
        self._size = 4 * self._shape[0] * self._shape[1] + SUM
        self.left = [] if self.is_done else self._look()

    @property
    def is_done(self) -> bool:
        """Whether the score raster is there."""
        return (self.folder / RECORD).is_file() and (self.folder / FILE).is_file()

    def put(self, row: int, scores: NDArray[Any]) -> None:
        """Keep the scores of a row of windows.

        Args:
            row: its number, from 0.
            scores: float array (num_windows, num_labels) in [0, 1], NaN where a window was not scored for a label.

        Raises:
            ValueError: if they have another shape.
        """
        if scores.shape != self._shape:
            raise ValueError(f"A row of windows has {self._shape} scores; received {scores.shape}.")
        content = np.ascontiguousarray(scores, dtype="<f4").tobytes()
        record = content + _sum(row, content)
        with naming(self._path), self._path.open("r+b", buffering=0) as file:
            file.seek(row * self._size)
            file.write(record)

    def finish(self) -> Path:
        """Make the score raster of all rows, remove these, and return its path.

        Raises:
            UserError: if rows are missing or damaged, or the disk is too small.
        """
        target = self.folder / FILE
        if self.is_done:
            return target
        plain, made = self.folder / ROWS / "plain.tif", self.folder / ROWS / "cog.tif"
        cells = self.scored.grid.rows * self.scored.grid.columns * len(self.scored.labels) * self.scored.bits // 8
        check_room(3 * cells, self.folder, "The score raster", "Make room, or give another --output.")
        with naming(target):
            self._write(plain)
            _to_cog(plain, made)
            plain.unlink()
            with replace_atomically(target) as temporary:
                made.replace(temporary)
        write_record(self.folder / RECORD, self.scored.as_dict(), version=FORMAT)
        shutil.rmtree(self.folder / ROWS)
        return target

    def _write(self, path: Path) -> None:
        """Write the scores of cells, block by block, as a plain GeoTIFF."""
        scored, grid = self.scored, self.scored.grid
        _, wkt, transform = _begun(self.folder)
        with gdal() as rasterio:
            profile = {
                "driver": "GTiff", "width": grid.columns, "height": grid.rows, "count": len(scored.labels),
                "dtype": f"uint{scored.bits}", "nodata": scored.unknown, "tiled": True, "blockxsize": TILE,
                "blockysize": TILE, "interleave": "band", "BIGTIFF": "IF_SAFER", "crs": wkt or None,
                "transform": rasterio.Affine(*transform),
            }  # fmt: skip
            with rasterio.open(path, "w", **profile) as dataset:
                for first, scores in self._blocks():
                    codes = np.moveaxis(scored.as_codes(scores), -1, 0)
                    dataset.write(codes, window=((first, first + len(scores)), (0, grid.columns)))
                _describe(dataset, scored)

    def _blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        block: list[NDArray[np.float32]] = []
        with reporter.bar(self.scored.grid.rows, "writing", "row") as bar:
            for number, row in enumerate(mean_over_cells(self.scored.grid, self._read_all())):
                check()
                block.append(row)
                if len(block) == BLOCK or number == self.scored.grid.rows - 1:
                    yield number + 1 - len(block), np.stack(block)
                    block = []
                bar.update()

    def _read_all(self) -> Iterator[NDArray[np.float32]]:
        with self._path.open("rb") as file:
            for row in range(self.scored.grid.window_rows):
                content = self._content(row, file.read(self._size))
                if content is None:
                    raise UserError(
                        f"{self._path} lacks row {row}, or it is damaged. Run the same command again: it is made again."
                    )
                yield np.frombuffer(content, dtype="<f4").reshape(self._shape).astype(np.float32)

    def _look(self) -> list[int]:
        """Return the rows that are not there, or not whole."""
        with self._path.open("rb") as file:
            rows = range(self.scored.grid.window_rows)
            return [row for row in rows if self._content(row, file.read(self._size)) is None]

    def _content(self, row: int, record: bytes) -> bytes | None:
        content, stated = record[:-SUM], record[-SUM:]
        return content if len(record) == self._size and stated == _sum(row, content) else None


@contextmanager
def score_rows(folder: Path, scored: Scored, scene: Scene) -> Iterator[ScoreRows]:
    """Begin the scores of a scene in a folder, or go on with those that lie there; one process at a time does.

    Args:
        folder: to fill; new, empty, or begun with the same scores.
        scored: what they are of.
        scene: that is scored.

    Yields:
        What keeps them.

    Raises:
        BusyError: if another process is at it.
        UserError: if the folder holds something else, or the disk is too small.
    """
    with locked(lock_of(folder), f"the scores in {folder}"):
        _check_same(folder, scored)
        if not _is_whole(folder):
            _begin(folder, scored, scene)
            (folder / RECORD).unlink(missing_ok=True)
        yield ScoreRows(folder, scored)


def _is_whole(folder: Path) -> bool:
    """Return whether a folder holds a score raster that can be read to its end."""
    if not (folder / RECORD).is_file():
        return False
    try:
        deque(ScoreRaster.read(folder).blocks(), maxlen=0)
    except UserError:
        reporter.say(f"{folder / FILE} cannot be read: it is made again.")
        return False
    return True


def _begin(folder: Path, scored: Scored, scene: Scene) -> None:
    rows, grid = folder / ROWS, scored.grid
    if (rows / ROWS_RECORD).is_file():
        return
    size = (4 * grid.window_columns * len(scored.labels) + SUM) * grid.window_rows
    check_room(
        size, folder, f"The scores of {grid.window_rows * grid.window_columns:,} windows", "Give another --output."
    )
    rows.mkdir(parents=True, exist_ok=True)
    (rows / VALUES).write_bytes(b"")
    a, b, c, d, e, f = scene.transform
    across, down = grid.stride
    cells = [a * across, b * down, c, d * across, e * down, f]
    place = {"wkt": scene.wkt, "transform": cells}
    write_record(rows / ROWS_RECORD, {"scored": scored.as_dict(), **place}, version=FORMAT)


def _begun(folder: Path) -> tuple[Scored, str, list[float]]:
    """Return what the rows in a folder are of, the coordinate system of its cells, and where they lie."""

    def parse(content: dict[str, Any]) -> tuple[Scored, str, list[float]]:
        return Scored.model_validate(content["scored"]), content["wkt"], content["transform"]

    return read_record(folder / ROWS / ROWS_RECORD, parse, version=FORMAT, otherwise=OTHERWISE)


def _check_same(folder: Path, scored: Scored) -> None:
    """Refuse a folder that holds anything but the same scores."""
    if (folder / RECORD).is_file():
        found = read_record(folder / RECORD, Scored.model_validate, version=FORMAT, otherwise=OTHERWISE)
    elif (folder / ROWS / ROWS_RECORD).is_file():
        found, _, _ = _begun(folder)
    elif folder.is_dir() and (strange := [name for name in os.listdir(folder) if name != ROWS]):
        raise UserError(f"Will not write into {folder}: it holds {first(strange)}. Give a new folder.")
    else:
        return
    if found.digest != scored.digest:
        given, kept = ({**each.as_dict(), "digests": {}, "versions": {}, **each.digests} for each in (scored, found))
        others = [name for name in given if given[name] != kept.get(name)]
        raise UserError(f"{folder} holds scores of another {' and '.join(others)}.", otherwise=OTHERWISE)


def _sum(row: int, content: bytes) -> bytes:
    """Return the checksum of a row; with its number, as else a hole in the file would pass for a row."""
    return zlib.crc32(content, row + 1).to_bytes(SUM, "little")


def _describe(dataset: Any, scored: Scored) -> None:
    """Write into a GeoTIFF what its bands are, for this toolkit and for others."""
    count = len(scored.labels)
    dataset.descriptions = scored.labels
    dataset.scales, dataset.offsets = [1 / (scored.unknown - 1)] * count, [0.0] * count
    tags = {TAG: json.dumps({"format": FORMAT, **scored.as_dict()}, sort_keys=True)}
    if scored.date:
        tags["TIFFTAG_DATETIME"] = f"{scored.date.replace('-', ':')} 00:00:00"
    dataset.update_tags(**tags)


def _to_cog(plain: Path, target: Path) -> None:
    with gdal():
        import_map("rasterio.shutil").copy(
            plain, target, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES", BLOCKSIZE=str(TILE),
            OVERVIEW_RESAMPLING="AVERAGE", BIGTIFF="IF_SAFER",
        )  # fmt: skip
