"""An MLflow of the tests' own: no address of the machine's, and no wait for a server that does not answer."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_mlflow(monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
