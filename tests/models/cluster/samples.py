"""Trainings of tiny models."""

from __future__ import annotations

from typing import Any

from competition.workspace import Workspace
from models.cluster.steps import Training
from models.runs.model_recipe import ModelRequest
from tests.models.samples import TINY

VALUES = {**TINY, "epochs": 1}


def training_of(workspace: Workspace, *names: str, seeds: int = 1, **options: Any) -> Training:
    """Return the training of tiny models of these names."""
    values = {**VALUES, "seeds": seeds}
    return Training(workspace, tuple(ModelRequest("baseline", name, values) for name in names), **options)
