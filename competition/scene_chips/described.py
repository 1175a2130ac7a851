"""The file of a competition whose chips were cut from a scene: labels, rules and metric of another one, or none."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from competition.common.errors import unknown_name
from competition.scenes.scene import Scene
from competition.spec.base import toml_key, toml_text
from competition.spec.competition import Competition

TABLE, FOLDER, FILE, GROUP = "labels.csv", "chips", "competition.toml", "group"
SEPARATORS = " |;,"  # of tags, the first that no label holds


def labels_of(found: Sequence[str], like: Competition | None) -> tuple[str, ...]:
    """Return the labels of the chips, in order: those of a competition, or those that were found.

    Raises:
        UserError: if the competition lacks one that was found.
    """
    if like is None:
        return tuple(sorted(set(found)))
    for label in sorted(set(found)):
        if label not in like.labels:
            raise unknown_name(f"label of competition '{like.name}'", label, list(like.labels))
    return like.labels


def described(
    name: str,
    labels: Sequence[str],
    like: Competition | None,
    scene: Scene,
    ranges: Mapping[str, tuple[float, float]],
    metres_per_pixel: float,
) -> str:
    """Return the text of a competition's file for chips as `cut` writes them.

    Args:
        name: short name.
        labels: of the chips.
        like: gives the rules that labels keep, and the metric; None: chips may carry any labels, or none.
        scene: that the chips were cut from.
        ranges: values that bands span, of those that need to be told.
        metres_per_pixel: of the chips.
    """
    lines = [f"# Chips cut from {scene.source.shown}.", f"name = {toml_text(name)}"]
    lines += [f"title = {toml_text(f'Chips of {scene.name}')}", f"labels = {_list(labels)}"]
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
    lines += ["", "[images.tif]", 'suffix = ".tif"', f"bands = {_list(scene.bands)}", f'train = ["{FOLDER}"]']
    lines += [f"metres_per_pixel = {metres_per_pixel:.6g}"]
    if ranges:
        lines += ["", "[images.tif.range]"]
        lines += [f"{toml_key(band)} = [{low:.6g}, {high:.6g}]" for band, (low, high) in ranges.items()]
    return "\n".join(lines) + "\n"


def read_described(text: str) -> Competition:
    """Return the competition that `described` has written."""
    content: dict[str, Any] = tomllib.loads(text)
    return Competition.model_validate(content)


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(toml_text, names))}]"
