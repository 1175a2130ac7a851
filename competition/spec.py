"""What a competition is, read from one small TOML file into one frozen object."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from competition.common.errors import UserError, unknown_name

BUILT_IN = Path(__file__).parent

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]*$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metric(_Frozen):
    """The F-beta that ranks a competition.

    Attributes:
        average: "samples" is the mean over chips, "macro" the mean over labels, "micro" pools all
            decisions (scikit-learn's words).
        beta: weight of recall; above 1 it counts more than precision.
    """

    average: Literal["samples", "macro", "micro"] = "samples"
    beta: float = Field(default=1.0, gt=0, le=100)

    @property
    def name(self) -> str:
        """How the metric is shown, such as "F2" or "macro F1"."""
        prefix = "" if self.average == "samples" else f"{self.average} "
        return f"{prefix}F{self.beta:g}"

    @property
    def prior_cut(self) -> float:
        """The cut that is right for a calibrated score taken alone: 1 / (1 + beta^2)."""
        return 1.0 / (1.0 + self.beta**2)


class Tables(_Frozen):
    """The CSV files. With `tags_column` tags are words in one column, otherwise there is one 0/1 column per label."""

    train: FolderName
    sample_submission: FolderName
    id_column: str = "image_name"
    tags_column: str | None = None


class ImageSet(_Frozen):
    """One rendering of the chips, such as the JPEGs or the GeoTIFFs.

    Attributes:
        suffix: file suffix; a chip's file is its id plus this.
        bands: one letter per band, in the order of the files, such as "RGB" or "BGRN".
        train: folders of the labelled chips.
        test: folders of the chips to predict.
        renamed: optional table with columns `old` (the name on disk) and `new` (the right name).
        range: the values (low, high) a band spans; default: the whole range of the data type.
    """

    suffix: str = Field(pattern=r"^\.[A-Za-z0-9]+$")
    bands: str = Field(pattern=r"^[A-Za-z]+$")
    train: tuple[FolderName, ...] = Field(min_length=1)
    test: tuple[FolderName, ...] = Field(min_length=1)
    renamed: FolderName | None = None
    range: dict[str, tuple[float, float]] = {}

    @model_validator(mode="after")
    def _check(self) -> ImageSet:
        if len(set(self.bands)) != len(self.bands):
            raise ValueError(f"bands {self.bands!r} name a band twice")
        for band, (low, high) in self.range.items():
            if band not in self.bands:
                raise ValueError(f"range names band {band!r}, but bands are {self.bands!r}")
            if not low < high:
                raise ValueError(f"range of band {band!r} must rise, received {low:g} to {high:g}")
        return self


class Competition(_Frozen):
    """A multi-label image competition.

    Attributes:
        name: short name, used in files.
        title: name for people.
        slug: Kaggle's name of the competition.
        labels: the labels, in the order of every score matrix of this project.
        exclusive: groups of labels of which a chip carries exactly one.
        alone: labels that no other label may accompany.
        unlabelled: whether a chip may carry no label at all.
        metric: what ranks the submissions.
        tables: names and columns of the CSV files.
        images: the renderings of the chips by name; the first is the default.
    """

    name: Name
    title: str
    slug: Name
    labels: tuple[Annotated[str, Field(pattern=r"^\S+$")], ...] = Field(min_length=2)
    exclusive: tuple[tuple[str, ...], ...] = ()
    alone: tuple[str, ...] = ()
    unlabelled: bool = False
    metric: Metric = Metric()
    tables: Tables
    images: dict[Name, ImageSet] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Competition:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels are not unique: {_repeated(self.labels)}")
        grouped = [label for group in self.exclusive for label in group]
        if len(set(grouped)) != len(grouped):
            raise ValueError(f"exclusive groups share a label: {_repeated(grouped)}")
        if any(len(group) < 2 for group in self.exclusive):
            raise ValueError("an exclusive group needs two labels or more")
        if stranger := set(grouped).union(self.alone) - set(self.labels):
            raise ValueError(f"exclusive or alone name unknown labels: {', '.join(sorted(stranger))}")
        return self

    @cached_property
    def label_index(self) -> dict[str, int]:
        """Column of each label."""
        return {label: column for column, label in enumerate(self.labels)}

    @cached_property
    def exclusive_columns(self) -> tuple[tuple[int, ...], ...]:
        """Columns of each exclusive group."""
        return tuple(tuple(self.label_index[label] for label in group) for group in self.exclusive)

    @property
    def default_images(self) -> str:
        """The rendering used when none is named."""
        return next(iter(self.images))

    def image_set(self, name: str) -> ImageSet:
        """Return the rendering called `name`.

        Raises:
            UserError: if the competition has no such rendering.
        """
        if name not in self.images:
            raise unknown_name(f"image set of competition '{self.name}'", name, list(self.images))
        return self.images[name]


def built_in_names() -> list[str]:
    """Return the names of the competitions that ship with the toolkit."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def load(name_or_path: str) -> Competition:
    """Read a competition.

    Args:
        name_or_path: a name that ships with the toolkit ("planet"), or the path of a `.toml` file.

    Raises:
        UserError: if there is no such competition, or its file is not valid; the line says which entry and why.
    """
    path = Path(name_or_path) if name_or_path.endswith(".toml") else BUILT_IN / f"{name_or_path}.toml"
    if path.parent == BUILT_IN and path.stem not in built_in_names():
        raise unknown_name("competition", name_or_path, [*built_in_names(), "or the path of a .toml file"])
    try:
        return Competition.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"Cannot read the competition file {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise UserError(f"{path} does not describe a competition: {describe(error)}.") from error


def describe(error: ValidationError) -> str:
    """Return pydantic's findings as one line: which entry, what is wrong, what was received."""
    findings = []
    for finding in error.errors(include_url=False):
        where = ".".join(str(part) for part in finding["loc"]) or "file"
        message = finding["msg"].removeprefix("Value error, ")
        received = "" if isinstance(finding["input"], dict) else f" (received {finding['input']!r})"
        findings.append(f"{where}: {message}{received}")
    return "; ".join(findings)


def _repeated(names: Iterable[str]) -> str:
    return ", ".join(sorted(name for name, times in Counter(names).items() if times > 1))
