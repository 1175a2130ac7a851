"""A competition that nobody knows, in forms that none of those that ship has."""

from __future__ import annotations

from typing import Any

from competition.spec.competition import Competition

FUNGI: dict[str, Any] = {
    "name": "fungi",
    "title": "Fungi of the forest floor",
    "labels": ["Bolete, dark", "chanterelle", "mörel", "none of these"],
    "alone": ["none of these"],
    "exclusive": [["Bolete, dark", "chanterelle"]],
    "tables": {"train": "tables/train.csv", "sample_submission": "sample.csv", "id_column": "id"},
    "images": {"png": {"suffix": ".png", "bands": "RGB", "train": ["train"], "test": ["test"]}},
}


def fungi(tables: dict[str, Any] | None = None, images: dict[str, Any] | None = None, **others: Any) -> Competition:
    """Return the competition with other entries."""
    tables = {**FUNGI["tables"], **(tables or {})}
    pictures = {"png": {**FUNGI["images"]["png"], **(images or {})}}
    return Competition.model_validate({**FUNGI, "tables": tables, "images": pictures, **others})
