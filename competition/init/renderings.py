"""The renderings of the chips that a folder shows: which files, where, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from competition.common.errors import UserError
from competition.common.text import counted
from competition.init.reading import Labelled
from competition.survey.content import Content, content_of
from competition.survey.grids import Grid
from competition.survey.images import Found, find_images, folders_of, short_names
from competition.survey.listing import Listing


@dataclass(frozen=True)
class Rendering:
    """A rendering of the chips.

    Attributes:
        name: as the competition's file will have it.
        found: which files.
        content: what they hold.
        train: folders of the labelled chips, as the competition's file names them.
        test: folders of those to predict.
        renamed: the table of right names of the files; None if there is none.
    """

    name: str
    found: Found
    content: Content
    train: list[str]
    test: list[str]
    renamed: str | None = None


def find_renderings(
    listing: Listing, labelled: Labelled, asked: Collection[str], grids: Sequence[Grid]
) -> list[Rendering]:
    """Return the renderings of the chips, the default first.

    Args:
        listing: what lies in the folder.
        labelled: the table of labels.
        asked: ids of the chips to predict; none if they are not known.
        grids: all tables.

    Raises:
        UserError: if no picture is one of a chip, or a chip has several pictures that are no bands.
    """
    images = find_images(listing, labelled.kind, labelled.form.ids, asked)
    if not images:
        raise UserError(
            f"No picture is named in column {labelled.id_column!r} of {labelled.grid.path}. Give --id-column."
        )
    families = [each.family for each in images]
    twin = next((each for each in images if each.family in (".jpg", ".png")), None)
    known = folders_of(listing)
    renderings = []
    for each in images:
        train, test = ([place or "." for place in short_names(group, known)] for group in (each.train, each.test))
        content = content_of(each, None if each is twin else twin)
        name = _name(each, is_only=families.count(each.family) == 1)
        renderings.append(Rendering(name, each, content, train, test, _renamed(each, grids)))
    return renderings


def missing_chips(listing: Listing, labelled: Labelled, default: Found) -> list[str]:
    """Return the question of labelled chips without a file, in a list; an empty one where all files were not listed."""
    chips = set(labelled.form.ids)
    missing = 0 if listing.partial else len(chips) - len(default.ids)
    if not missing:
        return []
    return [f"Where are the {missing:,} of {counted(len(chips), 'labelled chip')} that have no {default.family} file?"]


def _name(images: Found, *, is_only: bool) -> str:
    """Return the suffix of the files; of several renderings with one suffix, the folder."""
    family = images.family[1:]
    name = family if is_only else images.train[0].replace("/", "-") or "all"
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._") or family


def _renamed(images: Found, grids: Sequence[Grid]) -> str | None:
    """Return the name of the table that mends the names of the files."""
    tables = (grid for grid in grids if set(grid.header) == {"old", "new"})
    return next((grid.name for grid in tables if grid.column("old")[0].lower().endswith(images.family)), None)
