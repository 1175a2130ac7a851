"""An MLflow of the tests' own: no address of the machine's, and no wait for a server that does not answer."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_mlflow(monkeypatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # so that what the store sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
