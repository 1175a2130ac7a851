"""What an exported model says of itself: all that is needed to give it chips and to make tags of its scores."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from competition.common.errors import UserError
from competition.scenes.values import AT, ChipValues
from competition.spec.competition import Competition
from competition.spec.images import ImageSet
from competition.spec.load import describe
from competition.task import Task
from models.backend.runners import Runner
from models.backend.seals import MANIFEST
from models.networks.input_spec import Inputs
from models.predict.predictor import LearntFrom
from models.recipes.recipe import Recipe
from models.recipes.view_sets import VIEWS

FORMAT: Literal[1] = 1
LARGEST = 2**20  # bytes of the JSON; it takes a few thousand
LARGEST_CHIP = 8192  # pixels along each side


class TrainingChips(BaseModel):
    """The chips that a model has learnt from, see `LearntFrom`.

    Attributes:
        pixels: along the longer side of their files.
        quantiles: of the values of their bands (len(AT), num_bands), see `ChipValues`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels: Annotated[int, Field(gt=0, le=LARGEST_CHIP)]
    quantiles: tuple[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], ...]


class Manifest(BaseModel):
    """The manifest of an exported model; within its file it is JSON.

    Attributes:
        format: of the manifest.
        model: name of the model.
        competition: labels, exclusive groups and all else that deciding tags asks for, and the renderings.
        labels: the labels scored, in the order of the network's scores; a specialist's are not all.
        cuts: for each of them the score from which it is decided.
        inputs: size and bands of the chips, and what their values span.
        dtype: data type of the chips' files.
        views: the views over which scores are to be averaged; the network scores one at a time.
        recipe: what the networks were trained with.
        folds: the folds whose networks are averaged.
        digests: of recipe, fold table and label table.
        versions: of what made the file, by package.
        chips: that the model has learnt from; None where they were gone, or of a file that is older.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = FORMAT
    model: str
    competition: Competition
    labels: tuple[str, ...] = Field(min_length=1)
    cuts: dict[str, Annotated[float, Field(ge=0, le=1)]]
    inputs: Inputs
    dtype: Annotated[str, Field(pattern="^(uint8|uint16|int16|float32)$")]
    views: tuple[str, ...] = Field(min_length=1)
    recipe: Recipe
    folds: tuple[int, ...] = Field(min_length=1)
    digests: dict[str, str]
    versions: dict[str, str]
    chips: TrainingChips | None = None

    @model_validator(mode="after")
    def _check(self) -> Manifest:
        known = self.competition.labels
        if self.labels != tuple(label for label in known if label in self.labels):
            raise ValueError("labels must be the competition's, in its order")
        if set(self.cuts) != set(self.labels):
            raise ValueError("there must be a cut for each label, and no other")
        if strange := set(self.views) - set(VIEWS):
            raise ValueError(f"views name {', '.join(sorted(strange))}")
        if not 0 < self.inputs.size <= LARGEST_CHIP:
            raise ValueError(f"chips of {self.inputs.size} px")
        if not len(self.inputs.bands) == len(self.inputs.low) == len(self.inputs.high) > 0:
            raise ValueError("each band needs one value for 0 and one for 255")
        self.competition.image_set(self.recipe.images)
        if self.chips and {*map(len, self.chips.quantiles)} != {len(self.inputs.bands)}:
            raise ValueError("each band needs its quantiles")
        if self.chips and len(self.chips.quantiles) != len(AT):
            raise ValueError(f"expected {len(AT)} quantiles, received {len(self.chips.quantiles)}")
        return self

    @property
    def images(self) -> ImageSet:
        """The rendering of the chips."""
        return self.competition.image_set(self.recipe.images)

    @property
    def task(self) -> Task:
        """The labels scored."""
        return Task(self.competition, self.labels)

    @property
    def cuts_of_all(self) -> NDArray[np.float64]:
        """The cuts (num_labels,) in the competition's order; NaN for a label that is not scored."""
        return np.array([self.cuts.get(label, np.nan) for label in self.competition.labels])

    @property
    def learnt_from(self) -> LearntFrom:
        """What is known of the chips that the model has learnt from."""
        if self.chips is None:
            return LearntFrom.known_by(self.inputs, self.dtype)
        quantiles = np.array(self.chips.quantiles)
        return LearntFrom(self.chips.pixels, ChipValues(self.dtype, tuple(self.inputs.bands), quantiles, sampled=True))

    def text(self) -> str:
        """Return the manifest as JSON."""
        return self.model_dump_json(indent=2)

    @classmethod
    def read(cls, text: str | bytes) -> Manifest:
        """Return the manifest that `text` has written.

        Raises:
            UserError: if it is damaged, or of another format; the line does not name the file.
        """
        if len(text) > LARGEST:
            raise UserError(f"its manifest is larger than {LARGEST:,} bytes")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise UserError(f"its manifest is not valid: {describe(error).removesuffix('.')}"[:300]) from error


@dataclass(frozen=True)
class Exported:
    """A network read from a file.

    Attributes:
        manifest: what the file says of it.
        runner_for: returns what runs it, given some chips (num_chips, size, size, num_bands) as a sample.
    """

    manifest: Manifest
    runner_for: Callable[[NDArray[Any]], Runner]


def stored_members(path: Path, names: set[str]) -> zipfile.ZipFile:
    """Open an archive that holds just the members `names`, none of them compressed: none can be larger than it is."""
    archive = zipfile.ZipFile(path)
    members = archive.infolist()
    received = sorted(member.filename for member in members)
    if received != sorted(names) or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        archive.close()
        raise UserError(f"expected the members {', '.join(sorted(names))}, received {', '.join(received)[:100]}")
    if damaged := archive.testzip():  # who reads a member in pieces, as Keras does, does not ask for its checksum
        archive.close()
        raise UserError(f"{damaged} is not what was written")
    return archive


def manifest_in(archive: zipfile.ZipFile) -> Manifest:
    """Return the manifest in an archive."""
    with archive.open(MANIFEST) as member:
        return Manifest.read(member.read(LARGEST + 1))
