"""A competition as a folder of files shows it, with what is not sure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from competition.common.errors import UserError
from competition.common.text import counted, first
from competition.init.forms import Wishes
from competition.init.groups import find_alone, find_groups
from competition.init.reading import Labelled
from competition.init.roles import find_labels, find_sample, read_grids
from competition.init.sample import Asked, guess_metric, metric_of, read_sample, without_sample
from competition.spec.metric import DECISIONS, SCORES, Metric
from competition.survey.grids import Grid
from competition.survey.ids import Names
from competition.survey.images import Found, find_images, folders_of, short_names
from competition.survey.listing import ARCHIVES, Listing
from competition.survey.probe import Content, probe

TOGETHER = re.compile(
    r"patient|subject|group|person|case|study|series|scene|video|site|animal|plant|location|tile|sequence|slide", re.I
)
OF_FOLDS = re.compile(r"k?_?folds?|fold_?(id|no|nr|number)?", re.I)
MOST_FOLDS = 50
ALONE_AT_MOST = 0.9  # of the rows: a column with as many different cells says of no two chips that they belong together


@dataclass(frozen=True)
class Rendering:
    """A rendering of the chips: its name, which files, what they hold, and the table that mends their names."""

    name: str
    found: Found
    content: Content
    train: list[str]
    test: list[str]
    renamed: str | None = None


@dataclass
class Draft:
    """All that was found.

    Attributes:
        root: the folder.
        name, title, slug: of the competition; slug None if nothing looks like one.
        slug_from: where the slug is from; "" where it was given.
        labelled: the table of labels.
        tables: names of the tables of labels, as the competition's file has them.
        sample: the sample submission, and its name; None if there is none.
        asked: what it asks for.
        labels: in their order.
        groups: of labels of which a chip carries exactly one, and how many chips do not.
        alone: labels that no other accompanies, and how many chips carry each.
        unlabelled: how many chips carry none.
        metric: what ranks submissions.
        is_guessed: whether the metric was guessed.
        renderings: the images, the default first.
        groups_of_chips: columns that could say which chips stay together in a fold, the one that is taken first.
        group: that one; None if none is taken.
        fold_column: a column of folds that were delivered.
        questions: what is left open, each with the default that was taken and what settles it.
        notes: what was not read.
    """

    root: Path
    name: str
    title: str
    slug: str | None
    slug_from: str
    labelled: Labelled
    tables: list[str]
    sample: tuple[Grid, str] | None
    asked: Asked
    labels: list[str]
    metric: Metric
    is_guessed: bool
    groups: list[tuple[list[str], int]] = field(default_factory=list)
    alone: dict[str, int] = field(default_factory=dict)
    unlabelled: int = 0
    renderings: list[Rendering] = field(default_factory=list)
    groups_of_chips: list[str] = field(default_factory=list)
    group: str | None = None
    fold_column: str | None = None
    questions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def draft(listing: Listing, wishes: Wishes) -> Draft:
    """Return the competition that a folder shows.

    Args:
        listing: what lies in the folder.
        wishes: what the flags say.

    Raises:
        UserError: if something cannot be told and has no safe default; the line names the flag that settles it.
    """
    _check_pictures(listing)
    grids, names = read_grids(listing), Names(listing.pictures)
    sample = find_sample(grids, wishes, names)
    labelled = find_labels(grids, sample, names, wishes)
    form = labelled.form
    if len(form.labels) < 2:
        raise UserError(
            f"{labelled.grid.path}: expected two labels or more, received {first(map(repr, form.labels)) or 'none'}. "
            "Give --tags-column or --separator."
        )
    sample = sample or labelled.test
    asked = read_sample(sample, labelled.id_column, form, names) if sample else without_sample(form, _judges(wishes))
    paths = [grid.path for grid in grids]
    name, title, slug = _names(listing.root, wishes)
    metric, is_guessed = _metric(labelled, asked, wishes)
    found = Draft(
        listing.root,
        name,
        title,
        slug,
        "" if wishes.slug else "from the name of the folder or archive",
        labelled,
        short_names(labelled.paths, paths),
        (sample, short_names([sample.path], paths)[0]) if sample else None,
        asked,
        asked.labels if set(asked.labels) >= set(form.labels) else form.labels,
        metric,
        is_guessed,
        notes=listing.notes,
    )
    _find_structure(found)
    _find_columns(found, wishes)
    _find_images(found, listing, grids)
    _collect_questions(found)
    return found


def _check_pictures(listing: Listing) -> None:
    """Refuse a folder without pictures, saying what it holds."""
    if not listing.pictures:
        others = (
            first(suffix for _, suffix in sorted((-count, suffix) for suffix, count in listing.others.items()))
            or "no files"
        )
        more = f" {listing.notes[0]}." if listing.notes else ""
        raise UserError(f"{listing.root} holds no pictures, unpacked or in archives: found {others}.{more}")


def _names(root: Path, wishes: Wishes) -> tuple[str, str, str | None]:
    """Return name, title and slug; a slug is what looks like one: the one archive's name, or the folder's."""
    folder = root.resolve().name
    packed = [path.name for path in root.iterdir() if path.name.lower().endswith(ARCHIVES)]
    likely = [packed[0].rpartition(".")[0] if len(packed) == 1 else "", folder]
    is_slug = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
    slug = wishes.slug or next((text for text in likely if is_slug.fullmatch(text) and "train" not in text), None)
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", slug or folder).strip("-._").lower() or "competition"
    words = re.sub(r"[-_]+", " ", slug or folder).strip() or "A competition"
    return wishes.name or plain, wishes.title or words[0].upper() + words[1:], slug


def _judges(wishes: Wishes) -> str:
    return metric_of(wishes.metric).judges if wishes.metric else DECISIONS


def _metric(labelled: Labelled, asked: Asked, wishes: Wishes) -> tuple[Metric, bool]:
    """Return the metric, and whether it was guessed; what a sample of 0 and 1 asks for follows from it."""
    form = labelled.form
    is_multi_class = bool((form.truth.sum(axis=1) == 1).all()) and bool(find_groups(form.truth))
    shows_scores = asked.kind == "scores" or (asked.kind == "rows" and not _is_undecided(asked))
    metric = metric_of(wishes.metric) if wishes.metric else guess_metric(asked.kind, shows_scores, is_multi_class)
    if metric.name == "accuracy" and is_multi_class and wishes.metric and len(wishes.metric.split()) == 1:
        metric = Metric(name="accuracy", average="samples")  # the share of the chips that are right
    if metric.judges == SCORES and asked.kind == "columns":
        asked.kind = "scores"
    elif metric.judges != SCORES and asked.kind == "scores":
        asked.kind, asked.entries = "columns", {k: v for k, v in asked.entries.items() if k != "decimals"}
    if wishes.metric:
        asked.questions = [question for question in asked.questions if "--metric" not in question]
    return metric, not wishes.metric


def _is_undecided(asked: Asked) -> bool:
    return any("--metric" in question for question in asked.questions)


def _find_structure(found: Draft) -> None:
    """Find what the truth shows of the labels."""
    truth, own = found.labelled.form.truth, found.labelled.form.labels
    groups = find_groups(truth)
    for group in groups:
        names = [own[column] for column in group.columns]
        ordered = [label for label in found.labels if label in names] if len(names) == len(own) else names
        found.groups.append((ordered, len(group.exceptions)))
    counts = truth.sum(axis=0)
    found.alone = {own[column]: int(counts[column]) for column in find_alone(truth, groups)}
    found.unlabelled = int((~truth.any(axis=1)).sum())


def _find_columns(found: Draft, wishes: Wishes) -> None:
    """Find columns that are no labels and are of use: groups of chips, and folds."""
    labelled = found.labelled
    grid, entries = labelled.grid, labelled.form.entries
    used = {labelled.id_column, *(str(value) for value in entries.values()), *labelled.form.labels}
    rest = [name for name in grid.header if name and name not in used]
    folds = [name for name in rest if OF_FOLDS.fullmatch(name) and 2 <= len(grid.values(name)) <= MOST_FOLDS]
    found.fold_column = folds[0] if len(folds) == 1 else None
    if wishes.group is not None:
        if wishes.group not in grid.header:
            raise UserError(f"--group {wishes.group!r}: {grid.path} has {first(map(repr, grid.header), 8)}.")
        found.group, found.groups_of_chips = wishes.group, [wishes.group]
        return
    found.groups_of_chips = [
        name
        for name in rest
        if name not in folds
        and TOGETHER.search(name)
        and 2 <= len(grid.values(name)) <= ALONE_AT_MOST * len(grid.rows)
        and not (len(grid.values(name)) <= 3 or re.search(r"age|sex|gender", name, re.I))
    ]
    if len(found.groups_of_chips) == 1:
        found.group = found.groups_of_chips[0]
        found.questions.append(f"Do chips of one {found.group!r} stay in one fold? Taken so; --group says otherwise.")
    elif found.groups_of_chips:
        listed = ", ".join(map(repr, found.groups_of_chips))
        found.questions.append(f"Do chips of one {listed} stay in one fold? Taken as no; --group names the column.")


def _find_images(found: Draft, listing: Listing, grids: list[Grid]) -> None:
    labelled, form = found.labelled, found.labelled.form
    train, test = set(form.ids), _asked_ids(found, form.labels)
    images = find_images(listing, labelled.kind, train, test)
    if not images:
        raise UserError(
            f"No picture is named in column {labelled.id_column!r} of {labelled.grid.path}. Give --id-column."
        )
    families = [each.family for each in images]
    known = folders_of(listing)
    twin = next((each for each in images if each.family in (".jpg", ".png")), None)
    for each in images:
        name = each.family[1:] if families.count(each.family) == 1 else (each.train[0].replace("/", "-") or "all")
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._") or each.family[1:]
        renamed = [
            grid.name
            for grid in grids
            if set(grid.header) == {"old", "new"}
            and any(cell.lower().endswith(each.family) for cell in grid.column("old")[:1])
        ]
        train_folders, test_folders = (
            [place or "." for place in short_names(group, known)] for group in (each.train, each.test)
        )
        content = probe(each, None if each is twin else twin)
        found.renderings.append(
            Rendering(name, each, content, train_folders, test_folders, renamed[0] if renamed else None)
        )
    if missing := len(train) - len(images[0].ids) if not listing.partial else 0:
        found.questions.append(
            f"Where are the {missing:,} of {counted(len(train), 'labelled chip')} that have no {images[0].family} file?"
        )


def _asked_ids(found: Draft, labels: list[str]) -> set[str]:
    """Return the ids of the chips to predict, none where they are not known."""
    if found.sample is None:
        return set()
    grid = found.sample[0]
    own = found.labelled.id_column if found.labelled.id_column in grid.header else grid.header[0]
    row_id = found.asked.entries.get("row_id")
    if row_id is None:
        return set(grid.values(own))
    before, _, rest = row_id.partition("{id}")
    ends = sorted((rest.removesuffix("{label}") + label for label in labels), key=len, reverse=True)
    ids = set()
    for value in grid.values(own):
        end = next((end for end in ends if value.endswith(end)), "")
        ids.add(value.removeprefix(before).removesuffix(end))
    return ids


def _collect_questions(found: Draft) -> None:
    if found.is_guessed:
        found.questions.insert(0, f"What ranks submissions? Taken as {found.metric.title}, a guess; --metric says it.")
    found.questions += [*found.labelled.form.questions, *found.labelled.questions, *found.asked.questions]
    for each in found.renderings:
        found.questions += each.content.questions
    if found.sample is None:
        found.questions.append(
            "Is there a sample submission? None was found: the chips to predict are those without labels; "
            "--sample-submission names it."
        )
