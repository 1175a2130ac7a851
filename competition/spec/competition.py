"""A competition as one frozen object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from competition.common.errors import UserError, unknown_name
from competition.spec.base import Frozen, Name, Text
from competition.spec.images import ImageSet
from competition.spec.metric import DECISIONS, Metric
from competition.spec.submission import Kind, Submission
from competition.spec.tables import TableForm, Tables

MOST_LABELS = 10_000


def _label(text: str) -> str:
    if not text.strip() or text != text.strip() or not text.isprintable():
        raise ValueError(f"expected a label of printable text without blanks around it, received {text!r}")
    return text


class Competition(Frozen):
    """A multi-label image competition.

    Attributes:
        name: short name, used in files.
        title: name for people.
        slug: Kaggle's name of the competition; None if it is not Kaggle's.
        labels: the labels, in the order of every score matrix of this project.
        exclusive: groups of labels of which a chip carries exactly one. One group of all labels makes the competition
            multi-class.
        alone: labels that no other label may accompany.
        unlabelled: whether a chip may carry no label at all.
        metric: what ranks the submissions; of a multi-class competition, accuracy by default.
        tables: names and columns of the tables.
        images: the renderings of the chips by name; the first is the default.
        submission: the form of a submission.
    """

    name: Name
    title: Text
    slug: Name | None = None
    labels: tuple[Annotated[str, AfterValidator(_label)], ...] = Field(min_length=2, max_length=MOST_LABELS)
    exclusive: tuple[tuple[str, ...], ...] = ()
    alone: tuple[str, ...] = ()
    unlabelled: bool = False
    metric: Metric = Metric()
    tables: Tables
    images: dict[Name, ImageSet] = Field(min_length=1)
    submission: Submission = Submission()

    @model_validator(mode="before")
    @classmethod
    def _usual_metric(cls, values: Any) -> Any:
        """Let a multi-class competition be judged by the chip: by the share that is right, unless it says otherwise."""
        if not isinstance(values, dict) or not isinstance(values.get("metric", {}), dict):
            return values
        metric = values.get("metric", {})
        name = metric.get("name", "accuracy") if metric.keys() <= {"name", "clip"} else None
        if name in ("accuracy", "log_loss") and _is_one_group(values):
            return {**values, "metric": {**metric, "name": name, "average": "samples"}}
        return values

    @field_validator("metric")
    @classmethod
    def _weigh_every_label(cls, metric: Metric, info: ValidationInfo) -> Metric:
        """Give every label its weight, in the order of the labels, where some have one."""
        labels = info.data.get("labels")
        if labels is None:  # refused before
            return metric
        if stranger := metric.weights.keys() - set(labels):
            raise ValueError(f"weights name unknown labels: {', '.join(sorted(stranger))}")
        return metric.of_labels(labels)

    @model_validator(mode="after")
    def _check(self) -> Competition:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels are not unique: {_repeated(self.labels)}")
        grouped = [label for group in self.exclusive for label in group]
        if len(set(grouped)) != len(grouped):
            raise ValueError(f"exclusive groups share a label: {_repeated(grouped)}")
        if any(len(group) < 2 for group in self.exclusive):
            raise ValueError("an exclusive group needs two labels or more")
        if self.is_multi_class and self.unlabelled:
            raise ValueError("one exclusive group of all labels gives every chip a label: unlabelled contradicts it")
        if len(set(self.alone)) == len(self.labels):
            raise ValueError("alone names every label: say one exclusive group of all labels instead")
        if stranger := set(grouped).union(self.alone) - set(self.labels):
            raise ValueError(f"exclusive or alone name unknown labels: {', '.join(sorted(stranger))}")
        if (self.metric.name, self.metric.average) == ("log_loss", "samples") and not self.is_multi_class:
            raise ValueError('the log loss of chips (average = "samples") needs one exclusive group of all labels')
        if self.metric.judges == DECISIONS and self.submission_kind == "scores":
            raise ValueError(
                f'{self.metric.title} judges decisions: expected [submission] kind = "tags", "columns" or "rows"'
            )
        if self.metric.judges != DECISIONS and self.submission_kind in ("tags", "columns"):
            raise ValueError(f'{self.metric.title} judges scores: expected [submission] kind = "scores" or "rows"')
        if self.submission.decimals is not None and self.metric.judges == DECISIONS:
            raise ValueError(
                f"{self.metric.title} judges decisions, which are 0 or 1: take decimals out of [submission]"
            )
        for form in (self.tables, self.submission_form):
            self._check_words(form)
        self._check_tables()
        return self

    def _check_tables(self) -> None:
        """Refuse tables and columns that are named for two things of which they can be but one."""
        tables = self.tables
        if twice := _repeated(tables.train):
            raise ValueError(f"tables.train names a table twice: {twice}")
        if tables.sample_submission in tables.train:
            raise ValueError(f"{tables.sample_submission} cannot be the table of labels and the sample_submission too")
        taken = {tables.id_column, tables.tags_column, tables.label_column, tables.value_column}
        taken |= {*self.labels} if tables.form == "columns" else set()
        for entry, column in (("fold_column", tables.fold_column), ("group_column", tables.group_column)):
            if column is not None and column in taken:
                raise ValueError(f"{entry} {column!r} is the column of the ids or of labels, and cannot be another's")
        if tables.fold_column is not None and tables.fold_column == tables.group_column:
            raise ValueError(f"{tables.fold_column!r} cannot be the fold_column and the group_column too")

    def _check_words(self, form: TableForm) -> None:
        """Refuse labels that a table of tags could not tell from two labels, or from none."""
        if form.form != "tags":
            return
        if parted := [label for label in self.labels if len(form.split(label)) != 1]:
            raise ValueError(
                f"labels hold the separator {form.separator!r} of column {form.tags_column!r}: "
                f"{', '.join(map(repr, parted[:3]))}; give the table another separator"
            )
        if form.none in self.labels:
            raise ValueError(f"{form.none!r} is a label and cannot be the word for none")

    @cached_property
    def label_index(self) -> dict[str, int]:
        """Column of each label."""
        return {label: column for column, label in enumerate(self.labels)}

    @cached_property
    def exclusive_columns(self) -> tuple[tuple[int, ...], ...]:
        """Columns of each exclusive group."""
        return tuple(tuple(self.label_index[label] for label in group) for group in self.exclusive)

    @property
    def is_multi_class(self) -> bool:
        """Whether a chip carries exactly one of all labels."""
        return len(self.exclusive) == 1 and len(self.exclusive[0]) == len(self.labels)

    @cached_property
    def submission_kind(self) -> Kind:
        """The kind of a submission."""
        return self.submission.kind_for(self.tables, self.metric.judges)

    @cached_property
    def submission_form(self) -> TableForm:
        """How a submission lays out its rows."""
        return self.submission.form_for(self.tables, self.submission_kind)

    @property
    def kaggle_slug(self) -> str:
        """Kaggle's name of the competition.

        Raises:
            UserError: if the competition file gives none.
        """
        if self.slug is None:
            raise UserError(
                f"{self.title} has no slug, so nothing can be submitted or downloaded from here: write slug = "
                '"..." (the name in the address of its page on Kaggle) into the competition file, or upload the CSV by '
                "hand."
            )
        return self.slug

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


def _is_one_group(values: dict[str, Any]) -> bool:
    """Return whether a file, not checked yet, has one exclusive group of all labels."""
    try:
        (group,) = values["exclusive"]
        return set(group) == set(values["labels"])
    except (KeyError, TypeError, ValueError):
        return False


def _repeated(names: Iterable[str]) -> str:
    return ", ".join(sorted(name for name, times in Counter(names).items() if times > 1))
