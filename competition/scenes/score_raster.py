"""The score raster: the scores of a scene's cells in one GeoTIFF, labels as bands, with all that is needed to decide.

A score is a whole number of 254ths, or of 65534ths; the highest number says that a cell's score is not known. What the
scores are of stands in `scene.json` beside the file and, the same, in a tag within it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from competition.common.errors import UserError, unknown_name
from competition.common.files import digest_json
from competition.gdal.sources import opened
from competition.scenes.grid import Grid
from competition.scenes.ground import Affine, metres_of_pixels
from competition.spec.base import Frozen, Text
from competition.spec.load import describe

FILE, RECORD, ROWS, FORMAT = "scores.tif", "scene.json", "rows", 1
TAG = "SCENE_SCORES"  # of the GeoTIFF
BLOCK = 256  # rows of cells read at once
LARGEST_TAG = 1 << 22  # letters

Cut = Annotated[float, Field(ge=0, le=1)]


class Scored(Frozen):
    """What the scores of a scene are of.

    Attributes:
        labels: that are scored, in the order of the bands.
        exclusive: groups of labels of which a place carries one.
        alone: labels that no other accompanies.
        hides: labels that hide the ground: a window decided as one is unknown for all labels but these.
        cuts: score of each label from which it is decided; may lack some, or all.
        model: its name.
        digests: of whatever the scores depend on, such as "model" and "scene", by name.
        competition: its name.
        scene: its name.
        date: when the scene was taken, as "2026-11-28"; "" where nobody knows.
        metres: width and height of a pixel of the scene on the ground.
        chip_metres: side of a window on the ground.
        grid: windows and cells, in pixels of the scene.
        bits: of a score on disk.
        versions: of what made them, by package.
    """

    labels: tuple[Text, ...] = Field(min_length=1)
    exclusive: tuple[tuple[Text, ...], ...] = ()
    alone: tuple[Text, ...] = ()
    hides: tuple[Text, ...] = ()
    cuts: dict[str, Cut] = Field(default={})
    model: Text
    digests: dict[str, str] = Field(default={})
    competition: Text
    scene: Text
    date: Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d)?$")] = ""
    metres: tuple[float, float]
    chip_metres: float = Field(gt=0)
    grid: Grid
    bits: Literal[8, 16] = 8
    versions: dict[str, str] = Field(default={})

    @model_validator(mode="after")
    def _check(self) -> Scored:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels are not unique")
        for name in ("alone", "hides", "cuts"):
            if stranger := set(getattr(self, name)) - set(self.labels):
                raise ValueError(f"{name} names unknown labels: {', '.join(sorted(stranger))}")
        if stranger := {label for group in self.exclusive for label in group} - set(self.labels):
            raise ValueError(f"exclusive names unknown labels: {', '.join(sorted(stranger))}")
        return self

    @property
    def unknown(self) -> int:
        """The number on disk of a score that is not known."""
        return 2**self.bits - 1

    @property
    def digest(self) -> str:
        """Digest of all of it but versions: of what must be the same for scores to be gone on with."""
        return digest_json(self.as_dict() | {"versions": {}})

    def as_dict(self) -> dict[str, Any]:
        """Return the values by name, as records have them."""
        return self.model_dump(mode="json")

    def as_scores(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """Return scores of numbers on disk, NaN where they are not known."""
        scores = codes.astype(np.float32) / np.float32(self.unknown - 1)
        return np.where(codes == self.unknown, np.float32(np.nan), scores)

    def as_codes(self, scores: NDArray[np.float32]) -> NDArray[Any]:
        """Return what is written of scores, NaN where they are not known: uint8 or uint16 of the same shape."""
        codes = np.rint(np.clip(np.nan_to_num(scores), 0, 1).astype(np.float64) * (self.unknown - 1))
        return np.where(np.isnan(scores), self.unknown, codes).astype(f"uint{self.bits}")


@dataclass(frozen=True)
class ScoreRaster:
    """A score raster that is read.

    Attributes:
        path: of the GeoTIFF.
        scored: what its scores are of.
        rows: of cells.
        columns: of cells.
        wkt: coordinate system; "" where the scene has none.
        transform: from (column, row) of cells to its coordinates.
    """

    path: Path
    scored: Scored
    rows: int
    columns: int
    wkt: str
    transform: Affine

    @classmethod
    def read(cls, path: Path) -> ScoreRaster:
        """Return the score raster in a GeoTIFF, or in the folder that `scene predict` has written.

        Raises:
            UserError: if it is none, is damaged, or is not complete.
        """
        if path.is_dir() and not (path / FILE).is_file() and (path / ROWS).is_dir():
            raise UserError(
                f"The scores in {path} are not complete: they were interrupted.", command=_again(path / FILE)
            )
        path = path / FILE if path.is_dir() else path
        with _opened(path) as dataset:
            said, dtypes = dataset.tags().get(TAG, ""), dataset.dtypes
            found = dataset.count, dataset.height, dataset.width
            a, b, c, d, e, f = tuple(dataset.transform)[:6]
            wkt = "" if dataset.crs is None else dataset.crs.to_wkt()
        scored = _scored_in(said, path)
        shape = len(scored.labels), scored.grid.rows, scored.grid.columns
        if found != shape or set(dtypes) != {f"uint{scored.bits}"}:
            raise UserError(
                f"{path} is damaged: it says {shape}, and holds {found} of {dtypes[0]}.", command=_again(path)
            )
        return cls(path, scored, found[1], found[2], wkt, (a, b, c, d, e, f))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the bands."""
        return self.scored.labels

    @cached_property
    def cell_km2(self) -> float:
        """Area of a cell at the raster's centre, in square kilometres."""
        if self.wkt:
            width, height = metres_of_pixels(self.wkt, self.transform, self.columns, self.rows)
        else:
            width, height = (m * s for m, s in zip(self.scored.metres, self.scored.grid.stride, strict=True))
        return width * height / 1e6

    def codes(self, label: str, first: int = 0, last: int | None = None) -> NDArray[Any]:
        """Return a label's scores as they lie on disk, of rows `first` to `last`: uint8 or uint16 (rows, columns).

        Raises:
            UserError: if there is no such label, or the file is damaged.
        """
        if label not in self.labels:
            raise unknown_name("label", label, list(self.labels))
        return self._read([self.labels.index(label) + 1], first, last)[0]

    def scores(self, label: str, first: int = 0, last: int | None = None) -> NDArray[np.float32]:
        """Return a label's scores of rows `first` to `last`: float32 (rows, columns), NaN where they are not known.

        Raises:
            UserError: as `codes`.
        """
        return self.scored.as_scores(self.codes(label, first, last))

    def blocks(self, rows: int = BLOCK) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the number of the first row, and the scores of all labels, of so many rows of cells after another.

        Yields:
            The number, and float32 array (rows, columns, num_labels), NaN where a score is not known.

        Raises:
            UserError: if the file is damaged.
        """
        for first in range(0, self.rows, rows):
            codes = self._read(list(range(1, len(self.labels) + 1)), first, first + rows)
            yield first, self.scored.as_scores(np.moveaxis(codes, 0, -1))

    def _read(self, bands: list[int], first: int, last: int | None) -> NDArray[Any]:
        window = (first, min(self.rows, self.rows if last is None else last)), (0, self.columns)
        with _opened(self.path) as dataset:
            return dataset.read(bands, window=window)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a score raster for the block: rasterio's data set; whatever cannot be read of it is one line."""
    try:
        with opened(path, str(path)) as dataset:
            yield dataset
    except UserError as error:
        reason = error.text.removeprefix(f"Cannot read the scene {path}: ")
        raise UserError(f"Cannot read the scores {path}: {reason}", command=_again(path)) from error


def _again(path: Path) -> str:
    """Return the command that makes scores again."""
    folder = shlex.quote(str(path.parent)) if path.name == FILE else "DIR"
    return f"scene predict --model MODEL --scene SCENE --output {folder}"


def _scored_in(text: str, path: Path) -> Scored:
    if not text or len(text) > LARGEST_TAG:
        raise UserError(f"{path} is no score raster, or half of one.", command=_again(path))
    try:
        content = json.loads(text)
        if content.pop("format", None) != FORMAT:
            raise UserError(f"{path} was written by another version of the toolkit. Use that version.")
        return Scored.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path} is damaged: {describe(error, Scored)}.", command=_again(path)) from error
    except (ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is damaged: what it says of itself is no record.", command=_again(path)) from error
