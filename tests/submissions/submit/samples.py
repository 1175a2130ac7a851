"""A small competition that judges scores, with submissions of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from competition.index.layout import Layout
from competition.spec.competition import Competition
from competition.workspace import Workspace


def scored(
    submission: dict[str, Any], *, metric: str = "log_loss", labels: Sequence[str] = ("wet sand", "rock")
) -> Competition:
    """Return a competition with submissions of some form."""
    return Competition.model_validate(
        {
            "name": "seabed",
            "title": "Seabed",
            "labels": labels,
            "metric": {"name": metric},
            "tables": {"train": "t.csv", "sample_submission": "s.csv", "id_column": "id"},
            "images": {"png": {"suffix": ".png", "bands": "RGB", "train": "train", "test": "test"}},
            "submission": submission,
        }
    )


def prepared(root: Path, competition: Competition, train: str, sample: str) -> Workspace:
    """Return a workspace with a training table and a sample submission."""
    workspace = Workspace(root, competition)
    files = {"t.csv": train, "s.csv": sample}
    workspace.data.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (workspace.data / name).write_text(text, encoding="utf-8")
    tables = {name: workspace.data / name for name in files}
    Layout(competition.name, {}, tables).write(workspace.data / "layout.json")
    return workspace
