"""The images of a competition: which files, in which folders, and what their bands hold."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from competition.spec.base import Folders, Frozen, Place, Text, several, toml_key

MOST_BANDS = 200
FILE = "{id}"  # a chip's file is its id, plus a suffix unless the id has it

Band = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]


def _lower(suffix: str) -> str:
    if not re.fullmatch(r"\.[A-Za-z0-9]+", suffix):
        raise ValueError(f"expected a suffix such as '.jpg', received {suffix!r}")
    return suffix.lower()


def _as_names(value: Any) -> Any:
    """Return bands written as letters, such as "BGRN", as their names."""
    return tuple(value) if isinstance(value, str) else value


def image_key(name: str) -> str:
    """Return the key of a rendering in a competition's file, such as `images.tif`."""
    return f"images.{toml_key(name)}"


class ImageSet(Frozen):
    """One rendering of the chips, such as the JPEGs or the GeoTIFFs.

    Attributes:
        suffix: suffixes of the files, in lower case; those of the files may be in either case.
        bands: names of the bands, in the order of the files, such as "RGB", "BGRN" or ["B02", "B03", "B8A"].
        file: how the files of a chip are named, without suffix. With "{band}" there is one file per band, such as
            "{id}_{band}" or "{id}/{id}_{band}"; all are brought to the largest size among them.
        train: folders of the labelled chips, by name or by a path such as "images/train"; several may have one name.
            "." is the folder that holds all files. Folders within are searched where a chip's name or its id has
            folders in it, or where no chip lies in the folder itself.
        test: folders of the chips to predict; those of `train` may be among them.
        further: folders of chips that have no labels and are in no submission: networks score those that are neither
            labelled nor to be predicted, to learn from them by pseudo-labels.
        renamed: optional table with columns `old` (the name on disk) and `new` (the right name).
        range: the values (low, high) a band spans; default: the whole range of the data type.
        nodata: the value of pixels without data; they are read as the least value of their band. NaN is "nan".
        black: whether a chip whose every pixel is 0 is broken, as decoders that fail return such, or valid.
        metres_per_pixel: how much ground a pixel of a chip's file shows; for scenes, which are cut by it.
    """

    suffix: Annotated[tuple[Annotated[str, AfterValidator(_lower)], ...], BeforeValidator(several)] = Field(
        min_length=1
    )
    bands: Annotated[tuple[Band, ...], BeforeValidator(_as_names)] = Field(min_length=1, max_length=MOST_BANDS)
    file: Text = FILE
    train: Folders = Field(min_length=1)
    test: Folders = ()
    further: Folders = ()
    renamed: Place | None = None
    range: dict[str, tuple[float, float]] = Field(default={})
    nodata: float | Literal["nan"] | None = None
    black: Literal["broken", "valid"] = "broken"
    metres_per_pixel: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _check(self) -> ImageSet:
        if len(set(self.bands)) != len(self.bands):
            raise ValueError(f"bands {self.shown_bands} name a band twice")
        for band, (low, high) in self.range.items():
            if band not in self.bands:
                raise ValueError(f"range names band {band!r}, but bands are {self.shown_bands}")
            if not -math.inf < low < high < math.inf:
                raise ValueError(f"range of band {band!r} must rise, received {low:g} to {high:g}")
        if shared := {*self.further} & {*self.train, *self.test}:
            raise ValueError(f"further must have folders of its own, received {min(shared)!r}, which train or test has")
        left = self.file.replace("{id}", "").replace("{band}", "")
        if "{id}" not in self.file or "{" in left or "}" in left:
            raise ValueError(f"file must hold {{id}} and may hold {{band}}, received {self.file!r}")
        if ".." in self.file.split("/") or self.file.startswith("/") or "\\" in self.file:
            raise ValueError(f"file must not lead out of the image folder, received {self.file!r}")
        return self

    def folders(self, split: str) -> tuple[str, ...]:
        """Return the names of the folders of a split: "train", "test" or "further"."""
        return {"train": self.train, "test": self.test, "further": self.further}[split]

    @property
    def is_split(self) -> bool:
        """Whether each band has a file of its own."""
        return "{band}" in self.file

    @property
    def band_key(self) -> str | tuple[str, ...]:
        """The bands as digests and older records have them: letters as one word, names one by one."""
        return "".join(self.bands) if all(len(band) == 1 for band in self.bands) else self.bands

    @property
    def shown_bands(self) -> str:
        """The bands as a person writes them."""
        return repr(self.band_key) if isinstance(self.band_key, str) else ",".join(self.band_key)
