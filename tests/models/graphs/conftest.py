"""Fixtures of this room: trials of what runs a graph fastest are over at once."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quick_trial(monkeypatch) -> None:
    monkeypatch.setattr("models.graphs.running.SECONDS", 0.01)
