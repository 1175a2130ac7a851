"""The flag `--track`. It knows names only, so that `--help` need not import what they name."""

from __future__ import annotations

import click

MLFLOW = "mlflow"
track_flag = click.option(
    "--track",
    type=click.Choice([MLFLOW]),
    help="bring what is done into MLflow, each result once: at MLFLOW_TRACKING_URI, or mlruns/ in the workspace",
)
