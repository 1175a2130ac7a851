"""The file of a competition whose chips were cut from scenes: labels, rules and metric of another one, or none."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from competition.common.errors import UserError, unknown_name
from competition.common.text import first, printable
from competition.scenes.scene import Scene
from competition.spec.base import toml_key, toml_text
from competition.spec.competition import Competition
from competition.spec.load import describe

TABLE, FOLDER, FILE, GROUP = "labels.csv", "chips", "competition.toml", "group"
SEPARATORS = " |;,"  # of tags, the first that no label holds


def labels_of(found: Sequence[str], like: Competition | None) -> tuple[str, ...]:
    """Return the labels of the chips, in order: those of a competition, or those that were found.

    Raises:
        UserError: if the competition lacks one that was found, or there is but one.
    """
    if like is None:
        labels = tuple(sorted(set(found)))
        if len(labels) == 1:
            raise UserError(
                f"All features are labelled {labels[0]!r}, and chips are told apart by two labels or more. "
                "Name one that every chip carries, such as by --with ground."
            )
        return labels
    for label in sorted(set(found)):
        if label not in like.labels:
            raise unknown_name(f"label of competition '{like.name}'", label, list(like.labels))
    return like.labels


def described(
    name: str,
    labels: Sequence[str],
    like: Competition | None,
    scenes: Sequence[Scene],
    ranges: Mapping[str, tuple[float, float]],
    metres_per_pixel: float,
) -> str:
    """Return the text of a competition's file for chips as `cut` writes them.

    Args:
        name: short name.
        labels: of the chips.
        like: gives the rules that labels keep, and the metric; None: chips may carry any labels, or none.
        scenes: that the chips were cut from.
        ranges: values that bands span, of those that need to be told.
        metres_per_pixel: of the chips.
    """
    shown = printable(first(scene.source.shown for scene in scenes))
    lines = [f"# Chips cut from {shown}.", f"name = {toml_text(name)}"]
    lines += [f"title = {toml_text(f'Chips of {first(scene.name for scene in scenes)}')}", f"labels = {_list(labels)}"]
    if like is None:
        lines += ["unlabelled = true"]
    else:
        lines += [f"exclusive = [{', '.join(map(_list, like.exclusive))}]", f"alone = {_list(like.alone)}"]
        lines += [f"unlabelled = {str(like.unlabelled).lower()}", "", "[metric]"]
        metric = like.metric.model_dump(exclude={"weights"}, exclude_defaults=True) | {"name": like.metric.name}
        lines += [f"{key} = {json.dumps(value)}" for key, value in metric.items()]
    separator = next((mark for mark in SEPARATORS if not any(mark in label for label in labels)), "\t")
    lines += ["", "[tables]", f'train = "{TABLE}"', 'id_column = "image_name"', 'tags_column = "tags"']
    lines += [f"separator = {toml_text(separator)}", f'group_column = "{GROUP}" # blocks of ground']
    lines += ["", "[images.tif]", 'suffix = ".tif"', f"bands = {_list(scenes[0].bands)}", f'train = ["{FOLDER}"]']
    lines += [f"metres_per_pixel = {metres_per_pixel:.6g}"]
    if ranges:
        lines += ["", "[images.tif.range]"]
        lines += [f"{toml_key(band)} = [{low:.6g}, {high:.6g}]" for band, (low, high) in ranges.items()]
    return "\n".join(lines) + "\n"


def read_described(text: str) -> Competition:
    """Return the competition that `described` has written.

    Raises:
        UserError: if its labels are none of a competition.
    """
    content: dict[str, Any] = tomllib.loads(text)
    try:
        return Competition.model_validate(content)
    except ValidationError as error:
        raise UserError(f"The chips make no competition: {describe(error, Competition)}.") from error


def header_of(competition: Competition) -> list[str]:
    """Return the columns of the table of such chips: id, tags, block of ground, scene, and the day it was taken."""
    return [competition.tables.id_column, competition.tables.tags_column or "tags", GROUP, "scene", "date"]


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(toml_text, names))}]"
