"""A competition as a folder of files shows it, with what is not sure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from competition.common.errors import UserError
from competition.common.text import first
from competition.data.mistakes import one_folder_up
from competition.init.forms import Form, Wishes
from competition.init.groups import find_alone, find_groups
from competition.init.reading import Labelled
from competition.init.renderings import Rendering, find_renderings, missing_chips
from competition.init.roles import find_labels, find_sample, read_grids
from competition.init.sample import Asked, asked_ids, guess_metric, metric_of, read_sample, without_sample
from competition.spec.metric import DECISIONS, SCORES, Metric
from competition.survey.grids import Grid
from competition.survey.ids import Names
from competition.survey.images import short_names
from competition.survey.listing import ARCHIVES, Listing

GUESS = "What ranks submissions? Taken as {}, a guess; --metric says it."
NO_SAMPLE = (
    "Is there a sample submission? None was found: the chips to predict are those without labels; "
    "--sample-submission names it."
)
NO_SLUG = "What is its name on Kaggle? --slug says it; it is needed to download and submit."
WEIGHTS = "Which labels weigh more than others? Taken as none; entry weights under [metric] says it."
TOGETHER = re.compile(
    r"patient|subject|group|person|case|study|series|scene|video|site|animal|plant|location|tile|sequence|slide", re.I
)
OF_FOLDS = re.compile(r"k?_?folds?|fold_?(id|no|nr|number)?", re.I)
MOST_FOLDS = 50
LONGEST = 40  # letters of a cell that is shown
FEWEST_GROUPS = 4
ALONE_AT_MOST = 0.9  # of the rows: a column with as many different cells says of no two chips that they belong together


@dataclass(frozen=True)
class Called:
    """What the competition is called.

    Attributes:
        name: short name, used in files.
        title: name for people.
        slug: Kaggle's name; None if nothing looks like one.
        slug_from: where the slug is from; "" where it was given.
    """

    name: str
    title: str
    slug: str | None
    slug_from: str


@dataclass(frozen=True)
class Rules:
    """What the truth shows of the labels.

    Attributes:
        groups: of labels of which a chip carries exactly one, and how many chips do not.
        alone: labels that no other accompanies, and how many chips carry each.
        unlabelled: how many chips carry none.
    """

    groups: list[tuple[list[str], int]]
    alone: dict[str, int]
    unlabelled: int


@dataclass(frozen=True)
class Columns:
    """Columns that are no labels and are of use.

    Attributes:
        groups: those that could say which chips stay together in a fold.
        group: the one that is taken; None if none is.
        folds: a column of folds that were delivered.
        questions: what is left open, and the default that was taken.
    """

    groups: list[str]
    group: str | None
    folds: str | None
    questions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Draft:
    """All that was found.

    Attributes:
        root: the folder.
        called: what the competition is called.
        labelled: the table of labels.
        tables: names of the tables of labels, as the competition's file has them.
        sample: the sample submission, and its name; None if there is none.
        asked: what it asks for.
        labels: in their order.
        metric: what ranks submissions.
        is_guessed: whether the metric was guessed.
        rules: what the truth shows of the labels.
        columns: of use beside the labels.
        renderings: the images, the default first.
        questions: what is left open, each with the default that was taken and what settles it.
        notes: what was not read.
    """

    root: Path
    called: Called
    labelled: Labelled
    tables: list[str]
    sample: tuple[Grid, str] | None
    asked: Asked
    labels: list[str]
    metric: Metric
    is_guessed: bool
    rules: Rules
    columns: Columns
    renderings: list[Rendering]
    questions: list[str]
    notes: list[str]


def draft(listing: Listing, wishes: Wishes) -> Draft:
    """Return the competition that a folder shows.

    Args:
        listing: what lies in the folder.
        wishes: what the flags say.

    Raises:
        UserError: if something cannot be told and has no safe default; the line names the flag that settles it.
    """
    _check_pictures(listing)
    grids, names = _read_tables(listing), Names(listing.pictures)
    sample = find_sample(grids, wishes, names)
    labelled = find_labels(grids, sample, names, wishes)
    form = labelled.form
    _check_labels(labelled)
    sample = sample or (None if wishes.sample_submission == "" else labelled.test)
    asked = read_sample(sample, labelled.id_column, form, names) if sample else without_sample(form, _judges(wishes))
    metric, asked = _metric(form, asked, sample, wishes)
    labels = asked.labels if set(asked.labels) >= set(form.labels) else form.labels
    columns = _find_columns(labelled, wishes)
    to_predict = asked_ids(sample, labelled.id_column, asked, form.labels) if sample else set[str]()
    renderings = find_renderings(listing, labelled, to_predict, grids)
    paths, called = [grid.path for grid in grids], _called(listing.root, wishes)
    return Draft(
        root=listing.root,
        called=called,
        labelled=labelled,
        tables=short_names(labelled.paths, paths),
        sample=(sample, short_names([sample.path], paths)[0]) if sample else None,
        asked=asked,
        labels=labels,
        metric=metric,
        is_guessed=not wishes.metric,
        rules=_find_rules(form, labels),
        columns=columns,
        renderings=renderings,
        questions=[
            *([] if called.slug else [NO_SLUG]),
            *([] if wishes.metric else [GUESS.format(metric.title)]),
            *([WEIGHTS] if "weighted" in (wishes.metric or "").lower() else []),
            *columns.questions,
            *missing_chips(listing, labelled, renderings[0].found),
            *(question for part in (form, labelled, asked) for question in part.questions),
            *(question for rendering in renderings for question in rendering.content.questions),
            *([] if sample or wishes.sample_submission == "" else [NO_SAMPLE]),
        ],
        notes=listing.notes,
    )


def _check_pictures(listing: Listing) -> None:
    """Refuse a folder without pictures, saying what it holds."""
    if not listing.pictures:
        others = (
            first(suffix for _, suffix in sorted((-count, suffix) for suffix, count in listing.others.items()))
            or "no files"
        )
        more = f" {listing.notes[0]}." if listing.notes else ""
        raise UserError(f"{listing.root} holds no pictures, unpacked or in archives: found {others}.{more}")


def _read_tables(listing: Listing) -> list[Grid]:
    """Return the tables; where there are none, but the folder above has some, say so."""
    grids = read_grids(listing)
    if not grids and (above := one_folder_up(listing.root)):
        raise UserError(f"{listing.root} holds no table of labels. Perhaps {above}.")
    return grids


def _check_labels(labelled: Labelled) -> None:
    """Refuse a table of one label or none."""
    labels = labelled.form.labels
    if len(labels) < 2:
        received = first(map(repr, labels)) or "none"
        raise UserError(
            f"{labelled.grid.path}: expected two labels or more, received {received}. "
            "Give --tags-column or --separator."
        )


def _called(root: Path, wishes: Wishes) -> Called:
    """Return what the competition is called; a slug is what looks like one: the one archive's name, or the folder's."""
    folder = root.resolve().name
    packed = [path.name for path in root.iterdir() if path.name.lower().endswith(ARCHIVES)]
    likely = [packed[0].rpartition(".")[0] if len(packed) == 1 else "", folder]
    is_slug = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
    slug = wishes.slug or next((text for text in likely if is_slug.fullmatch(text) and "train" not in text), None)
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", wishes.output or slug or folder).strip("-._").lower() or "competition"
    words = re.sub(r"[-_\s]+", " ", slug or wishes.output or folder).strip() or "A competition"
    title = wishes.title or words[0].upper() + words[1:]
    return Called(wishes.name or plain, title, slug, "" if wishes.slug else "from the name of the folder or archive")


def _judges(wishes: Wishes) -> str:
    return metric_of(wishes.metric).judges if wishes.metric else DECISIONS


def _check_kind(form: Form, asked: Asked, sample: Grid | None, wishes: Wishes) -> None:
    """Refuse a metric of scores where the sample submission shows tags."""
    if sample and wishes.metric and asked.kind == "tags" and _judges(wishes) == SCORES:
        column = asked.entries.get("tags_column", form.entries.get("tags_column"))
        cells = sample.column(column) if column in sample.header else []
        cell = next(filter(None, cells), "none")
        raise UserError(
            f"--metric {wishes.metric} judges scores, but {sample.path} shows tags ({cell[:LONGEST]}). Is it another "
            "metric, or not the sample submission? --sample-submission names another."
        )


def _metric(form: Form, asked: Asked, sample: Grid | None, wishes: Wishes) -> tuple[Metric, Asked]:
    """Return the metric, and what a submission holds; of a sample of 0 and 1, that follows from the metric."""
    _check_kind(form, asked, sample, wishes)
    is_multi_class = bool((form.truth.sum(axis=1) == 1).all()) and bool(find_groups(form.truth))
    if not wishes.metric:
        is_open = any("--metric" in question for question in asked.questions)
        shows_scores = asked.kind == "scores" or (asked.kind == "rows" and not is_open)
        metric = guess_metric(asked.kind, shows_scores, is_multi_class)
    elif wishes.metric.strip().lower() == "accuracy" and is_multi_class:
        metric = Metric(name="accuracy", average="samples")  # the share of the chips that are right
    else:
        metric = metric_of(wishes.metric)
    kind, entries, questions = asked.kind, asked.entries, asked.questions
    if metric.judges == SCORES and kind == "columns":
        kind = "scores"
    elif metric.judges != SCORES:
        kind = "columns" if kind == "scores" else kind
        entries = {name: value for name, value in entries.items() if name != "decimals"}
    if wishes.metric:
        questions = [question for question in questions if "--metric" not in question]
    return metric, replace(asked, kind=kind, entries=entries, questions=questions)


def _find_rules(form: Form, labels: list[str]) -> Rules:
    """Return what the truth shows of the labels; a group of all has their order."""
    groups, counts = find_groups(form.truth), form.truth.sum(axis=0)
    named = []
    for group in groups:
        names = [form.labels[column] for column in group.columns]
        ordered = [label for label in labels if label in names] if len(names) == len(form.labels) else names
        named.append((ordered, len(group.exceptions)))
    alone = {form.labels[column]: int(counts[column]) for column in find_alone(form.truth, groups)}
    is_one_group = any(len(names) == len(form.labels) for names, _ in named)  # of which those without are exceptions
    return Rules(named, alone, 0 if is_one_group else int((~form.truth.any(axis=1)).sum()))


def _find_columns(labelled: Labelled, wishes: Wishes) -> Columns:
    """Return columns that are no labels and are of use: groups of chips, and folds."""
    grid, entries = labelled.grid, labelled.form.entries
    used = {labelled.id_column, *(str(value) for value in entries.values()), *labelled.form.labels}
    rest = [name for name in grid.header if name and name not in used]
    folds = [name for name in rest if OF_FOLDS.fullmatch(name) and 2 <= len(grid.values(name)) <= MOST_FOLDS]
    fold_column = folds[0] if len(folds) == 1 else None
    if wishes.group == "":
        return Columns([], None, fold_column)
    if wishes.group is not None:
        if wishes.group not in grid.header:
            raise UserError(f"--group {wishes.group!r}: {grid.path} has {first(map(repr, grid.header), 8)}.")
        return Columns([wishes.group], wishes.group, fold_column)
    groups = [name for name in rest if name not in folds and _could_be_group(name, grid)]
    if not groups:
        return Columns([], None, fold_column)
    group = groups[0] if len(groups) == 1 else None
    taken = "Taken so; --group says otherwise." if group else "Taken as no; --group names the column."
    question = f"Do chips of one {', '.join(map(repr, groups))} stay in one fold? {taken}"
    return Columns(groups, group, fold_column, [question])


def _could_be_group(name: str, grid: Grid) -> bool:
    """Return whether a column could say which chips belong together, by its name and how often its cells recur."""
    different = len(grid.values(name))
    recurs = FEWEST_GROUPS <= different <= ALONE_AT_MOST * len(grid.rows)
    return recurs and bool(TOGETHER.search(name)) and not re.search(r"age|sex|gender", name, re.I)
